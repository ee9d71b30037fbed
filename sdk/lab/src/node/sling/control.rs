//! What tests may look at and change in the played sling: its account, and its faults.

use serde_json::Value;

use super::super::{Extra, NodeState};
use super::Sling;
use super::job::SatDirection;
use super::pay::PaymentEnd;
use super::task::TaskState;
use super::version::SlingVersion;
use crate::ids::Scid;
use crate::market::micros;

/// One payment that sling made, as the lab itself wrote it down.
#[derive(Debug, Clone, PartialEq)]
pub struct SlingPayment {
    /// The channel whose job it was for.
    pub job: Scid,
    /// The channel on the other end.
    pub candidate: Scid,
    /// Into the job's channel, or out of it.
    pub direction: SatDirection,
    /// For a once-job.
    pub once: bool,
    /// As in `listsendpays`.
    pub payment_hash: String,
    /// What comes back to us, msat.
    pub amount_msat: u64,
    /// What it costs if it settles, msat.
    pub fee_msat: u64,
    /// Simulated unix time, seconds.
    pub sent_unix_s: f64,
    /// Simulated unix time, seconds.
    pub ended_unix_s: Option<f64>,
    /// How it stands.
    pub end: PaymentEnd,
    /// sling saw it settle and counts it.
    pub in_stats: bool,
}

/// A task in sling's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlingTask {
    /// The job's channel.
    pub scid: Scid,
    /// From 1 on.
    pub number: u16,
    /// What it is at.
    pub state: TaskState,
    /// It may still spend.
    pub active: bool,
    /// Made by `sling-once`.
    pub once: bool,
}

impl Sling {
    /// The release it plays.
    pub fn version(&self) -> SlingVersion {
        self.version
    }

    /// Plays another release from now on. Do it before anything runs.
    pub fn set_version(&mut self, version: SlingVersion) {
        self.version = version;
    }

    /// Every payment it ever made, in the order they were sent.
    pub fn payments(&self) -> &[SlingPayment] {
        &self.payments
    }

    /// The payments that have not ended.
    pub fn in_flight(&self) -> impl Iterator<Item = &SlingPayment> {
        self.payments.iter().filter(|payment| payment.end == PaymentEnd::InFlight)
    }

    /// The fees of all settled payments, msat.
    pub fn spent_msat(&self) -> u64 {
        let settled = self.payments.iter().filter(|payment| payment.end == PaymentEnd::Settled);
        settled.map(|payment| payment.fee_msat).sum()
    }

    /// The stored jobs as `sling-jobsettings` shows them.
    pub fn jobs(&self) -> Vec<(Scid, Value)> {
        self.files.jobs.iter().map(|(scid, job)| (*scid, job.settings(self.version))).collect()
    }

    /// The tasks in its memory, finished ones too.
    pub fn tasks(&self) -> Vec<SlingTask> {
        let all = self.memory.tasks.0.iter();
        let all = all.flat_map(|(scid, tasks)| tasks.iter().map(move |(number, task)| (scid, number, task)));
        let row = |(&scid, &number, task): (&Scid, &u16, &super::task::Task)| {
            let (state, active, once) = (task.state, task.active, task.once);
            SlingTask { scid, number, state, active, once }
        };
        all.map(row).collect()
    }

    /// Calls that wait for an answer.
    pub fn waiting_calls(&self) -> usize {
        self.desk.waiting()
    }
}

impl NodeState {
    /// sling's options as `listconfigs` shows them; none where it does not.
    pub(in crate::node) fn sling_configs(&self) -> Vec<(&'static str, Value)> {
        let shown = self.present.contains(&Extra::Sling) && self.sling.version.is_4();
        if shown { self.sling.options.configs().to_vec() } else { Vec::new() }
    }

    /// The played sling.
    pub fn sling(&self) -> &Sling {
        &self.sling
    }

    /// The played sling, to set it up.
    pub fn sling_mut(&mut self) -> &mut Sling {
        &mut self.sling
    }

    /// For so many simulated seconds from now no command of sling is answered except its version.
    pub fn stall_sling(&mut self, for_s: f64) {
        let until = self.now() + micros(for_s);
        self.sling.desk.close_until(until);
    }

    /// Kills sling and starts it again at once: stored jobs rest, once-jobs are forgotten, and money
    /// that has not reached us by now is no longer taken.
    pub fn restart_sling(&mut self) {
        self.set_extra(Extra::Sling, false);
        self.set_extra(Extra::Sling, true);
    }
}
