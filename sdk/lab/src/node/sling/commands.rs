//! sling's commands: what each does at once, and what after tasks have stopped.

use serde_json::{Value, json};

use super::super::NodeState;
use super::args::{self, Deletion, refuse};
use super::desk::Stopping;
use super::job::{Job, SatDirection};
use crate::ids::Scid;
use crate::rpc::{RpcError, RpcResult};

/// How far a command is.
#[derive(Debug)]
pub(super) enum Begun {
    Done(Value),
    Stops(Stopping),
}

/// What a command does once tasks have stopped.
#[derive(Debug, Clone)]
pub(super) enum After {
    Count(usize),
    Store(Scid, Box<Job>),
    Delete { scid: Option<Scid>, stats: bool },
}

type Begin = Result<Begun, RpcError>;

fn success() -> Value {
    json!({"result": "success"})
}

impl NodeState {
    pub(super) fn begin_command(&mut self, method: &str, params: &Value) -> Begin {
        match method {
            "sling-job" => self.sling_job(params),
            "sling-go" => self.sling_go(params).map(Begun::Done),
            "sling-stop" => self.sling_stop(params),
            "sling-once" => self.sling_once(params).map(Begun::Done),
            "sling-jobsettings" => self.sling_jobsettings(params).map(Begun::Done),
            "sling-deletejob" => self.sling_deletejob(params),
            "sling-stats" => self.sling_stats(params).map(Begun::Done),
            "sling-except-chan" => self.sling_except_chan(params).map(Begun::Done),
            "sling-except-peer" => self.sling_except_peer(params).map(Begun::Done),
            other => Err(RpcError::unknown(other)),
        }
    }

    pub(super) fn finish_command(&mut self, after: After) -> RpcResult {
        match after {
            After::Count(count) => Ok(json!({"stopped_count": count})),
            After::Store(scid, job) => {
                self.read_jobs();
                if !self.sling.version.is_4() {
                    self.sling.memory.tasks.0.remove(&scid);
                }
                self.sling.files.jobs.insert(scid, *job);
                self.read_jobs();
                Ok(success())
            }
            After::Delete { scid: None, stats } => self.delete_all(stats),
            After::Delete { scid: Some(scid), stats } => {
                self.read_jobs();
                self.sling.files.jobs.remove(&scid);
                self.read_jobs();
                if stats {
                    self.sling.files.stats.forget(scid);
                }
                self.sling.memory.tasks.0.remove(&scid);
                for excluded in &mut self.sling.memory.exclude {
                    excluded.remove(&scid);
                }
                Ok(success())
            }
        }
    }

    fn delete_all(&mut self, stats: bool) -> RpcResult {
        if !self.sling.files.has_jobs_file {
            return Err(refuse("No such file or directory (os error 2)"));
        }
        self.sling.files.has_jobs_file = false;
        self.sling.files.jobs.clear();
        if self.sling.version.is_4() {
            self.sling.memory.tasks.0.clear();
            // Whose statistics are to go is read from the file that is gone by then: nobody's.
            self.sling.files.has_jobs_file = stats;
        }
        let excepts = self.sling.files.except_chans.clone();
        self.sling.memory.exclude = [excepts.clone(), excepts];
        Ok(success())
    }

    /// Reads the stored jobs: those of channels that are gone or closing are forgotten, and so is
    /// what once-jobs have excluded.
    pub(super) fn read_jobs(&mut self) {
        let normal = |scid: &Scid| {
            self.channels.iter().any(|channel| channel.scid == *scid && channel.state.carries_payments())
        };
        let files = &mut self.sling.files;
        files.has_jobs_file = true;
        files.jobs.retain(|scid, _| normal(scid));
        let excepts = &files.except_chans;
        let mut exclude = [excepts.clone(), excepts.clone()];
        for (scid, job) in &files.jobs {
            exclude[usize::from(job.direction == SatDirection::Push)].insert(*scid);
        }
        self.sling.memory.exclude = exclude;
        if !self.sling.version.is_4() {
            let files = &self.sling.files;
            self.sling.memory.tasks.0.retain(|scid, tasks| {
                files.jobs.contains_key(scid) || tasks.values().any(|task| task.active)
            });
        }
    }

    /// The index of a channel that payments can pass, by its scid alone.
    pub(super) fn sling_channel(&self, scid: Scid) -> Result<usize, RpcError> {
        let listed = |channel: &super::super::Channel| {
            channel.scid == scid && channel.state != super::super::ChannelState::Closed
        };
        let found = self.channels.iter().position(listed);
        let normal = found.is_some_and(|index| self.channels[index].state.carries_payments());
        match found {
            Some(index) if normal => Ok(index),
            _ if self.sling.version < super::SlingVersion::V3_0 => {
                Err(refuse(format!("Could not find channel or not in CHANNELD_NORMAL state: {scid}")))
            }
            Some(_) => Err(refuse("Not in CHANNELD_NORMAL or CHANNELD_AWAITING_SPLICE state!")),
            None => Err(refuse("Channel not found")),
        }
    }

    /// What version 4 checks of a job against its configuration and its other jobs.
    fn check_job(&self, job: &Job) -> Result<(), RpcError> {
        if !self.sling.version.is_4() {
            return Ok(());
        }
        let push = job.direction == SatDirection::Push;
        let parallel = u64::from(job.paralleljobs.unwrap_or(1));
        if push && parallel > self.sling.options.max_htlc_count {
            return Err(refuse(
                "In a push job it doesn't make sense to have more paralleljobs than your max_htlc_count",
            ));
        }
        let excluded = &self.sling.memory.exclude[usize::from(push)];
        let mut candidates = job.candidates.iter().flatten();
        match candidates.find(|scid| excluded.contains(scid)) {
            None => Ok(()),
            Some(scid) => {
                let kind = if push { "push" } else { "pull" };
                Err(refuse(format!(
                    "candidate {scid} has a {kind}-job that rebalances in the other direction!"
                )))
            }
        }
    }

    pub(super) fn parse_job(&self, params: &Value, once: bool) -> Result<(Scid, Job), RpcError> {
        let (scid, job) = Job::parse(params, once, self.sling.version)?;
        self.check_job(&job)?;
        Ok((scid, job))
    }

    fn sling_job(&mut self, params: &Value) -> Begin {
        let (scid, job) = self.parse_job(params, false)?;
        self.sling_channel(scid)?;
        let tasks = &self.sling.memory.tasks;
        if tasks.any_once(scid) && tasks.any_active(scid) {
            return Err(refuse("Once-job is currently running for this channel"));
        }
        let now = self.now();
        self.sling.memory.tasks.ask_to_stop(Some(scid), now);
        let after = After::Store(scid, Box::new(job));
        Ok(Begun::Stops(Stopping { scid: Some(scid), after }))
    }

    fn sling_stop(&mut self, params: &Value) -> Begin {
        let scid = args::one_scid(params, self.sling.version, "sling-stop")?;
        let now = self.now();
        let tasks = &mut self.sling.memory.tasks;
        if let Some(scid) = scid.filter(|scid| !self.sling.version.is_4() && !tasks.0.contains_key(scid)) {
            return Err(refuse(format!("{scid}: No job running")));
        }
        let count = tasks.ask_to_stop(scid, now);
        Ok(Begun::Stops(Stopping { scid, after: After::Count(count) }))
    }

    fn sling_deletejob(&mut self, params: &Value) -> Begin {
        let Deletion { scid, stats } = Deletion::parse(params, self.sling.version)?;
        let now = self.now();
        self.sling.memory.tasks.ask_to_stop(scid, now);
        Ok(Begun::Stops(Stopping { scid, after: After::Delete { scid, stats } }))
    }

    fn sling_jobsettings(&mut self, params: &Value) -> RpcResult {
        self.read_jobs();
        let version = self.sling.version;
        let jobs = &self.sling.files.jobs;
        match args::settings_scid(params, version)? {
            None => {
                let all = jobs.iter().map(|(scid, job)| (scid.to_string(), job.settings(version)));
                Ok(Value::Object(all.collect()))
            }
            Some(scid) => {
                let job = jobs.get(&scid).ok_or_else(|| refuse("channel not found"))?;
                Ok(json!({scid.to_string(): job.settings(version)}))
            }
        }
    }
}
