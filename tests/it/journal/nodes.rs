//! Made-up nodes that live from cycle to cycle, for calls without a node.

use cl_revenue_ops::model::flow::FlowClass;
use cl_revenue_ops::model::rebalance::{RebalanceInput, RebalanceRow, Sender};
use cl_revenue_ops::model::strategy::{
    ChannelRow, FeeInput, FeeInterval, LastVerdict, ParamValue, StrategyDecision,
};
use cl_revenue_ops::model::{Msat, Opener, Ppm, UnixTime};
use lab::rng::Rng;

const START: u64 = 1_790_000_000;
const CYCLE_S: u64 = 1_800;
/// Most intervals that a row carries.
const MOST_INTERVALS: usize = 8;

/// A node at one of its cycles.
pub struct Node {
    rng: Rng,
    /// What a strategy for fees is told in this cycle.
    pub input: FeeInput,
}

impl Node {
    pub fn new(channels: usize, seed: u64) -> Node {
        let mut rng = Rng::new(seed);
        let number = |name: &str, value| (format!("host.{name}"), ParamValue::Number(value));
        let input = FeeInput {
            now: UnixTime(START),
            cycle_s: CYCLE_S as u32,
            seed: rng.next_u64() >> 11,
            block_height: 900_000,
            feerate_perkb: 4_000,
            feerate_mean_day_perkb: 3_500,
            feerate_hours_perkb: vec![3_500; 24],
            node_capacity: Msat(5_000_000_000 * channels as u64),
            node_local: Msat(0),
            node_earned_day: Msat(0),
            node_earned_week: Msat(0),
            params: vec![
                number("htlc-congestion-threshold", 0.8),
                ("host.vegas-reflex".to_owned(), ParamValue::Flag(true)),
                number("vegas-decay", 0.85),
                ("host.scarcity-pricing".to_owned(), ParamValue::Flag(true)),
                number("scarcity-threshold", 0.35),
                ("host.target-flow-sats".to_owned(), ParamValue::Integer(100_000)),
                number("gossip-gate", 0.05),
            ],
            channels: (0..channels).map(|_| channel(&mut rng)).collect(),
            signals: vec![],
            node_state: vec![],
        };
        Node { rng, input }
    }

    /// One cycle on: what the decision wants is in force, and every fifth channel forwarded.
    pub fn step(&mut self, decision: StrategyDecision) {
        let (rng, input) = (&mut self.rng, &mut self.input);
        for proposal in &decision.proposals {
            set(&mut input.channels[proposal.row], proposal.fee, input.now);
        }
        input.now.0 += CYCLE_S;
        input.block_height += 3;
        input.seed = rng.next_u64() >> 11;
        input.feerate_perkb = rng.between(2_000.0, 9_000.0) as u32;
        input.node_state = decision.node_state;
        for (row, state) in input.channels.iter_mut().zip(decision.states.iter()) {
            row.state = state.to_vec();
            live(row, input.now, rng);
        }
        let sum = |amount: fn(&ChannelRow) -> Msat| input.channels.iter().map(amount).sum();
        input.node_local = sum(|row| row.local);
        input.node_earned_day = sum(|row| row.earned_day);
        input.node_earned_week = sum(|row| row.earned_week);
    }

    /// What an evaluator of rebalances is told.
    pub fn rebalances(&self) -> RebalanceInput {
        let input = &self.input;
        RebalanceInput {
            now: input.now,
            cycle_s: 900,
            seed: input.seed,
            block_height: input.block_height,
            feerate_perkb: input.feerate_perkb,
            feerate_mean_day_perkb: input.feerate_mean_day_perkb,
            node_capacity: input.node_capacity,
            node_local: input.node_local,
            node_earned_day: input.node_earned_day,
            node_earned_week: input.node_earned_week,
            budget_left: Msat(50_000_000),
            slots_free: 5,
            params: vec![
                ("host.inbound-fee-estimate-ppm".to_owned(), ParamValue::Integer(300)),
                ("host.max-ppm".to_owned(), ParamValue::Integer(5_000)),
            ],
            channels: input.channels.iter().enumerate().map(rebalance_row).collect(),
            signals: vec![],
            node_state: vec![],
        }
    }
}

fn channel(rng: &mut Rng) -> ChannelRow {
    let (share, fee) = (rng.uniform(), 100 + rng.below(900) as u32);
    let local = (4_900_000_000.0 * share) as u64;
    let change = START - rng.below(400_000) as u64;
    ChannelRow {
        pseudonym: rng.next_u64() >> 11,
        peer_pseudonym: rng.next_u64() >> 11,
        opener: if rng.below(3) == 0 { Opener::Remote } else { Opener::Local },
        public: true,
        connected: true,
        age_blocks: 5_000 + rng.below(50_000) as u32,
        capacity: Msat(5_000_000_000),
        local: Msat(local),
        spendable: Msat(local),
        receivable: Msat(4_900_000_000 - local),
        htlcs_in: 0,
        htlcs_out: 0,
        htlc_slots: 483,
        fee: Ppm(fee),
        base_fee: Msat(0),
        htlc_max: Msat(4_900_000_000),
        peer_fee: Some(Ppm(rng.below(1_000) as u32)),
        min_fee: Ppm(10),
        max_fee: Ppm(5_000),
        target: None,
        in_day: Msat(0),
        out_day: Msat(0),
        in_week: Msat(rng.below(900_000_000) as u64),
        out_week: Msat(rng.below(900_000_000) as u64),
        earned_day: Msat(0),
        earned_week: Msat(rng.below(300_000) as u64),
        sourced_week: Msat(0),
        forwards_out_week: rng.below(90) as u32,
        forwards_in_week: rng.below(90) as u32,
        forwards_out_total: rng.below(5_000) as u32,
        last_out: None,
        flow: FlowClass::Balanced,
        flow_ratio: rng.between(-0.3, 0.3),
        velocity: 0.0,
        confidence: rng.uniform(),
        rebalance_cost: None,
        last_verdict: LastVerdict::None,
        last_proposed: None,
        last_change: UnixTime(change),
        updates_left: 12,
        intervals: vec![interval(change, fee)],
        state: vec![],
    }
}

fn interval(start: u64, fee: u32) -> FeeInterval {
    FeeInterval {
        start: UnixTime(start),
        end: UnixTime(start),
        fee: Ppm(fee),
        live_s: 0,
        settled: 0,
        failed_liquidity: 0,
        failed_downstream: 0,
        out: Msat(0),
        earned: Msat(0),
    }
}

fn set(row: &mut ChannelRow, fee: Ppm, now: UnixTime) {
    (row.fee, row.last_proposed) = (fee, Some(fee));
    (row.last_verdict, row.last_change) = (LastVerdict::Published, now);
    row.intervals.push(interval(now.0, fee.0));
    let surplus = row.intervals.len().saturating_sub(MOST_INTERVALS);
    row.intervals.drain(..surplus);
}

fn live(row: &mut ChannelRow, now: UnixTime, rng: &mut Rng) {
    row.age_blocks += 3;
    let last = row.intervals.last_mut().expect("a row has an interval");
    (last.end, last.live_s) = (now, last.live_s + CYCLE_S as u32);
    if rng.below(5) > 0 {
        return;
    }
    let amount = rng.between(1_000.0, 50_000_000.0) as u64;
    row.htlcs_out = rng.below(3) as u32;
    if rng.below(2) == 0 && row.local.0 > amount {
        let fee = amount * u64::from(row.fee.0) / 1_000_000;
        (last.settled, last.out.0, last.earned.0) =
            (last.settled + 1, last.out.0 + amount, last.earned.0 + fee);
        (row.local.0, row.spendable.0, row.receivable.0) =
            (row.local.0 - amount, row.local.0 - amount, row.receivable.0 + amount);
        (row.out_day.0, row.out_week.0) = (row.out_day.0 + amount, row.out_week.0 + amount);
        (row.earned_day.0, row.earned_week.0) = (row.earned_day.0 + fee, row.earned_week.0 + fee);
        (row.forwards_out_week, row.forwards_out_total) =
            (row.forwards_out_week + 1, row.forwards_out_total + 1);
        row.last_out = Some(UnixTime(now.0 - rng.below(CYCLE_S as usize) as u64));
    } else if row.receivable.0 > amount {
        (row.local.0, row.spendable.0, row.receivable.0) =
            (row.local.0 + amount, row.local.0 + amount, row.receivable.0 - amount);
        (row.in_day.0, row.in_week.0) = (row.in_day.0 + amount, row.in_week.0 + amount);
        row.forwards_in_week += 1;
    }
}

fn rebalance_row((index, row): (usize, &ChannelRow)) -> RebalanceRow {
    let others = index.saturating_sub(2)..index;
    RebalanceRow {
        pseudonym: row.pseudonym,
        peer_pseudonym: row.peer_pseudonym,
        opener: row.opener,
        public: row.public,
        connected: row.connected,
        fleet: false,
        age_s: u64::from(row.age_blocks) * 600,
        capacity: row.capacity,
        local: row.local,
        spendable: row.spendable,
        receivable: row.receivable,
        htlcs_in: row.htlcs_in,
        htlcs_out: row.htlcs_out,
        htlc_slots: row.htlc_slots,
        fee: row.fee,
        base_fee: row.base_fee,
        peer_fee: row.peer_fee,
        peer_base_fee: Some(Msat(1_000)),
        in_week: row.in_week,
        out_week: row.out_week,
        in_month: Msat(row.in_week.0 * 4),
        out_month: Msat(row.out_week.0 * 4),
        live_week_s: 604_800,
        live_month_s: 2_592_000,
        earned_week: row.earned_week,
        earned_month: Msat(row.earned_week.0 * 4),
        sourced_week: row.sourced_week,
        sourced_month: Msat(row.sourced_week.0 * 4),
        forwards_in_month: row.forwards_in_week * 4,
        forwards_out_month: row.forwards_out_week * 4,
        last_out: row.last_out,
        flow: row.flow,
        flow_ratio: row.flow_ratio,
        velocity: row.velocity,
        confidence: row.confidence,
        settled_sent: f64::from(row.forwards_out_week),
        failed_sent: 1.0,
        may_fill: true,
        may_drain: true,
        fill_most: row.receivable,
        drain_most: row.spendable,
        budget_left: Msat(5_000_000),
        attempts: vec![],
        senders: others.map(|row| Sender { row, out: Msat(1_000_000) }).collect(),
        state: vec![],
    }
}
