//! A module compiled anew, on an engine of its own, to make calls again.

use super::Target;
use crate::engine::config::{self, Tier};
use crate::engine::fault::printable;
use crate::engine::gate::Gate;
use crate::engine::limits::LimitClass;
use crate::engine::load_fault::LoadFault;
use crate::engine::module::{Header, Module, Origin};
use crate::engine::run::{AskFault, Runner};
use crate::engine::site::{Seat, SeatFault};
use crate::engine::world::{Fees, Rebalances, World};
use crate::engine::{imports, transcribe};
use crate::model::{Answer, CycleKind, Digest};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Time between two epochs. A call may take thirty times as long as in a cycle: fuel ends it in the
/// same place on the slowest machine.
const EPOCH: Duration = Duration::from_millis(300);

/// A module that makes recorded calls again.
pub struct Replayer(InWorld);

enum InWorld {
    Fees(Module<Fees>),
    Rebalances(Module<Rebalances>),
}

impl Replayer {
    /// Compiles a module in this process, without limits.
    ///
    /// # Errors
    /// Says why it may not run.
    pub fn new(
        wasm: &[u8],
        kind: CycleKind,
        class: LimitClass,
        target: Target,
    ) -> Result<Replayer, LoadFault> {
        Bench::new(target)?.replayer(wasm, kind, class)
    }

    /// Makes a call again: the input's canonical bytes in, what comes of it out.
    ///
    /// # Errors
    /// When the bytes are no input.
    pub fn call(&self, input: &[u8]) -> Result<Answer, String> {
        match &self.0 {
            InWorld::Fees(module) => call(module, input),
            InWorld::Rebalances(module) => call(module, input),
        }
    }
}

fn call<W: World>(module: &Module<W>, input: &[u8]) -> Result<Answer, String> {
    let input = postcard::from_bytes(input).map_err(|error| format!("the input cannot be read: {error}"))?;
    let (result, cost) = module.decide(&input);
    Ok(transcribe::answer::<W>(&result, cost))
}

/// Engines to compile a module on, one of each tier, whose clocks run.
pub(super) struct Bench([(Engine, Arc<Gate>); 2]);

impl Bench {
    pub(super) fn new(target: Target) -> Result<Bench, LoadFault> {
        let one = |tier| {
            let engine = config::replaying(tier, target).map_err(|error| host(&format!("{error:#}")))?;
            let gate = Gate::with_epoch(&engine, EPOCH).map_err(|error| host(&error.to_string()))?;
            Ok((engine, Arc::new(gate)))
        };
        Ok(Bench([one(Tier::Speed)?, one(Tier::Quick)?]))
    }

    /// Compiles a module in this process.
    pub(super) fn replayer(
        &self,
        wasm: &[u8],
        kind: CycleKind,
        class: LimitClass,
    ) -> Result<Replayer, LoadFault> {
        Ok(Replayer(match kind {
            CycleKind::Fee => InWorld::Fees(self.compiled(wasm, class)?),
            CycleKind::Rebalance => InWorld::Rebalances(self.compiled(wasm, class)?),
        }))
    }

    fn compiled<W: World>(&self, wasm: &[u8], class: LimitClass) -> Result<Module<W>, LoadFault> {
        let [speed, quick] = &self.0;
        let tier = imports::inspect(wasm, speed.0.get_wasm_features(), W::INTERFACE)?;
        let (engine, gate) = match tier {
            Tier::Speed => speed,
            Tier::Quick => quick,
        };
        let component = Component::new(engine, wasm)
            .map_err(|error| LoadFault::Invalid { why: printable(&format!("{error:#}"), 400) })?;
        let runner = Runner::<W>::link(&component, class, gate).map_err(AskFault::Misfit);
        let seated = runner.and_then(|runner| runner.describe().map(|about| (Seat::Here(runner), about)));
        let header = Header {
            name: "replayed".to_owned(),
            digest: Digest::of(wasm),
            class,
            built_in: false,
            bytes: wasm.len(),
            origin: Origin::Compiled { tier, not_cached: None },
        };
        let seated = seated.map_err(|fault| match SeatFault::asked::<W>(fault) {
            SeatFault::Load(fault) => fault,
            SeatFault::Stale(why) => host(&why),
        })?;
        Module::new(header, seated)
    }
}

fn host(error: &str) -> LoadFault {
    LoadFault::Host { why: printable(error, 400) }
}
