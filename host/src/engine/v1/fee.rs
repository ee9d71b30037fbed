//! Fees: `wit/v1`'s world `fee-strategy`.

use super::packed::{Packed, flat_enums, pack};
use super::{base_fee, end, flow, lowered, msat, opener, params, signals, wit};
use crate::engine::check::{self, RawDecision, RawProposal};
use crate::engine::limits::{FACTOR_BYTES, PROPOSAL_BYTES};
use crate::engine::world::{Adapter, Fees, Interface};
use crate::model::strategy::{ChannelRow, Description, FeeInput, FeeInterval, LastVerdict, StrategyDecision};
use crate::model::{CycleKind, Ppm};
use generated::exports::revenue_ops::strategy::fee::FeeDecision;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lower};

/// What the engine's generator makes of the contract.
pub(super) mod generated {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "fee-strategy",
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

/// The contract's `fee-input`, its long lists packed.
#[derive(Debug, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Input {
    #[component(name = "now-s")]
    now_s: u64,
    #[component(name = "cycle-s")]
    cycle_s: u32,
    seed: u64,
    #[component(name = "block-height")]
    block_height: u32,
    #[component(name = "feerate-perkb")]
    feerate_perkb: u32,
    #[component(name = "feerate-mean-day-perkb")]
    feerate_mean_day_perkb: u32,
    #[component(name = "feerate-hours-perkb")]
    feerate_hours_perkb: Vec<u32>,
    #[component(name = "node-capacity-msat")]
    node_capacity_msat: u64,
    #[component(name = "node-local-msat")]
    node_local_msat: u64,
    #[component(name = "node-earned-day-msat")]
    node_earned_day_msat: u64,
    #[component(name = "node-earned-week-msat")]
    node_earned_week_msat: u64,
    params: Vec<wit::Param>,
    channels: Packed<wit::Channel>,
    intervals: Packed<wit::FeeInterval>,
    signals: Vec<wit::Signal>,
    states: wit::Blobs,
    #[component(name = "node-state")]
    node_state: Vec<u8>,
}

flat_enums! { wit::Opener wit::FlowClass wit::Verdict }

pack! {
    wit::FeeInterval {
        start_s end_s fee_ppm live_s settled failed_liquidity failed_downstream out_msat fee_msat
    }
    wit::Channel {
        pseudonym peer_pseudonym opener public connected age_blocks
        capacity_msat local_msat spendable_msat receivable_msat htlcs_in htlcs_out htlc_slots
        fee_ppm base_fee_msat htlc_max_msat peer_fee_ppm
        min_fee_ppm max_fee_ppm target_ppm
        in_day_msat out_day_msat in_week_msat out_week_msat earned_day_msat earned_week_msat
        sourced_week_msat forwards_out_week forwards_in_week forwards_out_total last_out_s
        flow flow_ratio velocity confidence rebalance_cost_ppm
        last_verdict last_proposed_ppm last_change_s updates_left intervals_end
    }
}

const _: () = assert!(size_of::<wit::Proposal>() <= PROPOSAL_BYTES);
const _: () = assert!(size_of::<wit::Factor>() <= FACTOR_BYTES);

impl Adapter for Fees {
    type Input = FeeInput;
    type Decision = StrategyDecision;
    type Lowered = Input;
    type Raw = FeeDecision;
    const INTERFACE: &'static Interface = &super::FEE;
    const CYCLE: CycleKind = CycleKind::Fee;

    fn rows(input: &FeeInput) -> usize {
        input.channels.len()
    }

    fn lower(input: &FeeInput, about: &Description) -> Input {
        self::input(input, about)
    }

    fn input_blobs(input: &mut Input) -> Vec<&mut Vec<u8>> {
        let Input { channels, intervals, states, node_state, .. } = input;
        vec![channels.bytes(), intervals.bytes(), &mut states.bytes, node_state]
    }

    fn answer_blobs(raw: &mut FeeDecision) -> Vec<&mut Vec<u8>> {
        vec![&mut raw.states.bytes, &mut raw.node_state]
    }

    fn check(
        raw: FeeDecision,
        input: &FeeInput,
        about: &Description,
        fuel: u64,
    ) -> Result<StrategyDecision, String> {
        let decision = check::check(decision(raw), input.channels.len(), about)?;
        Ok(StrategyDecision { fuel, ..decision })
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
        opener: opener(row.opener),
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
        base_fee_msat: base_fee(row.base_fee),
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
        flow: flow(row.flow),
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

/// The input in the contract's form, with only the signals that `about` asks for.
fn input(input: &FeeInput, about: &Description) -> Input {
    let mut channels = Packed::with_capacity(input.channels.len());
    let mut intervals = Packed::with_capacity(input.channels.iter().map(|row| row.intervals.len()).sum());
    let mut states = wit::Blobs {
        bytes: Vec::with_capacity(input.channels.iter().map(|row| row.state.len()).sum()),
        ends: Vec::with_capacity(input.channels.len()),
    };
    for row in &input.channels {
        row.intervals.iter().for_each(|one| intervals.push(&interval(one)));
        channels.push(&channel(row, intervals.len()));
        states.bytes.extend_from_slice(&row.state);
        states.ends.push(end(states.bytes.len()));
    }
    Input {
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
        params: params(&input.params, about),
        channels,
        intervals,
        signals: signals(&input.signals, input.channels.len(), about),
        states,
        node_state: input.node_state.clone(),
    }
}

/// The answer, ready to be checked.
fn decision(decision: FeeDecision) -> RawDecision {
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
