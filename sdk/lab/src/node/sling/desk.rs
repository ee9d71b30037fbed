//! Calls of sling's commands in the order they came. Version 4 serves one at a time: whoever waits
//! for a payment to end lets all others wait.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::super::{Answer, Extra, NodeState};
use super::commands::{After, Begun};
use super::version::SlingVersion;
use crate::ids::Scid;
use crate::market::Micros;
use crate::rpc::{RpcError, RpcResult};

/// A call that is not answered yet.
#[derive(Debug, Clone)]
struct Request {
    ticket: u64,
    method: String,
    params: Value,
    /// Set once it has begun and waits for tasks to stop.
    stopping: Option<Stopping>,
}

/// Waits until the tasks of one channel, or all, have stopped.
#[derive(Debug, Clone)]
pub(super) struct Stopping {
    pub scid: Option<Scid>,
    pub after: After,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: VecDeque<Request>,
    answers: BTreeMap<u64, RpcResult>,
    tickets: u64,
    /// Nothing is served before.
    closed_until: Micros,
    /// Answers have come since somebody last asked.
    fresh: bool,
}

impl Desk {
    pub fn next_due(&self) -> Option<Micros> {
        (!self.waiting.is_empty() && self.closed_until > 0).then_some(self.closed_until)
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn close_until(&mut self, at: Micros) {
        self.closed_until = at;
    }

    fn answer(&mut self, ticket: u64, result: RpcResult) {
        self.fresh = true;
        self.answers.insert(ticket, result);
    }

    /// Tells all who wait that sling is gone.
    pub fn abandon(&mut self) {
        for request in std::mem::take(&mut self.waiting) {
            self.answer(request.ticket, Err(RpcError::terminated()));
        }
        self.closed_until = 0;
    }
}

/// sling's commands, what `help` shows behind their names, and the version that brought them.
const METHODS: [(&str, &str, SlingVersion); 10] = [
    (
        "sling-job",
        "-k scid direction amount maxppm [outppm] [target] [maxhops] [candidates] [depleteuptopercent] \
         [depleteuptoamount] [paralleljobs]",
        SlingVersion::V1_6,
    ),
    ("sling-jobsettings", "[scid]", SlingVersion::V1_6),
    ("sling-deletejob", "job [delete_stats]", SlingVersion::V1_6),
    ("sling-go", "[scid]", SlingVersion::V1_6),
    ("sling-stop", "[scid]", SlingVersion::V1_6),
    (
        "sling-once",
        "-k scid direction amount maxppm onceamount [outppm] [maxhops] [candidates] [depleteuptopercent] \
         [depleteuptoamount] [paralleljobs]",
        SlingVersion::V4_2,
    ),
    ("sling-stats", "[scid] [json]", SlingVersion::V1_6),
    ("sling-except-chan", "command [scid]", SlingVersion::V1_6),
    ("sling-except-peer", "command [id]", SlingVersion::V1_6),
    ("sling-version", "", SlingVersion::V1_6),
];

impl NodeState {
    /// The commands that sling offers while it is there, with what `help` shows behind the name.
    pub(in crate::node) fn sling_methods(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (there, version) = (self.present.contains(&Extra::Sling), self.sling.version);
        let offered = METHODS.iter().filter(move |(_, _, since)| there && version >= *since);
        offered.map(move |(name, usage, _)| (*name, if version.is_4() { *usage } else { "" }))
    }

    /// A name for one call, under which it may be asked for again.
    pub(crate) fn ticket(&mut self) -> u64 {
        self.sling.desk.tickets += 1;
        self.sling.desk.tickets
    }

    /// True if calls that had to wait have been answered since this was last asked.
    pub(crate) fn take_fresh_answers(&mut self) -> bool {
        std::mem::take(&mut self.sling.desk.fresh)
    }

    /// The answer to a call that had to wait, once.
    pub(in crate::node) fn late_answer(&mut self, ticket: u64) -> Option<RpcResult> {
        self.sling.desk.answers.remove(&ticket)
    }

    /// Takes a call of one of sling's commands, or looks whether it is answered by now.
    pub(in crate::node) fn sling_call(&mut self, ticket: u64, method: &str, params: &Value) -> Answer {
        if method == "sling-version" {
            // The one command that takes no lock.
            return Answer::Now(Ok(json!({"version": self.sling.version.name()})));
        }
        let desk = &mut self.sling.desk;
        if !desk.waiting.iter().any(|request| request.ticket == ticket) {
            let (method, params) = (method.to_owned(), params.clone());
            desk.waiting.push_back(Request { ticket, method, params, stopping: None });
            self.run_sling();
        }
        self.late_answer(ticket).map_or(Answer::NotYet, Answer::Now)
    }

    /// Serves whom it can; true if anything was done.
    pub(super) fn serve_desk(&mut self) -> bool {
        let mut served = false;
        let mut place = 0;
        if self.sling.desk.closed_until > self.now() {
            return false;
        }
        self.sling.desk.closed_until = 0;
        while let Some(request) = self.sling.desk.waiting.get(place).cloned() {
            let begins = request.stopping.is_none();
            match self.attend(request) {
                Ok(result) => {
                    let request = self.sling.desk.waiting.remove(place);
                    let ticket = request.map_or(0, |request| request.ticket);
                    self.sling.desk.answer(ticket, result);
                    served = true;
                }
                Err(stopping) => {
                    self.sling.desk.waiting[place].stopping = Some(stopping);
                    served |= begins;
                    place += 1;
                    if self.sling.version.is_4() {
                        break;
                    }
                }
            }
        }
        served
    }

    /// Begins a request or goes on with it: its answer, or what it waits for.
    fn attend(&mut self, request: Request) -> Result<RpcResult, Stopping> {
        let stopping = match request.stopping {
            Some(stopping) => stopping,
            None => match self.begin_command(&request.method, &request.params) {
                Ok(Begun::Done(answer)) => return Ok(Ok(answer)),
                Ok(Begun::Stops(stopping)) => stopping,
                Err(error) => return Ok(Err(error)),
            },
        };
        let tasks = &self.sling.memory.tasks;
        let busy = match stopping.scid {
            Some(scid) => tasks.any_active(scid),
            None => tasks.0.keys().any(|&scid| tasks.any_active(scid)),
        };
        if busy { Err(stopping) } else { Ok(self.finish_command(stopping.after)) }
    }
}
