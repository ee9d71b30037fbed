//! The life of a task, step by step.

use super::super::NodeState;
use super::candidates::Health;
use super::job::Job;
use super::routes::effective_ppm;
use super::task::{Run, Step, TaskId, TaskState};
use crate::market::{Micros, micros};

/// A once-job's pause between two rounds.
const ROUND_GAP: Micros = 20_000;
/// After a payment of a stored job, and before a once-job gives a round up.
const SECOND: Micros = 1_000_000;
/// Seconds of rest when there is nothing to be done.
const LONG_REST_S: u64 = 600;

impl NodeState {
    fn job_of(&self, id: TaskId) -> Option<Job> {
        Some(self.sling.memory.tasks.get(id)?.run.as_ref()?.job.clone())
    }

    /// Sets what a task does next, and when.
    pub(super) fn set_step(&mut self, id: TaskId, step: Step, wake: Micros) {
        if let Some(run) = self.sling.memory.tasks.get_mut(id).and_then(|task| task.run.as_mut()) {
            (run.step, run.wake) = (step, wake);
        }
    }

    fn set_state(&mut self, id: TaskId, state: TaskState) {
        if let Some(task) = self.sling.memory.tasks.get_mut(id) {
            task.state = state;
        }
    }

    /// Does what a task has to do now.
    pub(super) fn run_task(&mut self, id: TaskId) {
        let run = self.sling.memory.tasks.get(id).and_then(|task| task.run.clone());
        let Some(Run { job, step, wake }) = run else { return };
        match step {
            Step::Count => self.count_round(id, &job),
            Step::Look => self.look(id, &job),
            Step::Rest => self.set_step(id, Step::Look, wake),
            Step::GiveUp => self.leave_round(id, 0),
            Step::Wait => self.stop_waiting(id),
        }
    }

    /// A once-job before a round: stops, is done, or counts the round's amount in advance.
    fn count_round(&mut self, id: TaskId, job: &Job) {
        let stop = self.sling.memory.tasks.get(id).is_some_and(|task| task.stop);
        let moved = self.sling.memory.once_msat.entry(id.0).or_default();
        let done = *moved + job.amount_msat > job.once_msat.unwrap_or_default();
        if !stop && !done {
            *moved += job.amount_msat;
            let now = self.now();
            self.set_step(id, Step::Look, now);
            return;
        }
        if stop {
            let tasks = self.sling.memory.tasks.0.get_mut(&id.0);
            tasks.into_iter().flat_map(|tasks| tasks.values_mut()).for_each(|task| task.stop = true);
        }
        self.end_task(id, if stop { TaskState::Stopped } else { TaskState::Balanced });
        self.sling.memory.excluded(job.direction).remove(&id.0);
    }

    fn end_task(&mut self, id: TaskId, state: TaskState) {
        if let Some(task) = self.sling.memory.tasks.get_mut(id) {
            task.end(state);
            task.run = None;
        }
    }

    fn look(&mut self, id: TaskId, job: &Job) {
        if self.sling.memory.tasks.get(id).is_some_and(|task| task.stop) {
            if let Some(task) = self.sling.memory.tasks.get_mut(id) {
                task.end(TaskState::Stopped);
            }
            return self.leave_round(id, 0);
        }
        match self.job_health(id.0, job) {
            Health::Fit => {}
            Health::Rest(state, seconds) => return self.rest(id, state, seconds),
            Health::Gone => return self.leave_broken(id),
        }
        self.set_state(id, TaskState::Rebalancing);
        let candidates = self.job_candidates(id.0, job);
        if candidates.is_empty() {
            let state = match self.sling.version.is_4() {
                true => TaskState::NoCandidates,
                false => TaskState::NoRoutes,
            };
            return self.find_nothing(id, job, state);
        }
        match self.cheapest_way(id.0, job, &candidates) {
            None => self.find_nothing(id, job, TaskState::NoRoutes),
            // A once-job, too, sleeps over a price.
            Some(way) if effective_ppm(way.fee_msat, job.amount_msat) > job.maxppm => {
                self.rest(id, TaskState::NoCheapRoute, LONG_REST_S);
            }
            Some(way) => self.send(id, job, way),
        }
    }

    fn rest(&mut self, id: TaskId, state: TaskState, seconds: u64) {
        self.set_state(id, state);
        let until = self.now() + seconds * SECOND;
        self.set_step(id, Step::Rest, until);
    }

    fn find_nothing(&mut self, id: TaskId, job: &Job, state: TaskState) {
        if job.once_msat.is_none() {
            return self.rest(id, state, LONG_REST_S);
        }
        self.set_state(id, state);
        let at = self.now() + SECOND;
        self.set_step(id, Step::GiveUp, at);
    }

    /// After a payment, which moved this much or failed.
    pub(super) fn after_payment(&mut self, id: TaskId, moved_msat: u64) {
        match self.job_of(id) {
            Some(job) if job.once_msat.is_none() => {
                let at = self.now() + self.gap(id, SECOND);
                self.set_step(id, Step::Rest, at);
            }
            Some(_) => self.leave_round(id, moved_msat),
            None => {}
        }
    }

    /// Ends a round of a once-job, or a stopped job.
    fn leave_round(&mut self, id: TaskId, moved_msat: u64) {
        let Some(job) = self.job_of(id) else { return };
        if job.once_msat.is_none() {
            return self.end_task(id, TaskState::Stopped);
        }
        if moved_msat == 0 {
            let moved = self.sling.memory.once_msat.entry(id.0).or_default();
            *moved = moved.saturating_sub(job.amount_msat);
        }
        let at = self.now() + self.gap(id, ROUND_GAP);
        self.set_step(id, Step::Count, at);
    }

    /// A pause, unless the task is to stop.
    fn gap(&self, id: TaskId, pause: Micros) -> Micros {
        if self.sling.memory.tasks.get(id).is_some_and(|task| task.stop) { 0 } else { pause }
    }

    /// Ends a task whose channel is gone.
    fn leave_broken(&mut self, id: TaskId) {
        let once = self.job_of(id).is_some_and(|job| job.once_msat.is_some());
        if let Some(task) = self.sling.memory.tasks.get_mut(id) {
            task.end(TaskState::Error);
            task.stop = true;
        }
        if once {
            self.leave_round(id, 0);
        } else {
            self.end_task(id, TaskState::Error);
        }
    }

    /// When sling stops waiting for a payment sent now.
    pub(super) fn patience(&self) -> Micros {
        self.now() + micros(f64::from(self.sling.options.timeoutpay_s))
    }
}
