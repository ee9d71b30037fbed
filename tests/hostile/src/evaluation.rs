//! Rebalances, sensible and not.

use crate::bindings::exports::revenue_ops::strategy::rebalance::{RebalanceDecision, RebalanceInput};
use crate::bindings::revenue_ops::strategy::rebalance_types::{RebalanceProposal, RebalanceRefusal};
use crate::bindings::revenue_ops::strategy::types::{Blobs, Factor};
use crate::decision;

pub fn decide(mode: &str, input: &RebalanceInput) -> Result<RebalanceDecision, String> {
    let mut decision = honest(input);
    decision::error(mode)?;
    spoil(mode, &mut decision);
    Ok(decision)
}

/// Fills row 0 from row 1 with what fits, where there are two, and refuses the
/// others. A channel's state counts its calls.
fn honest(input: &RebalanceInput) -> RebalanceDecision {
    let mut decision = RebalanceDecision {
        proposals: vec![],
        sources: vec![],
        refusals: vec![],
        factors: vec![],
        states: Blobs { bytes: vec![], ends: vec![] },
        node_state: input.node_state.clone(),
    };
    if let [to, from, ..] = input.channels.as_slice() {
        decision.proposals.push(RebalanceProposal {
            amount_msat: to.fill_most_msat.min(from.drain_most_msat),
            max_ppm: u64::from(to.fee_ppm),
            value_msat: -5,
            cost_msat: 3,
            success: 0.25,
            ..proposal(0)
        });
        decision.sources.push(1);
        decision.factors.push(Factor { name: 0, value: f64::from(to.fee_ppm) });
    }
    for (row, channel) in input.channels.iter().enumerate() {
        if row > 0 {
            decision.factors.push(Factor { name: 1, value: channel.settled_sent });
            let factors_end = decision.factors.len() as u32;
            decision.refusals.push(RebalanceRefusal { to: row as u32, reason: 1, factors_end });
        }
        let begin = row.checked_sub(1).map_or(0, |before| input.states.ends[before] as usize);
        let end = input.states.ends[row] as usize;
        let calls = input.states.bytes[begin..end].first().copied().unwrap_or(0);
        decision.states.bytes.push(calls.wrapping_add(1));
        decision.states.ends.push(decision.states.bytes.len() as u32);
    }
    decision
}

fn proposal(to: u32) -> RebalanceProposal {
    RebalanceProposal {
        to,
        sources_end: 1,
        amount_msat: 1,
        max_ppm: 1,
        value_msat: 0,
        cost_msat: 0,
        success: 1.0,
        reason: 0,
        factors_end: 1,
    }
}

/// Needs two channels at least.
fn spoil(mode: &str, decision: &mut RebalanceDecision) {
    let RebalanceDecision { proposals, sources, refusals, factors, states, node_state } = decision;
    match mode {
        "row-unknown" => proposals[0].to = u32::MAX,
        "source-unknown" => sources[0] = u32::MAX,
        "source-itself" => sources[0] = 0,
        "source-none" => (proposals[0].sources_end, *sources) = (0, vec![]),
        "row-twice" => {
            proposals.push(RebalanceProposal { sources_end: 2, ..proposal(0) });
            sources.push(1);
        }
        "refusal-filled" => refusals[0].to = 0,
        "refusals-twice" => refusals.push(RebalanceRefusal { ..refusals[refusals.len() - 1] }),
        "amount-none" => proposals[0].amount_msat = 0,
        "amount-beyond" => proposals[0].amount_msat += 1,
        "amount-huge" => proposals[0].amount_msat = u64::MAX,
        "fee-huge" => proposals[0].max_ppm = u64::MAX,
        "fee-beyond-u32" => proposals[0].max_ppm = 1 << 32,
        "fee-absurd" => proposals[0].max_ppm = 1_000_001,
        "value-huge" => proposals[0].value_msat = i64::MIN,
        "cost-huge" => proposals[0].cost_msat = u64::MAX,
        "success-nan" => proposals[0].success = f64::NAN,
        "success-two" => proposals[0].success = 2.0,
        "factor-nan" => factors[1].value = f64::NAN,
        "factor-infinite" => factors[1].value = f64::INFINITY,
        "factor-unknown" => factors[0].name = 9,
        "reason-unknown" => proposals[0].reason = 2,
        "states-few" => drop(states.ends.pop()),
        "states-falling" => states.ends[0] = 3,
        "state-long" => {
            states.bytes = vec![0; 1025];
            states.ends.fill(1025);
        }
        "node-state-long" => *node_state = vec![0; 65_537],
        "states-bomb" => states.bytes = vec![0; 12 << 20],
        "sources-bomb" => *sources = vec![1; 3 << 20],
        "rows-many" => {
            *proposals = Vec::new();
            proposals.resize_with(200_000, || proposal(0));
        }
        "full" => fill(decision),
        _ => {}
    }
}

/// As much as the contract allows: every second row is filled from the next.
fn fill(decision: &mut RebalanceDecision) {
    let RebalanceDecision { proposals, sources, refusals, factors, states, node_state } = decision;
    (*proposals, *sources, *factors) = (vec![], vec![], vec![]);
    let factor = || (0..16).map(|value| Factor { name: 1, value: f64::from(value) });
    let rows = states.ends.len() as u32;
    for to in (0..rows - 1).step_by(2) {
        factors.extend(factor());
        sources.push(to + 1);
        let (sources_end, factors_end) = (sources.len() as u32, factors.len() as u32);
        proposals.push(RebalanceProposal { sources_end, factors_end, ..proposal(to) });
    }
    refusals.retain(|refusal| refusal.to % 2 == 1);
    for refusal in refusals {
        factors.extend(factor());
        refusal.factors_end = factors.len() as u32;
    }
    states.bytes = vec![7; 1024 * states.ends.len()];
    for (row, end) in states.ends.iter_mut().enumerate() {
        *end = 1024 * (row as u32 + 1);
    }
    *node_state = vec![9; 65_536];
}
