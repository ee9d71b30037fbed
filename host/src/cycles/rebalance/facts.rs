//! What the store knows that a rebalance depends on, read at one moment.

use crate::cycles::Services;
use crate::cycles::strategies::Roster;
use crate::guard::budget::Ledger;
use crate::model::flow::FlowState;
use crate::model::job::{Job, Past};
use crate::model::strategy::FeeInterval;
use crate::model::{ChannelId, Msat, PeerId, Policy, Ppm, UnixTime};
use crate::store::flow::{FlowSums, FlowTotals};
use crate::store::senders::{self, SenderCounts};
use crate::store::{feerates, flow, intervals, jobs, pairs, policies, reservations};
use anyhow::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// How far back evaluators look, seconds.
pub(super) const MONTH_S: u64 = 30 * UnixTime::DAY;

/// Enough intervals of constant fee for a month of daily changes.
const MOST_INTERVALS: usize = 64;

/// How long the sums per pair of channels are used, seconds: reading them is work.
const PAIRS_S: u64 = 6 * UnixTime::HOUR;

/// By the channel that forwards left by: what came in by which channel, the most first.
pub(super) type Pairs = HashMap<ChannelId, Vec<(ChannelId, Msat)>>;

/// The store's side of a rebalance cycle.
pub(super) struct Facts {
    pub policies: HashMap<PeerId, Policy>,
    pub flow: HashMap<ChannelId, FlowState>,
    pub week: HashMap<ChannelId, FlowSums>,
    pub month: HashMap<ChannelId, FlowSums>,
    pub totals: HashMap<ChannelId, FlowTotals>,
    pub intervals: HashMap<ChannelId, Vec<FeeInterval>>,
    pub senders: HashMap<PeerId, SenderCounts>,
    pub pairs: Arc<Pairs>,
    pub past: HashMap<ChannelId, Past>,
    pub ledger: Ledger,
    /// Jobs settled within a month, oldest first.
    pub ended: Vec<Job>,
    /// What filling each channel took on average within a month.
    pub rates: HashMap<ChannelId, Ppm>,
    pub feerate_mean_day: Option<u32>,
    pub roster: Roster,
}

impl Facts {
    /// The policy in force for a peer.
    pub fn policy(&self, peer: PeerId, now: UnixTime) -> Policy {
        crate::guard::policy::in_force(self.policies.get(&peer).cloned(), peer, now)
    }
}

impl Services {
    /// The sums per pair of channels over a month, at most a few hours old.
    async fn pairs(&self, now: UnixTime) -> Result<Arc<Pairs>> {
        if let Some(pairs) = self.desk.pairs_since(now.minus(PAIRS_S)) {
            return Ok(pairs);
        }
        let read = self.store.read(move |conn| Ok(pairs::inflow_by_outflow(conn, now.minus(MONTH_S))?));
        let pairs = Arc::new(read.await?);
        self.desk.keep_pairs(now, pairs.clone());
        Ok(pairs)
    }

    pub(super) async fn rebalance_facts(&self, now: UnixTime) -> Result<Facts> {
        let (pairs, at) = (self.pairs(now).await?, self.moment().await?);
        self.store
            .read(move |conn| {
                let policies = policies::load_all(conn)?;
                Ok(Facts {
                    policies: policies.into_iter().map(|policy| (policy.peer_id, policy)).collect(),
                    flow: flow::load_states(conn)?,
                    week: flow::sums(conn, now.minus(7 * UnixTime::DAY))?,
                    month: flow::sums(conn, now.minus(MONTH_S))?,
                    totals: flow::totals(conn)?,
                    intervals: intervals::load(conn, now.minus(MONTH_S), MOST_INTERVALS, now)?,
                    senders: senders::by_peer(conn)?,
                    pairs,
                    past: reservations::past(conn)?,
                    ledger: reservations::ledger(conn, at)?,
                    ended: jobs::settled_since(conn, now.minus(MONTH_S))?,
                    rates: jobs::rates_since(conn, now.minus(MONTH_S))?,
                    feerate_mean_day: feerates::day_mean(conn, now)?,
                    roster: Roster::read(conn)?,
                })
            })
            .await
    }
}
