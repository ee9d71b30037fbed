//! Whether a canary goes on: a module that decides for some channels while another keeps the rest.
//!
//! What the canary's channels would have earned is what they earned before, times what became of the
//! others' revenue meanwhile. Where the others forward too little to tell, it is what they earned before.
//! The fall against that is judged only on enough forwards, and only where it is more than the chance
//! in their number explains. What the guard refuses of its proposals is set against the others' share,
//! for what befalls both is not the canary's doing. Any fault ends it at once.

pub mod evaluator;

use crate::model::module::CanaryBounds;
use crate::model::{Msat, UnixTime};

/// Proposals before their refusals are judged.
const MIN_PROPOSALS: u64 = 10;

/// What a group of channels did in some stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    pub seconds: u64,
    /// Fees of forwards that left.
    pub earned: Msat,
    pub forwards: u64,
}

impl Stretch {
    fn days(&self) -> f64 {
        self.seconds as f64 / UnixTime::DAY as f64
    }

    /// Msat per day.
    fn per_day(&self) -> f64 {
        if self.seconds == 0 { 0.0 } else { self.earned.0 as f64 / self.days() }
    }

    fn forwards_per_day(&self) -> f64 {
        if self.seconds == 0 { 0.0 } else { self.forwards as f64 / self.days() }
    }
}

/// The channels of one module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub channels: u32,
    /// Before the canary began, and since.
    pub before: Stretch,
    pub since: Stretch,
    /// Of the module's proposals since then.
    pub refusals: Refusals,
}

/// A module's proposals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    pub proposals: u64,
    /// How many of them the guard refused as out of place.
    pub refused: u64,
}

impl Refusals {
    fn pct(&self) -> Option<f64> {
        (self.proposals > 0).then(|| 100.0 * self.refused as f64 / self.proposals as f64)
    }

    /// Share of these less that of the others, in percent of proposals.
    fn excess_pct(&self, others: &Refusals) -> Option<f64> {
        self.pct().map(|pct| pct - others.pct().unwrap_or(0.0))
    }

    /// Why a canary with these is taken back, if it is.
    fn too_many(&self, others: &Refusals, bounds: &CanaryBounds) -> Option<String> {
        let excess = self.excess_pct(others).filter(|_| self.proposals >= MIN_PROPOSALS)?;
        (excess > bounds.max_refusals_pct).then(|| {
            format!(
                "the guard refused {} of its {} proposals ({:.1} %), {excess:.1} points more than of the other \
                 channels' and than the {} allowed",
                self.refused,
                self.proposals,
                self.pct().unwrap_or(0.0),
                bounds.max_refusals_pct
            )
        })
    }
}

/// All that is known of a canary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub canary: Group,
    /// The other channels of the same strategy.
    pub rest: Group,
    /// Of the canary's module, since it began.
    pub faults: u32,
}

/// The numbers behind a verdict; rates in msat per day, of all channels of a group together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    pub hours: f64,
    pub canary_before_per_day: f64,
    pub canary_since_per_day: f64,
    pub rest_before_per_day: f64,
    pub rest_since_per_day: f64,
    /// What became of the others' revenue, as a factor; none where they forward too little to tell.
    pub rest_factor: Option<f64>,
    /// What the canary's channels were to be expected to earn.
    pub expected_per_day: f64,
    /// Forwards that they were to be expected to have since.
    pub expected_forwards: f64,
    /// Change of the canary's channels less that of the others, per channel and day.
    pub difference_in_differences: f64,
    /// By how much revenue is below what was expected; negative when it is above. None where nothing was.
    pub revenue_fall_pct: Option<f64>,
    /// The fall that the chance in the number of forwards alone explains, in 95 of 100 cases.
    pub chance_pct: Option<f64>,
    pub refusals_pct: Option<f64>,
    pub rest_refusals_pct: Option<f64>,
    /// Of the canary less of the others, in percent of proposals.
    pub excess_refusals_pct: Option<f64>,
    pub faults: u32,
}

/// What is to become of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It goes on; what its revenue cannot be judged for yet, if so.
    GoOn { waits_for: Option<String> },
    /// It is taken back.
    Return { why: String },
}

/// A word on a canary, and the numbers behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<S = Statistics> {
    pub word: Word,
    pub statistics: S,
}

impl<S> Verdict<S> {
    /// It goes on unless something speaks against it.
    fn new(why: Option<String>, waits_for: Option<String>, statistics: S) -> Verdict<S> {
        let word = why.map_or(Word::GoOn { waits_for }, |why| Word::Return { why });
        Verdict { word, statistics }
    }
}

/// Judges a canary.
pub fn judge(evidence: &Evidence, bounds: &CanaryBounds) -> Verdict {
    let statistics = statistics(evidence, bounds);
    let waits_for = waits_for(evidence, bounds, &statistics);
    let revenue = if waits_for.is_none() { revenue_fell(bounds, &statistics) } else { None };
    let refusals = evidence.canary.refusals.too_many(&evidence.rest.refusals, bounds);
    Verdict::new(faulty(evidence.faults).or(refusals).or(revenue), waits_for, statistics)
}

fn statistics(evidence: &Evidence, bounds: &CanaryBounds) -> Statistics {
    let Evidence { canary, rest, faults } = *evidence;
    let is_telling = rest.before.forwards >= u64::from(bounds.min_forwards.max(1))
        && rest.before.per_day() > 0.0
        && rest.since.seconds > 0;
    let factor = |now: f64, then: f64| is_telling.then(|| now / then);
    let rest_factor = factor(rest.since.per_day(), rest.before.per_day());
    let forwards_factor = factor(rest.since.forwards_per_day(), rest.before.forwards_per_day());
    let expected_per_day = canary.before.per_day() * rest_factor.unwrap_or(1.0);
    let expected_forwards =
        canary.before.forwards_per_day() * canary.since.days() * forwards_factor.unwrap_or(1.0);
    Statistics {
        hours: canary.since.seconds as f64 / UnixTime::HOUR as f64,
        canary_before_per_day: canary.before.per_day(),
        canary_since_per_day: canary.since.per_day(),
        rest_before_per_day: rest.before.per_day(),
        rest_since_per_day: rest.since.per_day(),
        rest_factor,
        expected_per_day,
        expected_forwards,
        difference_in_differences: change_per_channel(&canary) - change_per_channel(&rest),
        revenue_fall_pct: (expected_per_day > 0.0)
            .then(|| 100.0 * (expected_per_day - canary.since.per_day()) / expected_per_day),
        chance_pct: chance_pct(evidence, expected_forwards, rest_factor.is_some()),
        refusals_pct: canary.refusals.pct(),
        rest_refusals_pct: rest.refusals.pct(),
        excess_refusals_pct: canary.refusals.excess_pct(&rest.refusals),
        faults,
    }
}

fn change_per_channel(group: &Group) -> f64 {
    let change = group.since.per_day() - group.before.per_day();
    if group.channels == 0 { 0.0 } else { change / f64::from(group.channels) }
}

/// The relative error of a product of counts, each as uncertain as its root.
fn chance_pct(evidence: &Evidence, expected_forwards: f64, with_rest: bool) -> Option<f64> {
    let share = |count: f64| if count > 0.0 { 1.0 / count } else { f64::INFINITY };
    let mut error2 = share(evidence.canary.before.forwards as f64) + share(expected_forwards);
    if with_rest {
        let Group { before, since, .. } = evidence.rest;
        error2 += share(before.forwards as f64) + share(since.forwards as f64);
    }
    error2.is_finite().then(|| 100.0 * 1.96 * error2.sqrt())
}

/// What revenue cannot be judged without.
fn waits_for(evidence: &Evidence, bounds: &CanaryBounds, statistics: &Statistics) -> Option<String> {
    let CanaryBounds { min_hours, min_forwards, .. } = *bounds;
    let least = f64::from(min_forwards);
    if statistics.hours < f64::from(min_hours) {
        return Some(format!("{min_hours} hours; it ran {:.1}", statistics.hours));
    }
    let before = evidence.canary.before.forwards;
    if before < u64::from(min_forwards) {
        return Some(format!("{min_forwards} forwards before it began; its channels had {before}"));
    }
    if statistics.expected_forwards < least {
        let expected = statistics.expected_forwards;
        return Some(format!(
            "{min_forwards} forwards to be expected since it began; these are {expected:.1}"
        ));
    }
    None
}

fn faulty(faults: u32) -> Option<String> {
    match faults {
        0 => None,
        1 => Some("its module failed".to_owned()),
        faults => Some(format!("its module failed {faults} times")),
    }
}

fn revenue_fell(bounds: &CanaryBounds, statistics: &Statistics) -> Option<String> {
    let (fall, chance) = (statistics.revenue_fall_pct?, statistics.chance_pct?);
    (fall > bounds.max_revenue_fall_pct && fall > chance).then(|| {
        format!(
            "its channels earn {:.0} msat a day where {:.0} were to be expected: {fall:.1} % less, where {} % are \
             allowed and chance explains {chance:.1} %",
            statistics.canary_since_per_day, statistics.expected_per_day, bounds.max_revenue_fall_pct
        )
    })
}

#[cfg(test)]
mod tests;
