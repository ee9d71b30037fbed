//! How well a module does: per day and per million sat of capacity, with what chance leaves open.
//!
//! UTC days are the samples. A day counts when the module was in force for half of it or more. Two modules
//! that were in force on the same days are compared by the differences of those days, which leaves out
//! what moved the whole market; others by the means of their days.

use super::student::{self, Interval};
use crate::model::{SignedMsat, UnixTime};

/// Days that each side needs before anything is said of it.
pub const MIN_DAYS: usize = 7;
/// Forwards that each side needs on those days.
pub const MIN_FORWARDS: u64 = 30;
/// Seconds of a day that make it count.
const HALF_DAY: u64 = UnixTime::DAY / 2;
/// Of differences between modules that are alike, the share that may seem real.
const LEVEL: f64 = 0.05;
/// A million sat for a day, msat s.
const UNIT: f64 = 1e9 * UnixTime::DAY as f64;

/// What a module did on one UTC day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModuleDay {
    /// Its start.
    pub day: UnixTime,
    pub forwards: u64,
    pub revenue: SignedMsat,
    pub net: SignedMsat,
    /// Capacity in force x time, msat s.
    pub capacity_s: u128,
    /// Seconds in which it was in force anywhere.
    pub in_force_s: u64,
}

impl ModuleDay {
    fn counts(&self) -> bool {
        self.in_force_s >= HALF_DAY && self.capacity_s > 0
    }

    /// Msat per day and per million sat of capacity.
    fn rate(&self, of: Measure) -> f64 {
        let amount = match of {
            Measure::Revenue => self.revenue,
            Measure::Net => self.net,
        };
        amount.0 as f64 * UNIT / self.capacity_s as f64
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Fees earned by forwards that left.
    Revenue,
    /// Revenue less rebalances and on-chain costs.
    Net,
}

/// A rate over days, msat per day and million sat.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// Days that count.
    pub days: usize,
    /// Forwards on those days.
    pub forwards: u64,
    /// None without such a day.
    pub mean: Option<f64>,
    /// None before there are [`MIN_DAYS`] days and [`MIN_FORWARDS`] forwards.
    pub interval: Option<Interval>,
    /// What is missing for an interval.
    pub missing: Option<String>,
}

/// The days that count.
fn counted(days: &[ModuleDay]) -> Vec<ModuleDay> {
    days.iter().copied().filter(ModuleDay::counts).collect()
}

fn rates(days: &[ModuleDay], of: Measure) -> Vec<f64> {
    days.iter().map(|day| day.rate(of)).collect()
}

fn forwards(days: &[ModuleDay]) -> u64 {
    days.iter().map(|day| day.forwards).sum()
}

/// A module's mean rate.
pub fn rate(days: &[ModuleDay], of: Measure) -> Rate {
    let days = counted(days);
    let rates = rates(&days, of);
    let missing = missing(&days);
    let interval = student::interval(&rates).filter(|_| missing.is_none());
    Rate { days: days.len(), forwards: forwards(&days), mean: student::mean(&rates), interval, missing }
}

/// What a comparison came to, from the first side's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Better,
    Worse,
    NoDifferenceShown,
    NotEnoughData,
}

impl Verdict {
    /// The words used in answers.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::NoDifferenceShown => "no difference shown",
            Verdict::NotEnoughData => "not enough data",
        }
    }
}

/// One module against another.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub verdict: Verdict,
    /// What is missing, as a sentence; empty unless there is not enough data.
    pub missing: String,
    /// The first side's rate less the other's.
    pub difference: Option<Interval>,
    /// How often chance alone makes a difference as marked.
    pub chance: Option<f64>,
    /// Whether the same days of both were compared with each other.
    pub paired: bool,
    /// Days of either side that were compared.
    pub days: (usize, usize),
}

/// Compares one module's days with another's.
pub fn compare(one: &[ModuleDay], other: &[ModuleDay], of: Measure) -> Comparison {
    let (one, other) = (counted(one), counted(other));
    let lacks = [("it", missing(&one)), ("the other", missing(&other))];
    let lacks: Vec<String> =
        lacks.into_iter().filter_map(|(who, lack)| Some(format!("{who} needs {}", lack?))).collect();
    let both: Vec<(ModuleDay, ModuleDay)> = common(&one, &other);
    let paired = both.len() >= MIN_DAYS;
    if !lacks.is_empty() {
        return Comparison {
            verdict: Verdict::NotEnoughData,
            missing: lacks.join("; "),
            difference: None,
            chance: None,
            paired: false,
            days: (one.len(), other.len()),
        };
    }
    let (difference, chance, days) = if paired {
        let apart: Vec<f64> = both.iter().map(|(one, other)| one.rate(of) - other.rate(of)).collect();
        (student::interval(&apart), student::chance_of_mean(&apart), (both.len(), both.len()))
    } else {
        let (ours, theirs) = (rates(&one, of), rates(&other, of));
        let chance = student::chance_of_difference(&ours, &theirs);
        (student::difference(&ours, &theirs), chance, (ours.len(), theirs.len()))
    };
    Comparison {
        verdict: verdict(difference, chance),
        missing: String::new(),
        difference,
        chance: Some(chance),
        paired,
        days,
    }
}

/// Both must say so: the interval, and the test that assumes nothing of how days are spread.
fn verdict(difference: Option<Interval>, chance: f64) -> Verdict {
    match difference.filter(|difference| difference.excludes_zero() && chance < LEVEL) {
        Some(difference) if difference.mean > 0.0 => Verdict::Better,
        Some(_) => Verdict::Worse,
        None => Verdict::NoDifferenceShown,
    }
}

/// What a side lacks, of its days that count.
fn missing(days: &[ModuleDay]) -> Option<String> {
    let (count, forwards) = (days.len(), forwards(days));
    let days = (count < MIN_DAYS).then(|| format!("{MIN_DAYS} days (it has {count})"));
    let forwards = (forwards < MIN_FORWARDS).then(|| format!("{MIN_FORWARDS} forwards (it has {forwards})"));
    match (days, forwards) {
        (Some(days), Some(forwards)) => Some(format!("{days} and {forwards}")),
        (one, other) => one.or(other),
    }
}

/// The days that both have; each side's are in order.
fn common(one: &[ModuleDay], other: &[ModuleDay]) -> Vec<(ModuleDay, ModuleDay)> {
    let same = |day: &ModuleDay| {
        let place = other.binary_search_by_key(&day.day, |other| other.day).ok()?;
        Some((*day, other[place]))
    };
    one.iter().filter_map(same).collect()
}

#[cfg(test)]
mod tests;
