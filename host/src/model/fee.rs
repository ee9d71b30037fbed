//! A fee on its way from a wish to the node.

use super::{ChannelId, Msat, PeerId, Ppm, Scid, StrategyName};
use std::fmt;

/// Who wants a fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A strategy, on behalf of the peer's policy.
    Strategy(StrategyName),
    /// A person or program that called `revenue-set-fee`.
    Operator {
        /// The caller asked to go beyond the configured bounds.
        force: bool,
    },
    /// The host, which takes back what a module left that decides no more.
    Host,
}

/// A wanted fee, before any limit has looked at it.
#[derive(Clone, Debug, PartialEq)]
pub struct FeeProposal {
    pub channel_id: ChannelId,
    pub origin: Origin,
    pub fee: Ppm,
    pub base_fee: Option<Msat>,
    pub htlc_max: Option<Msat>,
    /// Why, in the strategy's own word.
    pub reason: String,
    pub factors: Vec<(String, f64)>,
}

/// Why a proposal did not become the node's fee. Each has a code for programs
/// and a sentence for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The node does not see the present chain.
    NodeSyncing(String),
    /// lightningd knows no such channel, or it is not open.
    ChannelNotOpen(String),
    /// The fee is in force already.
    Unchanged,
    /// The change is too small to tell the network.
    Suppressed { change_pct: f64, gate_pct: f64 },
    /// The channel's fee changed often enough for one day.
    RateLimited { updates: u32, most: u32 },
    /// The policy says hands off.
    PolicyPassive,
    /// Outside the operator's bounds, and not forced.
    OutOfBounds { min: Ppm, max: Ppm },
    /// Beyond what the protocol's field, or sense, can hold.
    Absurd { most: Ppm },
}

impl Refusal {
    /// Codes of what a strategy wanted although it may not have it. What is merely not worth a change, or
    /// cannot be done now, says nothing of the strategy.
    pub const OUT_OF_PLACE: [&str; 4] = ["rate_limited", "policy_passive", "out_of_bounds", "absurd"];

    /// Whether the strategy wanted what it may not have.
    pub fn is_the_strategys(&self) -> bool {
        Self::OUT_OF_PLACE.contains(&self.code())
    }

    /// The code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::NodeSyncing(_) => "node_syncing",
            Refusal::ChannelNotOpen(_) => "channel_not_open",
            Refusal::Unchanged => "unchanged",
            Refusal::Suppressed { .. } => "suppressed",
            Refusal::RateLimited { .. } => "rate_limited",
            Refusal::PolicyPassive => "policy_passive",
            Refusal::OutOfBounds { .. } => "out_of_bounds",
            Refusal::Absurd { .. } => "absurd",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NodeSyncing(why) => write!(f, "the node is not in step with the chain: {why}"),
            Refusal::ChannelNotOpen(state) => write!(f, "the channel does not forward now: {state}"),
            Refusal::Unchanged => write!(f, "the fee is in force already"),
            Refusal::Suppressed { change_pct, gate_pct } => {
                write!(f, "a change of {change_pct:.1} % is not above the gossip gate of {gate_pct:.0} %")
            }
            Refusal::RateLimited { updates, most } => {
                write!(f, "{updates} changes in the last 24 hours; the limit is {most}")
            }
            Refusal::PolicyPassive => write!(f, "the peer's policy is passive"),
            Refusal::OutOfBounds { min, max } => {
                write!(f, "outside the allowed {} to {} ppm; force=true overrides", min.0, max.0)
            }
            Refusal::Absurd { most } => write!(f, "above {} ppm, the most that is ever set", most.0),
        }
    }
}

/// A limit that moved a proposal to the nearest allowed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The operator's or the policy's lowest fee.
    MinFee(Ppm),
    /// The operator's or the policy's highest fee.
    MaxFee(Ppm),
    /// What it costs to open and close a channel at the present feerate.
    ChainCost(Ppm),
    /// The largest change in one step.
    StepUp(Ppm),
    /// The largest change in one step, downwards.
    StepDown(Ppm),
    /// The policy names the exact fee.
    Exact(Ppm),
    /// The rate stays as it is: only what another module left is taken back.
    RateHeld(Ppm),
    /// The operator's highest base fee.
    MaxBaseFee(Msat),
    /// The least that a channel lets through: a typical forward.
    HtlcMaxLeast(Msat),
    /// The channel's capacity.
    HtlcMaxMost(Msat),
}

impl Limit {
    /// The code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Limit::MinFee(_) => "min_fee",
            Limit::MaxFee(_) => "max_fee",
            Limit::ChainCost(_) => "chain_cost",
            Limit::StepUp(_) => "step_up",
            Limit::StepDown(_) => "step_down",
            Limit::Exact(_) => "exact",
            Limit::RateHeld(_) => "rate_held",
            Limit::MaxBaseFee(_) => "max_base_fee",
            Limit::HtlcMaxLeast(_) => "htlc_max_least",
            Limit::HtlcMaxMost(_) => "htlc_max_most",
        }
    }

    /// The value it moved the proposal to, in the unit of its code.
    pub const fn value(self) -> u64 {
        match self {
            Limit::MinFee(ppm)
            | Limit::MaxFee(ppm)
            | Limit::ChainCost(ppm)
            | Limit::StepUp(ppm)
            | Limit::StepDown(ppm)
            | Limit::Exact(ppm)
            | Limit::RateHeld(ppm) => ppm.0 as u64,
            Limit::MaxBaseFee(msat) | Limit::HtlcMaxLeast(msat) | Limit::HtlcMaxMost(msat) => msat.0,
        }
    }

    /// The unit of the value that goes with a code.
    pub fn unit(code: &str) -> &'static str {
        match code {
            "max_base_fee" | "htlc_max_least" | "htlc_max_most" => "msat",
            _ => "ppm",
        }
    }
}

/// What lightningd is asked to do for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFee {
    pub channel_id: ChannelId,
    pub peer_id: PeerId,
    /// The name given to setchannel.
    pub scid: Scid,
    pub old_fee: Ppm,
    pub fee: Ppm,
    pub old_base_fee: Msat,
    pub base_fee: Msat,
    pub old_htlc_max: Msat,
    /// None leaves it as it is.
    pub htlc_max: Option<Msat>,
    /// The strategy named the base fee that is set.
    pub names_base_fee: bool,
    /// The strategy named the largest HTLC that is set.
    pub names_htlc_max: bool,
    /// Congestion that the host saw raised this fee beyond one step.
    pub from_congestion: bool,
}

/// What became of an approved fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In force, by lightningd's own answer.
    Applied,
    /// In force, but for the largest HTLC: this is the most that lightningd allows in the channel.
    Lowered(Msat),
    /// lightningd's answer was lost, and its list shows the fee in force.
    Reconciled,
    /// Not sent: the plugin runs dry.
    DryRun,
    /// lightningd refused, or the fee in force is another one.
    Failed(String),
    /// Not known yet whether lightningd did it.
    Unknown(String),
}

impl Outcome {
    /// Whether the fee is in force because of it.
    pub const fn is_in_force(&self) -> bool {
        matches!(self, Outcome::Applied | Outcome::Lowered(_) | Outcome::Reconciled)
    }

    /// The code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Outcome::Applied | Outcome::Lowered(_) => "applied",
            Outcome::Reconciled => "reconciled",
            Outcome::DryRun => "dry_run",
            Outcome::Failed(_) => "failed",
            Outcome::Unknown(_) => "unknown",
        }
    }
}
