//! Does an answer make sense? Pure: the limits on fees are the guard's.

pub(super) mod rebalance;

use super::limits::{MAX_FACTORS, MAX_NODE_STATE_BYTES, MAX_STATE_BYTES};
use crate::model::strategy::{Description, GUEST_INTEGER_LIMIT, StrategyDecision, StrategyProposal};
use crate::model::{Msat, Ppm, States};

/// The highest rate that an answer may hold, ppm: the whole amount forwarded.
pub const MAX_PPM: u64 = 1_000_000;

/// A proposal as the guest wrote it.
#[derive(Clone, Debug)]
pub(super) struct RawProposal {
    pub(super) row: u32,
    pub(super) fee_ppm: u64,
    pub(super) base_fee_msat: Option<u32>,
    pub(super) htlc_max_msat: Option<u64>,
    pub(super) reason: u32,
    pub(super) factors_end: u32,
}

/// An answer as the guest wrote it.
#[derive(Clone, Debug, Default)]
pub(super) struct RawDecision {
    pub(super) proposals: Vec<RawProposal>,
    /// Name by position, and value.
    pub(super) factors: Vec<(u32, f64)>,
    pub(super) state_bytes: Vec<u8>,
    pub(super) state_ends: Vec<u32>,
    pub(super) node_state: Vec<u8>,
}

/// The decision that `raw` holds for `rows` channels, or one sentence that
/// says what is wrong with it. One wrong value condemns the whole answer.
pub(super) fn check(raw: RawDecision, rows: usize, about: &Description) -> Result<StrategyDecision, String> {
    let states = states(raw.state_bytes, raw.state_ends, rows)?;
    node_state(&raw.node_state)?;
    let mut proposals = Vec::with_capacity(raw.proposals.len().min(rows));
    let mut next_row = 0;
    let mut factors_begin = 0;
    for proposal in &raw.proposals {
        let row = row(proposal.row, next_row, rows, "a proposal")?;
        let at = |problem: String| format!("in the proposal for row {row}, {problem}");
        let factors = factors(&raw.factors, factors_begin, proposal.factors_end, about).map_err(at)?;
        proposals.push(one(proposal, row, factors, about).map_err(at)?);
        next_row = row + 1;
        factors_begin = proposal.factors_end as usize;
    }
    if factors_begin != raw.factors.len() {
        return Err(format!("{} factors belong to no proposal", raw.factors.len() - factors_begin));
    }
    Ok(StrategyDecision { proposals, states, node_state: raw.node_state, fuel: 0 })
}

fn row(row: u32, next: usize, rows: usize, what: &str) -> Result<usize, String> {
    let row = row as usize;
    if row >= rows {
        return Err(format!("{what} for row {row} of {rows} channels"));
    }
    if row < next {
        return Err(format!("{what} for row {row} after one for row {}; rows must rise", next - 1));
    }
    Ok(row)
}

fn reason(position: u32, about: &Description) -> Result<String, String> {
    let word = about.reasons.get(position as usize).cloned();
    word.ok_or_else(|| format!("reason {position} of {} described ones", about.reasons.len()))
}

fn node_state(state: &[u8]) -> Result<(), String> {
    if state.len() > MAX_NODE_STATE_BYTES {
        return Err(format!("a node state of {} bytes; {MAX_NODE_STATE_BYTES} are allowed", state.len()));
    }
    Ok(())
}

fn one(
    raw: &RawProposal,
    row: usize,
    factors: Vec<(String, f64)>,
    about: &Description,
) -> Result<StrategyProposal, String> {
    let fee = match u32::try_from(raw.fee_ppm) {
        Ok(ppm) if raw.fee_ppm <= MAX_PPM => Ppm(ppm),
        _ => return Err(format!("a fee of {} ppm; at most {MAX_PPM} makes sense", raw.fee_ppm)),
    };
    if let Some(most) = raw.htlc_max_msat
        && !(1..GUEST_INTEGER_LIMIT).contains(&most)
    {
        return Err(format!("a largest HTLC of {most} msat; 1 to {} makes sense", GUEST_INTEGER_LIMIT - 1));
    }
    Ok(StrategyProposal {
        row,
        fee,
        base_fee: raw.base_fee_msat.map(|msat| Msat(u64::from(msat))),
        htlc_max: raw.htlc_max_msat.map(Msat),
        reason: reason(raw.reason, about)?,
        factors,
    })
}

fn factors(
    all: &[(u32, f64)],
    begin: usize,
    end: u32,
    about: &Description,
) -> Result<Vec<(String, f64)>, String> {
    let Some(mine) = all.get(begin..end as usize) else {
        return Err(format!("factors from {begin} to {end} of {}", all.len()));
    };
    if mine.len() > MAX_FACTORS {
        return Err(format!("{} factors; {MAX_FACTORS} are allowed", mine.len()));
    }
    let named = |&(name, value): &(u32, f64)| match about.factors.get(name as usize) {
        Some(word) if value.is_finite() => Ok((word.clone(), value)),
        Some(word) => Err(format!("factor '{word}' is {value}, not a finite number")),
        None => Err(format!("factor {name} of {} described ones", about.factors.len())),
    };
    mine.iter().map(named).collect()
}

fn states(bytes: Vec<u8>, ends: Vec<u32>, rows: usize) -> Result<States, String> {
    if ends.len() != rows {
        return Err(format!("{} states for {rows} channels", ends.len()));
    }
    let states = States::new(bytes, ends)?;
    if let Some((row, long)) = states.iter().enumerate().find(|(_, state)| state.len() > MAX_STATE_BYTES) {
        let len = long.len();
        return Err(format!("the state of row {row} has {len} bytes; {MAX_STATE_BYTES} are allowed"));
    }
    Ok(states)
}

#[cfg(test)]
#[path = "check/tests.rs"]
mod tests;
