//! sling, the rebalancer, played: its commands, its jobs, and the payments they make.
//!
//! A test sets it up through `node.sling_mut()`: what routes cost, how long payments take and what
//! becomes of the next ones (`routes`), its options, its version. It looks at `node.sling()`:
//! every payment ever made, tasks, stored jobs. `set_extra` kills and starts it, `stall_sling`
//! holds its lock, `end_sling_payment` ends a payment that hangs.
//!
//! What sling keeps in files survives a restart, what it keeps in memory does not, and what it
//! has sent is lightningd's: a payment under way ends with or without sling.

mod args;
mod candidates;
mod commands;
mod control;
mod desk;
mod excepts;
mod job;
mod pay;
mod routes;
mod run;
mod start;
mod stats;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod version;

use std::collections::{BTreeMap, BTreeSet};

pub use control::{SlingPayment, SlingTask};
pub use job::SatDirection;
pub use pay::PaymentEnd;
pub use routes::{Fate, RouteCost, Routes};
pub use task::TaskState;
pub use version::{SlingOptions, SlingVersion};

use super::NodeState;
use crate::ids::Scid;
use crate::market::Micros;
use crate::rng::Rng;
use desk::Desk;
use job::{Job, SatDirection::Pull};
use pay::Flight;
use stats::Stats;
use task::Tasks;

/// After its start, when all stored jobs start if `sling-autogo` says so.
const AUTOGO_AFTER: Micros = 5_000_000;

/// See the module's text.
#[derive(Debug)]
pub struct Sling {
    version: SlingVersion,
    /// Its options; a change counts from the next round on.
    pub options: SlingOptions,
    /// The network it finds.
    pub routes: Routes,
    files: Files,
    memory: Memory,
    desk: Desk,
    flights: Vec<Flight>,
    payments: Vec<SlingPayment>,
    rng: Rng,
}

/// What sling keeps on disk.
#[derive(Debug, Default)]
struct Files {
    jobs: BTreeMap<Scid, Job>,
    /// False until the file of jobs is first read, and after all jobs were deleted.
    has_jobs_file: bool,
    except_chans: BTreeSet<Scid>,
    except_peers: BTreeSet<String>,
    stats: Stats,
}

/// What sling forgets when it ends.
#[derive(Debug, Default)]
struct Memory {
    tasks: Tasks,
    /// What once-jobs have moved or are moving, msat.
    once_msat: BTreeMap<Scid, u64>,
    /// Channels that no pull or push, in this order, may use otherwise.
    exclude: [BTreeSet<Scid>; 2],
    /// Channels that failed, and since when they are left alone.
    bans: BTreeMap<Scid, Micros>,
    /// Peers that sent money by the wrong channel, and since when they are left alone.
    bad_peers: BTreeMap<String, Micros>,
    autogo: Option<Micros>,
}

impl Memory {
    /// The channels that jobs of this direction may not use.
    fn excluded(&mut self, direction: SatDirection) -> &mut BTreeSet<Scid> {
        &mut self.exclude[usize::from(direction != Pull)]
    }
}

impl Sling {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::stream(seed, 0x0073_6c69_6e67);
        Self {
            version: SlingVersion::V4_2,
            options: SlingOptions::default(),
            routes: Routes::new(rng.next_u64()),
            files: Files::default(),
            memory: Memory::default(),
            desk: Desk::default(),
            flights: Vec::new(),
            payments: Vec::new(),
            rng,
        }
    }

    /// When something happens next, if it does by itself.
    pub(super) fn next_due(&self) -> Option<Micros> {
        let task = self.memory.tasks.next().map(|(at, _)| at);
        let flight = self.flights.iter().filter_map(Flight::next_due).min();
        [task, flight, self.desk.next_due(), self.memory.autogo].into_iter().flatten().min()
    }
}

impl NodeState {
    /// Does all that is due by now.
    pub(super) fn run_sling(&mut self) {
        loop {
            let now = self.now();
            if let Some(position) = self.sling.flights.iter().position(|flight| flight.is_due(now)) {
                self.move_flight(position);
            } else if let Some((_, id)) = self.sling.memory.tasks.next().filter(|(at, _)| *at <= now) {
                self.run_task(id);
            } else if self.sling.memory.autogo.is_some_and(|at| at <= now) {
                self.sling.memory.autogo = None;
                self.sling_autogo();
            } else if !self.serve_desk() {
                return;
            }
        }
    }

    /// sling begins, with what its files say.
    pub(super) fn begin_sling(&mut self) {
        let excepts = self.sling.files.except_chans.clone();
        self.sling.memory.exclude = [excepts.clone(), excepts];
        let autogo = self.sling.options.autogo && self.sling.version.is_4();
        self.sling.memory.autogo = autogo.then(|| self.now() + AUTOGO_AFTER);
    }

    /// sling ends as by a kill: callers are told so, memory is gone, payments fly on.
    pub(super) fn end_sling(&mut self) {
        self.sling.desk.abandon();
        self.sling.memory = Memory::default();
        self.sling.flights.iter_mut().for_each(Flight::orphan);
    }
}
