//! Inputs as a node gives them.

use cl_revenue_ops::model::flow::FlowClass;
use cl_revenue_ops::model::strategy::{ChannelRow, FeeInput, FeeInterval, LastVerdict, ParamValue};
use cl_revenue_ops::model::{Msat, Opener, Ppm, UnixTime};

const NOW: u64 = 1_790_000_000;

/// The built-in `passive`, as a file.
pub fn component() -> &'static [u8] {
    include_bytes!(env!("COMPONENT_PASSIVE"))
}

/// Channels on which nothing has happened since the rate was set.
pub fn quiet(rows: usize) -> FeeInput {
    let number = |name: &str, value| (format!("host.{name}"), ParamValue::Number(value));
    FeeInput {
        now: UnixTime(NOW),
        cycle_s: 1800,
        seed: 42,
        block_height: 900_000,
        feerate_perkb: 4_000,
        feerate_mean_day_perkb: 3_500,
        feerate_hours_perkb: vec![3_500; 24],
        node_capacity: Msat(5_000_000_000 * rows as u64),
        node_local: Msat(2_500_000_000 * rows as u64),
        node_earned_day: Msat(1_000_000),
        node_earned_week: Msat(7_000_000),
        params: vec![
            number("htlc-congestion-threshold", 0.8),
            ("host.vegas-reflex".to_owned(), ParamValue::Flag(true)),
            number("vegas-decay", 0.85),
            ("host.scarcity-pricing".to_owned(), ParamValue::Flag(true)),
            number("scarcity-threshold", 0.35),
            ("host.hive-fee-ppm".to_owned(), ParamValue::Integer(0)),
            ("host.target-flow-sats".to_owned(), ParamValue::Integer(100_000)),
            number("gossip-gate", 0.05),
        ],
        channels: (0..rows as u64).map(channel).collect(),
        signals: vec![],
        node_state: vec![],
    }
}

/// One row in `every` has closed an interval with forwards since.
pub fn with_news(mut input: FeeInput, every: usize) -> FeeInput {
    for row in input.channels.iter_mut().step_by(every) {
        let end = input.now.0 - 600;
        row.intervals.insert(0, interval(end - 172_800, end, row.fee.0, 14));
        row.intervals[1] = interval(end, input.now.0, row.fee.0 + 30, 0);
        row.fee = Ppm(row.fee.0 + 30);
        row.last_change = UnixTime(end);
    }
    input
}

fn channel(row: u64) -> ChannelRow {
    let share = (row % 10) as f64 / 10.0 + 0.05;
    let fee = 100 + (row % 40) as u32 * 10;
    ChannelRow {
        pseudonym: row * 7_919 + 1,
        peer_pseudonym: row * 104_729 + 1,
        opener: if row.is_multiple_of(3) { Opener::Remote } else { Opener::Local },
        public: true,
        connected: true,
        age_blocks: 10_000,
        capacity: Msat(5_000_000_000),
        local: Msat((5_000_000_000.0 * share) as u64),
        spendable: Msat((4_900_000_000.0 * share) as u64),
        receivable: Msat((4_900_000_000.0 * (1.0 - share)) as u64),
        htlcs_in: (row % 5) as u32,
        htlcs_out: (row % 7) as u32,
        htlc_slots: 30,
        fee: Ppm(fee),
        base_fee: Msat(0),
        htlc_max: Msat(4_900_000_000),
        peer_fee: Some(Ppm(250)),
        min_fee: Ppm(10),
        max_fee: Ppm(5_000),
        target: None,
        in_day: Msat(10_000_000),
        out_day: Msat(12_000_000),
        in_week: Msat(70_000_000),
        out_week: Msat(80_000_000),
        earned_day: Msat(1_200),
        earned_week: Msat(8_000),
        sourced_week: Msat(7_000),
        forwards_out_week: 12,
        forwards_in_week: 9,
        forwards_out_total: 120,
        last_out: Some(UnixTime(NOW - 3_000)),
        flow: FlowClass::Balanced,
        flow_ratio: 0.01,
        velocity: 0.0,
        confidence: 0.8,
        rebalance_cost: None,
        last_verdict: LastVerdict::Published,
        last_proposed: Some(Ppm(fee)),
        last_change: UnixTime(NOW - 9_000),
        updates_left: 3,
        intervals: vec![interval(NOW - 9_000, NOW, fee, 1)],
        state: vec![],
    }
}

fn interval(start: u64, end: u64, fee: u32, settled: u32) -> FeeInterval {
    FeeInterval {
        start: UnixTime(start),
        end: UnixTime(end),
        fee: Ppm(fee),
        live_s: (end - start).saturating_sub(3_600) as u32,
        settled,
        failed_liquidity: 0,
        failed_downstream: 0,
        out: Msat(u64::from(settled) * 20_000_000),
        earned: Msat(u64::from(settled) * 20 * u64::from(fee)),
    }
}
