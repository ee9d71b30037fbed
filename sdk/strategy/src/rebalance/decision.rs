//! Building an answer.

use super::{RebalanceDecision, RebalanceInput, RebalanceProposal, RebalanceRefusal, Row};
use crate::{Blobs, Factor};

/// What an evaluator wants, under construction.
///
/// Proposals are made in the order of preference, refusals and states in rising
/// order of the rows; proposals and refusals may alternate. A row without
/// [`Decision::keep`] keeps its state, and the node state stays as it was until
/// [`Decision::set_node_state`]. A call against the contract makes
/// [`Decision::finish`] fail.
#[derive(Debug)]
pub struct Decision<'a> {
    input: &'a RebalanceInput,
    proposals: Vec<RebalanceProposal>,
    sources: Vec<u32>,
    refusals: Vec<RebalanceRefusal>,
    proposal_factors: Vec<Factor>,
    refusal_factors: Vec<Factor>,
    /// Rows that proposals have named.
    named: Vec<bool>,
    states: Blobs,
    node_state: Option<Vec<u8>>,
    fault: Option<String>,
}

impl<'a> Decision<'a> {
    /// A decision that moves nothing and keeps all states.
    pub fn new(input: &'a RebalanceInput) -> Self {
        let mut states = Blobs::empty();
        states.ends.reserve(input.channels.len());
        states.bytes.reserve(input.states.bytes.len());
        Self {
            input,
            proposals: Vec::new(),
            sources: Vec::new(),
            refusals: Vec::new(),
            proposal_factors: Vec::new(),
            refusal_factors: Vec::new(),
            named: vec![false; input.channels.len()],
            states,
            node_state: None,
            fault: None,
        }
    }

    /// Whether a proposal has named a row, as destination or as source: it can
    /// not be named again.
    pub fn names(&self, row: u32) -> bool {
        self.named.get(row as usize).copied().unwrap_or(false)
    }

    /// Wants `amount_msat` to arrive in a channel from the rows `sources`, the
    /// best first, for at most `max_ppm`. `reason` is a position in
    /// `description.reasons`. What is returned takes the details.
    pub fn fill(
        &mut self,
        to: &Row<'_>,
        sources: &[u32],
        amount_msat: u64,
        max_ppm: u64,
        reason: u32,
    ) -> Filling<'_> {
        if sources.is_empty() {
            self.fail(format!("row {} is to be filled from nowhere", to.index));
        }
        for &row in [to.index].iter().chain(sources) {
            match self.named.get_mut(row as usize) {
                Some(named) if !*named => *named = true,
                Some(_) => self.fail(format!("row {row} is named twice")),
                None => self.fail(format!("there is no row {row}")),
            }
        }
        self.sources.extend_from_slice(sources);
        self.proposals.push(RebalanceProposal {
            to: to.index,
            sources_end: self.sources.len() as u32,
            amount_msat,
            max_ppm,
            value_msat: 0,
            cost_msat: 0,
            success: 1.0,
            reason,
            factors_end: self.proposal_factors.len() as u32,
        });
        Filling { proposals: &mut self.proposals, factors: &mut self.proposal_factors }
    }

    /// Says why a channel is left as it is. What is returned takes factors.
    pub fn refuse(&mut self, row: &Row<'_>, reason: u32) -> Refusing<'_> {
        if let Some(last) = self.refusals.last()
            && last.to >= row.index
        {
            self.fail(format!("row {} refused after row {}", row.index, last.to));
        }
        self.refusals.push(RebalanceRefusal {
            to: row.index,
            reason,
            factors_end: self.refusal_factors.len() as u32,
        });
        Refusing { refusals: &mut self.refusals, factors: &mut self.refusal_factors }
    }

    /// Sets the bytes to remember for a row, at most 1024.
    pub fn keep(&mut self, row: &Row<'_>, state: &[u8]) {
        let index = row.index as usize;
        if self.states.ends.len() > index {
            self.fail(format!("state of row {index} set after that of a later one"));
            return;
        }
        self.carry_states(index);
        if let Err(fault) = self.states.push(state) {
            self.fail(fault);
        }
    }

    /// Sets the evaluator's own state for the node, at most 65536 bytes.
    pub fn set_node_state(&mut self, state: Vec<u8>) {
        self.node_state = Some(state);
    }

    /// The answer in the contract's form.
    ///
    /// # Errors
    ///
    /// Says which row came out of order, or was named twice, if one was.
    pub fn finish(mut self) -> Result<RebalanceDecision, String> {
        self.carry_states(self.input.channels.len());
        let filled = |refusal: &&RebalanceRefusal| {
            self.named.get(refusal.to as usize) == Some(&true)
                && self.proposals.iter().any(|proposal| proposal.to == refusal.to)
        };
        if let Some(twice) = self.refusals.iter().find(filled).map(|refusal| refusal.to) {
            self.fail(format!("row {twice} is both filled and refused"));
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let shift = self.proposal_factors.len() as u32;
        self.refusals.iter_mut().for_each(|refusal| refusal.factors_end += shift);
        let mut factors = self.proposal_factors;
        factors.append(&mut self.refusal_factors);
        Ok(RebalanceDecision {
            proposals: self.proposals,
            sources: self.sources,
            refusals: self.refusals,
            factors,
            states: self.states,
            node_state: self.node_state.unwrap_or_else(|| self.input.node_state.clone()),
        })
    }

    /// Copies the states of the rows from the last one kept up to `end`.
    fn carry_states(&mut self, end: usize) {
        for index in self.states.ends.len()..end {
            if let Err(fault) = self.states.push(self.input.states.entry(index)) {
                self.fail(fault);
                return;
            }
        }
    }

    /// Remembers the first fault.
    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

/// The proposal that was just made, to add details.
#[derive(Debug)]
pub struct Filling<'d> {
    proposals: &'d mut Vec<RebalanceProposal>,
    factors: &'d mut Vec<Factor>,
}

impl Filling<'_> {
    /// Adds a number behind the proposal, for the operator's eyes: at most 16
    /// per proposal. `name` is a position in `description.factors`. A value
    /// that is not finite is left out.
    pub fn factor(self, name: u32, value: f64) -> Self {
        if value.is_finite() {
            self.factors.push(Factor { name, value });
        }
        let end = self.factors.len() as u32;
        self.change(|proposal| proposal.factors_end = end)
    }

    /// What the job is expected to be worth, and to cost if it succeeds, msat;
    /// and its chance of success, 0 to 1.
    pub fn expects(self, value_msat: i64, cost_msat: u64, success: f64) -> Self {
        self.change(|proposal| {
            (proposal.value_msat, proposal.cost_msat, proposal.success) = (value_msat, cost_msat, success);
        })
    }

    fn change(self, edit: impl FnOnce(&mut RebalanceProposal)) -> Self {
        if let Some(proposal) = self.proposals.last_mut() {
            edit(proposal);
        }
        self
    }
}

/// The refusal that was just made, to add factors.
#[derive(Debug)]
pub struct Refusing<'d> {
    refusals: &'d mut Vec<RebalanceRefusal>,
    factors: &'d mut Vec<Factor>,
}

impl Refusing<'_> {
    /// Adds a number behind the refusal, as [`Filling::factor`] does.
    pub fn factor(self, name: u32, value: f64) -> Self {
        if value.is_finite() {
            self.factors.push(Factor { name, value });
        }
        if let Some(refusal) = self.refusals.last_mut() {
            refusal.factors_end = self.factors.len() as u32;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rebalance::testing::{ChannelBuilder, InputBuilder};

    fn four() -> RebalanceInput {
        let row = ChannelBuilder::new;
        InputBuilder::new()
            .channel(row().state(b"a"))
            .channel(row().state(b"b"))
            .channel(row())
            .channel(row())
            .node_state(b"node")
            .build()
    }

    #[test]
    fn an_untouched_decision_keeps_every_state() {
        let input = four();
        let decided = Decision::new(&input).finish().unwrap();
        assert!(decided.proposals.is_empty() && decided.refusals.is_empty());
        assert_eq!(decided.states, input.states);
        assert_eq!(decided.node_state, b"node");
    }

    #[test]
    fn factors_and_sources_belong_to_their_proposal_or_refusal() {
        let input = four();
        let rows: Vec<_> = input.rows().collect();
        let mut decision = Decision::new(&input);
        decision.refuse(&rows[0], 1).factor(2, 7.0);
        decision.fill(&rows[3], &[1, 0], 5_000, 10, 0).factor(0, 1.0).expects(9, 4, 0.5);
        decision.refuse(&rows[2], 1).factor(1, f64::NAN).factor(1, 8.0);
        let decided = decision.finish().unwrap();
        let fill = &decided.proposals[0];
        assert_eq!((fill.to, fill.sources_end, fill.amount_msat, fill.max_ppm), (3, 2, 5_000, 10));
        assert_eq!((fill.value_msat, fill.cost_msat, fill.factors_end), (9, 4, 1));
        assert_eq!(decided.sources, [1, 0]);
        let ends: Vec<_> = decided.refusals.iter().map(|refusal| (refusal.to, refusal.factors_end)).collect();
        assert_eq!(ends, [(0, 2), (2, 3)]);
        let values: Vec<f64> = decided.factors.iter().map(|factor| factor.value).collect();
        assert_eq!(values, [1.0, 7.0, 8.0]);
    }

    #[test]
    fn what_the_host_would_refuse_is_an_error_that_names_the_row() {
        type Spoil = fn(&mut Decision<'_>, &[Row<'_>]);
        let cases: [(&str, Spoil); 7] = [
            ("row 1 is named twice", |decision, rows| {
                decision.fill(&rows[0], &[1], 1, 1, 0);
                decision.fill(&rows[2], &[1], 1, 1, 0);
            }),
            ("row 0 is named twice", |decision, rows| {
                decision.fill(&rows[0], &[0], 1, 1, 0);
            }),
            ("no row 9", |decision, rows| {
                decision.fill(&rows[0], &[9], 1, 1, 0);
            }),
            ("row 2 is to be filled from nowhere", |decision, rows| {
                decision.fill(&rows[2], &[], 1, 1, 0);
            }),
            ("row 0 is both filled and refused", |decision, rows| {
                decision.fill(&rows[0], &[1], 1, 1, 0);
                decision.refuse(&rows[0], 0);
            }),
            ("row 0 refused after row 2", |decision, rows| {
                decision.refuse(&rows[2], 0);
                decision.refuse(&rows[0], 0);
            }),
            ("state of row 1", |decision, rows| {
                decision.keep(&rows[1], b"x");
                decision.keep(&rows[1], b"y");
            }),
        ];
        let input = four();
        let rows: Vec<_> = input.rows().collect();
        for (expected, spoil) in cases {
            let mut decision = Decision::new(&input);
            spoil(&mut decision, &rows);
            let problem = decision.finish().unwrap_err();
            assert!(problem.contains(expected), "{problem}, expected {expected}");
        }
    }
}
