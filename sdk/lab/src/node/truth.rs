//! What the node really earned and paid, kept apart from the records that plugins read.

use super::NodeState;
use super::payments::PayStatus;
use crate::market::Status;

/// What one channel brought and cost over its life, msat. Costs are positive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrueBooks {
    /// Fees of settled forwards that left by this channel.
    pub earned_msat: u64,
    /// Fees of settled forwards that came in by it: shown apart, never added to what was earned.
    pub sourced_msat: u64,
    /// Its share of the fee of its funding transaction.
    pub open_msat: u64,
    /// What its closing transaction kept of our balance: our part of the fee, anchors and whatever
    /// is too small for an output.
    pub close_msat: u64,
    /// The fees of what brought its money home after the close.
    pub sweep_msat: u64,
    /// Fees of its splices.
    pub splice_msat: u64,
    /// What we paid for leased money, less what we were paid.
    pub lease_msat: i64,
    /// What a cheating peer's close brought us beyond our balance, before the fee of sweeping it.
    pub penalty_msat: i64,
    /// Fees of payments to ourselves that left by it.
    pub rebalance_msat: u64,
    /// What we gave away at its opening, less what we were given: no cost.
    pub pushed_msat: i64,
}

impl TrueBooks {
    /// What is left: earned and penalties, less every cost, msat.
    pub fn net_msat(&self) -> i64 {
        let costs =
            self.open_msat + self.close_msat + self.sweep_msat + self.splice_msat + self.rebalance_msat;
        self.earned_msat as i64 + self.penalty_msat - costs as i64 - self.lease_msat
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            earned_msat: self.earned_msat + other.earned_msat,
            sourced_msat: self.sourced_msat + other.sourced_msat,
            open_msat: self.open_msat + other.open_msat,
            close_msat: self.close_msat + other.close_msat,
            sweep_msat: self.sweep_msat + other.sweep_msat,
            splice_msat: self.splice_msat + other.splice_msat,
            lease_msat: self.lease_msat + other.lease_msat,
            penalty_msat: self.penalty_msat + other.penalty_msat,
            rebalance_msat: self.rebalance_msat + other.rebalance_msat,
            pushed_msat: self.pushed_msat + other.pushed_msat,
        }
    }
}

impl NodeState {
    /// What every channel really brought and cost, by index. A close counts from the moment its
    /// outputs are resolved, as bookkeeper books it. Computed from what happened, not from records:
    /// rows that were deleted since count too.
    pub fn true_books(&self) -> Vec<TrueBooks> {
        let mut books: Vec<TrueBooks> = self.channels.iter().map(|channel| channel.costs).collect();
        for forward in self.forwards.iter().filter(|forward| forward.status == Status::Settled) {
            books[forward.out_channel].earned_msat += forward.fee_msat();
            books[forward.in_channel].sourced_msat += forward.fee_msat();
        }
        let payments = self.payments.iter();
        for payment in payments.filter(|row| row.status == PayStatus::Complete && row.destination.is_none()) {
            books[payment.out_channel].rebalance_msat += payment.sent_msat - payment.amount_msat;
        }
        books
    }

    /// [`NodeState::true_books`] of all channels together.
    pub fn true_total(&self) -> TrueBooks {
        self.true_books().iter().fold(TrueBooks::default(), |sum, books| sum.plus(books))
    }
}
