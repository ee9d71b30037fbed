//! What the decisions of each module brought and cost while they were in force.
//!
//! A forward counts for the module that was in force on the channel it left by when it was received, a
//! rebalance for the one on the channel that it filled when it was paid, an on-chain cost for the one
//! on its channel at its time. What closing costs comes after the last decision and counts for whoever
//! made that. The rest (openings among it) is unattributed, so that all parts together are the node's
//! sums, to the msat.

mod evaluators;
mod spans;
#[cfg(test)]
mod tests;

pub use evaluators::{EvaluatorBooks, Proposer, by_evaluator};

use super::sums::{self, ChainCost, Owners};
use crate::econ::pnl::Pnl;
use crate::model::ledger::CostKind;
use crate::model::{Digest, Msat, StrategyName, UnixTime};
use crate::store::flow;
use crate::store::tenures::{self, Tenure};
use crate::store::window::{self, FOR_EVER};
use rusqlite::{Connection, Result};
use spans::Spans;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// One UTC day of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayBooks {
    pub pnl: Pnl,
    /// Capacity in force x time, msat s.
    pub capacity_s: u128,
    /// Seconds in force, each channel counted.
    pub channel_s: u64,
    /// Seconds in which it was in force anywhere.
    pub in_force_s: u64,
}

/// One module under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleBooks {
    pub strategy: StrategyName,
    pub digest: Digest,
    /// In its own words.
    pub version: Option<String>,
    /// When it first came into force, in the window or before.
    pub from: UnixTime,
    /// When it was last in force; none while it is.
    pub to: Option<UnixTime>,
    /// Channels on which it was in force at some time of the window.
    pub channels: usize,
    /// Channels on which it is in force now, and their capacity.
    pub channels_now: usize,
    pub capacity_now: Msat,
    /// By start of the day.
    pub days: BTreeMap<UnixTime, DayBooks>,
}

impl ModuleBooks {
    fn new(first: &Tenure) -> ModuleBooks {
        ModuleBooks {
            strategy: first.held.strategy.clone(),
            digest: first.held.digest,
            version: None,
            from: first.from,
            to: Some(first.from),
            channels: 0,
            channels_now: 0,
            capacity_now: Msat::ZERO,
            days: BTreeMap::new(),
        }
    }

    /// The sums of all its days.
    pub fn total(&self) -> Pnl {
        self.days.values().map(|day| &day.pnl).sum()
    }

    /// Seconds in force, each channel counted.
    pub fn channel_s(&self) -> u64 {
        self.days.values().map(|day| day.channel_s).sum()
    }

    fn day(&mut self, at: UnixTime) -> &mut DayBooks {
        self.days.entry(day_of(at)).or_default()
    }
}

/// The node's sums from an instant until now, by the module in force.
#[derive(Clone, Debug)]
pub struct ByModule {
    /// The start that was really used.
    pub from: UnixTime,
    /// From here on forwards are told apart to the second; before, modules count from the start of the
    /// UTC hour, or where hours are forgotten the day, in which they came into force.
    pub exact_from: UnixTime,
    /// By name and first day.
    pub modules: Vec<ModuleBooks>,
    /// What no module was in force for.
    pub unattributed: Pnl,
}

impl ByModule {
    /// The node's sums.
    pub fn total(&self) -> Pnl {
        let modules: Vec<Pnl> = self.modules.iter().map(ModuleBooks::total).collect();
        modules.iter().chain([&self.unattributed]).sum()
    }

    fn pnl(&mut self, module: Option<usize>, at: UnixTime) -> &mut Pnl {
        match module {
            Some(module) => &mut self.modules[module].day(at).pnl,
            None => &mut self.unattributed,
        }
    }
}

pub(super) fn all(conn: &Connection, owners: &Owners, since: UnixTime, now: UnixTime) -> Result<ByModule> {
    let kept = flow::kept(conn)?;
    let from = window::told(since, kept);
    let tenures = tenures::all(conn)?;
    let (modules, places) = modules(conn, &tenures)?;
    let mut sums = ByModule { from, exact_from: kept.rows, modules, unattributed: Pnl::default() };
    let exact = Spans::new(&tenures, &places, |at| at);
    let rounded = Spans::new(&tenures, &places, |at| window::rounded(at, kept));
    add_traffic(conn, owners, &rounded, now, &mut sums)?;
    sums::each_cost(conn, from, |cost| {
        let module = payer(&exact, &cost);
        sums.pnl(module, cost.at).costs.book(cost.kind, cost.source, cost.amount);
    })?;
    sums::each_rebalance(conn, from, |filling| {
        let module = filling.into.and_then(|channel| exact.at(&channel, filling.at));
        sums.pnl(module, filling.at).costs.book_rebalance(filling.fee, filling.imported);
    })?;
    add_time(&tenures, &places, now, &mut sums);
    sums.modules.retain(|module| module.to.is_none() || !module.days.is_empty());
    sums.modules.sort_by(|one, other| (&one.strategy, one.from).cmp(&(&other.strategy, other.from)));
    Ok(sums)
}

/// Every module that ever was in force, and the place of each tenure's module among them.
fn modules(conn: &Connection, tenures: &[Tenure]) -> Result<(Vec<ModuleBooks>, Vec<usize>)> {
    let versions = tenures::versions(conn)?;
    let mut modules: Vec<ModuleBooks> = Vec::new();
    let mut known: BTreeMap<(&StrategyName, [u8; 32]), usize> = BTreeMap::new();
    let mut places = Vec::with_capacity(tenures.len());
    for tenure in tenures {
        let key = (&tenure.held.strategy, tenure.held.digest.0);
        let place = *known.entry(key).or_insert_with(|| {
            modules.push(ModuleBooks::new(tenure));
            modules.len() - 1
        });
        let module = &mut modules[place];
        module.version = versions.get(&module.digest).cloned();
        module.from = module.from.min(tenure.from);
        module.to = module.to.zip(tenure.to).map(|(one, other)| one.max(other));
        if tenure.to.is_none() {
            module.channels_now += 1;
            module.capacity_now += tenure.held.capacity;
        }
        places.push(place);
    }
    Ok((modules, places))
}

/// Who is charged with an on-chain cost.
fn payer(spans: &Spans, cost: &ChainCost) -> Option<usize> {
    match cost.kind {
        CostKind::Close | CostKind::Sweep | CostKind::Penalty => spans.last(&cost.channel_id, cost.at),
        CostKind::Open | CostKind::Splice | CostKind::Lease => spans.at(&cost.channel_id, cost.at),
    }
}

/// Sums up the time between any two instants at which a module came, a module went, or a day began:
/// there each channel had one module throughout.
fn add_traffic(
    conn: &Connection,
    owners: &Owners,
    spans: &Spans,
    now: UnixTime,
    sums: &mut ByModule,
) -> Result<()> {
    let mut cuts: BTreeSet<UnixTime> = spans.ends().filter(|end| *end > sums.from).collect();
    if let Some(first) = spans.ends().min() {
        let mut day = day_of(first.max(sums.from)).plus(UnixTime::DAY);
        while day <= now {
            cuts.insert(day);
            day = day.plus(UnixTime::DAY);
        }
    }
    cuts.insert(FOR_EVER);
    let mut from = sums.from;
    for until in cuts {
        flow::each_name_between(conn, from, until, |scid, delta| {
            let module = owners.get(&scid).and_then(|channel| spans.at(channel, from));
            sums.pnl(module, from).traffic += sums::traffic(delta);
        })?;
        from = until;
    }
    Ok(())
}

/// Adds how long, and for how much capacity, each module was in force.
fn add_time(tenures: &[Tenure], places: &[usize], now: UnixTime, sums: &mut ByModule) {
    let mut stretches: Vec<Vec<(UnixTime, UnixTime)>> = vec![Vec::new(); sums.modules.len()];
    let mut channels: HashSet<(usize, [u8; 32])> = HashSet::new();
    for (tenure, place) in tenures.iter().zip(places) {
        let (from, to) = (tenure.from.max(sums.from), tenure.to.unwrap_or(now).min(now));
        let module = &mut sums.modules[*place];
        if from < to || tenure.to.is_none() {
            module.channels += usize::from(channels.insert((*place, tenure.held.channel_id.0)));
        }
        for (day, seconds) in by_day(from, to) {
            let day = module.day(day);
            day.channel_s += seconds;
            day.capacity_s += u128::from(tenure.held.capacity.0) * u128::from(seconds);
        }
        stretches[*place].push((from, to));
    }
    for (module, mut stretches) in sums.modules.iter_mut().zip(stretches) {
        stretches.sort_unstable();
        let mut told = UnixTime(0);
        for (from, to) in stretches {
            for (day, seconds) in by_day(from.max(told), to) {
                module.day(day).in_force_s += seconds;
            }
            told = told.max(to);
        }
    }
}

fn day_of(at: UnixTime) -> UnixTime {
    at.minus(at.0 % UnixTime::DAY)
}

/// The days of a stretch, and its seconds in each.
fn by_day(from: UnixTime, to: UnixTime) -> impl Iterator<Item = (UnixTime, u64)> {
    let first = day_of(from);
    (0..to.since(first).div_ceil(UnixTime::DAY)).filter_map(move |n| {
        let day = first.plus(n * UnixTime::DAY);
        let seconds = to.min(day.plus(UnixTime::DAY)).since(from.max(day));
        (seconds > 0).then_some((day, seconds))
    })
}
