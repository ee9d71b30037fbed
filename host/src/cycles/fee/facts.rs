//! What the store knows that a fee depends on, read at one moment.

use crate::cycles::Services;
use crate::cycles::strategies::Roster;
use crate::model::flow::FlowState;
use crate::model::strategy::FeeInterval;
use crate::model::{ChannelId, NodeSnapshot, PeerId, Policy, Ppm, UnixTime};
use crate::store::changes::FeeChange;
use crate::store::flow::{FlowSums, FlowTotals};
use crate::store::terms::HeldTerms;
use crate::store::{changes, feerates, flow, intervals, jobs, policies, terms};
use anyhow::Result;
use std::collections::HashMap;

/// How far back intervals of constant fee are handed to strategies.
const INTERVALS_S: u64 = 45 * UnixTime::DAY;
/// How far back the rates paid for rebalances are averaged.
const RATES_S: u64 = 30 * UnixTime::DAY;
/// Most intervals of one channel.
const MOST_INTERVALS: usize = 8;

/// The store's side of a fee cycle.
pub(in crate::cycles) struct Facts {
    pub policies: HashMap<PeerId, Policy>,
    pub flow: HashMap<ChannelId, FlowState>,
    pub day: HashMap<ChannelId, FlowSums>,
    pub week: HashMap<ChannelId, FlowSums>,
    pub totals: HashMap<ChannelId, FlowTotals>,
    pub intervals: HashMap<ChannelId, Vec<FeeInterval>>,
    /// Changes in the last 24 hours that count against the daily limit.
    pub updates: HashMap<ChannelId, u32>,
    pub last_changes: HashMap<ChannelId, FeeChange>,
    /// Base fees and largest HTLCs that modules set.
    pub terms: HashMap<ChannelId, HeldTerms>,
    /// What filling each channel took on average in the last 30 days.
    pub rebalance_rates: HashMap<ChannelId, Ppm>,
    pub feerate_mean_day: Option<u32>,
    pub feerate_hours: Vec<u32>,
    pub roster: Roster,
}

impl Facts {
    /// The policy in force for a peer.
    pub fn policy(&self, peer: PeerId, now: UnixTime) -> Policy {
        crate::guard::policy::in_force(self.policies.get(&peer).cloned(), peer, now)
    }
}

impl Services {
    pub(super) async fn facts(&self, snapshot: &NodeSnapshot) -> Result<Facts> {
        let now = snapshot.now();
        self.store
            .read(move |conn| {
                Ok(Facts {
                    policies: policies::load_all(conn)?
                        .into_iter()
                        .map(|policy| (policy.peer_id, policy))
                        .collect(),
                    flow: flow::load_states(conn)?,
                    day: flow::sums(conn, now.minus(UnixTime::DAY))?,
                    week: flow::sums(conn, now.minus(7 * UnixTime::DAY))?,
                    totals: flow::totals(conn)?,
                    intervals: intervals::load(conn, now.minus(INTERVALS_S), MOST_INTERVALS, now)?,
                    updates: changes::updates_in(conn, now.minus(UnixTime::DAY), now)?,
                    last_changes: changes::last_per_channel(conn)?,
                    terms: terms::load(conn)?,
                    rebalance_rates: jobs::rates_since(conn, now.minus(RATES_S))?,
                    feerate_mean_day: feerates::day_mean(conn, now)?,
                    feerate_hours: feerates::hours(conn, now)?,
                    roster: Roster::read(conn)?,
                })
            })
            .await
    }
}
