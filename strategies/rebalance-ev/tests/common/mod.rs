//! Nodes for the tests of the evaluator, and what it says of them.
#![allow(dead_code, reason = "each test binary uses some of it")]

use revenue_strategy::ParamValue;
use revenue_strategy::rebalance::testing::{ChannelBuilder, InputBuilder, decide};
use revenue_strategy::rebalance::{RebalanceDecision, RebalanceInput, RebalanceProposal};
use strategy_rebalance_ev::{FACTORS, REASONS, RebalanceEv};

/// An empty channel of 5,000,000 sat that sells 200,000 sat a day for 2,000 ppm
/// while it can, and whose peer takes 100 ppm.
pub fn seller() -> ChannelBuilder {
    ChannelBuilder::new().local_share(0.02).fee_ppm(2_000).sells_per_day_sat(200_000)
}

/// A full channel through which nothing leaves.
pub fn idle() -> ChannelBuilder {
    ChannelBuilder::new().local_share(0.95).fee_ppm(300)
}

/// `destination` as row 0, and three full channels.
pub fn with_sources(destination: ChannelBuilder) -> InputBuilder {
    InputBuilder::new().channel(destination).channel(idle()).channel(idle()).channel(idle())
}

pub fn decided(input: &RebalanceInput) -> RebalanceDecision {
    decide::<RebalanceEv>(input).expect("an answer within the contract")
}

/// The one proposal of a decision.
pub fn only(input: &RebalanceInput) -> RebalanceProposal {
    let mut proposals = decided(input).proposals;
    assert_eq!(proposals.len(), 1, "{:?}", refusals(input));
    proposals.remove(0)
}

/// Rows that are left as they are, each with the word of its reason.
pub fn refusals(input: &RebalanceInput) -> Vec<(u32, &'static str)> {
    let decision = decided(input);
    decision.refusals.iter().map(|refusal| (refusal.to, REASONS[refusal.reason as usize])).collect()
}

/// Why a row is left as it is.
pub fn refusal(input: &RebalanceInput, row: u32) -> &'static str {
    let found = refusals(input).into_iter().find(|(to, _)| *to == row);
    found.unwrap_or_else(|| panic!("row {row} is filled: {:?}", decided(input).proposals)).1
}

/// A factor of the first proposal.
pub fn factor(decision: &RebalanceDecision, name: &str) -> Option<f64> {
    let end = decision.proposals[0].factors_end as usize;
    let found = decision.factors[..end].iter().find(|factor| FACTORS[factor.name as usize] == name);
    found.map(|factor| factor.value)
}

/// What a job for row 0 is expected to be worth, msat; 0 without one.
pub fn value(input: &RebalanceInput) -> i64 {
    let filled = decided(input).proposals.into_iter().find(|proposal| proposal.to == 0);
    filled.map_or(0, |proposal| proposal.value_msat)
}

pub fn flag(on: bool) -> ParamValue {
    ParamValue::Flag(on)
}
