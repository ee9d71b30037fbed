//! The same input in the form that the strategy's own code takes.

use cl_revenue_ops::model::strategy::{ChannelRow, FeeInput, FeeInterval, ParamValue};
use revenue_strategy as sdk;

pub fn input(input: &FeeInput) -> sdk::FeeInput {
    let mut intervals = Vec::new();
    let mut states = sdk::Blobs { bytes: Vec::new(), ends: Vec::new() };
    let mut channels = Vec::new();
    for row in &input.channels {
        intervals.extend(row.intervals.iter().map(interval));
        states.bytes.extend_from_slice(&row.state);
        states.ends.push(states.bytes.len() as u32);
        channels.push(channel(row, intervals.len() as u32));
    }
    sdk::FeeInput {
        now_s: input.now.0,
        cycle_s: input.cycle_s,
        seed: input.seed,
        block_height: input.block_height,
        feerate_perkb: input.feerate_perkb,
        feerate_mean_day_perkb: input.feerate_mean_day_perkb,
        feerate_hours_perkb: input.feerate_hours_perkb.clone(),
        node_capacity_msat: input.node_capacity.0,
        node_local_msat: input.node_local.0,
        node_earned_day_msat: input.node_earned_day.0,
        node_earned_week_msat: input.node_earned_week.0,
        params: input.params.iter().map(|(name, value)| param(name, value)).collect(),
        channels,
        intervals,
        signals: vec![],
        states,
        node_state: input.node_state.clone(),
    }
}

fn param(name: &str, value: &ParamValue) -> sdk::Param {
    let value = match value {
        ParamValue::Flag(flag) => sdk::ParamValue::Flag(*flag),
        ParamValue::Integer(integer) => sdk::ParamValue::Integer(*integer),
        ParamValue::Number(number) => sdk::ParamValue::Number(*number),
        ParamValue::Text(text) => sdk::ParamValue::Text(text.clone()),
    };
    sdk::Param { name: name.to_owned(), value }
}

fn interval(interval: &FeeInterval) -> sdk::FeeInterval {
    sdk::FeeInterval {
        start_s: interval.start.0,
        end_s: interval.end.0,
        fee_ppm: interval.fee.0,
        live_s: interval.live_s,
        settled: interval.settled,
        failed_liquidity: interval.failed_liquidity,
        failed_downstream: interval.failed_downstream,
        out_msat: interval.out.0,
        fee_msat: interval.earned.0,
    }
}

fn channel(row: &ChannelRow, intervals_end: u32) -> sdk::Channel {
    sdk::Channel {
        pseudonym: row.pseudonym,
        peer_pseudonym: row.peer_pseudonym,
        opener: sdk::Opener::Local,
        public: row.public,
        connected: row.connected,
        age_blocks: row.age_blocks,
        capacity_msat: row.capacity.0,
        local_msat: row.local.0,
        spendable_msat: row.spendable.0,
        receivable_msat: row.receivable.0,
        htlcs_in: row.htlcs_in,
        htlcs_out: row.htlcs_out,
        htlc_slots: row.htlc_slots,
        fee_ppm: row.fee.0,
        base_fee_msat: row.base_fee.0 as u32,
        htlc_max_msat: row.htlc_max.0,
        peer_fee_ppm: row.peer_fee.map(|ppm| ppm.0),
        min_fee_ppm: row.min_fee.0,
        max_fee_ppm: row.max_fee.0,
        target_ppm: row.target.map(|ppm| ppm.0),
        in_day_msat: row.in_day.0,
        out_day_msat: row.out_day.0,
        in_week_msat: row.in_week.0,
        out_week_msat: row.out_week.0,
        earned_day_msat: row.earned_day.0,
        earned_week_msat: row.earned_week.0,
        sourced_week_msat: row.sourced_week.0,
        forwards_out_week: row.forwards_out_week,
        forwards_in_week: row.forwards_in_week,
        forwards_out_total: row.forwards_out_total,
        last_out_s: row.last_out.map(|at| at.0),
        flow: sdk::FlowClass::Balanced,
        flow_ratio: row.flow_ratio,
        velocity: row.velocity,
        confidence: row.confidence,
        rebalance_cost_ppm: row.rebalance_cost.map(|ppm| ppm.0),
        last_verdict: sdk::Verdict::Published,
        last_proposed_ppm: row.last_proposed.map(|ppm| ppm.0),
        last_change_s: row.last_change.0,
        updates_left: row.updates_left,
        intervals_end,
    }
}
