//! One module's calls through the crew. Nothing that comes back is believed
//! before it was looked at here; the decision itself is checked by the caller.

use super::crew::Crew;
use super::process::{Lost, Process};
use super::wire::{self, Decided, Order, Taken};
use crate::engine::cache::Artefact;
use crate::engine::fault::{FaultKind, StrategyFault, printable};
use crate::engine::limits::{LimitClass, output_bytes};
use crate::engine::load_fault::LoadFault;
use crate::engine::run::{Answered, AskFault, Cost};
use crate::engine::site::SeatFault;
use crate::engine::world::World;
use crate::model::Digest;
use crate::model::strategy::Description;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// How long a worker may take to make an artefact ready.
const LOAD: Duration = Duration::from_secs(15);
/// What an answer may take beyond the deadline that the worker itself keeps: a machine so busy that
/// this is not enough gives no decision.
const SLACK: Duration = Duration::from_secs(10);
/// The longest text of an answer, with what goes around it, bytes.
const MOST_TEXT_BYTES: usize = 8 << 10;

/// A module, as the workers get it.
pub(in crate::engine) struct Cargo {
    /// For people.
    pub(in crate::engine) name: String,
    pub(in crate::engine) digest: Digest,
    pub(in crate::engine) class: LimitClass,
    pub(in crate::engine) artefact: Artefact,
}

/// A module that runs in workers.
pub(in crate::engine) struct Away {
    crew: Arc<Crew>,
    cargo: Arc<Cargo>,
}

/// Why an exchange gave nothing.
pub(super) enum Failure {
    /// There is no worker; the predicate of a sentence.
    NoWorker(String),
    Lost(Lost),
    /// The worker cannot use the artefact.
    Stale(String),
}

impl Away {
    pub(in crate::engine) fn new(crew: &Arc<Crew>, cargo: Cargo) -> Away {
        Away { crew: Arc::clone(crew), cargo: Arc::new(cargo) }
    }

    /// Asks the component what it is.
    pub(in crate::engine) fn describe<W: World>(&self) -> Result<Description, SeatFault> {
        let ask = |worker: &mut Process| {
            let most = output_bytes(0) * 2 + MOST_TEXT_BYTES;
            let answer =
                worker.exchange(|out| out.value(&Order::Describe(W::CYCLE)).map(drop), most, self.time())?;
            wire::value::<Result<Description, AskFault>>(answer).map_err(|error| worker.distrust(&error))
        };
        let host = |why: &str| SeatFault::Load(LoadFault::Host { why: sentence(why) });
        match self.crew.with_worker(&self.cargo, "describe", ask) {
            Ok(Ok(about)) => Ok(about),
            Ok(Err(AskFault::Misfit(why))) => {
                Err(SeatFault::asked::<W>(AskFault::Misfit(printable(&why, 500))))
            }
            Ok(Err(AskFault::Call(fault))) => {
                let fault = believable(fault, self.cargo.class.fuel(0)).unwrap_or_else(|why| died(&why));
                Err(SeatFault::asked::<W>(AskFault::Call(fault)))
            }
            Err(Failure::Lost(lost)) => Err(SeatFault::asked::<W>(AskFault::Call(fault(&lost)))),
            Err(Failure::NoWorker(why)) => Err(host(&why)),
            Err(Failure::Stale(why)) => Err(SeatFault::Stale(printable(&why, 400))),
        }
    }

    /// One call about `rows` channels.
    pub(in crate::engine) fn decide<W: World>(&self, mut input: W::Lowered, rows: usize) -> Answered<W::Raw> {
        let order = Order::Decide(W::CYCLE, u32::try_from(rows).unwrap_or(u32::MAX));
        let ask = |worker: &mut Process| {
            // The worker's limit counts what the guest hands over; here lengths come on top.
            let most = output_bytes(rows) * 2 + MOST_TEXT_BYTES;
            let write = |out: &mut wire::Outgoing| {
                out.value(&order)?.blobs(W::input_blobs(&mut input)).value(&input).map(drop)
            };
            let answer = worker.exchange(write, most, self.time())?;
            decided::<W>(answer)
                .and_then(|decided| self.believed(decided, rows))
                .map_err(|error| worker.distrust(&error))
        };
        match self.crew.with_worker(&self.cargo, "decide", ask) {
            Ok(decided) => (decided.answer, decided.cost),
            Err(Failure::Lost(lost)) => (Err(fault(&lost)), Cost::default()),
            Err(Failure::NoWorker(why) | Failure::Stale(why)) => {
                (Err(StrategyFault::new(FaultKind::NoWorker, &sentence(&why))), Cost::default())
            }
        }
    }

    fn time(&self) -> Duration {
        self.cargo.class.limits().deadline + SLACK
    }

    /// What a worker says of a call, if a worker can say it.
    fn believed<Raw>(&self, decided: Decided<Raw>, rows: usize) -> io::Result<Decided<Raw>> {
        let Decided { cost, answer } = decided;
        let (tank, memory) = (self.cargo.class.fuel(rows), self.cargo.class.limits().memory_bytes);
        if cost.fuel > tank || cost.memory_bytes > memory {
            return Err(nonsense("a call that took more than there is"));
        }
        let answer = match answer {
            Ok(raw) => Ok(raw),
            Err(fault) => {
                let fault = believable(fault, tank).map_err(|why| nonsense(&why))?;
                Err(StrategyFault { fuel: Some(cost.fuel), ..fault })
            }
        };
        Ok(Decided { cost, answer })
    }
}

impl Cargo {
    /// Hands the module to a worker that has none.
    pub(super) fn load_into(&self, worker: &mut Process) -> Result<(), Failure> {
        let write = |out: &mut wire::Outgoing| {
            out.value(&Order::Load(self.class))?.bytes(self.artefact.bytes());
            Ok(())
        };
        let answer = worker.exchange(write, MOST_TEXT_BYTES, LOAD).map_err(Failure::Lost)?;
        match wire::value::<Taken>(answer) {
            Ok(taken) => taken.map_err(Failure::Stale),
            Err(error) => Err(Failure::Lost(worker.distrust(&error))),
        }
    }

    /// Whether a worker that has the one can run the other.
    pub(super) fn is_the_same(&self, other: &Cargo) -> bool {
        self.class == other.class && self.digest == other.digest
    }
}

fn decided<W: World>(answer: &[u8]) -> io::Result<Decided<W::Raw>> {
    let (blobs, rest) = wire::blobs(answer)?;
    let mut decided = wire::value::<Decided<W::Raw>>(rest)?;
    if let Ok(raw) = &mut decided.answer {
        wire::restore(&blobs, W::answer_blobs(raw))?;
    }
    Ok(decided)
}

/// A worker's word on how a call ended, as safe to show as one from this process.
fn believable(fault: StrategyFault, tank: u64) -> Result<StrategyFault, String> {
    if !fault.kind.is_within_a_call() || fault.fuel.is_some_and(|fuel| fuel > tank) {
        return Err("a fault that no call has".to_owned());
    }
    Ok(StrategyFault { fuel: fault.fuel, ..StrategyFault::new(fault.kind, &fault.detail) })
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

fn died(why: &str) -> StrategyFault {
    StrategyFault::new(FaultKind::WorkerDied, &sentence(why))
}

fn fault(lost: &Lost) -> StrategyFault {
    match lost {
        Lost::Late => StrategyFault::new(FaultKind::Deadline, &sentence(lost.why())),
        Lost::Dead(why) => died(why),
    }
}

fn sentence(predicate: &str) -> String {
    format!("the worker process {predicate}")
}

#[cfg(test)]
#[path = "away/tests.rs"]
mod tests;
