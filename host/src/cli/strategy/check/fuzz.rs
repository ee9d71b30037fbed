//! Snapshots of nodes that nobody has: every value that the contract allows may come up.

use super::draw::{Draw, MOST};
use crate::cli::strategy::form::{
    AttemptForm, FeeChannel, FeeForm, FlowForm, IntervalForm, OpenerForm, RebalanceChannelForm,
    RebalanceForm, SenderForm, VerdictForm,
};
use crate::cli::strategy::inspect::value;
use crate::cli::strategy::kind::Kind;
use crate::engine::{Fees, Rebalances};
use crate::model::strategy::{Description, ParamSpec, ParamValue};
use serde_json::{Map, Value};

/// The highest rate that the host takes from anybody, ppm.
const MOST_PPM: u32 = 1_000_000;
const DAY_S: u64 = 86_400;
const FLOWS: [FlowForm; 3] = [FlowForm::Source, FlowForm::Sink, FlowForm::Balanced];

/// A world whose snapshots can be made up.
pub(super) trait Fuzz: Kind {
    /// A node with `rows` channels at `now_s`.
    fn draw(draw: &mut Draw, rows: usize, now_s: u64, about: &Description) -> Self::Form;
    /// Proposals, and those that the host would have to move or refuse for the row's own bounds.
    fn wishes(decision: &Self::Decision, form: &Self::Form) -> (usize, usize);
    /// Proposals that name a base fee, and those that name a largest HTLC.
    fn terms(_: &Self::Decision) -> (usize, usize) {
        (0, 0)
    }
    /// Reasons that were given.
    fn reasons(decision: &Self::Decision) -> Vec<&str>;
}

/// Values for some of the strategy's parameters: any of them may be at a bound.
fn params(draw: &mut Draw, specs: &[ParamSpec]) -> Map<String, Value> {
    let mut params = Map::new();
    for spec in specs {
        if draw.chance(0.5) {
            params.insert(spec.name.clone(), value(&param(draw, spec)));
        }
    }
    params
}

fn param(draw: &mut Draw, spec: &ParamSpec) -> ParamValue {
    let at = draw.pick(&[0.0, 1.0, 0.5]);
    // Shares of either bound, since the distance of two numbers can be too large for one.
    let between = |default: f64| {
        let (low, high) = (spec.minimum.unwrap_or(default), spec.maximum.unwrap_or(default));
        low * (1.0 - at) + high * at
    };
    // No whole number beside a bound is within it. One is between them: the default.
    let whole = |default: f64| {
        let least = spec.minimum.map_or(f64::NEG_INFINITY, f64::ceil);
        let most = spec.maximum.map_or(f64::INFINITY, f64::floor);
        between(default).round().max(least).min(most)
    };
    match &spec.default {
        ParamValue::Flag(_) => ParamValue::Flag(at > 0.4),
        ParamValue::Integer(default) => ParamValue::Integer(whole(*default as f64) as i64),
        ParamValue::Number(default) => ParamValue::Number(between(*default)),
        ParamValue::Text(default) => ParamValue::Text(default.clone()),
    }
}

/// Numbers at their edges that belong together in any snapshot.
struct Balance {
    capacity: u64,
    local: u64,
    spendable: u64,
    receivable: u64,
}

fn balance(draw: &mut Draw) -> Balance {
    let capacity = draw.u64(20_000_000_000);
    let local = draw.u64(capacity).min(capacity);
    let theirs = capacity - local;
    Balance {
        capacity,
        local,
        spendable: draw.u64(local).min(local),
        receivable: draw.u64(theirs).min(theirs),
    }
}

fn opener(draw: &mut Draw) -> OpenerForm {
    draw.pick(&[OpenerForm::Local, OpenerForm::Remote])
}

impl Fuzz for Fees {
    fn draw(draw: &mut Draw, rows: usize, now_s: u64, about: &Description) -> FeeForm {
        let signals = about.signals.iter();
        let signal = |draw: &mut Draw| (0..rows).map(|_| draw.option(0.8, |draw| draw.f64(10.0))).collect();
        FeeForm {
            now_s,
            cycle_s: draw.u32(3_600).max(1),
            seed: draw.rng.next_u64() & MOST,
            block_height: draw.u32(1_800_000),
            feerate_perkb: draw.u32(100_000),
            feerate_mean_day_perkb: Some(draw.u32(100_000)),
            feerate_hours_perkb: (0..draw.rng.below(25)).map(|_| draw.u32(100_000)).collect(),
            node_capacity_msat: None,
            node_local_msat: None,
            node_earned_day_msat: Some(draw.u64(10_000_000)),
            node_earned_week_msat: Some(draw.u64(70_000_000)),
            params: params(draw, &about.params),
            signals: signals.map(|name| (name.clone(), signal(draw))).collect(),
            channels: (0..rows).map(|row| fee_channel(draw, row, now_s)).collect(),
            node_state: None,
        }
        .bounded()
    }

    fn wishes(decision: &Self::Decision, form: &FeeForm) -> (usize, usize) {
        let beyond = decision.proposals.iter().filter(|proposal| {
            let row = &form.channels[proposal.row];
            !(row.min_fee_ppm..=row.max_fee_ppm).contains(&proposal.fee.0)
        });
        (decision.proposals.len(), beyond.count())
    }

    fn terms(decision: &Self::Decision) -> (usize, usize) {
        let base_fees = decision.proposals.iter().filter(|proposal| proposal.base_fee.is_some());
        let htlc_maxs = decision.proposals.iter().filter(|proposal| proposal.htlc_max.is_some());
        (base_fees.count(), htlc_maxs.count())
    }

    fn reasons(decision: &Self::Decision) -> Vec<&str> {
        decision.proposals.iter().map(|proposal| proposal.reason.as_str()).collect()
    }
}

impl FeeForm {
    /// Sums stay in the contract's range.
    fn bounded(mut self) -> FeeForm {
        let sum = |amount: fn(&FeeChannel) -> u64| {
            Some(self.channels.iter().fold(0_u64, |sum, row| sum.saturating_add(amount(row))).min(MOST))
        };
        let capacity = sum(|row| row.capacity_msat);
        let local = sum(|row| row.local_msat.unwrap_or(0));
        (self.node_capacity_msat, self.node_local_msat) = (capacity, local);
        self
    }
}

fn fee_channel(draw: &mut Draw, row: usize, now_s: u64) -> FeeChannel {
    let Balance { capacity, local, spendable, receivable } = balance(draw);
    let min_fee_ppm = draw.u32(200).min(MOST_PPM);
    let since_s = draw.u64(90 * DAY_S);
    let fee_ppm = draw.u32(3_000);
    FeeChannel {
        pseudonym: Some(row as u64 + 1),
        peer_pseudonym: Some(draw.u64(row as u64 + 1).max(1)),
        opener: opener(draw),
        public: draw.chance(0.9),
        connected: draw.chance(0.9),
        age_blocks: draw.u32(100_000),
        capacity_msat: capacity,
        local_msat: Some(local),
        spendable_msat: Some(spendable),
        receivable_msat: Some(receivable),
        htlcs_in: draw.u32(50),
        htlcs_out: draw.u32(50),
        htlc_slots: draw.u32(483),
        fee_ppm,
        base_fee_msat: draw.u32(2_000),
        htlc_max_msat: Some(draw.u64(capacity)),
        peer_fee_ppm: draw.option(0.8, |draw| draw.u32(3_000)),
        min_fee_ppm,
        max_fee_ppm: draw.u32(10_000).clamp(min_fee_ppm, MOST_PPM),
        target_ppm: draw.option(0.2, |draw| draw.u32(2_000).min(100_000)),
        in_day_msat: draw.u64(1_000_000_000),
        out_day_msat: draw.u64(1_000_000_000),
        in_week_msat: draw.u64(7_000_000_000),
        out_week_msat: draw.u64(7_000_000_000),
        earned_day_msat: draw.u64(1_000_000),
        earned_week_msat: draw.u64(7_000_000),
        sourced_week_msat: draw.u64(7_000_000),
        forwards_out_week: draw.u32(500),
        forwards_in_week: draw.u32(500),
        forwards_out_total: draw.u32(50_000),
        last_out_s: draw.option(0.8, |draw| now_s.saturating_sub(draw.u64(30 * DAY_S))),
        flow: draw.pick(&FLOWS),
        flow_ratio: draw.f64(0.3),
        velocity: draw.f64(0.05),
        confidence: draw.share(),
        rebalance_cost_ppm: draw.option(0.3, |draw| draw.u32(2_000)),
        last_verdict: draw.pick(&VerdictForm::ALL),
        last_proposed_ppm: draw.option(0.6, |draw| draw.u32(3_000)),
        last_change_s: now_s.saturating_sub(since_s),
        updates_left: draw.u32(12),
        intervals: intervals(draw, now_s, fee_ppm),
        state: None,
    }
}

/// Up to eight, oldest first, without gaps, the last one running.
fn intervals(draw: &mut Draw, now_s: u64, fee_ppm: u32) -> Vec<IntervalForm> {
    let mut end_s = now_s;
    let mut intervals: Vec<IntervalForm> = (0..draw.rng.below(9))
        .map(|back| {
            let start_s = end_s.saturating_sub(draw.u64(10 * DAY_S));
            let span = u32::try_from(end_s - start_s).unwrap_or(u32::MAX);
            let interval = IntervalForm {
                start_s,
                end_s,
                fee_ppm: if back == 0 { fee_ppm } else { draw.u32(3_000) },
                live_s: draw.u32(span).min(span),
                settled: draw.u32(300),
                failed_liquidity: draw.u32(30),
                failed_downstream: draw.u32(30),
                out_msat: draw.u64(10_000_000_000),
                fee_msat: draw.u64(10_000_000),
            };
            end_s = start_s;
            interval
        })
        .collect();
    intervals.reverse();
    intervals
}

impl Fuzz for Rebalances {
    fn draw(draw: &mut Draw, rows: usize, now_s: u64, about: &Description) -> RebalanceForm {
        let channels: Vec<_> = (0..rows).map(|row| rebalance_channel(draw, row, rows, now_s)).collect();
        let sum = |amount: fn(&RebalanceChannelForm) -> u64| {
            Some(channels.iter().fold(0_u64, |sum, row| sum.saturating_add(amount(row))).min(MOST))
        };
        RebalanceForm {
            now_s,
            cycle_s: draw.u32(3_600).max(1),
            seed: draw.rng.next_u64() & MOST,
            block_height: draw.u32(1_800_000),
            feerate_perkb: draw.u32(100_000),
            feerate_mean_day_perkb: Some(draw.u32(100_000)),
            node_capacity_msat: sum(|row| row.capacity_msat),
            node_local_msat: sum(|row| row.local_msat.unwrap_or(0)),
            node_earned_day_msat: draw.u64(10_000_000),
            node_earned_week_msat: Some(draw.u64(70_000_000)),
            budget_left_msat: draw.u64(100_000_000),
            slots_free: draw.u32(8),
            params: params(draw, &about.params),
            signals: about
                .signals
                .iter()
                .map(|name| (name.clone(), (0..rows).map(|_| draw.option(0.8, |d| d.f64(10.0))).collect()))
                .collect(),
            channels,
            node_state: None,
        }
    }

    fn wishes(decision: &Self::Decision, form: &RebalanceForm) -> (usize, usize) {
        let beyond = decision.proposals.iter().filter(|proposal| {
            let barred = |&from: &usize| !form.channels[from].may_drain;
            !form.channels[proposal.to].may_fill || proposal.from.iter().any(barred)
        });
        (decision.proposals.len(), beyond.count())
    }

    fn reasons(decision: &Self::Decision) -> Vec<&str> {
        let filled = decision.proposals.iter().map(|proposal| proposal.reason.as_str());
        filled.chain(decision.not_filled.iter().map(|left| left.reason.as_str())).collect()
    }
}

fn rebalance_channel(draw: &mut Draw, row: usize, rows: usize, now_s: u64) -> RebalanceChannelForm {
    let Balance { capacity, local, spendable, receivable } = balance(draw);
    let senders = draw.rng.below(4);
    RebalanceChannelForm {
        pseudonym: Some(row as u64 + 1),
        peer_pseudonym: Some(draw.u64(row as u64 + 1).max(1)),
        opener: opener(draw),
        public: draw.chance(0.9),
        connected: draw.chance(0.9),
        fleet: draw.chance(0.1),
        age_s: draw.u64(700 * DAY_S),
        capacity_msat: capacity,
        local_msat: Some(local),
        spendable_msat: Some(spendable),
        receivable_msat: Some(receivable),
        htlcs_in: draw.u32(50),
        htlcs_out: draw.u32(50),
        htlc_slots: draw.u32(483),
        fee_ppm: draw.u32(3_000),
        base_fee_msat: draw.u32(2_000),
        peer_fee_ppm: draw.option(0.8, |draw| draw.u32(3_000)),
        peer_base_fee_msat: draw.option(0.8, |draw| draw.u32(2_000)),
        in_week_msat: draw.u64(7_000_000_000),
        out_week_msat: draw.u64(7_000_000_000),
        in_month_msat: draw.u64(30_000_000_000),
        out_month_msat: draw.u64(30_000_000_000),
        live_week_s: draw.u32(7 * DAY_S as u32),
        live_month_s: draw.u32(30 * DAY_S as u32),
        earned_week_msat: draw.u64(7_000_000),
        earned_month_msat: draw.u64(30_000_000),
        sourced_week_msat: draw.u64(7_000_000),
        sourced_month_msat: draw.u64(30_000_000),
        forwards_in_month: draw.u32(2_000),
        forwards_out_month: draw.u32(2_000),
        last_out_s: draw.option(0.8, |draw| now_s.saturating_sub(draw.u64(30 * DAY_S))),
        flow: draw.pick(&FLOWS),
        flow_ratio: draw.f64(0.3),
        velocity: draw.f64(0.05),
        confidence: draw.share(),
        settled_sent: draw.f64(40.0).abs(),
        failed_sent: draw.f64(40.0).abs(),
        may_fill: draw.chance(0.7),
        may_drain: draw.chance(0.7),
        fill_most_msat: Some(draw.u64(receivable).min(receivable)),
        drain_most_msat: Some(draw.u64(spendable).min(spendable)),
        budget_left_msat: draw.u64(10_000_000),
        attempts: (0..draw.rng.below(6)).map(|_| attempt(draw, now_s)).collect(),
        senders: (0..senders)
            .map(|_| SenderForm { channel: draw.rng.below(rows) as u32, out_msat: draw.u64(1_000_000_000) })
            .collect(),
        state: None,
    }
}

fn attempt(draw: &mut Draw, now_s: u64) -> AttemptForm {
    let amount_msat = draw.u64(2_000_000_000);
    AttemptForm {
        ended_s: now_s.saturating_sub(draw.u64(30 * DAY_S)),
        amount_msat,
        moved_msat: draw.u64(amount_msat).min(amount_msat),
        fee_msat: draw.u64(2_000_000),
        max_ppm: draw.u32(5_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::params::within;

    #[test]
    fn drawn_parameters_are_within_any_honest_bounds() {
        let spec = |default, minimum, maximum| ParamSpec {
            name: "wide".to_owned(),
            doc: "How wide, ppm.".to_owned(),
            default,
            minimum,
            maximum,
        };
        for spec in [
            spec(ParamValue::Number(1.0), Some(f64::MIN), Some(f64::MAX)),
            spec(ParamValue::Number(1.0), None, Some(f64::MAX)),
            spec(ParamValue::Integer(5), Some(0.5), Some(9.5)),
            spec(ParamValue::Integer(-5), Some(-9.5), Some(-0.5)),
            spec(ParamValue::Integer(7), Some(6.5), Some(7.4)),
            spec(ParamValue::Integer(7), None, None),
            spec(ParamValue::Integer(0), Some(i64::MIN as f64), Some(i64::MAX as f64)),
        ] {
            let mut draw = Draw::new(1, 1, true);
            for _ in 0..20 {
                let drawn = param(&mut draw, &spec);
                assert_eq!(within(&spec, &drawn), Ok(()), "{drawn:?} of {spec:?}");
                assert!(!value(&drawn).is_null(), "{drawn:?} of {spec:?}");
            }
        }
    }
}
