//! The newest form of the contract with rebalance evaluators, free of any engine.
//!
//! `wit/v1/rebalance.wit` documents each field with its unit; the adapter of a
//! contract version (`engine::v1`) turns these types into that version's.

use super::flow::FlowClass;
use super::strategy::{Decision, ParamValue};
use super::{Msat, Opener, Ppm, SignedMsat, States, UnixTime};
use serde::{Deserialize, Serialize};

/// A rebalance towards a channel's peer that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub ended: UnixTime,
    /// What was wanted.
    pub amount: Msat,
    /// What arrived.
    pub moved: Msat,
    /// What it cost.
    pub fee: Msat,
    pub max_fee: Ppm,
}

/// Where some of what left a channel in the last 30 days had entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Row of the channel by which it entered.
    pub row: usize,
    /// What left.
    pub out: Msat,
}

/// One row of an evaluator's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebalanceRow {
    pub pseudonym: u64,
    pub peer_pseudonym: u64,
    pub opener: Opener,
    pub public: bool,
    pub connected: bool,
    pub fleet: bool,
    pub age_s: u64,
    pub capacity: Msat,
    pub local: Msat,
    pub spendable: Msat,
    pub receivable: Msat,
    pub htlcs_in: u32,
    pub htlcs_out: u32,
    pub htlc_slots: u32,
    pub fee: Ppm,
    pub base_fee: Msat,
    pub peer_fee: Option<Ppm>,
    pub peer_base_fee: Option<Msat>,
    pub in_week: Msat,
    pub out_week: Msat,
    pub in_month: Msat,
    pub out_month: Msat,
    pub live_week_s: u32,
    pub live_month_s: u32,
    pub earned_week: Msat,
    pub earned_month: Msat,
    pub sourced_week: Msat,
    pub sourced_month: Msat,
    pub forwards_in_month: u32,
    pub forwards_out_month: u32,
    pub last_out: Option<UnixTime>,
    pub flow: FlowClass,
    pub flow_ratio: f64,
    pub velocity: f64,
    pub confidence: f64,
    pub settled_sent: f64,
    pub failed_sent: f64,
    pub may_fill: bool,
    pub may_drain: bool,
    pub fill_most: Msat,
    pub drain_most: Msat,
    pub budget_left: Msat,
    /// Oldest first, at most [`MAX_ATTEMPTS`].
    pub attempts: Vec<Attempt>,
    /// Empty where it is not known.
    pub senders: Vec<Sender>,
    /// What the evaluator stored for this channel; empty at first.
    pub state: Vec<u8>,
}

/// Most attempts that one row carries.
pub const MAX_ATTEMPTS: usize = 32;

/// Everything a rebalance evaluator is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebalanceInput {
    pub now: UnixTime,
    pub cycle_s: u32,
    pub seed: u64,
    pub block_height: u32,
    pub feerate_perkb: u32,
    pub feerate_mean_day_perkb: u32,
    pub node_capacity: Msat,
    pub node_local: Msat,
    pub node_earned_day: Msat,
    pub node_earned_week: Msat,
    pub budget_left: Msat,
    pub slots_free: u32,
    pub params: Vec<(String, ParamValue)>,
    pub channels: Vec<RebalanceRow>,
    /// By name; one value per channel.
    pub signals: Vec<(String, Vec<f64>)>,
    pub node_state: Vec<u8>,
}

/// A rebalance that an evaluator wants, checked for sense but not for limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedRebalance {
    /// Row to fill.
    pub to: usize,
    /// Rows to take from, the best first; never empty.
    pub from: Vec<usize>,
    /// What is to arrive.
    pub amount: Msat,
    pub max_fee: Ppm,
    /// Expected gain: chance of success times what a success gains.
    pub value: SignedMsat,
    /// Expected cost of a success.
    pub cost: Msat,
    /// Chance of success, 0 to 1.
    pub success: f64,
    /// One of `Description::reasons`.
    pub reason: String,
    /// Named by `Description::factors`; finite.
    pub factors: Vec<(String, f64)>,
}

impl EvaluatedRebalance {
    /// What it costs at its highest rate, rounded up. More is reserved for the job that the guard
    /// makes of it, since payments may settle that sling does not count.
    pub fn cost_at_most(&self) -> Msat {
        let product = u128::from(self.amount.0) * u128::from(self.max_fee.0);
        Msat(u64::try_from(product.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }

    /// Expected gain per satoshi that it costs at most; a job that costs nothing counts as costing
    /// one msat.
    pub fn value_per_sat(&self) -> f64 {
        self.value.0 as f64 / self.cost_at_most().0.max(1) as f64
    }
}

/// A channel that an evaluator looked at and does not want to fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotFilled {
    pub row: usize,
    /// One of `Description::reasons`.
    pub reason: String,
    /// Named by `Description::factors`; finite.
    pub factors: Vec<(String, f64)>,
}

/// Everything an evaluator answered in one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebalanceDecision {
    /// Best first; no row is named twice in all of them.
    pub proposals: Vec<EvaluatedRebalance>,
    /// Rows rise strictly; none is the destination of a proposal.
    pub not_filled: Vec<NotFilled>,
    /// One per row of the input.
    pub states: States,
    pub node_state: Vec<u8>,
    /// What the call cost.
    pub fuel: u64,
}

impl Decision for RebalanceDecision {
    fn states(&self) -> &States {
        &self.states
    }

    fn node_state(&self) -> &[u8] {
        &self.node_state
    }

    fn fuel(&self) -> u64 {
        self.fuel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_cost_is_rounded_up_and_never_wraps() {
        let job = |amount, max_fee| EvaluatedRebalance {
            to: 0,
            from: vec![1],
            amount: Msat(amount),
            max_fee: Ppm(max_fee),
            value: SignedMsat(50_000),
            cost: Msat(0),
            success: 1.0,
            reason: String::new(),
            factors: vec![],
        };
        for (amount, max_fee, worst) in [
            (50_000_000, 1_200, 60_000),
            (1, 1, 1),
            (0, 500, 0),
            (1_000_001, 1_000, 1_001),
            (u64::MAX, u32::MAX, u64::MAX),
        ] {
            assert_eq!(job(amount, max_fee).cost_at_most(), Msat(worst), "{max_fee} ppm of {amount}");
        }
        assert!((job(50_000_000, 1_000).value_per_sat() - 1.0).abs() < 1e-12);
        assert!((job(50_000_000, 0).value_per_sat() - 50_000.0).abs() < 1e-9);
    }
}
