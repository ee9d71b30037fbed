//! What jobs really cost: the node's own payments, each given to the job that made it.

use super::jobs::under_way;
use crate::cycles::Services;
use crate::cycles::schedule::JobName;
use crate::model::job::{Job, JobId, JobState};
use crate::model::{Msat, UnixTime};
use crate::store::reservations;
use anyhow::{Context, Result};

/// After sling has forgotten a job a payment that it was about to send may still appear.
const GRACE_S: u64 = 30;

/// What `revenue-clear-reservations` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    pub count: usize,
    pub released: Msat,
    /// Jobs that keep their reservation: sling has them or had them a moment ago, or a payment of theirs is
    /// under way.
    pub kept: usize,
}

impl Services {
    /// One round with the books: what payments cost, and which jobs are over. Asks lightningd alone, so
    /// that no silence of sling's holds it up.
    pub async fn rebalance_jobs(&self) -> Result<String> {
        let live = self.live_jobs().await?;
        if live.is_empty() {
            return Ok("no job under way".to_owned());
        }
        self.book_payments().await?;
        // Whether all of a job has arrived is for those to see who end it.
        if live.iter().any(|job| job.state == JobState::Running) {
            self.jobs.wake(JobName::Sling);
        }
        let settled = self.settle_jobs().await?;
        Ok(format!("{} jobs under way, {settled} settled", live.len() - settled))
    }

    /// Reads the payments that completed since the last time, and gives them to the jobs that made
    /// them.
    pub(super) async fn book_payments(&self) -> Result<()> {
        self.read_payments().await.context("reading completed payments")?;
        self.store.write(|tx| Ok(reservations::assign(tx)?)).await?;
        Ok(())
    }

    /// Settles every job that sling has forgotten and of which nothing is under way. A payment
    /// whose channels nobody can tell delays it, at most for `reservation-timeout-hours`.
    pub(super) async fn settle_jobs(&self) -> Result<usize> {
        let mut count = 0;
        for job in self.idle_jobs().await? {
            let patience = self.config().reservation_timeout_hours * UnixTime::HOUR;
            let assume = self.has_rested(&job, patience);
            match self.settle_job(job.id, assume).await? {
                Some(_) => count += 1,
                // Bookkeeper knows the channels of a payment whose movements nobody saw.
                None => self.jobs.wake(JobName::Accounts),
            }
        }
        Ok(count)
    }

    /// Settles what no live job and no payment under way holds, now.
    pub async fn clear_reservations(&self) -> Result<Cleared> {
        let mut cleared = Cleared::default();
        for job in self.idle_jobs().await? {
            if let Some(settled) = self.settle_job(job.id, true).await? {
                cleared.count += 1;
                cleared.released += job.reserved.saturating_sub(settled.fee);
            }
        }
        cleared.kept = self.live_jobs().await?.len();
        Ok(cleared)
    }

    /// Jobs that ended long enough ago and of which no payment is under way. The payments
    /// under way are read before the completed ones, so that none is in neither list.
    async fn idle_jobs(&self) -> Result<Vec<Job>> {
        let has_rested = |job: &Job| job.state == JobState::Stopped && self.has_rested(job, GRACE_S);
        let rested: Vec<JobId> =
            self.live_jobs().await?.iter().filter(|job| has_rested(job)).map(|job| job.id).collect();
        if rested.is_empty() {
            return Ok(Vec::new());
        }
        let pending = self.node.pending_to(&self.node_id).await.context("listsendpays")?;
        self.book_payments().await?;
        // Only now: where lightningd's numbers began anew, that reading took them out of the jobs' marks.
        let mut idle = self.live_jobs().await?;
        idle.retain(|job| rested.contains(&job.id) && under_way(&pending, job).next().is_none());
        Ok(idle)
    }

    /// Whether so much time has truly passed since sling forgot the job.
    fn has_rested(&self, job: &Job, seconds: u64) -> bool {
        job.stopped_steady.is_some_and(|at| self.steady_now().since(at) >= seconds)
    }

    async fn settle_job(&self, id: JobId, assume: bool) -> Result<Option<Job>> {
        let now = self.now();
        let settled = self.store.write(move |tx| Ok(reservations::settle(tx, id, assume, now)?)).await?;
        if let Some(job) = &settled {
            let outcome = job.outcome.map_or("settled", |outcome| outcome.name());
            tracing::info!(
                "job {id} to {}: {outcome}, {} sat for {} msat; {} msat released",
                job.start.to.scid,
                job.moved.sats(),
                job.fee.0,
                job.reserved.saturating_sub(job.fee).0
            );
        }
        Ok(settled)
    }
}
