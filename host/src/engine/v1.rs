//! The adapter of contract version 1: `wit/v1` to and from the host's types.

use super::check::{RawDecision, RawProposal};
use super::limits::{FACTOR_BYTES, PROPOSAL_BYTES};
use crate::model::flow::FlowClass;
use crate::model::strategy::{
    ChannelRow, Description, FeeInput, FeeInterval, GUEST_INTEGER_LIMIT, LastVerdict, ParamSpec, ParamValue,
};
use crate::model::{Msat, Opener, Ppm};

/// What the engine's generator makes of the contract.
mod generated {
    wasmtime::component::bindgen!({ path: "../wit/v1", world: "fee-strategy" });
}

pub(super) use generated::FeeStrategyPre;
use generated::exports::revenue_ops::strategy::fee::{Description as WitDescription, FeeDecision};
use generated::revenue_ops::strategy::types as wit;

/// The interface that a component must export, without its version.
pub(super) const INTERFACE: &str = "revenue-ops:strategy/fee";
/// Its version, and the prefix of versions that this adapter speaks.
pub(super) const VERSION: &str = "1.0.0";

const _: () = assert!(size_of::<wit::Proposal>() <= PROPOSAL_BYTES);
const _: () = assert!(size_of::<wit::Factor>() <= FACTOR_BYTES);

/// Nothing above what every guest language can hold exactly.
fn lowered(value: u64) -> u64 {
    value.min(GUEST_INTEGER_LIMIT - 1)
}

fn msat(amount: Msat) -> u64 {
    lowered(amount.0)
}

fn param_value(value: &ParamValue) -> wit::ParamValue {
    const MOST: i64 = (GUEST_INTEGER_LIMIT - 1) as i64;
    match value {
        ParamValue::Flag(flag) => wit::ParamValue::Flag(*flag),
        ParamValue::Integer(integer) => wit::ParamValue::Integer((*integer).clamp(-MOST, MOST)),
        ParamValue::Number(number) => wit::ParamValue::Number(*number),
        ParamValue::Text(text) => wit::ParamValue::Text(text.clone()),
    }
}

fn interval(interval: &FeeInterval) -> wit::FeeInterval {
    wit::FeeInterval {
        start_s: lowered(interval.start.0),
        end_s: lowered(interval.end.0),
        fee_ppm: interval.fee.0,
        live_s: interval.live_s,
        settled: interval.settled,
        failed_liquidity: interval.failed_liquidity,
        failed_downstream: interval.failed_downstream,
        out_msat: msat(interval.out),
        fee_msat: msat(interval.earned),
    }
}

fn verdict(verdict: LastVerdict) -> wit::Verdict {
    match verdict {
        LastVerdict::None => wit::Verdict::None,
        LastVerdict::Published => wit::Verdict::Published,
        LastVerdict::Limited => wit::Verdict::Limited,
        LastVerdict::Unchanged => wit::Verdict::Unchanged,
        LastVerdict::Suppressed => wit::Verdict::Suppressed,
        LastVerdict::RateLimited => wit::Verdict::RateLimited,
        LastVerdict::Refused => wit::Verdict::Refused,
        LastVerdict::DryRun => wit::Verdict::DryRun,
    }
}

fn channel(row: &ChannelRow, intervals_end: usize) -> wit::Channel {
    let ppm = |ppm: Ppm| ppm.0;
    wit::Channel {
        pseudonym: lowered(row.pseudonym),
        peer_pseudonym: lowered(row.peer_pseudonym),
        opener: match row.opener {
            Opener::Local => wit::Opener::Local,
            Opener::Remote => wit::Opener::Remote,
        },
        public: row.public,
        connected: row.connected,
        age_blocks: row.age_blocks,
        capacity_msat: msat(row.capacity),
        local_msat: msat(row.local),
        spendable_msat: msat(row.spendable),
        receivable_msat: msat(row.receivable),
        htlcs_in: row.htlcs_in,
        htlcs_out: row.htlcs_out,
        htlc_slots: row.htlc_slots,
        fee_ppm: row.fee.0,
        base_fee_msat: u32::try_from(row.base_fee.0).unwrap_or(u32::MAX),
        htlc_max_msat: msat(row.htlc_max),
        peer_fee_ppm: row.peer_fee.map(ppm),
        min_fee_ppm: row.min_fee.0,
        max_fee_ppm: row.max_fee.0,
        target_ppm: row.target.map(ppm),
        in_day_msat: msat(row.in_day),
        out_day_msat: msat(row.out_day),
        in_week_msat: msat(row.in_week),
        out_week_msat: msat(row.out_week),
        earned_day_msat: msat(row.earned_day),
        earned_week_msat: msat(row.earned_week),
        sourced_week_msat: msat(row.sourced_week),
        forwards_out_week: row.forwards_out_week,
        forwards_in_week: row.forwards_in_week,
        forwards_out_total: row.forwards_out_total,
        last_out_s: row.last_out.map(|at| lowered(at.0)),
        flow: match row.flow {
            FlowClass::Source => wit::FlowClass::Source,
            FlowClass::Sink => wit::FlowClass::Sink,
            FlowClass::Balanced => wit::FlowClass::Balanced,
        },
        flow_ratio: row.flow_ratio,
        velocity: row.velocity,
        confidence: row.confidence,
        rebalance_cost_ppm: row.rebalance_cost.map(ppm),
        last_verdict: verdict(row.last_verdict),
        last_proposed_ppm: row.last_proposed.map(ppm),
        last_change_s: lowered(row.last_change.0),
        updates_left: row.updates_left,
        intervals_end: end(intervals_end),
    }
}

/// A position in one of the input's lists: those are far below 4 G entries.
fn end(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn signals(input: &FeeInput, about: &Description) -> Vec<wit::Signal> {
    let wanted = |(name, values): &&(String, Vec<f64>)| {
        about.signals.contains(name) && values.len() == input.channels.len()
    };
    input
        .signals
        .iter()
        .filter(wanted)
        .map(|(name, values)| wit::Signal { name: name.clone(), values: values.clone() })
        .collect()
}

/// The input in the contract's form, with only the signals that `about` asks for.
pub(super) fn input(input: &FeeInput, about: &Description) -> wit::FeeInput {
    let mut channels = Vec::with_capacity(input.channels.len());
    let mut intervals = Vec::with_capacity(input.channels.iter().map(|row| row.intervals.len()).sum());
    let mut states = wit::Blobs {
        bytes: Vec::with_capacity(input.channels.iter().map(|row| row.state.len()).sum()),
        ends: Vec::with_capacity(input.channels.len()),
    };
    for row in &input.channels {
        intervals.extend(row.intervals.iter().map(interval));
        channels.push(channel(row, intervals.len()));
        states.bytes.extend_from_slice(&row.state);
        states.ends.push(end(states.bytes.len()));
    }
    let params =
        input.params.iter().map(|(name, value)| wit::Param { name: name.clone(), value: param_value(value) });
    wit::FeeInput {
        now_s: lowered(input.now.0),
        cycle_s: input.cycle_s,
        seed: lowered(input.seed),
        block_height: input.block_height,
        feerate_perkb: input.feerate_perkb,
        feerate_mean_day_perkb: input.feerate_mean_day_perkb,
        feerate_hours_perkb: input.feerate_hours_perkb.clone(),
        node_capacity_msat: msat(input.node_capacity),
        node_local_msat: msat(input.node_local),
        node_earned_day_msat: msat(input.node_earned_day),
        node_earned_week_msat: msat(input.node_earned_week),
        params: params.collect(),
        channels,
        intervals,
        signals: signals(input, about),
        states,
        node_state: input.node_state.clone(),
    }
}

/// The answer, ready to be checked.
pub(super) fn decision(decision: FeeDecision) -> RawDecision {
    let proposal = |raw: wit::Proposal| RawProposal {
        row: raw.channel,
        fee_ppm: raw.fee_ppm,
        base_fee_msat: raw.base_fee_msat,
        htlc_max_msat: raw.htlc_max_msat,
        reason: raw.reason,
        factors_end: raw.factors_end,
    };
    RawDecision {
        proposals: decision.proposals.into_iter().map(proposal).collect(),
        factors: decision.factors.into_iter().map(|factor| (factor.name, factor.value)).collect(),
        state_bytes: decision.states.bytes,
        state_ends: decision.states.ends,
        node_state: decision.node_state,
    }
}

/// What a component says of itself, still to be checked.
pub(super) fn description(raw: WitDescription) -> Description {
    let value = |value| match value {
        wit::ParamValue::Flag(flag) => ParamValue::Flag(flag),
        wit::ParamValue::Integer(integer) => ParamValue::Integer(integer),
        wit::ParamValue::Number(number) => ParamValue::Number(number),
        wit::ParamValue::Text(text) => ParamValue::Text(text),
    };
    let param = |spec: wit::ParamSpec| ParamSpec {
        name: spec.name,
        doc: spec.doc,
        default: value(spec.default),
        minimum: spec.minimum,
        maximum: spec.maximum,
    };
    Description {
        name: raw.name,
        version: raw.version,
        state_version: raw.state_version,
        params: raw.params.into_iter().map(param).collect(),
        signals: raw.signals,
        reasons: raw.reasons,
        factors: raw.factors,
    }
}
