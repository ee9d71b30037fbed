//! The rebalance cycle.
//!
//! *Plan* ([`Services::rebalance_cycle`]) looks for new jobs: snapshot and facts in, proposals through
//! the guard, the worst case of each into the books. *Settle* ([`Services::rebalance_jobs`]) books what
//! jobs really cost from the node's own payments. Between them stands sling
//! ([`Services::sling_round`]): jobs are handed over and ended there. That round alone speaks to sling
//! at length, so that nothing else waits for it.
//!
//! [`Services::plan_rebalances`] decides without acting; [`Services::apply_rebalances`] acts on a
//! plan.

mod ask;
mod desk;
mod facts;
mod ground;
mod inputs;
mod jobs;
mod manual;
mod plan;
mod record;
mod rehearse;
mod settle;
mod trial;

pub use desk::{Desk, Look, SlingSeen, SlingState};
pub use manual::{Figures, ManualRebalance, Tried, Wish};
pub use plan::{Done, Judged, Passed, RebalancePlan, Voice, default_evaluator};
pub use settle::Cleared;

use super::Services;
use super::schedule::{JobName, Trigger};
use crate::guard::Approved;
use crate::model::CycleKind;
use crate::model::job::{JobId, StartRebalance};
use crate::store::reservations;
use anyhow::{Context, Result};
use std::time::Instant;

impl Services {
    /// One run of the plan: looks for rebalances that are worth it, and reserves for them.
    pub async fn rebalance_cycle(&self, trigger: Trigger) -> Result<String> {
        let started = Instant::now();
        let snapshot = self.observe().await?;
        let mut plan = self.plan_rebalances(snapshot, false).await?;
        let packing = self.pack(&plan.calls, &plan.trials);
        self.apply_rebalances(&mut plan).await;
        let word = match trigger {
            Trigger::Timer => "timer",
            Trigger::Woken => "woken",
        };
        let told = plan.to_string();
        self.record_rebalances((plan, packing), word, started.elapsed())
            .await
            .context("recording the rebalance cycle")?;
        // The cycle is over and recorded; what fails here is tried again after the next.
        if let Err(error) = self.judge_canaries(CycleKind::Rebalance).await {
            tracing::warn!("the canaries were not judged: {error:#}");
        }
        Ok(told)
    }

    /// Reserves for what the plan approved, and gives it to those who speak to sling. A dry run
    /// reserves nothing. Payments of the past are booked before, lest they look like a job's.
    pub async fn apply_rebalances(&self, plan: &mut RebalancePlan) {
        let dry = self.writer.is_dry();
        let mut booked = None;
        for judged in &mut plan.judged {
            let Ok(approved) = &judged.verdict.result else { continue };
            if !dry && booked.is_none() {
                booked = Some(self.read_payments().await.map_err(|error| lost(&error)));
            }
            judged.done = Some(match &booked {
                None => Done::DryRun,
                Some(Err(why)) => Done::Lost(why.clone()),
                Some(Ok(())) => self.reserve(approved.clone()).await,
            });
        }
        if plan.judged.iter().any(|judged| matches!(judged.done, Some(Done::Reserved(_)))) {
            self.jobs.wake(JobName::Sling);
        }
    }

    /// Puts the worst case of a job into the books, and the job into the queue for sling.
    async fn reserve(&self, approved: Approved<StartRebalance>) -> Done {
        let (config, at) = match self.moment().await {
            Ok(at) => (self.config(), at),
            Err(error) => return Done::Lost(lost(&error)),
        };
        // Held over both steps: whoever looks for jobs that nobody handed over finds none in between.
        let mut queue = self.desk.queue.lock().await;
        let reserved =
            self.store.write_durably(move |tx| Ok(reservations::reserve(tx, approved, &config, at)?)).await;
        match reserved {
            Ok(Ok(reserved)) => {
                let (job, start) = (reserved.job(), reserved.start());
                tracing::info!(
                    "job {job}: {} sat to {} at most {} ({} msat reserved)",
                    start.amount.sats(),
                    start.to.scid,
                    start.max_fee,
                    start.worst_cost().0
                );
                let deadline = at.now.plus(start.time_limit_s);
                queue.push((reserved, deadline));
                Done::Reserved(job)
            }
            Ok(Err(refusal)) => Done::Refused(refusal),
            Err(error) => Done::Lost(lost(&error)),
        }
    }

    /// Jobs that the last look found in the books.
    pub async fn live_jobs(&self) -> Result<Vec<crate::model::job::Job>> {
        self.store.read(|conn| Ok(crate::store::jobs::live(conn)?)).await
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Option<crate::model::job::Job>> {
        self.store.read(move |conn| Ok(crate::store::jobs::get(conn, id)?)).await
    }
}

fn lost(error: &anyhow::Error) -> String {
    format!("nothing was reserved, so nothing is moved: {error:#}")
}
