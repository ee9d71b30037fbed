//! The newest form of the contract with strategies, free of any engine.
//!
//! `wit/v1/strategy.wit` documents each field with its unit; the adapter of a
//! contract version (`engine::v1`) turns these types into that version's.

use super::flow::FlowClass;
use super::{Msat, Opener, Ppm, States, UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Integers handed to a guest stay below this: JavaScript's largest exact integer + 1.
pub const GUEST_INTEGER_LIMIT: u64 = 1 << 53;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ParamValue {
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamValue::Flag(flag) => write!(f, "{flag}"),
            ParamValue::Integer(integer) => write!(f, "{integer}"),
            ParamValue::Number(number) => write!(f, "{number}"),
            ParamValue::Text(text) => write!(f, "'{text}'"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    pub name: String,
    pub doc: String,
    pub default: ParamValue,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
}

/// What a component says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub state_version: u32,
    pub params: Vec<ParamSpec>,
    pub signals: Vec<String>,
    pub reasons: Vec<String>,
    pub factors: Vec<String>,
}

/// Codes of calls that were not made for a reason of the host's or the machine's: they say nothing of the
/// module.
pub const NOT_THE_MODULES: [&str; 6] =
    ["no_worker", "host", "not_found", "unreadable", "compile_time", "describe_time"];

/// The host's word on a strategy's last proposal for a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastVerdict {
    #[default]
    None,
    Published,
    Limited,
    Unchanged,
    Suppressed,
    RateLimited,
    Refused,
    DryRun,
}

impl LastVerdict {
    const ALL: [(LastVerdict, &'static str); 8] = [
        (LastVerdict::None, "none"),
        (LastVerdict::Published, "published"),
        (LastVerdict::Limited, "limited"),
        (LastVerdict::Unchanged, "unchanged"),
        (LastVerdict::Suppressed, "suppressed"),
        (LastVerdict::RateLimited, "rate_limited"),
        (LastVerdict::Refused, "refused"),
        (LastVerdict::DryRun, "dry_run"),
    ];

    /// The word used in the store and in answers.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(verdict, _)| *verdict == self).map_or("none", |(_, name)| name)
    }

    /// Reads the word used in the store.
    pub fn from_name(name: &str) -> Option<LastVerdict> {
        Self::ALL.iter().find(|(_, word)| *word == name).map(|(verdict, _)| *verdict)
    }
}

/// A stretch of constant rate on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeInterval {
    pub start: UnixTime,
    pub end: UnixTime,
    pub fee: Ppm,
    pub live_s: u32,
    pub settled: u32,
    pub failed_liquidity: u32,
    pub failed_downstream: u32,
    pub out: Msat,
    pub earned: Msat,
}

/// One row of a strategy's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelRow {
    pub pseudonym: u64,
    pub peer_pseudonym: u64,
    pub opener: Opener,
    pub public: bool,
    pub connected: bool,
    pub age_blocks: u32,
    pub capacity: Msat,
    pub local: Msat,
    pub spendable: Msat,
    pub receivable: Msat,
    pub htlcs_in: u32,
    pub htlcs_out: u32,
    pub htlc_slots: u32,
    pub fee: Ppm,
    pub base_fee: Msat,
    pub htlc_max: Msat,
    pub peer_fee: Option<Ppm>,
    pub min_fee: Ppm,
    pub max_fee: Ppm,
    pub target: Option<Ppm>,
    pub in_day: Msat,
    pub out_day: Msat,
    pub in_week: Msat,
    pub out_week: Msat,
    pub earned_day: Msat,
    pub earned_week: Msat,
    pub sourced_week: Msat,
    pub forwards_out_week: u32,
    pub forwards_in_week: u32,
    pub forwards_out_total: u32,
    pub last_out: Option<UnixTime>,
    pub flow: FlowClass,
    pub flow_ratio: f64,
    pub velocity: f64,
    pub confidence: f64,
    pub rebalance_cost: Option<Ppm>,
    pub last_verdict: LastVerdict,
    pub last_proposed: Option<Ppm>,
    pub last_change: UnixTime,
    pub updates_left: u32,
    pub intervals: Vec<FeeInterval>,
    /// What the strategy stored for this channel; empty at first.
    pub state: Vec<u8>,
}

/// Everything a fee strategy is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeInput {
    pub now: UnixTime,
    pub cycle_s: u32,
    pub seed: u64,
    pub block_height: u32,
    pub feerate_perkb: u32,
    pub feerate_mean_day_perkb: u32,
    pub feerate_hours_perkb: Vec<u32>,
    pub node_capacity: Msat,
    pub node_local: Msat,
    pub node_earned_day: Msat,
    pub node_earned_week: Msat,
    pub params: Vec<(String, ParamValue)>,
    pub channels: Vec<ChannelRow>,
    /// By name; one value per channel.
    pub signals: Vec<(String, Vec<f64>)>,
    pub node_state: Vec<u8>,
}

/// What a strategy wants for one channel, checked for sense but not for limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyProposal {
    /// Row in the input.
    pub row: usize,
    pub fee: Ppm,
    pub base_fee: Option<Msat>,
    pub htlc_max: Option<Msat>,
    /// One of `Description::reasons`.
    pub reason: String,
    /// Named by `Description::factors`; finite.
    pub factors: Vec<(String, f64)>,
}

/// What the decisions of both kinds of modules have besides what they propose.
pub trait Decision {
    /// What the module is to remember of each row of the input.
    fn states(&self) -> &States;
    /// What it is to remember of the node.
    fn node_state(&self) -> &[u8];
    /// What the call cost.
    fn fuel(&self) -> u64;
}

impl Decision for StrategyDecision {
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

/// Everything a strategy answered in one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyDecision {
    /// Rows rise strictly.
    pub proposals: Vec<StrategyProposal>,
    /// One per row of the input.
    pub states: States,
    pub node_state: Vec<u8>,
    /// What the call cost.
    pub fuel: u64,
}
