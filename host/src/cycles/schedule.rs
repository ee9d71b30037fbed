//! Background jobs: when each runs, how it ended, and how to wake it early.

use crate::clock::Clock;
use crate::config::Config;
use crate::model::{PeerId, UnixTime};
use futures_util::FutureExt;
use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// The jobs that run by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobName {
    /// Reads new forwards from the node.
    Forwards,
    /// Classifies channels by their flow.
    Flow,
    /// Sets fees.
    Fees,
    /// Keeps the books: channels, closures, rebalances, what is owned.
    Ledger,
    /// Reads bookkeeper's accounts: costs on the chain. May wait for bookkeeper, so others don't wait for it.
    Accounts,
    /// Looks for rebalances that are worth their cost.
    Rebalance,
    /// Books what rebalances cost, and settles them.
    RebalanceJobs,
    /// Hands rebalances to sling, and ends them. May wait for sling, so others don't wait for it.
    Sling,
    /// Ends policies whose time is over.
    Policies,
    /// Looks for companions, forgets what is old.
    Upkeep,
}

impl JobName {
    /// All of them.
    pub const ALL: [JobName; 10] = [
        Self::Forwards,
        Self::Flow,
        Self::Fees,
        Self::Rebalance,
        Self::RebalanceJobs,
        Self::Sling,
        Self::Ledger,
        Self::Accounts,
        Self::Policies,
        Self::Upkeep,
    ];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            JobName::Forwards => "forwards",
            JobName::Flow => "flow",
            JobName::Fees => "fees",
            JobName::Ledger => "ledger",
            JobName::Accounts => "accounts",
            JobName::Rebalance => "rebalance",
            JobName::RebalanceJobs => "rebalance_jobs",
            JobName::Sling => "sling",
            JobName::Policies => "policies",
            JobName::Upkeep => "upkeep",
        }
    }

    /// Seconds between two runs.
    pub fn interval(self, config: &Config) -> u64 {
        match self {
            JobName::Forwards | JobName::Ledger | JobName::Accounts => 600,
            JobName::Flow => config.flow_interval,
            JobName::Fees => config.fee_interval,
            JobName::Rebalance => config.rebalance_interval,
            JobName::RebalanceJobs | JobName::Sling => 30,
            JobName::Policies => 5,
            JobName::Upkeep => 60,
        }
    }

    /// Seconds between a run and the next one that it is woken for, at least: a busy node has news of
    /// payments and channels every second.
    const fn rest(self) -> u64 {
        match self {
            JobName::Ledger | JobName::Accounts => 5,
            _ => 0,
        }
    }

    /// Seconds from the start of the plugin to the first run: what others build on comes first.
    const fn first_delay(self) -> u64 {
        match self {
            JobName::Upkeep | JobName::Policies | JobName::Forwards => 0,
            JobName::Ledger => 1,
            // The ledger wakes it when it has looked at the channels.
            JobName::Accounts => 600,
            JobName::Flow => 10,
            JobName::Fees => 60,
            JobName::RebalanceJobs | JobName::Sling => 5,
            JobName::Rebalance => 120,
        }
    }
}

/// After a failed run the next one comes after this many seconds at most.
const RETRY_S: u64 = 60;

/// Wall time that a job rests at least, however fast a simulated clock runs.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Intervals vary by up to this share, so that nodes started together do not stay in step.
const JITTER: f64 = 0.1;

/// What is known of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    pub running: bool,
    /// Somebody woke it, and the run for that has not begun.
    pub woken: bool,
    pub runs: u64,
    pub failures: u64,
    pub last_started: Option<UnixTime>,
    pub last_ended: Option<UnixTime>,
    /// None while it runs: when it ends decides.
    pub next: Option<UnixTime>,
    /// What the last run did, or why it failed.
    pub last_outcome: Option<Result<String, String>>,
}

#[derive(Default)]
struct Slot {
    /// Has the job look whether it is woken.
    wake: Notify,
    status: Mutex<JobStatus>,
}

/// The board on which all jobs are written.
#[derive(Default)]
pub struct Jobs {
    slots: [Slot; JobName::ALL.len()],
}

impl Jobs {
    fn slot(&self, job: JobName) -> &Slot {
        &self.slots[job as usize]
    }

    fn status_mut(&self, job: JobName) -> MutexGuard<'_, JobStatus> {
        self.slot(job).status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what is known of a job.
    pub fn status(&self, job: JobName) -> JobStatus {
        self.status_mut(job).clone()
    }

    /// Makes a job run now, or once more if it is running.
    pub fn wake(&self, job: JobName) {
        self.status_mut(job).woken = true;
        self.slot(job).wake.notify_one();
    }

    fn started(&self, job: JobName, now: UnixTime) {
        self.status_mut(job).start(now);
    }

    /// Begins the run that the job was woken for, if it was. Nobody sees it neither woken nor running.
    fn started_if_woken(&self, job: JobName, now: UnixTime) -> bool {
        let mut status = self.status_mut(job);
        let is_woken = std::mem::take(&mut status.woken);
        if is_woken {
            status.start(now);
        }
        is_woken
    }

    fn ended(&self, job: JobName, now: UnixTime, next: UnixTime, outcome: Result<String, String>) {
        let mut status = self.status_mut(job);
        status.running = false;
        status.runs += 1;
        status.failures += u64::from(outcome.is_err());
        status.last_ended = Some(now);
        status.next = Some(next);
        status.last_outcome = Some(outcome);
    }
}

impl JobStatus {
    fn start(&mut self, now: UnixTime) {
        self.running = true;
        self.next = None;
        self.last_started = Some(now);
    }
}

/// Whose fees a cycle looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Peers(BTreeSet<PeerId>),
}

impl Scope {
    /// Whether this peer's channels are looked at.
    pub fn includes(&self, peer: &PeerId) -> bool {
        match self {
            Scope::All => true,
            Scope::Peers(peers) => peers.contains(peer),
        }
    }
}

/// What the next fee cycle that is woken must look at.
pub struct NextVisit(Mutex<Scope>);

impl Default for NextVisit {
    fn default() -> Self {
        NextVisit(Mutex::new(Scope::Peers(BTreeSet::new())))
    }
}

impl NextVisit {
    fn lock(&self) -> MutexGuard<'_, Scope> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes more peers.
    pub fn add(&self, more: impl IntoIterator<Item = PeerId>) {
        if let Scope::Peers(peers) = &mut *self.lock() {
            peers.extend(more);
        }
    }

    /// Notes all peers.
    pub fn all(&self) {
        *self.lock() = Scope::All;
    }

    /// Takes what was noted.
    pub fn take(&self) -> Scope {
        std::mem::replace(&mut *self.lock(), Scope::Peers(BTreeSet::new()))
    }
}

/// Why a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Its interval is over.
    Timer,
    /// Something happened.
    Woken,
}

/// Runs one job until `stop`: on its interval and when it is woken; a changed interval counts
/// at once. A run under way is not broken off. `run` gives one line on what it did.
pub async fn run_job<F, Fut>(
    job: JobName,
    jobs: Arc<Jobs>,
    clock: Clock,
    mut config: watch::Receiver<Arc<Config>>,
    stop: CancellationToken,
    run: F,
) where
    F: Fn(Trigger) -> Fut,
    Fut: Future<Output = anyhow::Result<String>>,
{
    let mut next = clock.now().plus(job.first_delay());
    loop {
        // When the clock was set back, what was due by the old time is not waited for.
        next = next.min(clock.now().plus(longest_pause(job, &config.borrow())));
        jobs.status_mut(job).next = Some(next);
        let pause = clock.wall_time(next.since(clock.now()) as f64).max(SHORTEST_PAUSE);
        let trigger = tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => Trigger::Timer,
            () = woken(&jobs, job, &clock) => Trigger::Woken,
            changed = config.changed() => {
                if changed.is_err() {
                    return;
                }
                let interval = job.interval(&config.borrow_and_update());
                next = next.min(clock.now().plus(interval));
                continue;
            }
        };
        if trigger == Trigger::Timer {
            jobs.started(job, clock.now());
        }
        let outcome = see_through(job, run(trigger)).await;
        let (interval, now) = (job.interval(&config.borrow()), clock.now());
        let pause = if outcome.is_err() { interval.min(RETRY_S) } else { jittered(interval, &clock) };
        if trigger == Trigger::Timer || next <= now {
            next = now.plus(pause);
        } else if outcome.is_err() {
            // A run by the timer leaves nothing out that a woken one was for.
            next = next.min(now.plus(pause));
        }
        jobs.ended(job, now, next, outcome);
    }
}

/// Sees one run through. A panic fails it like any error: the job goes on.
async fn see_through(
    job: JobName,
    run: impl Future<Output = anyhow::Result<String>>,
) -> Result<String, String> {
    let outcome = match AssertUnwindSafe(run).catch_unwind().await {
        Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
        Err(panic) => Err(format!("it panicked, a defect of the plugin: {}", panic_text(&*panic))),
    };
    if let Err(why) = &outcome {
        tracing::warn!("{}: {why}", job.name());
    }
    outcome
}

/// What a panic says of itself.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Waits until the job is woken, once it has rested from its last run, and begins its run.
async fn woken(jobs: &Jobs, job: JobName, clock: &Clock) {
    let rested = jobs.status(job).last_ended.map_or(u64::MAX, |ended| clock.now().since(ended));
    // First the rest: a wake that comes meanwhile is kept, also when this wait is given up.
    tokio::time::sleep(clock.wall_time(job.rest().saturating_sub(rested) as f64)).await;
    while !jobs.started_if_woken(job, clock.now()) {
        jobs.slot(job).wake.notified().await;
    }
}

fn jittered(interval: u64, clock: &Clock) -> u64 {
    varied(interval, clock.tick().map_or(0.5, |tick| tick.seed as f64 / (1u64 << 53) as f64))
}

/// The most that lies between now and a job's next run.
fn longest_pause(job: JobName, config: &Config) -> u64 {
    varied(job.interval(config), 1.0).max(job.first_delay())
}

/// An interval at its shortest (0) to its longest (1).
fn varied(interval: u64, share: f64) -> u64 {
    (interval as f64 * (1.0 + JITTER * (2.0 * share - 1.0))).round().max(1.0) as u64
}

#[cfg(test)]
mod tests;
