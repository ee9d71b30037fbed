//! Tasks: what of sling's memory is about one running, resting or finished part of a job.

use std::collections::BTreeMap;

use super::job::Job;
use crate::ids::Scid;
use crate::market::Micros;

/// sling's word for what a task is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Not run yet.
    Starting,
    /// Looking for routes and paying.
    Rebalancing,
    /// At its target, or a once-job is done.
    Balanced,
    /// No channel may give or take.
    NoCandidates,
    /// Too many HTLCs in the job's channel.
    HtlcCapped,
    /// The peer is away.
    Disconnected,
    /// The channel failed lately and is left alone for a while.
    PeerNotReady,
    /// The peer sent money by the wrong channel lately.
    PeerBad,
    /// No way through the network.
    NoRoutes,
    /// No way that is cheap enough.
    NoCheapRoute,
    /// Told to stop.
    Stopping,
    /// Stopped.
    Stopped,
    /// Ended by a mistake.
    Error,
}

impl TaskState {
    /// sling's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Rebalancing => "Rebalancing",
            Self::Balanced => "Balanced",
            Self::NoCandidates => "NoCandidates",
            Self::HtlcCapped => "HTLCcapped",
            Self::Disconnected => "Disconnected",
            Self::PeerNotReady => "PeerNotReady",
            Self::PeerBad => "PeerBad",
            Self::NoRoutes => "NoRoutes",
            Self::NoCheapRoute => "NoCheapRoute",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Error => "Error",
        }
    }
}

/// Where a running task is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// A once-job counts what it did and decides whether to go on.
    Count,
    /// About to look for a route.
    Look,
    /// Resting, or between two payments.
    Rest,
    /// A once-job gives a round up after a second.
    GiveUp,
    /// Waiting for a payment until sling's own timeout.
    Wait,
}

/// A task's life while it has one.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub job: Job,
    pub step: Step,
    pub wake: Micros,
}

/// See the module's text.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub state: TaskState,
    pub active: bool,
    pub stop: bool,
    /// Made by `sling-once`; stays true if a stored job uses the entry later.
    pub once: bool,
    pub run: Option<Run>,
}

impl Task {
    pub fn new(once: bool) -> Self {
        Self { state: TaskState::Starting, active: true, stop: false, once, run: None }
    }

    /// Starts it again.
    pub fn revive(&mut self) {
        (self.state, self.active, self.stop) = (TaskState::Starting, true, false);
    }

    pub fn end(&mut self, state: TaskState) {
        (self.state, self.active) = (state, false);
    }

    /// Wishes it to stop: at once, unless it waits for a payment. sling itself looks every second,
    /// which would leave callers waiting in a lab whose time stands still.
    pub fn ask_to_stop(&mut self, now: Micros) {
        self.state = TaskState::Stopping;
        self.stop = true;
        if let Some(run) = self.run.as_mut().filter(|run| run.step != Step::Wait) {
            run.wake = now;
        }
    }
}

/// A task's name: the job's channel and a number from 1 on.
pub(super) type TaskId = (Scid, u16);

/// Tasks by channel and number.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks(pub BTreeMap<Scid, BTreeMap<u16, Task>>);

impl Tasks {
    pub fn of(&self, scid: Scid) -> impl Iterator<Item = &Task> {
        self.0.get(&scid).into_iter().flat_map(BTreeMap::values)
    }

    pub fn get_mut(&mut self, (scid, number): TaskId) -> Option<&mut Task> {
        self.0.get_mut(&scid)?.get_mut(&number)
    }

    pub fn get(&self, (scid, number): TaskId) -> Option<&Task> {
        self.0.get(&scid)?.get(&number)
    }

    pub fn any_active(&self, scid: Scid) -> bool {
        self.of(scid).any(|task| task.active)
    }

    pub fn any_once(&self, scid: Scid) -> bool {
        self.of(scid).any(|task| task.once)
    }

    /// The earliest task that has something to do, and when.
    pub fn next(&self) -> Option<(Micros, TaskId)> {
        let all =
            self.0.iter().flat_map(|(scid, tasks)| tasks.iter().map(move |(n, task)| ((*scid, *n), task)));
        all.filter_map(|(id, task)| Some((task.run.as_ref()?.wake, id))).min()
    }

    /// Wishes the tasks of one channel, or all, to stop; returns how many there are.
    pub fn ask_to_stop(&mut self, scid: Option<Scid>, now: Micros) -> usize {
        let wanted = self.0.iter_mut().filter(|(known, _)| scid.is_none_or(|scid| scid == **known));
        let tasks = wanted.flat_map(|(_, tasks)| tasks.values_mut());
        tasks.map(|task| task.ask_to_stop(now)).count()
    }
}
