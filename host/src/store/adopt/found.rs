//! What the Python plugin's database holds, as far as it makes sense.

use crate::model::ledger::{CloseKind, CostKind};
use crate::model::{Msat, PeerId, Scid, Txid, UnixTime};
use crate::store::forwards::Delta;
use std::collections::BTreeMap;

/// A kind of thing that comes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Policies,
    /// Tags, fees and bounds of policies that came over without them.
    PolicyFields,
    IgnoredPeers,
    ConfigOverrides,
    ClosedChannels,
    OpenCosts,
    ClosureCosts,
    SpliceCosts,
    RebalanceHistory,
    RebalanceCosts,
    Snapshots,
    /// Sums of forwards, one per channel and day.
    Days,
}

impl Part {
    /// All of them, in the order of the documentation.
    pub const ALL: [Part; 12] = [
        Part::Policies,
        Part::PolicyFields,
        Part::IgnoredPeers,
        Part::ConfigOverrides,
        Part::ClosedChannels,
        Part::OpenCosts,
        Part::ClosureCosts,
        Part::SpliceCosts,
        Part::RebalanceHistory,
        Part::RebalanceCosts,
        Part::Snapshots,
        Part::Days,
    ];

    /// The word used in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Policies => "policies",
            Part::PolicyFields => "policy_fields",
            Part::IgnoredPeers => "ignored_peers",
            Part::ConfigOverrides => "config_overrides",
            Part::ClosedChannels => "closed_channels",
            Part::OpenCosts => "open_costs",
            Part::ClosureCosts => "closure_costs",
            Part::SpliceCosts => "splice_costs",
            Part::RebalanceHistory => "rebalance_history",
            Part::RebalanceCosts => "rebalance_costs",
            Part::Snapshots => "snapshots",
            Part::Days => "days",
        }
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Taken,
    /// The node's own record counts instead.
    Known,
    Skipped,
}

impl Outcome {
    /// The word used in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Taken => "taken",
            Outcome::Known => "known",
            Outcome::Skipped => "skipped",
        }
    }
}

/// Rows by what became of them and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(Part, Outcome, String), u64>);

impl Tally {
    /// Counts rows that came over.
    pub fn taken(&mut self, part: Part, rows: u64) {
        self.add(part, Outcome::Taken, "", rows);
    }

    /// Counts rows for which the node's own record counts.
    pub fn known(&mut self, part: Part, why: &str, rows: u64) {
        self.add(part, Outcome::Known, why, rows);
    }

    /// Counts rows that were left out.
    pub fn skipped(&mut self, part: Part, why: &str, rows: u64) {
        self.add(part, Outcome::Skipped, why, rows);
    }

    fn add(&mut self, part: Part, outcome: Outcome, why: &str, rows: u64) {
        if rows > 0 {
            *self.0.entry((part, outcome, why.to_owned())).or_default() += rows;
        }
    }

    /// Rows of one part with one outcome.
    pub fn count(&self, part: Part, outcome: Outcome) -> u64 {
        self.0.iter().filter(|((p, o, _), _)| (*p, *o) == (part, outcome)).map(|(_, rows)| rows).sum()
    }

    /// Every count: part, outcome, why, rows.
    pub fn iter(&self) -> impl Iterator<Item = (Part, Outcome, &str, u64)> {
        self.0.iter().map(|((part, outcome, why), rows)| (*part, *outcome, why.as_str(), *rows))
    }
}

/// A policy as it stands there; words and bounds are not checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundPolicy {
    pub peer_id: PeerId,
    pub strategy: String,
    pub rebalance_mode: String,
    pub fee_ppm_target: Option<i64>,
    pub tags: Vec<String>,
    pub updated_at: UnixTime,
    pub fee_multiplier_min: Option<f64>,
    pub fee_multiplier_max: Option<f64>,
    pub expires_at: Option<UnixTime>,
    /// From the list of ignored peers, which is older than policies.
    pub ignored: bool,
}

/// A setting changed at run time; not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundOverride {
    pub key: String,
    pub value: String,
    pub updated_at: UnixTime,
}

/// An on-chain cost of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCost {
    pub scid: Scid,
    pub kind: CostKind,
    pub txid: Option<Txid>,
    pub amount: Msat,
    pub at: UnixTime,
}

/// What it says of a closed channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundClosed {
    pub scid: Scid,
    pub peer_id: PeerId,
    pub capacity: Msat,
    pub opened_at: Option<UnixTime>,
    pub closed_at: UnixTime,
    pub close_kind: CloseKind,
    pub closer: Option<String>,
    pub closing_txid: Option<Txid>,
    pub open_cost: Msat,
    pub closure_cost: Msat,
    pub rebalance_cost: Msat,
    pub revenue: Msat,
    pub forward_count: u64,
}

/// An attempt to rebalance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRebalance {
    pub from: Option<Scid>,
    pub to: Option<Scid>,
    pub amount: Msat,
    pub fee: Option<Msat>,
    pub status: String,
    pub kind: String,
    pub at: UnixTime,
    /// Whether money was spent on it.
    pub spent: bool,
}

/// What the node owned at the end of a day. Amounts that were never written are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSnapshot {
    pub day: UnixTime,
    pub taken_at: UnixTime,
    pub onchain: Option<Msat>,
    pub local: Option<Msat>,
    pub remote: Option<Msat>,
    pub capacity: Option<Msat>,
    pub channels: Option<u64>,
}

/// A channel's day: its start, s, and the channel's name.
pub type DayKey = (u64, Scid);

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub policies: Vec<FoundPolicy>,
    pub overrides: Vec<FoundOverride>,
    pub costs: Vec<FoundCost>,
    pub closed: Vec<FoundClosed>,
    pub rebalances: Vec<FoundRebalance>,
    pub snapshots: Vec<FoundSnapshot>,
    /// Days before the node's own record begins.
    pub(in crate::store) days: BTreeMap<DayKey, Delta>,
    /// Rows that were left out, and those that the node knows.
    pub tally: Tally,
}
