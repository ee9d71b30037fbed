//! Profit and loss of a channel, a peer or the node over any time, msat.
//!
//! `net = earned - (open + splice + close + sweep + penalty + lease + rebalance)`. A forward's fee
//! is earned by the channel that it left by, and by no other: nets of channels add up to the node's.

use crate::model::ledger::{CostKind, CostSource, SignedMsat};
use crate::model::{Msat, UnixTime};
use std::iter::Sum;
use std::ops::AddAssign;

/// What was spent, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    pub(super) on_chain: [SignedMsat; CostKind::ALL.len()],
    /// Fees of payments to ourselves.
    pub rebalance: Msat,
    /// How much of all this is assumed until a record appears.
    pub estimated: SignedMsat,
    /// How much of all this only the Python plugin's database tells.
    pub imported: SignedMsat,
}

impl Costs {
    /// Adds an on-chain cost; a gain is negative.
    pub fn book(&mut self, kind: CostKind, source: CostSource, amount: SignedMsat) {
        self.on_chain[kind as usize] += amount;
        match source {
            CostSource::Estimate => self.estimated += amount,
            CostSource::Imported => self.imported += amount,
            CostSource::Bookkeeper | CostSource::Node => {}
        }
    }

    /// Adds the fee of a payment to ourselves.
    pub fn book_rebalance(&mut self, fee: Msat, imported: bool) {
        self.rebalance += fee;
        if imported {
            self.imported += fee.into();
        }
    }

    /// The on-chain cost of one kind.
    pub fn of(&self, kind: CostKind) -> SignedMsat {
        self.on_chain[kind as usize]
    }

    /// What it took to open.
    pub fn opening(&self) -> SignedMsat {
        self.of(CostKind::Open)
    }

    /// What the end of channels took: closing transactions, sweeps and penalties.
    pub fn closure(&self) -> SignedMsat {
        self.of(CostKind::Close) + self.of(CostKind::Sweep) + self.of(CostKind::Penalty)
    }

    /// Everything but the opening.
    pub fn operating(&self) -> SignedMsat {
        self.total() - self.opening()
    }

    /// Everything.
    pub fn total(&self) -> SignedMsat {
        self.on_chain.iter().copied().sum::<SignedMsat>() + self.rebalance.into()
    }

    /// The share of all costs, in percent, that is assumed. Zero without costs.
    pub fn estimated_pct(&self) -> f64 {
        percent(self.estimated.0, self.total().0)
    }
}

impl AddAssign for Costs {
    fn add_assign(&mut self, other: Costs) {
        for (sum, amount) in self.on_chain.iter_mut().zip(other.on_chain) {
            *sum += amount;
        }
        self.rebalance += other.rebalance;
        self.estimated += other.estimated;
        self.imported += other.imported;
    }
}

/// Settled forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub in_msat: Msat,
    pub out_msat: Msat,
    pub in_count: u64,
    pub out_count: u64,
    /// Fees of forwards that left here.
    pub earned: Msat,
    /// Fees, earned elsewhere, of forwards that entered here. Never added to what is earned when
    /// channels are added up.
    pub sourced: Msat,
}

impl Traffic {
    /// What passed in either direction.
    pub fn volume(&self) -> Msat {
        self.in_msat + self.out_msat
    }

    /// Forwards in either direction.
    pub fn count(&self) -> u64 {
        self.in_count + self.out_count
    }

    /// (out - in) / (out + in), -1 to 1; 0 without any.
    pub fn direction(&self) -> f64 {
        self.out_msat.share_of(self.volume()) - self.in_msat.share_of(self.volume())
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.in_msat += other.in_msat;
        self.out_msat += other.out_msat;
        self.in_count += other.in_count;
        self.out_count += other.out_count;
        self.earned += other.earned;
        self.sourced += other.sourced;
    }
}

/// What was earned and what was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pnl {
    pub traffic: Traffic,
    pub costs: Costs,
}

impl Pnl {
    /// Earned less all costs.
    pub fn net(&self) -> SignedMsat {
        SignedMsat::from(self.traffic.earned) - self.costs.total()
    }

    /// Earned less all costs but the opening.
    pub fn operating_profit(&self) -> SignedMsat {
        SignedMsat::from(self.traffic.earned) - self.costs.operating()
    }

    /// The fees that would be lost without the channel: those that it earned and those that it
    /// brought to others. A measure of one channel, or of one peer; sums over the node count twice.
    pub fn contribution(&self) -> Msat {
        self.traffic.earned + self.traffic.sourced
    }

    /// Contribution less what rebalancing cost.
    pub fn after_rebalancing(&self) -> SignedMsat {
        SignedMsat::from(self.contribution()) - self.costs.rebalance.into()
    }

    /// What the contribution brings over all costs, as a share of the costs.
    pub fn contribution_roi(&self) -> f64 {
        let costs = self.costs.total();
        ratio(SignedMsat::from(self.contribution()) - costs, costs)
    }

    /// What the earnings bring over all costs, as a share of the costs.
    pub fn roi(&self) -> f64 {
        ratio(self.net(), self.costs.total())
    }

    /// What the contribution brings over the cost of rebalancing, as a share of it: what one more
    /// sat spent may bring, with opening and closing left out as sunk. A cost below one sat counts
    /// as one.
    pub fn marginal_roi(&self) -> f64 {
        if self.costs.rebalance == Msat::ZERO {
            return ratio(self.contribution().into(), SignedMsat::ZERO);
        }
        self.after_rebalancing().0 as f64 / self.costs.rebalance.0.max(1000) as f64
    }

    /// Operating profit in percent of what was earned: -100 when only costs were, 0 when nothing was.
    pub fn margin_pct(&self) -> f64 {
        match (self.traffic.earned.0, self.costs.operating().0) {
            (0, 0) => 0.0,
            (0, costs) => -100.0 * costs.signum() as f64,
            (earned, _) => percent(self.operating_profit().0, i64::try_from(earned).unwrap_or(i64::MAX)),
        }
    }
}

impl AddAssign for Pnl {
    fn add_assign(&mut self, other: Pnl) {
        self.traffic += other.traffic;
        self.costs += other.costs;
    }
}

impl<'a> Sum<&'a Pnl> for Pnl {
    fn sum<I: Iterator<Item = &'a Pnl>>(all: I) -> Pnl {
        all.fold(Pnl::default(), |mut sum, one| {
            sum += *one;
            sum
        })
    }
}

/// A gain as a share of its cost. Without a cost: 1 for any gain, 0 for none.
fn ratio(gain: SignedMsat, cost: SignedMsat) -> f64 {
    match (gain.0, cost.0) {
        (gain, cost) if cost > 0 => gain as f64 / cost as f64,
        (gain, _) if gain > 0 => 1.0,
        _ => 0.0,
    }
}

fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// A profit in percent of the capacity that it took, over the time and per year of 365 days.
/// Zero without capacity or time.
pub fn return_on_capacity_pct(profit: SignedMsat, capacity: Msat, seconds: u64) -> (f64, f64) {
    if capacity == Msat::ZERO || seconds == 0 {
        return (0.0, 0.0);
    }
    let roc = 100.0 * profit.0 as f64 / capacity.0 as f64;
    (roc, roc * (365 * UnixTime::DAY) as f64 / seconds as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pnl(earned: u64, sourced: u64, open: i64, close: i64, rebalance: u64) -> Pnl {
        let mut costs = Costs { rebalance: Msat(rebalance), ..Costs::default() };
        costs.book(CostKind::Open, CostSource::Bookkeeper, SignedMsat(open));
        costs.book(CostKind::Close, CostSource::Bookkeeper, SignedMsat(close));
        Pnl { traffic: Traffic { earned: Msat(earned), sourced: Msat(sourced), ..Traffic::default() }, costs }
    }

    #[test]
    fn the_worked_example_of_the_docs() {
        let mut costs = Costs { rebalance: Msat(900_225), ..Costs::default() };
        for (kind, msat) in [
            (CostKind::Open, 332_000),
            (CostKind::Close, 195_000),
            (CostKind::Close, 978),
            (CostKind::Sweep, 134_000),
            (CostKind::Splice, 258_000),
        ] {
            costs.book(kind, CostSource::Bookkeeper, SignedMsat(msat));
        }
        let pnl = Pnl { traffic: Traffic { earned: Msat(47_508), ..Traffic::default() }, costs };
        assert_eq!(pnl.costs.closure(), SignedMsat(329_978));
        assert_eq!(pnl.costs.operating(), SignedMsat(1_488_203));
        assert_eq!(pnl.net(), SignedMsat(-1_772_695));
        assert_eq!(pnl.net().sats(), -1_772);
    }

    #[test]
    fn shares_and_returns() {
        for (pnl, roi, contribution_roi, marginal, margin) in [
            (pnl(0, 0, 0, 0, 0), 0.0, 0.0, 0.0, 0.0),
            (pnl(500, 0, 0, 0, 0), 1.0, 1.0, 1.0, 100.0),
            (pnl(0, 500, 0, 0, 0), 0.0, 1.0, 1.0, 0.0),
            (pnl(30_000, 0, 20_000, 0, 0), 0.5, 0.5, 1.0, 100.0),
            (pnl(30_000, 10_000, 10_000, 10_000, 0), 0.5, 1.0, 1.0, 200.0 / 3.0),
            (pnl(10_000, 5_000, 0, 0, 10_000), 0.0, 0.5, 0.5, 0.0),
            (pnl(0, 0, 0, 0, 10_000), -1.0, -1.0, -1.0, -100.0),
            // Less than a sat of cost makes no fantastic return.
            (pnl(2_000, 0, 0, 0, 10), 199.0, 199.0, 1.99, 99.5),
        ] {
            let found = (pnl.roi(), pnl.contribution_roi(), pnl.marginal_roi(), pnl.margin_pct());
            assert_eq!(found, (roi, contribution_roi, marginal, margin), "{pnl:?}");
        }
    }

    #[test]
    fn a_gain_lowers_the_costs() {
        let mut pnl = pnl(0, 0, 1_000, 0, 0);
        pnl.costs.book(CostKind::Lease, CostSource::Node, SignedMsat(-5_000));
        assert_eq!((pnl.net(), pnl.operating_profit()), (SignedMsat(4_000), SignedMsat(5_000)));
        assert_eq!((pnl.roi(), pnl.margin_pct()), (1.0, 100.0));
    }

    #[test]
    fn estimates_are_told_apart() {
        let mut costs = Costs { rebalance: Msat(1_000), ..Costs::default() };
        costs.book(CostKind::Open, CostSource::Estimate, SignedMsat(5_000));
        costs.book(CostKind::Close, CostSource::Imported, SignedMsat(4_000));
        costs.book_rebalance(Msat(2_000), true);
        costs.book_rebalance(Msat(8_000), false);
        assert_eq!((costs.estimated, costs.imported), (SignedMsat(5_000), SignedMsat(6_000)));
        assert_eq!((costs.total(), costs.estimated_pct()), (SignedMsat(20_000), 25.0));
    }

    #[test]
    fn a_return_is_per_year_of_365_days() {
        let found = return_on_capacity_pct(SignedMsat(73_000), Msat(73_000_000), 73 * UnixTime::DAY);
        assert_eq!(found, (0.1, 0.5));
        assert_eq!(return_on_capacity_pct(SignedMsat(1), Msat(0), 1), (0.0, 0.0));
        assert_eq!(return_on_capacity_pct(SignedMsat(1), Msat(1), 0), (0.0, 0.0));
    }

    proptest! {
        /// However the books are cut into channels, their nets add up to the whole's.
        #[test]
        fn nets_add_up(parts in prop::collection::vec((0..1u64 << 40, 0..1u64 << 40, -(1i64 << 40)..1 << 40, 0..1i64 << 40, 0..1u64 << 40), 0..20)) {
            let parts: Vec<Pnl> = parts.into_iter().map(|(a, b, c, d, e)| pnl(a, b, c, d, e)).collect();
            let whole: Pnl = parts.iter().sum();
            prop_assert_eq!(whole.net(), parts.iter().map(Pnl::net).sum());
            prop_assert_eq!(whole.net() + whole.costs.opening(), whole.operating_profit());
            prop_assert_eq!(whole.costs.total(), whole.costs.opening() + whole.costs.operating());
        }
    }
}
