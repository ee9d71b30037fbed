//! The commands that start tasks: `sling-go` and `sling-once`.

use serde_json::{Value, json};

use super::super::NodeState;
use super::args::{self, refuse};
use super::job::{Job, SatDirection};
use super::task::{Run, Step, Task, TaskId};
use crate::ids::Scid;
use crate::market::Micros;
use crate::rpc::{RpcError, RpcResult};

/// Between the starts of parallel tasks.
const SPAWN_GAP: Micros = 20_000;

impl NodeState {
    pub(super) fn sling_go(&mut self, params: &Value) -> RpcResult {
        self.read_jobs();
        if self.sling.files.jobs.is_empty() {
            return Err(refuse("No jobs found"));
        }
        let wanted = args::one_scid(params, self.sling.version, "sling-go")?;
        let mut jobs = self.sling.files.jobs.clone();
        jobs.retain(|scid, _| wanted.is_none_or(|wanted| wanted == *scid));
        if jobs.is_empty() {
            return Err(refuse("Shortchannelid not found in jobs"));
        }
        let (mut started, mut failed) = (0, 0);
        for (scid, job) in jobs {
            let parallel = self.parallel(&job);
            let tasks = &self.sling.memory.tasks;
            if tasks.any_once(scid) && tasks.any_active(scid) {
                failed += parallel;
                continue;
            }
            for number in 1..=parallel {
                started += u16::from(self.start_task((scid, number), &job, false));
            }
        }
        match self.sling.version.is_4() {
            true => Ok(json!({"tasks_started": started, "tasks_failed_start:": failed})),
            false => Ok(json!({"jobs_started": started})),
        }
    }

    /// Starts all stored jobs; that there are none is no mistake.
    pub(super) fn sling_autogo(&mut self) {
        // Whatever comes of it, nobody is told.
        drop(self.sling_go(&json!([])));
    }

    fn parallel(&self, job: &Job) -> u16 {
        let wanted = job.paralleljobs.unwrap_or(self.sling.options.paralleljobs);
        let most = u16::try_from(self.sling.options.max_htlc_count).unwrap_or(u16::MAX);
        match job.direction {
            SatDirection::Push if self.sling.version.is_4() => wanted.min(most),
            _ => wanted,
        }
    }

    /// Lets a task run; false if it runs already.
    fn start_task(&mut self, (scid, number): TaskId, job: &Job, once: bool) -> bool {
        let wake = self.now() + Micros::from(number - 1) * SPAWN_GAP;
        let step = if once { Step::Count } else { Step::Look };
        let tasks = self.sling.memory.tasks.0.entry(scid).or_default();
        if tasks.get(&number).is_some_and(|task| task.active) {
            return false;
        }
        let task = tasks.entry(number).or_insert_with(|| Task::new(once));
        task.revive();
        task.run = Some(Run { job: job.clone(), step, wake });
        true
    }

    pub(super) fn sling_once(&mut self, params: &Value) -> RpcResult {
        let (scid, job) = self.parse_job(params, true)?;
        let index = self.sling_channel(scid)?;
        self.check_room(index, scid, &job)?;
        self.read_jobs();
        if self.sling.files.jobs.contains_key(&scid) {
            return Err(refuse("There is already a job for that scid!"));
        }
        self.sling.memory.excluded(job.direction).insert(scid);
        let parallel = self.parallel(&job);
        for number in 1..=parallel {
            match self.sling.memory.tasks.get((scid, number)) {
                Some(task) if !task.once => {
                    return Err(refuse("There is already a job for that scid! Please delete it first."));
                }
                Some(task) if task.active => {
                    return Err(refuse("There is already a job for that scid running!"));
                }
                _ => {}
            }
        }
        self.sling.memory.once_msat.insert(scid, 0);
        for number in 1..=parallel {
            self.start_task((scid, number), &job, true);
        }
        Ok(json!({"result": "started"}))
    }

    /// Refuses a once-job whose channel has no room for all of it now.
    fn check_room(&self, index: usize, scid: Scid, job: &Job) -> Result<(), RpcError> {
        let once_msat = job.once_msat.unwrap_or_default();
        let (room, verb) = match job.direction {
            SatDirection::Pull => (self.market.channel(index).receivable_msat(), "pull"),
            SatDirection::Push => (self.sling_spendable(index), "push"),
        };
        match room < once_msat {
            true => Err(refuse(format!("Channel {scid} has not enough capacity to {verb} {once_msat}msat"))),
            false => Ok(()),
        }
    }
}
