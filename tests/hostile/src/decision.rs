//! Decisions, true and false.

use crate::bindings::exports::revenue_ops::strategy::fee::{FeeDecision, FeeInput};
use crate::bindings::revenue_ops::strategy::types::{Blobs, Factor, ParamValue, Proposal};
use std::sync::atomic::{AtomicU8, Ordering};

/// Calls that this instance has seen.
static CALLS: AtomicU8 = AtomicU8::new(0);

pub fn decide(mode: &str, input: &FeeInput) -> Result<FeeDecision, String> {
    let mut decision = honest(input);
    assert!(mode != "step-fails" || step(input) < 999, "the step is too long");
    error(mode)?;
    spoil(mode, &mut decision);
    Ok(decision)
}

/// Errors instead of decisions.
pub fn error(mode: &str) -> Result<(), String> {
    match mode {
        "error-text" => Err("cannot decide\n\u{1b}[2J today".to_owned()),
        "error-bomb" => Err("x".repeat(8 << 20)),
        // SAFETY: none. The sandbox has to see that it is no text.
        "error-bytes" => Err(unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) }),
        _ => Ok(()),
    }
}

fn step(input: &FeeInput) -> u64 {
    let step = input.params.iter().find(|param| param.name == "step").map(|param| &param.value);
    if let Some(ParamValue::Integer(step)) = step { *step as u64 } else { 5 }
}

/// Adds the parameter `step` to each fee. A channel's state counts its calls;
/// the node's holds the calls of this instance.
fn honest(input: &FeeInput) -> FeeDecision {
    let step = step(input);
    let mut decision = FeeDecision {
        proposals: Vec::with_capacity(input.channels.len()),
        factors: Vec::with_capacity(2 * input.channels.len()),
        states: Blobs { bytes: Vec::new(), ends: Vec::new() },
        node_state: vec![CALLS.fetch_add(1, Ordering::Relaxed) + 1],
    };
    let mut begin = 0;
    for (row, channel) in input.channels.iter().enumerate() {
        decision.factors.push(Factor { name: 0, value: f64::from(channel.fee_ppm) });
        let share = channel.local_msat as f64 / channel.capacity_msat as f64;
        decision.factors.push(Factor { name: 1, value: if share.is_finite() { share } else { 0.0 } });
        decision.proposals.push(Proposal {
            channel: row as u32,
            fee_ppm: u64::from(channel.fee_ppm) + step,
            base_fee_msat: None,
            htlc_max_msat: None,
            reason: 0,
            factors_end: decision.factors.len() as u32,
        });
        let end = input.states.ends[row] as usize;
        let calls = input.states.bytes[begin..end].first().copied().unwrap_or(0);
        decision.states.bytes.push(calls.wrapping_add(1));
        decision.states.ends.push(decision.states.bytes.len() as u32);
        begin = end;
    }
    decision
}

/// Needs two channels at least.
fn spoil(mode: &str, decision: &mut FeeDecision) {
    let FeeDecision { proposals, factors, states, node_state } = decision;
    match mode {
        "row-unknown" => proposals[1].channel = u32::MAX,
        "row-twice" => proposals[1].channel = 0,
        "rows-falling" => (proposals[0].channel, proposals[1].channel) = (1, 0),
        "factor-nan" => factors[1].value = f64::NAN,
        "factor-infinite" => factors[1].value = f64::INFINITY,
        "factor-unknown" => factors[0].name = 9,
        "reason-unknown" => proposals[0].reason = 2,
        "fee-huge" => proposals[0].fee_ppm = u64::MAX,
        "fee-beyond-u32" => proposals[0].fee_ppm = 1 << 32,
        "fee-absurd" => proposals[0].fee_ppm = 1_000_001,
        "states-few" => drop(states.ends.pop()),
        "states-falling" => states.ends[0] = 3,
        "state-long" => {
            states.bytes = vec![0; 1025];
            states.ends.fill(1025);
        }
        "node-state-long" => *node_state = vec![0; 65_537],
        "states-bomb" => states.bytes = vec![0; 12 << 20],
        "rows-many" => {
            *proposals = Vec::new();
            proposals.resize_with(200_000, || Proposal {
                channel: 0,
                fee_ppm: 1,
                base_fee_msat: None,
                htlc_max_msat: None,
                reason: 0,
                factors_end: 0,
            });
        }
        "fee-jump" => proposals.iter_mut().for_each(|proposal| proposal.fee_ppm *= 100),
        // A little up with the word that the built-in strategy has for a rush, then all the way down.
        "fee-plunge" => {
            for (proposal, calls) in proposals.iter_mut().zip(&states.bytes) {
                proposal.fee_ppm = if *calls == 1 { (proposal.fee_ppm - 5) * 6 / 5 } else { 1 };
            }
        }
        // The present rate, with a base fee that nobody pays and an HTLC that nobody sends.
        "terms-tight" => {
            for proposal in proposals {
                proposal.fee_ppm -= 5;
                (proposal.base_fee_msat, proposal.htlc_max_msat) = (Some(4_000_000_000), Some(1));
            }
        }
        // The present rate, and HTLCs of any size.
        "terms-wide" => {
            for proposal in proposals {
                proposal.fee_ppm -= 5;
                proposal.htlc_max_msat = Some(1 << 52);
            }
        }
        "full" => fill(decision),
        _ => {}
    }
}

/// As much as the contract allows.
fn fill(decision: &mut FeeDecision) {
    decision.factors.clear();
    for proposal in &mut decision.proposals {
        decision.factors.extend((0..16).map(|value| Factor { name: 1, value: f64::from(value) }));
        proposal.factors_end = decision.factors.len() as u32;
        proposal.base_fee_msat = Some(1);
        proposal.htlc_max_msat = Some(1_000_000);
    }
    decision.states.bytes = vec![7; 1024 * decision.states.ends.len()];
    for (row, end) in decision.states.ends.iter_mut().enumerate() {
        *end = 1024 * (row as u32 + 1);
    }
    decision.node_state = vec![9; 65_536];
}
