//! Does an evaluator's answer make sense? Pure: the limits on rebalances are
//! the guard's.

use super::{MAX_PPM, factors, node_state, reason, states};
use crate::model::rebalance::{EvaluatedRebalance, NotFilled, RebalanceDecision, RebalanceRow};
use crate::model::strategy::{Description, GUEST_INTEGER_LIMIT};
use crate::model::{Msat, Ppm, SignedMsat};
use std::mem;

/// A proposal as the guest wrote it.
#[derive(Clone, Debug)]
pub(in crate::engine) struct RawProposal {
    pub(in crate::engine) to: u32,
    pub(in crate::engine) sources_end: u32,
    pub(in crate::engine) amount_msat: u64,
    pub(in crate::engine) max_ppm: u64,
    pub(in crate::engine) value_msat: i64,
    pub(in crate::engine) cost_msat: u64,
    pub(in crate::engine) success: f64,
    pub(in crate::engine) reason: u32,
    pub(in crate::engine) factors_end: u32,
}

/// A refusal as the guest wrote it.
#[derive(Clone, Debug)]
pub(in crate::engine) struct RawRefusal {
    pub(in crate::engine) to: u32,
    pub(in crate::engine) reason: u32,
    pub(in crate::engine) factors_end: u32,
}

/// An answer as the guest wrote it.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct RawDecision {
    pub(in crate::engine) proposals: Vec<RawProposal>,
    pub(in crate::engine) sources: Vec<u32>,
    pub(in crate::engine) refusals: Vec<RawRefusal>,
    /// Name by position, and value.
    pub(in crate::engine) factors: Vec<(u32, f64)>,
    pub(in crate::engine) state_bytes: Vec<u8>,
    pub(in crate::engine) state_ends: Vec<u32>,
    pub(in crate::engine) node_state: Vec<u8>,
}

/// The decision that `raw` holds about `rows`, or one sentence that says what
/// is wrong with it. One wrong value condemns the whole answer.
pub(in crate::engine) fn check(
    mut raw: RawDecision,
    rows: &[RebalanceRow],
    about: &Description,
) -> Result<RebalanceDecision, String> {
    let states = states(mem::take(&mut raw.state_bytes), mem::take(&mut raw.state_ends), rows.len())?;
    node_state(&raw.node_state)?;
    let mut answer =
        Answer { raw: &raw, rows, about, uses: vec![Use::Free; rows.len()], sources: 0, factors: 0 };
    let proposals =
        raw.proposals.iter().map(|proposal| answer.proposal(proposal)).collect::<Result<_, _>>()?;
    if answer.sources != raw.sources.len() {
        return Err(format!("{} sources belong to no proposal", raw.sources.len() - answer.sources));
    }
    let not_filled = answer.refusals()?;
    if answer.factors != raw.factors.len() {
        let left = raw.factors.len() - answer.factors;
        return Err(format!("{left} factors belong to no proposal or refusal"));
    }
    Ok(RebalanceDecision { proposals, not_filled, states, node_state: raw.node_state, fuel: 0 })
}

#[derive(Clone, Copy, PartialEq)]
enum Use {
    Free,
    Filled,
    Drained,
}

/// An answer, read from front to back.
struct Answer<'a> {
    raw: &'a RawDecision,
    rows: &'a [RebalanceRow],
    about: &'a Description,
    /// What the proposals so far make of each row.
    uses: Vec<Use>,
    /// Sources and factors read so far.
    sources: usize,
    factors: usize,
}

impl Answer<'_> {
    fn proposal(&mut self, raw: &RawProposal) -> Result<EvaluatedRebalance, String> {
        let to = self.name(raw.to, Use::Filled)?;
        let at = |problem: String| format!("in the proposal for row {to}, {problem}");
        let from = self.sources(raw.sources_end).map_err(at)?;
        let amount = self.amount(raw.amount_msat, to, &from).map_err(at)?;
        let (max_fee, value, cost) = money(raw).map_err(at)?;
        if !(0.0..=1.0).contains(&raw.success) {
            return Err(at(format!("a chance of success of {}; 0 to 1 makes sense", raw.success)));
        }
        Ok(EvaluatedRebalance {
            to,
            from,
            amount,
            max_fee,
            value,
            cost,
            success: raw.success,
            reason: reason(raw.reason, self.about).map_err(at)?,
            factors: self.factors(raw.factors_end).map_err(at)?,
        })
    }

    /// A row that no proposal has named so far.
    fn name(&mut self, row: u32, role: Use) -> Result<usize, String> {
        let row = row as usize;
        let what = if role == Use::Filled { "a proposal to fill" } else { "a proposal to take from" };
        match self.uses.get_mut(row) {
            None => Err(format!("{what} row {row} of {} channels", self.rows.len())),
            Some(free @ Use::Free) => {
                *free = role;
                Ok(row)
            }
            Some(_) => Err(format!("{what} row {row}, which is named already; a channel is named once")),
        }
    }

    fn sources(&mut self, end: u32) -> Result<Vec<usize>, String> {
        let (begin, all) = (self.sources, &self.raw.sources);
        let Some(mine) = all.get(begin..end as usize) else {
            return Err(format!("sources from {begin} to {end} of {}", all.len()));
        };
        if mine.is_empty() {
            return Err("no source; at least one is needed".to_owned());
        }
        self.sources = end as usize;
        mine.iter().map(|&row| self.name(row, Use::Drained)).collect()
    }

    fn amount(&self, msat: u64, to: usize, from: &[usize]) -> Result<Msat, String> {
        let room = self.rows[to].fill_most;
        let stock = from.iter().fold(0_u64, |sum, &row| sum.saturating_add(self.rows[row].drain_most.0));
        if msat == 0 {
            return Err("an amount of 0 msat; at least 1 makes sense".to_owned());
        }
        if msat > room.0 {
            return Err(format!("an amount of {msat} msat; at most {} fit", room.0));
        }
        if msat > stock {
            return Err(format!("an amount of {msat} msat; its sources have {stock}"));
        }
        Ok(Msat(msat))
    }

    fn refusals(&mut self) -> Result<Vec<NotFilled>, String> {
        let mut next_row = 0;
        let mut refusals = Vec::with_capacity(self.raw.refusals.len().min(self.rows.len()));
        for raw in &self.raw.refusals {
            let row = super::row(raw.to, next_row, self.rows.len(), "a refusal")?;
            let at = |problem: String| format!("in the refusal of row {row}, {problem}");
            if self.uses[row] == Use::Filled {
                return Err(at("a channel that a proposal would fill".to_owned()));
            }
            let reason = reason(raw.reason, self.about).map_err(at)?;
            refusals.push(NotFilled { row, reason, factors: self.factors(raw.factors_end).map_err(at)? });
            next_row = row + 1;
        }
        Ok(refusals)
    }

    fn factors(&mut self, end: u32) -> Result<Vec<(String, f64)>, String> {
        let found = factors(&self.raw.factors, self.factors, end, self.about)?;
        self.factors = end as usize;
        Ok(found)
    }
}

fn money(raw: &RawProposal) -> Result<(Ppm, SignedMsat, Msat), String> {
    let most = GUEST_INTEGER_LIMIT - 1;
    let max_fee = match u32::try_from(raw.max_ppm) {
        Ok(ppm) if raw.max_ppm <= MAX_PPM => Ppm(ppm),
        _ => return Err(format!("a rate of up to {} ppm; at most {MAX_PPM} makes sense", raw.max_ppm)),
    };
    if raw.value_msat.unsigned_abs() > most {
        return Err(format!("a value of {} msat; {most} either way makes sense", raw.value_msat));
    }
    if raw.cost_msat > most {
        return Err(format!("an expected cost of {} msat; at most {most} makes sense", raw.cost_msat));
    }
    Ok((max_fee, SignedMsat(raw.value_msat), Msat(raw.cost_msat)))
}

#[cfg(test)]
#[path = "rebalance/tests.rs"]
mod tests;
