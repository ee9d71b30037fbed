//! What an evaluator is told: snapshot and facts as rows without names.

use super::facts::{Facts, MONTH_S};
use crate::config::Config;
use crate::cycles::fee::pseudonym;
use crate::cycles::told;
use crate::guard::budget::{self, Ledger};
use crate::guard::rebalance::{Case, drain_most, fill_most, may_drain, may_fill};
use crate::model::flow::FlowClass;
use crate::model::job::Job;
use crate::model::rebalance::{Attempt, MAX_ATTEMPTS, RebalanceInput, RebalanceRow, Sender};
use crate::model::strategy::{FeeInterval, ParamValue};
use crate::model::{Channel, ChannelId, ChannelState, Msat, PeerId, UnixTime};
use crate::store::states::Memory;
use std::collections::{HashMap, HashSet};

/// About how long a block takes, seconds.
const BLOCK_S: u64 = 600;

/// What an input is built from.
pub(super) struct Sources<'a> {
    pub facts: &'a Facts,
    pub case: Case<'a>,
    /// The books, with what this cycle has taken so far.
    pub ledger: &'a Ledger,
    /// Channels that this evaluator may fill, as far as the guard lets it.
    pub asked: &'a HashSet<ChannelId>,
    /// Pauses don't count.
    pub force: bool,
    pub remembered: Memory,
    pub pseudonym_key: &'a [u8; 32],
    /// What an operator set for the module, and it takes; it knows its own defaults.
    pub params: Vec<(String, ParamValue)>,
}

/// Most channels by which a channel's outflow came in that an evaluator is told.
const MOST_SENDERS: usize = 16;

/// The channels that evaluators see, in the order of the rows.
pub(super) fn channels(case: Case<'_>) -> Vec<&Channel> {
    case.snapshot.channels.iter().filter(|channel| channel.state == ChannelState::Normal).collect()
}

/// The input of one call, rows in the order of [`channels`].
pub(super) fn build(mut sources: Sources<'_>) -> RebalanceInput {
    let (snapshot, facts, config) = (sources.case.snapshot, sources.facts, sources.case.config);
    let rows = channels(sources.case);
    let attempts = attempts(&facts.ended);
    let places: HashMap<ChannelId, usize> =
        rows.iter().enumerate().map(|(place, channel)| (channel.channel_id, place)).collect();
    let sum = |amount: fn(&Channel) -> Msat| rows.iter().map(|channel| amount(channel)).sum();
    let feerate = snapshot.feerate_perkb.unwrap_or(0);
    RebalanceInput {
        now: snapshot.now(),
        cycle_s: u32::try_from(config.rebalance_interval).unwrap_or(u32::MAX),
        seed: snapshot.tick.seed,
        block_height: snapshot.blockheight,
        feerate_perkb: feerate,
        feerate_mean_day_perkb: facts.feerate_mean_day.unwrap_or(feerate),
        node_capacity: sum(|channel| channel.total),
        node_local: sum(|channel| channel.to_us),
        node_earned_day: sources.ledger.earned,
        node_earned_week: facts.week.values().map(|window| window.earned).sum(),
        budget_left: budget::overall(config, sources.ledger).left(),
        slots_free: slots_free(config, sources.ledger),
        params: told::named(told::to_evaluators(config)).chain(std::mem::take(&mut sources.params)).collect(),
        channels: rows.iter().map(|channel| row(channel, &mut sources, (&attempts, &places))).collect(),
        signals: Vec::new(),
        node_state: std::mem::take(&mut sources.remembered.node),
    }
}

fn slots_free(config: &Config, ledger: &Ledger) -> u32 {
    let free = config.max_concurrent_jobs.saturating_sub(ledger.held.len() as u64);
    u32::try_from(free).unwrap_or(u32::MAX)
}

/// Ended jobs by the peer that they went to, oldest first. One that was interrupted and moved
/// nothing tells nothing.
fn attempts(ended: &[Job]) -> HashMap<PeerId, Vec<Attempt>> {
    use crate::model::job::JobOutcome::Interrupted;
    let mut by_peer: HashMap<PeerId, Vec<Attempt>> = HashMap::new();
    let telling = |job: &&Job| job.outcome != Some(Interrupted) || job.moved > Msat::ZERO;
    for job in ended.iter().filter(telling) {
        by_peer.entry(job.start.to.peer_id).or_default().push(Attempt {
            ended: job.stopped_at.or(job.settled_at).unwrap_or(job.deadline),
            amount: job.start.amount,
            moved: job.moved,
            fee: job.fee,
            max_fee: job.start.max_fee,
        });
    }
    for attempts in by_peer.values_mut() {
        let surplus = attempts.len().saturating_sub(MAX_ATTEMPTS);
        attempts.drain(..surplus);
    }
    by_peer
}

fn row(
    channel: &Channel,
    sources: &mut Sources<'_>,
    (attempts, places): (&HashMap<PeerId, Vec<Attempt>>, &HashMap<ChannelId, usize>),
) -> RebalanceRow {
    let (facts, case, id) = (sources.facts, sources.case, &channel.channel_id);
    let (config, now) = (case.config, case.snapshot.now());
    let week = facts.week.get(id).copied().unwrap_or_default();
    let month = facts.month.get(id).copied().unwrap_or_default();
    let flow = facts.flow.get(id);
    let senders = facts.senders.get(&channel.peer_id).copied().unwrap_or_default();
    let age_s = u64::from(channel.age_blocks(case.snapshot.blockheight)) * BLOCK_S;
    let intervals = facts.intervals.get(id).map_or(&[][..], Vec::as_slice);
    let may_fill = sources.asked.contains(id) && may_fill(channel, sources.force, case).is_ok();
    let may_drain = may_drain(channel, case).is_ok();
    RebalanceRow {
        pseudonym: pseudonym(sources.pseudonym_key, &id.0),
        peer_pseudonym: pseudonym(sources.pseudonym_key, &channel.peer_id.0),
        opener: channel.opener,
        public: !channel.private,
        connected: channel.peer_connected,
        fleet: facts.policy(channel.peer_id, now).strategy.is_fleet(),
        age_s,
        capacity: channel.total,
        local: channel.to_us,
        spendable: channel.spendable,
        receivable: channel.receivable,
        htlcs_in: channel.htlcs.incoming,
        htlcs_out: channel.htlcs.outgoing,
        htlc_slots: channel.htlcs.slots,
        fee: channel.fee_ppm,
        base_fee: channel.fee_base,
        peer_fee: channel.peer_fee_ppm,
        peer_base_fee: None,
        in_week: week.in_msat,
        out_week: week.out_msat,
        in_month: month.in_msat,
        out_month: month.out_msat,
        live_week_s: live_s(intervals, 7 * UnixTime::DAY, age_s, now),
        live_month_s: live_s(intervals, MONTH_S, age_s, now),
        earned_week: week.earned,
        earned_month: month.earned,
        sourced_week: week.sourced,
        sourced_month: month.sourced,
        forwards_in_month: month.in_count,
        forwards_out_month: month.out_count,
        last_out: facts.totals.get(id).and_then(|totals| totals.last_out),
        flow: flow.map_or(FlowClass::Balanced, |flow| flow.class),
        flow_ratio: flow.map_or(0.0, |flow| flow.flow_ratio),
        velocity: flow.map_or(0.0, |flow| flow.velocity),
        confidence: flow.map_or(0.0, |flow| flow.confidence),
        settled_sent: senders.settled,
        failed_sent: senders.failed,
        may_fill,
        may_drain,
        fill_most: if may_fill { fill_most(channel, config) } else { Msat::ZERO },
        drain_most: if may_drain { drain_most(channel, config) } else { Msat::ZERO },
        budget_left: budget::room_for(id, &channel.peer_id, config, sources.ledger),
        attempts: attempts.get(&channel.peer_id).cloned().unwrap_or_default(),
        senders: facts.pairs.get(id).map_or_else(Vec::new, |pairs| told_senders(pairs, places)),
        state: sources.remembered.channels.remove(id).unwrap_or_default().bytes,
    }
}

/// Where a channel's outflow came in, as far as those channels are rows.
fn told_senders(pairs: &[(ChannelId, Msat)], places: &HashMap<ChannelId, usize>) -> Vec<Sender> {
    let told = pairs.iter().filter_map(|(from, out)| Some(Sender { row: *places.get(from)?, out: *out }));
    told.take(MOST_SENDERS).collect()
}

/// Seconds of the last `window_s` in which the channel could sell, by the intervals that watched
/// it; what they did not watch counts as the rest did. The whole window, or the age if that is
/// less, when nothing watched.
fn live_s(intervals: &[FeeInterval], window_s: u64, age_s: u64, now: UnixTime) -> u32 {
    let from = now.minus(window_s);
    let (mut watched, mut live) = (0.0, 0.0);
    for interval in intervals {
        let (start, end) = (interval.start.max(from), interval.end.min(now));
        let (part, whole) = (end.since(start) as f64, interval.end.since(interval.start) as f64);
        if part > 0.0 && whole > 0.0 {
            watched += part;
            live += f64::from(interval.live_s) * part / whole;
        }
    }
    let window = if age_s == 0 { window_s } else { window_s.min(age_s) } as f64;
    let share = if watched > 0.0 { (live / watched).min(1.0) } else { 1.0 };
    (window * share) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ppm;

    #[test]
    fn live_time_is_what_was_watched_carried_to_the_window() {
        let now = UnixTime(10_000_000);
        let interval = |from: u64, to: u64, live_s| FeeInterval {
            start: now.minus(from),
            end: now.minus(to),
            fee: Ppm(100),
            live_s,
            settled: 0,
            failed_liquidity: 0,
            failed_downstream: 0,
            out: Msat(0),
            earned: Msat(0),
        };
        for (intervals, age_s, expect) in [
            (vec![], 0, 1_000),
            (vec![], 300, 300),
            (vec![interval(1_000, 0, 250)], 0, 250),
            (vec![interval(2_000, 0, 1_000)], 0, 500),
            (vec![interval(500, 0, 500), interval(1_000, 500, 0)], 0, 500),
            (vec![interval(500, 0, 250)], 0, 500),
        ] {
            assert_eq!(live_s(&intervals, 1_000, age_s, now), expect, "{intervals:?}");
        }
    }
}
