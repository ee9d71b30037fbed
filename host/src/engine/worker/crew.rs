//! The plugin's workers. Each serves one module, so that a module that breaks
//! out meets nobody else's; one that is lost is replaced by the next call.

use super::SET_UP_VARIABLE;
use super::away::{Cargo, Failure};
use super::process::{Lost, Process};
use crate::engine::config::{self, Allocation, Space, Tier};
use crate::engine::limits::CALLS_AT_ONCE;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// Most workers that wait for a call; the one that waits longest goes first.
const MOST_IDLE: usize = 4;

/// How a worker was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The module that it served; none if it had none yet.
    pub module: Option<String>,
    /// What became of it: the predicate of a sentence.
    pub why: String,
    /// Time since then.
    pub ago: Duration,
}

/// One worker now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    pub pid: u32,
    /// The module that it serves; none if it has none yet.
    pub module: Option<String>,
    /// What it is asked now: `describe` or `decide`.
    pub doing: Option<&'static str>,
}

/// The workers now, and what became of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrewStatus {
    pub workers: Vec<WorkerStatus>,
    /// Workers started so far.
    pub started: u64,
    /// Workers that died or had to be ended so far.
    pub deaths: u64,
    pub last_death: Option<Death>,
    /// Why no worker could be started when one was last needed.
    pub problem: Option<String>,
}

/// A worker and the module that it has.
struct Worker {
    process: Process,
    cargo: Option<Arc<Cargo>>,
}

#[derive(Default)]
struct State {
    /// The one that came last is the last.
    idle: Vec<Worker>,
    /// Process, module and task of each worker at work.
    busy: Vec<(u32, Arc<Cargo>, &'static str)>,
    /// Workers that are being started.
    coming: usize,
    started: u64,
    deaths: u64,
    last_death: Option<(Option<String>, String, Instant)>,
    problem: Option<String>,
}

type Started = Result<Process, String>;

pub(in crate::engine) struct Crew {
    state: Mutex<State>,
    /// A worker became free, or ended.
    room: Condvar,
    starter: Sender<Sender<Started>>,
}

impl Crew {
    /// A crew without workers. Artefacts are made for `engine`.
    pub(in crate::engine) fn new(
        program: PathBuf,
        allocation: Allocation,
        space: Space,
        engine: &Engine,
    ) -> std::io::Result<Arc<Crew>> {
        if std::env::var_os(SET_UP_VARIABLE).is_some() {
            // A program that is no worker would go on to start itself for ever.
            return Err(std::io::Error::other("this program was started as a worker, and is none"));
        }
        let fingerprints = Tier::ALL.map(|tier| config::fingerprint(engine, tier, space));
        let set_up = format!("{} {}", space.name(), allocation.name());
        let (starter, wanted) = mpsc::channel::<Sender<Started>>();
        // A worker dies with the thread that started it: that is this one, which ends with the crew.
        let run = move || {
            for asked in wanted {
                // Nobody waits any more when the crew is gone.
                let _ = asked.send(Process::start(&program, &set_up, &fingerprints));
            }
        };
        thread::Builder::new().name("start-workers".to_owned()).spawn(run)?;
        Ok(Arc::new(Crew { state: Mutex::default(), room: Condvar::new(), starter }))
    }

    /// Starts a worker that waits for its module, to see whether one can be; else says why not.
    pub(in crate::engine) fn try_out(&self) -> Result<(), String> {
        let process = self.start()?;
        self.lock().idle.push(Worker { process, cargo: None });
        Ok(())
    }

    pub(in crate::engine) fn status(&self) -> CrewStatus {
        let state = self.lock();
        let name = |cargo: &Arc<Cargo>| cargo.name.clone();
        let idle = state.idle.iter().map(|worker| WorkerStatus {
            pid: worker.process.pid(),
            module: worker.cargo.as_ref().map(name),
            doing: None,
        });
        let busy = state.busy.iter().map(|(pid, cargo, doing)| WorkerStatus {
            pid: *pid,
            module: Some(name(cargo)),
            doing: Some(doing),
        });
        let last_death = state.last_death.clone();
        CrewStatus {
            workers: busy.chain(idle).collect(),
            started: state.started,
            deaths: state.deaths,
            last_death: last_death.map(|(module, why, at)| Death { module, why, ago: at.elapsed() }),
            problem: state.problem.clone(),
        }
    }

    /// Has a worker that holds `cargo` do something, once one is free.
    pub(super) fn with_worker<T>(
        &self,
        cargo: &Arc<Cargo>,
        doing: &'static str,
        work: impl FnOnce(&mut Process) -> Result<T, Lost>,
    ) -> Result<T, Failure> {
        let mut worker = self.take(cargo, doing)?;
        let mut done = Ok(());
        if worker.cargo.is_none() {
            done = cargo.load_into(&mut worker.process);
            worker.cargo = Some(Arc::clone(cargo));
        }
        let done = done.and_then(|()| work(&mut worker.process).map_err(Failure::Lost));
        self.put_back(worker, &done);
        done
    }

    /// A free worker with this module or with none, counted as busy.
    fn take(&self, cargo: &Arc<Cargo>, doing: &'static str) -> Result<Worker, Failure> {
        let mut state = self.lock();
        loop {
            if let Some(mut worker) = state.idle_for(cargo) {
                match worker.process.died() {
                    Some(why) => state.bury(worker.cargo.as_ref(), why),
                    None => {
                        state.busy.push((worker.process.pid(), Arc::clone(cargo), doing));
                        return Ok(worker);
                    }
                }
            } else if state.busy.len() + state.coming < CALLS_AT_ONCE as usize {
                state.coming += 1;
                let surplus = (state.idle.len() >= MOST_IDLE).then(|| state.idle.remove(0));
                drop(state);
                drop(surplus);
                let started = self.start();
                state = self.lock();
                state.coming -= 1;
                match started {
                    Ok(process) => state.idle.push(Worker { process, cargo: None }),
                    Err(why) => {
                        self.room.notify_one();
                        return Err(Failure::NoWorker(why));
                    }
                }
            } else {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn put_back<T>(&self, worker: Worker, done: &Result<T, Failure>) {
        let mut state = self.lock();
        let pid = worker.process.pid();
        state.busy.retain(|(other, ..)| *other != pid);
        let surplus = match done {
            Ok(_) => {
                state.idle.push(worker);
                (state.idle.len() > MOST_IDLE).then(|| state.idle.remove(0))
            }
            Err(failure) => {
                if let Failure::Lost(lost) = failure {
                    state.bury(worker.cargo.as_ref(), lost.why().to_owned());
                }
                Some(worker)
            }
        };
        self.room.notify_one();
        drop(state);
        // Its process is waited for.
        drop(surplus);
    }

    fn start(&self) -> Started {
        let (asked, answer) = mpsc::channel();
        let started = match self.starter.send(asked) {
            Ok(()) => answer.recv().unwrap_or_else(|_| Err("cannot be started: nobody does it".to_owned())),
            Err(_) => Err("cannot be started: nobody does it".to_owned()),
        };
        let mut state = self.lock();
        state.started += u64::from(started.is_ok());
        state.problem = started.as_ref().err().cloned();
        started
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is called that could panic while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A worker that has this module already, else one that has none.
    fn idle_for(&mut self, cargo: &Cargo) -> Option<Worker> {
        let has_it = |worker: &Worker| worker.cargo.as_ref().is_some_and(|own| own.is_the_same(cargo));
        let at = self.idle.iter().rposition(has_it);
        let at = at.or_else(|| self.idle.iter().rposition(|worker| worker.cargo.is_none()));
        at.map(|at| self.idle.remove(at))
    }

    fn bury(&mut self, cargo: Option<&Arc<Cargo>>, why: String) {
        let module = cargo.map(|cargo| cargo.name.clone());
        tracing::warn!(
            "the worker process of strategy module {} {why}",
            module.as_deref().unwrap_or("(none yet)")
        );
        self.deaths += 1;
        self.last_death = Some((module, why, Instant::now()));
    }
}
