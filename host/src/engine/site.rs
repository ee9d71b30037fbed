//! Where strategies run: in workers, or in this process.

use super::config::{self, Allocation, Space};
use super::fault::{FaultKind, StrategyFault, printable};
use super::gate::Gate;
use super::limits::CALLS_AT_ONCE;
use super::load_fault::LoadFault;
use super::run::{Answered, AskFault, Runner};
use super::worker::{Away, Cargo, Crew, CrewStatus};
use super::world::World;
use crate::model::WorkerMode;
use crate::model::strategy::Description;
use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Where calls of strategies run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In processes that can open nothing: this program as `strategy-worker`.
    Worker {
        program: PathBuf,
        /// In this process where a worker cannot be set up; else no call is made then.
        or_here: bool,
    },
    /// In this process.
    InProcess,
}

impl Place {
    #[must_use]
    pub(super) fn wanted(self, mode: WorkerMode) -> Place {
        match (self, mode) {
            (Place::Worker { program, .. }, WorkerMode::Auto) => Place::Worker { program, or_here: true },
            (Place::Worker { program, .. }, WorkerMode::Required) => {
                Place::Worker { program, or_here: false }
            }
            (Place::InProcess, _) | (Place::Worker { .. }, WorkerMode::Off) => Place::InProcess,
        }
    }
}

/// Where calls run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceStatus {
    /// The workers and what became of them; none where calls run in this process.
    pub workers: Option<CrewStatus>,
    /// Why calls do not run where they should: the first half of a sentence.
    pub problem: Option<String>,
}

/// Where the modules of one engine run.
pub(super) enum Site {
    Here { engine: Engine, gate: Arc<Gate>, problem: Option<String> },
    Workers(Arc<Crew>),
}

/// A module's own part of the site.
pub(super) enum Seat<W: World> {
    Here(Runner<W>),
    Away(Away),
}

/// Why a module got no seat.
pub(super) enum SeatFault {
    /// The artefact is authentic, but of no use here: it has to be made anew.
    Stale(String),
    Load(LoadFault),
}

impl SeatFault {
    /// What became of the question what a component is.
    pub(super) fn asked<W: World>(fault: AskFault) -> SeatFault {
        SeatFault::Load(match fault {
            AskFault::Misfit(why) => LoadFault::WrongWorld { why, needed: W::INTERFACE },
            AskFault::Call(fault) => LoadFault::Describe(fault),
        })
    }
}

impl Site {
    /// The site that `place` asks for, and the engine and address space that artefacts are made for.
    pub(super) fn open(place: Place, allocation: Allocation) -> anyhow::Result<(Site, Engine, Space)> {
        let space = Space::probe();
        let problem = match place {
            Place::InProcess => None,
            Place::Worker { program, or_here } => {
                let engine = config::reference(space).map_err(plain).context("the WebAssembly engine")?;
                let crew = Crew::new(program, allocation, space, &engine)?;
                match crew.try_out() {
                    Err(why) if or_here => Some(why),
                    // Where only a worker will do, each call tries again.
                    _ => return Ok((Site::Workers(crew), engine, space)),
                }
            }
        };
        let engine = config::running(allocation, space, CALLS_AT_ONCE)
            .map_err(plain)
            .context("the WebAssembly engine")?;
        let gate = Arc::new(Gate::new(&engine).context("the engine's clock")?);
        Ok((Site::Here { engine: engine.clone(), gate, problem }, engine, space))
    }

    /// Seats a component, and asks it what it is.
    pub(super) fn seat<W: World>(&self, cargo: Cargo) -> Result<(Seat<W>, Description), SeatFault> {
        match self {
            Site::Here { engine, gate, .. } => {
                // SAFETY: an `Artefact` comes straight from our compiler, or from the cache with a MAC
                // that shows that this node's compiler made it for this engine, processor and settings.
                let component = unsafe { Component::deserialize(engine, cargo.artefact.bytes()) }
                    .map_err(|error| SeatFault::Stale(printable(&format!("{error:#}"), 400)))?;
                let misfit = |why| SeatFault::asked::<W>(AskFault::Misfit(why));
                let runner = Runner::<W>::link(&component, cargo.class, gate).map_err(misfit)?;
                let about = runner.describe().map_err(SeatFault::asked::<W>)?;
                Ok((Seat::Here(runner), about))
            }
            Site::Workers(crew) => {
                let away = Away::new(crew, cargo);
                let about = away.describe::<W>()?;
                Ok((Seat::Away(away), about))
            }
        }
    }

    pub(super) fn status(&self) -> PlaceStatus {
        match self {
            Site::Here { problem, .. } => PlaceStatus { workers: None, problem: problem.clone() },
            Site::Workers(crew) => {
                let status = crew.status();
                PlaceStatus { problem: status.problem.clone(), workers: Some(status) }
            }
        }
    }
}

impl<W: World> Seat<W> {
    /// One call about `rows` channels.
    pub(super) fn decide(&self, input: W::Lowered, rows: usize) -> Answered<W::Raw> {
        match self {
            Seat::Here(runner) => runner.decide(&input, rows),
            Seat::Away(away) => away.decide::<W>(input, rows),
        }
    }

    /// An instance that is not called; in this process only.
    pub(super) fn instantiate(&self) -> Result<(), StrategyFault> {
        match self {
            Seat::Here(runner) => runner.instantiate(),
            Seat::Away(_) => {
                Err(StrategyFault::new(FaultKind::NoWorker, "workers make instances for calls only"))
            }
        }
    }
}

fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
