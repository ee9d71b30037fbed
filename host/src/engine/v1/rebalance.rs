//! Rebalances: `wit/v1`'s world `rebalance-strategy`.

use super::packed::{Packed, pack};
use super::{base_fee, end, flow, lowered, msat, opener, params, signals, wit};
use crate::engine::check::rebalance::{self as check, RawDecision, RawProposal, RawRefusal};
use crate::engine::limits::PROPOSAL_BYTES;
use crate::engine::world::{Adapter, Interface, Rebalances};
use crate::model::rebalance::{Attempt, RebalanceDecision, RebalanceInput, RebalanceRow, Sender};
use crate::model::strategy::Description;
use crate::model::{CycleKind, Ppm};
use generated::exports::revenue_ops::strategy::rebalance::RebalanceDecision as WitDecision;
pub(super) use generated::revenue_ops::strategy::rebalance_types as types;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lower};

/// What the engine's generator makes of the contract.
mod generated {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "rebalance-strategy",
        additional_derives: [serde::Serialize, serde::Deserialize],
        with: {
            "revenue-ops:strategy/types@1.0.0":
                crate::engine::v1::fee::generated::revenue_ops::strategy::types,
        },
    });
}

/// The contract's `rebalance-input`, its long lists packed.
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
    #[component(name = "node-capacity-msat")]
    node_capacity_msat: u64,
    #[component(name = "node-local-msat")]
    node_local_msat: u64,
    #[component(name = "node-earned-day-msat")]
    node_earned_day_msat: u64,
    #[component(name = "node-earned-week-msat")]
    node_earned_week_msat: u64,
    #[component(name = "budget-left-msat")]
    budget_left_msat: u64,
    #[component(name = "slots-free")]
    slots_free: u32,
    params: Vec<wit::Param>,
    channels: Packed<types::RebalanceChannel>,
    attempts: Packed<types::Attempt>,
    senders: Packed<types::Sender>,
    signals: Vec<wit::Signal>,
    states: wit::Blobs,
    #[component(name = "node-state")]
    node_state: Vec<u8>,
}

pack! {
    types::Attempt { ended_s amount_msat moved_msat fee_msat max_ppm }
    types::Sender { channel out_msat }
    types::RebalanceChannel {
        pseudonym peer_pseudonym opener public connected fleet age_s
        capacity_msat local_msat spendable_msat receivable_msat htlcs_in htlcs_out htlc_slots
        fee_ppm base_fee_msat peer_fee_ppm peer_base_fee_msat
        in_week_msat out_week_msat in_month_msat out_month_msat live_week_s live_month_s
        earned_week_msat earned_month_msat sourced_week_msat sourced_month_msat
        forwards_in_month forwards_out_month last_out_s
        flow flow_ratio velocity confidence settled_sent failed_sent
        may_fill may_drain fill_most_msat drain_most_msat budget_left_msat
        attempts_end senders_end
    }
}

// A source is counted as part of a proposal: there are no more of them than channels.
const _: () = assert!(size_of::<types::RebalanceProposal>() + size_of::<u32>() <= PROPOSAL_BYTES);
const _: () = assert!(size_of::<types::RebalanceRefusal>() <= PROPOSAL_BYTES);

impl Adapter for Rebalances {
    type Input = RebalanceInput;
    type Decision = RebalanceDecision;
    type Lowered = Input;
    type Raw = WitDecision;
    const INTERFACE: &'static Interface = &super::REBALANCE;
    const CYCLE: CycleKind = CycleKind::Rebalance;

    fn rows(input: &RebalanceInput) -> usize {
        input.channels.len()
    }

    fn lower(input: &RebalanceInput, about: &Description) -> Input {
        self::input(input, about)
    }

    fn input_blobs(input: &mut Input) -> Vec<&mut Vec<u8>> {
        let Input { channels, attempts, senders, states, node_state, .. } = input;
        vec![channels.bytes(), attempts.bytes(), senders.bytes(), &mut states.bytes, node_state]
    }

    fn answer_blobs(raw: &mut WitDecision) -> Vec<&mut Vec<u8>> {
        vec![&mut raw.states.bytes, &mut raw.node_state]
    }

    fn check(
        raw: WitDecision,
        input: &RebalanceInput,
        about: &Description,
        fuel: u64,
    ) -> Result<RebalanceDecision, String> {
        let decision = check::check(decision(raw), &input.channels, about)?;
        Ok(RebalanceDecision { fuel, ..decision })
    }
}

fn attempt(attempt: &Attempt) -> types::Attempt {
    types::Attempt {
        ended_s: lowered(attempt.ended.0),
        amount_msat: msat(attempt.amount),
        moved_msat: msat(attempt.moved),
        fee_msat: msat(attempt.fee),
        max_ppm: attempt.max_fee.0,
    }
}

fn sender(sender: &Sender) -> types::Sender {
    types::Sender { channel: end(sender.row), out_msat: msat(sender.out) }
}

fn channel(row: &RebalanceRow, attempts_end: usize, senders_end: usize) -> types::RebalanceChannel {
    let ppm = |ppm: Ppm| ppm.0;
    types::RebalanceChannel {
        pseudonym: lowered(row.pseudonym),
        peer_pseudonym: lowered(row.peer_pseudonym),
        opener: opener(row.opener),
        public: row.public,
        connected: row.connected,
        fleet: row.fleet,
        age_s: lowered(row.age_s),
        capacity_msat: msat(row.capacity),
        local_msat: msat(row.local),
        spendable_msat: msat(row.spendable),
        receivable_msat: msat(row.receivable),
        htlcs_in: row.htlcs_in,
        htlcs_out: row.htlcs_out,
        htlc_slots: row.htlc_slots,
        fee_ppm: row.fee.0,
        base_fee_msat: base_fee(row.base_fee),
        peer_fee_ppm: row.peer_fee.map(ppm),
        peer_base_fee_msat: row.peer_base_fee.map(base_fee),
        in_week_msat: msat(row.in_week),
        out_week_msat: msat(row.out_week),
        in_month_msat: msat(row.in_month),
        out_month_msat: msat(row.out_month),
        live_week_s: row.live_week_s,
        live_month_s: row.live_month_s,
        earned_week_msat: msat(row.earned_week),
        earned_month_msat: msat(row.earned_month),
        sourced_week_msat: msat(row.sourced_week),
        sourced_month_msat: msat(row.sourced_month),
        forwards_in_month: row.forwards_in_month,
        forwards_out_month: row.forwards_out_month,
        last_out_s: row.last_out.map(|at| lowered(at.0)),
        flow: flow(row.flow),
        flow_ratio: row.flow_ratio,
        velocity: row.velocity,
        confidence: row.confidence,
        settled_sent: row.settled_sent,
        failed_sent: row.failed_sent,
        may_fill: row.may_fill,
        may_drain: row.may_drain,
        fill_most_msat: msat(row.fill_most),
        drain_most_msat: msat(row.drain_most),
        budget_left_msat: msat(row.budget_left),
        attempts_end: end(attempts_end),
        senders_end: end(senders_end),
    }
}

/// The input in the contract's form, with only the signals that `about` asks for.
fn input(input: &RebalanceInput, about: &Description) -> Input {
    let rows = &input.channels;
    let mut channels = Packed::with_capacity(rows.len());
    let mut attempts = Packed::with_capacity(rows.iter().map(|row| row.attempts.len()).sum());
    let mut senders = Packed::with_capacity(rows.iter().map(|row| row.senders.len()).sum());
    let mut states = wit::Blobs {
        bytes: Vec::with_capacity(rows.iter().map(|row| row.state.len()).sum()),
        ends: Vec::with_capacity(rows.len()),
    };
    for row in rows {
        row.attempts.iter().for_each(|one| attempts.push(&attempt(one)));
        row.senders.iter().for_each(|one| senders.push(&sender(one)));
        channels.push(&channel(row, attempts.len(), senders.len()));
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
        node_capacity_msat: msat(input.node_capacity),
        node_local_msat: msat(input.node_local),
        node_earned_day_msat: msat(input.node_earned_day),
        node_earned_week_msat: msat(input.node_earned_week),
        budget_left_msat: msat(input.budget_left),
        slots_free: input.slots_free,
        params: params(&input.params, about),
        channels,
        attempts,
        senders,
        signals: signals(&input.signals, rows.len(), about),
        states,
        node_state: input.node_state.clone(),
    }
}

/// The answer, ready to be checked.
fn decision(decision: WitDecision) -> RawDecision {
    let proposal = |raw: types::RebalanceProposal| RawProposal {
        to: raw.to,
        sources_end: raw.sources_end,
        amount_msat: raw.amount_msat,
        max_ppm: raw.max_ppm,
        value_msat: raw.value_msat,
        cost_msat: raw.cost_msat,
        success: raw.success,
        reason: raw.reason,
        factors_end: raw.factors_end,
    };
    let refusal = |raw: types::RebalanceRefusal| RawRefusal {
        to: raw.to,
        reason: raw.reason,
        factors_end: raw.factors_end,
    };
    RawDecision {
        proposals: decision.proposals.into_iter().map(proposal).collect(),
        sources: decision.sources,
        refusals: decision.refusals.into_iter().map(refusal).collect(),
        factors: decision.factors.into_iter().map(|factor| (factor.name, factor.value)).collect(),
        state_bytes: decision.states.bytes,
        state_ends: decision.states.ends,
        node_state: decision.node_state,
    }
}
