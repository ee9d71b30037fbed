//! The fee cycle: snapshot and facts in, proposals through the guard, approved fees to the
//! node, everything recorded in one transaction.
//!
//! [`Services::plan_fees`] decides without acting; [`Services::apply_fees`] acts on a plan.

mod clboss;
mod decide;
mod facts;
mod inputs;
mod manual;
mod plan;
mod record;
mod rehearse;
mod terms;
mod trial;

pub(super) use clboss::Untold;
pub use inputs::is_signal;
pub(super) use inputs::pseudonym;
pub use manual::{ManualFee, Undone};
pub use plan::{Held, Plan, Planned, Tenure};

use super::Services;
use super::schedule::{Scope, Trigger};
use crate::guard::fee::typical_forward;
use crate::model::fee::Outcome;
use crate::model::{CycleKind, NodeSnapshot};
use crate::store::{self, feerates, intervals, names, tenures};
use anyhow::{Context, Result};
use std::time::Instant;
use tokio::sync::MutexGuard;

/// What one cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub channels: usize,
    pub proposals: usize,
    pub applied: usize,
    pub refused: usize,
    pub failed: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { channels, proposals, applied, refused, failed } = self;
        write!(
            f,
            "{channels} channels, {proposals} proposals: {applied} set, {refused} held back, {failed} failed"
        )
    }
}

impl Services {
    /// One run of the fee job.
    pub async fn fee_cycle(&self, trigger: Trigger) -> Result<String> {
        let scope = match (trigger, self.next_visit.take()) {
            (Trigger::Timer, _) => Scope::All,
            // The cycle before took what this one was woken for.
            (Trigger::Woken, Scope::Peers(peers)) if peers.is_empty() => {
                return Ok("nothing new to look at".to_owned());
            }
            (Trigger::Woken, scope) => scope,
        };
        let started = Instant::now();
        // A late history makes for a poorer decision, not for a wrong one. Nobody who sets a fee by hand
        // waits for it.
        if let Err(error) = self.ingest_forwards().await {
            tracing::warn!("deciding without the newest forwards: {error:#}");
        }
        let turn = self.fee_turn.lock().await;
        let snapshot = self.look(Some(&turn)).await?;
        let plan = self.plan_fees(snapshot, &scope).await?;
        let packing = self.pack(&plan.calls, &plan.trials);
        self.note_intents(&plan).await?;
        let outcomes = self.apply_fees(&plan).await;
        let word = match (trigger, &scope) {
            (Trigger::Timer, _) => "timer",
            (Trigger::Woken, Scope::All) => "woken",
            (Trigger::Woken, Scope::Peers(_)) => "policy",
        };
        let tally = tally(&plan, &outcomes);
        self.record_cycle((plan, packing), outcomes, word, started.elapsed())
            .await
            .context("recording the fee cycle")?;
        // The cycle is over and recorded; what fails here is tried again after the next.
        if let Err(error) = self.judge_canaries(CycleKind::Fee).await {
            tracing::warn!("the canaries were not judged: {error:#}");
        }
        Ok(tally.to_string())
    }

    /// Reads the node for somebody who sets no fees, and notes what it shows.
    pub(super) async fn observe(&self) -> Result<NodeSnapshot> {
        // Whoever has the turn looks himself. What is seen while he writes may be older than his record.
        let turn = self.fee_turn.try_lock().ok();
        self.look(turn.as_ref()).await
    }

    /// Reads the node, and notes what it shows: names and feerate, and in the fees' turn what is in force
    /// on the channels and whose it is.
    async fn look(&self, turn: Option<&MutexGuard<'_, ()>>) -> Result<NodeSnapshot> {
        let tick = self.clock.tick()?;
        let snapshot = match self.node.snapshot(tick).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.note_health(|health| health.node_error = Some(error.to_string()));
                return Err(error).context("reading the node");
            }
        };
        self.note_health(|health| {
            health.node_error = None;
            health.not_synced = snapshot.not_synced.clone();
        });
        let (channels, feerate, in_turn) =
            (snapshot.channels.clone(), snapshot.feerate_perkb, turn.is_some());
        self.store
            .write(move |tx| {
                names::observe(tx, &channels, tick.now)?;
                if in_turn {
                    intervals::observe(tx, tick.now, &channels, |channel| typical_forward(channel.total))?;
                    store::terms::observe(tx, tick.now, &channels)?;
                    tenures::end_of_gone(tx, &channels, tick.now)?;
                }
                Ok(feerate.map_or(Ok(()), |perkb| feerates::record(tx, tick.now, perkb))?)
            })
            .await?;
        Ok(snapshot)
    }

    /// Sends what the plan approved, and says what became of each, in the plan's order.
    pub async fn apply_fees(&self, plan: &Plan) -> Vec<Outcome> {
        // Before anything else: a passive peer is given back although nothing is set for it, and where
        // CLBoss answers at once it does not set back what comes now.
        self.divide_fees_with_clboss(plan);
        let approved: Vec<_> = plan.approved().cloned().collect();
        if approved.is_empty() {
            return Vec::new();
        }
        let outcomes = self.writer.set_fees(&approved).await;
        for (fee, outcome) in approved.iter().zip(&outcomes) {
            let fee = fee.get();
            match outcome {
                Outcome::Failed(why) | Outcome::Unknown(why) => {
                    tracing::warn!("setchannel {} to {}: {why}", fee.scid, fee.fee);
                }
                Outcome::Applied | Outcome::Lowered(_) | Outcome::Reconciled => {
                    tracing::debug!("{}: {} -> {}", fee.scid, fee.old_fee, fee.fee);
                }
                Outcome::DryRun => {
                    tracing::info!("dry run: {} would go from {} to {}", fee.scid, fee.old_fee, fee.fee)
                }
            }
        }
        outcomes
    }
}

fn tally(plan: &Plan, outcomes: &[Outcome]) -> Tally {
    let failed = |outcome: &&Outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Unknown(_));
    let failed = outcomes.iter().filter(failed).count();
    Tally {
        channels: plan.decided.len() + plan.held.len(),
        proposals: plan.decided.len(),
        applied: outcomes.len() - failed,
        refused: plan.decided.len() - outcomes.len(),
        failed,
    }
}
