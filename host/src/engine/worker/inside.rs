//! What a worker does: shut itself off, take one component, run its calls.

use super::SET_UP_VARIABLE;
use super::wire::{
    Decided, Hello, MOST_ORDER_BYTES, Order, Outgoing, Taken, blobs, head, read_frame, restore, value,
};
use crate::engine::config::{self, Allocation, Space, Tier};
use crate::engine::fault::{FaultKind, StrategyFault, printable};
use crate::engine::gate::Gate;
use crate::engine::limits::LimitClass;
use crate::engine::run::{AskFault, Cost, Runner};
use crate::engine::seal::{self, Role};
use crate::engine::world::{Fees, Rebalances, World};
use crate::model::CycleKind;
use crate::model::strategy::Description;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Serves the plugin at the other end of standard input until that is closed.
pub fn worker_main() -> ExitCode {
    // What could be said here nobody would hear: the plugin sees the end of the stream.
    if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve() -> io::Result<()> {
    let set_up = std::env::var(SET_UP_VARIABLE).unwrap_or_default();
    let mut stream = seal::take_stream()?;
    let mut out = Outgoing::default();
    let mut worker = match Worker::sealed(&set_up) {
        Ok(worker) => worker,
        Err(why) => return say(&mut stream, out.begin().value(&Hello::Refused(why))?),
    };
    let ready = Hello::Ready(Tier::ALL.map(|tier| config::fingerprint(&worker.engine, tier, worker.space)));
    say(&mut stream, out.begin().value(&ready)?)?;
    let mut frame = Vec::new();
    while read_frame(&mut stream, &mut frame, MOST_ORDER_BYTES)? {
        worker.obey(&frame, out.begin())?;
        stream.write_all(out.end())?;
    }
    Ok(())
}

fn say(stream: &mut File, frame: &mut Outgoing) -> io::Result<()> {
    stream.write_all(frame.end())
}

struct Worker {
    engine: Engine,
    space: Space,
    gate: Arc<Gate>,
    component: Option<Loaded>,
}

/// The worker's component, linked for the worlds that were asked for so far.
struct Loaded {
    component: Component,
    class: LimitClass,
    fees: Option<Runner<Fees>>,
    rebalances: Option<Runner<Rebalances>>,
}

impl Worker {
    /// A worker that can open nothing any more, or one phrase that says why there is none.
    fn sealed(set_up: &str) -> Result<Worker, String> {
        let mut words = set_up.split(' ');
        let (Some(space), Some(allocation)) =
            (words.next().and_then(Space::from_name), words.next().and_then(Allocation::from_name))
        else {
            return Err(format!("{SET_UP_VARIABLE} is not 'SPACE ALLOCATION': the plugin sets it"));
        };
        let failed = |error: wasmtime::Error| printable(&format!("the WebAssembly engine: {error:#}"), 400);
        let engine = config::running(allocation, space, 1).map_err(failed)?;
        let gate = Gate::new(&engine).map_err(|error| format!("the engine's clock: {error}"))?;
        seal::limit().map_err(|error| format!("it cannot limit itself: {error}"))?;
        seal::shut(Role::Worker)?;
        Ok(Worker { engine, space, gate: Arc::new(gate), component: None })
    }

    fn obey(&mut self, frame: &[u8], out: &mut Outgoing) -> io::Result<()> {
        let (order, rest) = head::<Order>(frame)?;
        match (order, &mut self.component) {
            (Order::Load(class), empty @ None) => {
                // SAFETY: the plugin at the other end hands over what it has authenticated.
                let taken: Taken = match unsafe { Component::deserialize(&self.engine, rest) } {
                    Ok(component) => {
                        *empty = Some(Loaded { component, class, fees: None, rebalances: None });
                        Ok(())
                    }
                    Err(error) => Err(printable(&format!("{error:#}"), 400)),
                };
                // From here on no more code comes to be.
                seal::no_more_code().map_err(io::Error::other)?;
                out.value(&taken)
            }
            (Order::Describe(kind), Some(loaded)) => out.value(&loaded.describe(kind, &self.gate)),
            (Order::Decide(CycleKind::Fee, rows), Some(loaded)) => {
                let Loaded { component, class, fees, .. } = loaded;
                decide(linked(fees, component, *class, &self.gate), rest, rows, out)
            }
            (Order::Decide(CycleKind::Rebalance, rows), Some(loaded)) => {
                let Loaded { component, class, rebalances, .. } = loaded;
                decide(linked(rebalances, component, *class, &self.gate), rest, rows, out)
            }
            (Order::Load(_), Some(_)) | (_, None) => Err(ErrorKind::InvalidInput.into()),
        }
        .map(drop)
    }
}

impl Loaded {
    fn describe(&mut self, kind: CycleKind, gate: &Arc<Gate>) -> Result<Description, AskFault> {
        let Loaded { component, class, fees, rebalances } = self;
        match kind {
            CycleKind::Fee => linked(fees, component, *class, gate).map_err(AskFault::Misfit)?.describe(),
            CycleKind::Rebalance => {
                linked(rebalances, component, *class, gate).map_err(AskFault::Misfit)?.describe()
            }
        }
    }
}

/// The component's runner for a world, which is made when it is first needed.
fn linked<'a, W: World>(
    place: &'a mut Option<Runner<W>>,
    component: &Component,
    class: LimitClass,
    gate: &Arc<Gate>,
) -> Result<&'a Runner<W>, String> {
    match place {
        Some(runner) => Ok(runner),
        empty => Ok(empty.insert(Runner::link(component, class, gate)?)),
    }
}

fn decide<'a, W: World>(
    runner: Result<&Runner<W>, String>,
    input: &[u8],
    rows: u32,
    out: &'a mut Outgoing,
) -> io::Result<&'a mut Outgoing> {
    let (blobs, input) = blobs(input)?;
    let mut input = value::<W::Lowered>(input)?;
    restore(&blobs, W::input_blobs(&mut input))?;
    let (mut answer, cost) = match runner {
        Ok(runner) => runner.decide(&input, rows as usize),
        Err(why) => (Err(StrategyFault::new(FaultKind::BadOutput, &why)), Cost::default()),
    };
    let blobs = answer.as_mut().map_or_else(|_| Vec::new(), W::answer_blobs);
    out.blobs(blobs).value(&Decided { cost, answer })
}
