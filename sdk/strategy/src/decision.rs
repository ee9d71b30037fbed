//! Building an answer.

use crate::{Blobs, Factor, FeeDecision, FeeInput, Proposal, Row};

/// What a strategy wants, under construction.
///
/// Rows are handled in rising order, as [`FeeInput::rows`] gives them. A row
/// without [`Decision::keep`] keeps its state; the node state too stays as it
/// was until [`Decision::set_node_state`]. A call out of order makes
/// [`Decision::finish`] fail.
#[derive(Debug)]
pub struct Decision<'a> {
    input: &'a FeeInput,
    proposals: Vec<Proposal>,
    factors: Vec<Factor>,
    states: Blobs,
    node_state: Option<Vec<u8>>,
    fault: Option<String>,
}

impl<'a> Decision<'a> {
    /// A decision that proposes nothing and keeps all states.
    pub fn new(input: &'a FeeInput) -> Self {
        let mut states = Blobs::empty();
        states.ends.reserve(input.channels.len());
        states.bytes.reserve(input.states.bytes.len());
        Self { input, proposals: Vec::new(), factors: Vec::new(), states, node_state: None, fault: None }
    }

    /// Proposes a rate, ppm, for a row. `reason` is a position in
    /// `description.reasons`. What is returned takes the details.
    pub fn set(&mut self, row: &Row<'_>, fee_ppm: u64, reason: u32) -> Proposing<'_> {
        if let Some(last) = self.proposals.last()
            && last.channel >= row.index
        {
            self.fail(format!("row {} proposed after row {}", row.index, last.channel));
        }
        self.proposals.push(Proposal {
            channel: row.index,
            fee_ppm,
            base_fee_msat: None,
            htlc_max_msat: None,
            reason,
            factors_end: self.factors.len() as u32,
        });
        Proposing { proposals: &mut self.proposals, factors: &mut self.factors }
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

    /// Sets the strategy's own state for the node, at most 65536 bytes.
    pub fn set_node_state(&mut self, state: Vec<u8>) {
        self.node_state = Some(state);
    }

    /// The answer in the contract's form.
    ///
    /// # Errors
    ///
    /// Says which row came out of order, if one did.
    pub fn finish(mut self) -> Result<FeeDecision, String> {
        self.carry_states(self.input.channels.len());
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        Ok(FeeDecision {
            proposals: self.proposals,
            factors: self.factors,
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
pub struct Proposing<'d> {
    proposals: &'d mut Vec<Proposal>,
    factors: &'d mut Vec<Factor>,
}

impl Proposing<'_> {
    /// Adds a number behind the proposal, for the operator's eyes: at most 16
    /// per proposal. `name` is a position in `description.factors`. A value
    /// that is not finite is left out.
    pub fn factor(self, name: u32, value: f64) -> Self {
        if value.is_finite() {
            self.factors.push(Factor { name, value });
            let end = self.factors.len() as u32;
            self.change(|proposal| proposal.factors_end = end)
        } else {
            self
        }
    }

    /// Wants a base fee, msat. The host allows as much as its operator does.
    pub fn base_fee_msat(self, msat: u32) -> Self {
        self.change(|proposal| proposal.base_fee_msat = Some(msat))
    }

    /// Wants a largest HTLC, msat. The host lets at least a typical forward through: 1 % of the
    /// capacity, within 10,000 and 1,000,000 sat.
    pub fn htlc_max_msat(self, msat: u64) -> Self {
        self.change(|proposal| proposal.htlc_max_msat = Some(msat))
    }

    fn change(self, edit: impl FnOnce(&mut Proposal)) -> Self {
        if let Some(proposal) = self.proposals.last_mut() {
            edit(proposal);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{ChannelBuilder, InputBuilder};

    fn three() -> FeeInput {
        InputBuilder::new()
            .channel(ChannelBuilder::new().state(b"a"))
            .channel(ChannelBuilder::new().state(b"b"))
            .channel(ChannelBuilder::new())
            .node_state(b"node")
            .build()
    }

    #[test]
    fn an_untouched_decision_keeps_every_state() {
        let input = three();
        let decided = Decision::new(&input).finish().unwrap();
        assert!(decided.proposals.is_empty());
        assert_eq!(decided.states, input.states);
        assert_eq!(decided.node_state, b"node");
    }

    #[test]
    fn factors_belong_to_their_proposal() {
        let input = three();
        let rows: Vec<_> = input.rows().collect();
        let mut decision = Decision::new(&input);
        decision.set(&rows[0], 5, 1).factor(0, 1.0).factor(2, 2.0).base_fee_msat(7);
        decision.set(&rows[2], 6, 0).factor(1, f64::NAN).factor(1, 3.0).htlc_max_msat(9);
        let decided = decision.finish().unwrap();
        assert_eq!(decided.proposals[0].factors_end, 2);
        assert_eq!(decided.proposals[0].base_fee_msat, Some(7));
        assert_eq!(decided.proposals[1].factors_end, 3);
        assert_eq!(decided.proposals[1].htlc_max_msat, Some(9));
        assert_eq!(decided.factors[2], Factor { name: 1, value: 3.0 });
    }

    #[test]
    fn a_kept_row_leaves_the_others_as_they_were() {
        let input = three();
        let rows: Vec<_> = input.rows().collect();
        let mut decision = Decision::new(&input);
        decision.keep(&rows[1], b"new");
        decision.set_node_state(b"then".to_vec());
        let decided = decision.finish().unwrap();
        assert_eq!(decided.states.entry(0), b"a");
        assert_eq!(decided.states.entry(1), b"new");
        assert_eq!(decided.states.entry(2), b"");
        assert_eq!(decided.states.ends.len(), 3);
        assert_eq!(decided.node_state, b"then");
    }

    #[test]
    fn rows_out_of_order_are_an_error_that_names_them() {
        let input = three();
        let rows: Vec<_> = input.rows().collect();
        let mut proposals = Decision::new(&input);
        proposals.set(&rows[2], 1, 0);
        proposals.set(&rows[0], 1, 0);
        assert_eq!(proposals.finish().unwrap_err(), "row 0 proposed after row 2");
        let mut states = Decision::new(&input);
        states.keep(&rows[1], b"x");
        states.keep(&rows[1], b"y");
        assert!(states.finish().unwrap_err().contains("row 1"));
    }
}
