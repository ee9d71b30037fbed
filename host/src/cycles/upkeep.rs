//! What keeps the house tidy: expired policies, companions that come and go, old rows.

use super::rebalance::SlingState;
use super::schedule::JobName;
use super::{ClbossSeen, Services};
use crate::guard::upload::PATIENCE_S;
use crate::model::UnixTime;
use crate::node::{Companion, Companions};
use crate::store::policies::ChangeKind;
use crate::store::{attempts, changes, cycles, flow, intervals, jobs, policies, states, trials, uploads};
use anyhow::Result;

/// How long decisions are kept; the latest of each channel stays for ever.
const KEEP_DECISIONS_S: u64 = 14 * UnixTime::DAY;

/// How long intervals, changes of fees, unused states, tombstones of policies and ended uploads are kept.
const KEEP_HISTORY_S: u64 = 90 * UnixTime::DAY;

/// How long hourly sums are kept: longer than the longest window of flow analysis.
pub const KEEP_HOURS_S: u64 = 100 * UnixTime::DAY;

impl Services {
    /// One round of upkeep.
    pub async fn upkeep(&self) -> Result<String> {
        self.look_for_companions().await;
        self.ask_clboss().await;
        let Some(now) = self.trusted_now().await? else {
            return Ok("companions looked for, nothing forgotten: the clock jumped".to_owned());
        };
        self.forget_old(now).await?;
        Ok("companions looked for, old rows forgotten".to_owned())
    }

    async fn forget_old(&self, now: UnixTime) -> Result<()> {
        self.store
            .write(move |tx| {
                cycles::prune(tx, now.minus(KEEP_DECISIONS_S))?;
                attempts::prune(tx, now.minus(KEEP_DECISIONS_S))?;
                trials::prune(tx, now.minus(KEEP_DECISIONS_S))?;
                jobs::prune(tx, now.minus(KEEP_HISTORY_S))?;
                intervals::prune(tx, now.minus(KEEP_HISTORY_S))?;
                flow::prune_hours(tx, now.minus(KEEP_HOURS_S))?;
                changes::prune(tx, now.minus(KEEP_HISTORY_S))?;
                states::prune(tx, now.minus(KEEP_HISTORY_S))?;
                uploads::expire(tx, now.minus(PATIENCE_S))?;
                uploads::prune(tx, now.minus(KEEP_HISTORY_S))?;
                Ok(policies::prune_tombstones(tx, now.minus(KEEP_HISTORY_S))?)
            })
            .await?;
        self.prune_journal().await?;
        Ok(())
    }

    /// Ends policies whose time is over, and has the fees of their peers looked at.
    pub async fn sweep_policies(&self) -> Result<String> {
        let now = self.now();
        if self.store.read(move |conn| Ok(policies::expired(conn, now)?)).await?.is_empty() {
            return Ok("nothing expired".to_owned());
        }
        let peers = self
            .store
            .write(move |tx| {
                let peers = policies::expired(tx, now)?;
                for peer in &peers {
                    policies::delete(tx, peer, now, ChangeKind::Expired)?;
                }
                Ok(peers)
            })
            .await?;
        let count = peers.len();
        if count > 0 {
            self.policy_changed(peers);
        }
        Ok(format!("{count} policies expired"))
    }

    /// Notes which companions are there. Their absence is a state, not a failure. What waits for one that
    /// has come is done at once.
    pub async fn look_for_companions(&self) {
        match self.node.companions().await {
            Ok(companions) => self.note_companions(companions),
            Err(error) => self.note_health(|health| health.node_error = Some(error.to_string())),
        }
    }

    fn note_companions(&self, companions: Companions) {
        let before = self.health();
        let has_come = |one: Companion| before.lacks(one) && companions.has(one);
        let has_gone = |one: Companion| before.has(one) && !companions.has(one);
        let books_came = has_come(Companion::Bookkeeper);
        let (sling_came, sling_went) = (has_come(Companion::Sling), has_gone(Companion::Sling));
        if sling_came {
            // Before anybody sees that it is there, lest it be called absent.
            self.desk.note_sling(SlingState::Unknown);
        }
        self.note_health(|health| {
            health.companions = Some(companions);
            health.node_error = None;
            if books_came {
                // What failed while it was away says nothing of it now.
                health.books_error = None;
            }
        });
        if books_came {
            self.jobs.wake(JobName::Accounts);
        }
        if sling_went {
            self.desk.note_sling(SlingState::Absent);
        }
        if sling_came || sling_went {
            self.jobs.wake(JobName::Sling);
        }
    }

    /// Notes what CLBoss says, so that a command need not wait for it.
    async fn ask_clboss(&self) {
        if self.writer.is_dry() || !self.config().clboss_enabled || !self.has_companion(Companion::Clboss) {
            return;
        }
        match self.node.clboss_status().await {
            Ok(status) => {
                let at = self.now();
                self.note_health(|health| health.clboss = Some(ClbossSeen { at, status }));
            }
            Err(error) => tracing::debug!("clboss-status: {error}"),
        }
    }

    /// Whether a companion is there, as far as known.
    pub fn has_companion(&self, companion: Companion) -> bool {
        self.health().has(companion)
    }
}
