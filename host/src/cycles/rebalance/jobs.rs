//! From the books to sling: handing jobs over, watching them, ending them.
//!
//! All of it may be repeated after a crash of this plugin, of sling or of lightningd: what is done
//! next follows from the books and from what sling says it has. A job that this process did not
//! hand over is ended, since nobody watched it.

use super::SlingState;
use super::desk::silence;
use crate::cycles::Services;
use crate::cycles::schedule::JobName;
use crate::guard::budget::Reserved;
use crate::model::job::{Job, JobId, JobState, StartRebalance, StopReason};
use crate::model::{Scid, UnixTime};
use crate::node::CallError;
use crate::node::pending::Pending;
use crate::store::{jobs, reservations};
use anyhow::Result;

/// A payment that is under way for this long, seconds, ends its job: sling gives up on it after 120 s
/// (`sling-timeoutpay`), does not count it if it settles after that, and would send another in its
/// place. What is reserved covers several such; ending the job keeps it cheap.
const LATE_S: u64 = 60;

impl Services {
    /// One round with sling: hands over what is reserved, ends what is to end. Waits as long as
    /// sling takes.
    pub async fn sling_round(&self) -> Result<String> {
        self.look_at_sling().await;
        let handed_over = self.hand_over_jobs().await?;
        let live = self.live_jobs().await?.len();
        if live == 0 {
            return Ok(format!("{handed_over} jobs handed over, none under way"));
        }
        self.watch_jobs().await?;
        let ended = self.end_jobs().await?;
        if ended > 0 {
            self.jobs.wake(JobName::RebalanceJobs);
        }
        Ok(format!("{handed_over} jobs handed over, {live} under way, {ended} ended"))
    }

    /// Gives sling what is reserved for. While sling is silent that waits, until its time is over.
    async fn hand_over_jobs(&self) -> Result<usize> {
        self.end_orphans().await?;
        let mut count = 0;
        while let Some(reserved) = self.next_in_queue().await {
            self.hand_over(&reserved).await?;
            count += 1;
        }
        Ok(count)
    }

    /// Ends the jobs that nobody watches. One that is reserved and not in the queue was left by a process
    /// that died, or by an earlier round that could not write down what sling said of it.
    async fn end_orphans(&self) -> Result<()> {
        let orphans: Vec<Job> = {
            let queue = self.desk.queue.lock().await;
            let queued: Vec<JobId> = queue.iter().map(|(reserved, _)| reserved.job()).collect();
            let is_orphan = |job: &Job| match job.state {
                JobState::Reserved => !queued.contains(&job.id),
                JobState::Running => !self.desk.handed_over(job.id),
                JobState::Stopping | JobState::Stopped | JobState::Settled => false,
            };
            self.live_jobs().await?.into_iter().filter(is_orphan).collect()
        };
        for job in orphans {
            let why = match self.desk.handed_over(job.id) {
                true => StopReason::NotRecorded,
                false => StopReason::Found,
            };
            tracing::warn!("nobody watches job {} to {}; it is ended", job.id, job.start.to.scid);
            self.end_job(job.id, why, None).await?;
        }
        Ok(())
    }

    /// Takes the next one that is to be handed over, or that waited for sling in vain.
    async fn next_in_queue(&self) -> Option<Reserved> {
        let is_silent = matches!(self.desk.sling(), SlingState::Silent(_) | SlingState::Unknown);
        let now = self.now();
        let mut queue = self.desk.queue.lock().await;
        let next = queue.iter().position(|(_, deadline)| !is_silent || now >= *deadline)?;
        Some(queue.remove(next).0)
    }

    async fn hand_over(&self, reserved: &Reserved) -> Result<()> {
        let id = reserved.job();
        self.desk.hand_over(id);
        match self.why_not_offered(reserved.start()) {
            Some(why) => self.not_taken(id, StopReason::NotOffered, &why).await,
            None => self.offer(reserved).await,
        }
    }

    /// Why sling is not even asked, if so.
    fn why_not_offered(&self, start: &StartRebalance) -> Option<String> {
        let sling = self.desk.sling();
        let look = match sling.usable() {
            Ok(look) => look,
            Err(problem) => return Some(problem),
        };
        if start.is_outgrown(look.most_htlcs) {
            let (now, then) = (look.most_htlcs, start.most_htlcs);
            return Some(format!("sling-max-htlc-count is {now}, and {then} were reserved for"));
        }
        let operators = look.operators_channels();
        let taken =
            std::iter::once(&start.to).chain(&start.from).find(|end| operators.contains(&end.scid))?;
        Some(format!("{} is used by the operator's own sling job", taken.scid))
    }

    async fn offer(&self, reserved: &Reserved) -> Result<()> {
        let (id, now) = (reserved.job(), self.now());
        match self.node.sling_once(reserved).await {
            Ok(()) => self.store.write(move |tx| Ok(jobs::started(tx, id, now)?)).await,
            // sling may work on it: it has to be told to forget it.
            Err(error) if error.leaves_doubt() => {
                self.end_job(id, StopReason::NoAnswer, Some(error.to_string())).await
            }
            Err(error) if error.is_unknown_method() || matches!(error, CallError::Resting { .. }) => {
                let why = error.to_string();
                self.desk.note_sling(silence(error));
                self.not_taken(id, StopReason::NotOffered, &why).await
            }
            Err(error) => self.not_taken(id, StopReason::Refused, &error.to_string()).await,
        }
    }

    /// sling never had the job: nothing can come of it any more.
    async fn not_taken(&self, id: JobId, reason: StopReason, why: &str) -> Result<()> {
        tracing::warn!("job {id}: {why}");
        self.end_job(id, reason, Some(why.to_owned())).await?;
        self.gone(id).await
    }

    /// Ends jobs that are done, late, or forgotten by sling. Where sling does not tell what it has, the
    /// books and the payments under way decide alone.
    async fn watch_jobs(&self) -> Result<()> {
        let running: Vec<Job> =
            self.live_jobs().await?.into_iter().filter(|job| job.state == JobState::Running).collect();
        if running.is_empty() {
            return Ok(());
        }
        let look = self.desk.last_look();
        // Before the look, so that no payment grows late while the answers come.
        let looked_at = self.now();
        let pending = match self.node.pending_to(&self.node_id).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::warn!("watching jobs without the payments under way: {error}");
                Vec::new()
            }
        };
        let tasks = self.node.sling_tasks().await;
        for job in running {
            let word = tasks.as_ref().ok().and_then(|tasks| tasks.get(&job.start.to.scid));
            let forgotten = match &tasks {
                Ok(_) => word.is_none(),
                Err(error) => error.is_unknown_method(),
            };
            let why = if forgotten {
                Some(StopReason::SlingRestarted)
            } else if self.has_arrived(&job).await? {
                Some(StopReason::Done)
            } else if look.as_ref().is_some_and(|look| job.start.is_outgrown(look.most_htlcs)) {
                Some(StopReason::OptionChanged)
            } else if is_late(&pending, &job, looked_at) {
                Some(StopReason::LatePayment)
            } else {
                (self.now() >= job.deadline).then_some(StopReason::Deadline)
            };
            if let Some(why) = why {
                self.end_job(job.id, why, word.cloned()).await?;
            }
        }
        match tasks {
            Err(error) if error.is_unknown_method() => self.desk.note_sling(SlingState::Absent),
            Err(error) => tracing::warn!("watching jobs without sling's word on them: {error}"),
            Ok(_) => {}
        }
        Ok(())
    }

    /// Whether all of it has arrived, payments whose channels are not known yet counted in.
    async fn has_arrived(&self, job: &Job) -> Result<bool> {
        let watched = job.clone();
        let undecided = self.store.read(move |conn| Ok(reservations::undecided(conn, &watched)?)).await?;
        Ok(job.moved.0 + undecided * job.start.payment.0 >= job.start.amount.0)
    }

    /// Has sling forget the jobs that are to end. One that it is not done with stays for the next
    /// round: sling waits for the payment under way.
    async fn end_jobs(&self) -> Result<usize> {
        let mut ended = 0;
        for job in self.live_jobs().await?.into_iter().filter(|job| job.state == JobState::Stopping) {
            match self.forget_job(&job).await {
                Ok(()) => {
                    self.gone(job.id).await?;
                    ended += 1;
                }
                Err(error) => {
                    tracing::info!(
                        "job {} to {}: sling is not done with it: {error}",
                        job.id,
                        job.start.to.scid
                    )
                }
            }
        }
        Ok(ended)
    }

    /// Where sling is not there, neither is the job.
    async fn forget_job(&self, job: &Job) -> Result<(), CallError> {
        if self.desk.sling() == SlingState::Absent {
            return Ok(());
        }
        match self.stop_and_forget(job.start.to.scid).await {
            Err(error) if error.is_unknown_method() => Ok(()),
            result => result,
        }
    }

    /// A job that the operator has since stored for the channel took the place of ours, and is not
    /// touched.
    ///
    /// sling deletes what a channel has, whoever stored it, and knows no condition; so that is asked for
    /// only where it stopped a task, and right after a look at what is stored. `sling-stats` is not asked: in
    /// sling before 4.1.3 it answers no more once the channel of a once-job closes or is spliced, until
    /// that job is deleted.
    async fn stop_and_forget(&self, scid: Scid) -> Result<(), CallError> {
        if self.has_stored_job(scid).await? {
            return Ok(());
        }
        let stopped = self.node.sling_stop(scid).await?;
        if stopped == 0 || self.has_stored_job(scid).await? {
            return Ok(());
        }
        self.node.sling_forget(scid).await
    }

    async fn has_stored_job(&self, scid: Scid) -> Result<bool, CallError> {
        Ok(self.node.sling_stored_jobs().await?.iter().any(|stored| stored.scid == scid))
    }

    /// Tells sling to stop the jobs that it works on, without waiting for it: nobody will watch
    /// them. Nothing is deleted, for there is no time to look whose it is; the next start has sling
    /// forget them, and settles them.
    pub async fn leave_sling(&self) -> Result<()> {
        let is_at_work = |job: &Job| match job.state {
            JobState::Reserved => self.desk.handed_over(job.id),
            JobState::Running | JobState::Stopping => true,
            JobState::Stopped | JobState::Settled => false,
        };
        let ours = |job: &Job| is_at_work(job) && !self.desk.is_operators(job.start.to.scid);
        let stop: Vec<_> =
            self.live_jobs().await?.into_iter().filter(ours).map(|job| self.stop_running(job)).collect();
        futures_util::future::join_all(stop).await;
        Ok(())
    }

    async fn stop_running(&self, job: Job) {
        if let Err(error) = self.node.tell_sling_to_stop(job.start.to.scid).await {
            tracing::debug!("job {}: sling was told to stop it: {error}", job.id);
        }
    }

    async fn end_job(&self, id: JobId, why: StopReason, word: Option<String>) -> Result<()> {
        self.store.write(move |tx| Ok(jobs::stopping(tx, id, why, word.as_deref())?)).await
    }

    /// sling has forgotten the job.
    async fn gone(&self, id: JobId) -> Result<()> {
        let at = self.instant();
        self.desk.forget(id);
        self.store.write(move |tx| Ok(jobs::stopped(tx, id, at)?)).await
    }
}

/// Payments under way that may be the job's.
pub(super) fn under_way<'a>(pending: &'a [Pending], job: &Job) -> impl Iterator<Item = &'a Pending> + Clone {
    let (payment, after) = (job.start.payment, job.after_index);
    pending.iter().filter(move |one| one.may_be(payment, after))
}

/// Whether a payment of the job outlasts, or will outlast, sling's patience.
fn is_late(pending: &[Pending], job: &Job, now: UnixTime) -> bool {
    let own = under_way(pending, job);
    own.clone().any(|one| now.since(one.created_at) >= LATE_S) || own.count() >= 2
}
