//! A loaded module, and one call of it.

use super::config::Tier;
use super::describe;
use super::fault::{FaultKind, StrategyFault, printable};
use super::gate::{Gate, Pass};
use super::limits::{Budget, LimitClass, MAX_ERROR_BYTES, output_bytes};
use super::load_fault::LoadFault;
use super::world::{Fees, Interface, World};
use crate::model::Digest;
use crate::model::strategy::Description;
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

/// How a module came to be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Found in the cache.
    Cached,
    /// Compiled now. `not_cached` says why the cache does not have it.
    Compiled { tier: Tier, not_cached: Option<String> },
}

/// A module ready to decide, in one of the worlds of the contract.
pub struct Module<W: World = Fees> {
    pub name: String,
    /// SHA-256 of the `.wasm` file.
    pub digest: Digest,
    pub description: Description,
    pub class: LimitClass,
    /// Comes with the binary.
    pub built_in: bool,
    /// Size of the `.wasm` file, bytes.
    pub bytes: usize,
    pub origin: Origin,
    /// Why its bytes are not kept for a later replay, if they are not.
    pub not_kept: Option<String>,
    engine: wasmtime::Engine,
    pre: W::Pre,
}

impl<W: World> std::fmt::Debug for Module<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// What a call took, whatever came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub fuel: u64,
    /// Linear memory at the end of the call, bytes.
    pub memory_bytes: usize,
}

/// What is known of a module before it describes itself.
pub(super) struct Header {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) class: LimitClass,
    pub(super) built_in: bool,
    pub(super) bytes: usize,
    pub(super) origin: Origin,
}

impl<W: World> Module<W> {
    /// Links a compiled component with nothing, and asks it what it is.
    pub(super) fn new(header: Header, component: &Component, gate: &Gate) -> Result<Module<W>, LoadFault> {
        // Nothing is ever defined in the linker: it is the sandbox.
        let engine = component.engine().clone();
        let pre = Linker::new(&engine)
            .instantiate_pre(component)
            .and_then(W::link)
            .map_err(|error| misfit(&error, W::INTERFACE))?;
        let description = ask::<W>(&pre, Call::new(&engine, header.class, 0, gate))?;
        describe::check(&description).map_err(|why| LoadFault::BadDescription { why })?;
        let Header { name, digest, class, built_in, bytes, origin } = header;
        let not_kept = None;
        Ok(Module { name, digest, description, class, built_in, bytes, origin, not_kept, engine, pre })
    }

    /// One call, in an instance of its own, and what it took.
    pub(super) fn decide(&self, input: &W::Input, gate: &Gate) -> (Result<W::Decision, StrategyFault>, Cost) {
        let lowered = W::lower(input, &self.description);
        let mut call = Call::new(&self.engine, self.class, W::rows(input), gate);
        let answer = W::instantiate(&self.pre, &mut call.store)
            .and_then(|instance| W::decide(&instance, &mut call.store, &lowered));
        let cost = Cost { fuel: call.fuel_used(), memory_bytes: call.store.data().memory_bytes() };
        let decision = match answer {
            Ok(Ok(raw)) => W::check(raw, input, &self.description, cost.fuel)
                .map_err(|problem| StrategyFault::new(FaultKind::BadOutput, &problem)),
            Ok(Err(text)) => {
                Err(StrategyFault::new(FaultKind::GuestError, &printable(&text, MAX_ERROR_BYTES)))
            }
            Err(error) => Err(StrategyFault::of(&error)),
        };
        (decision.map_err(|fault| StrategyFault { fuel: Some(cost.fuel), ..fault }), cost)
    }

    /// An instance that is not called.
    pub(super) fn instantiate(&self, gate: &Gate) -> Result<(), StrategyFault> {
        let mut call = Call::new(&self.engine, self.class, 0, gate);
        W::instantiate(&self.pre, &mut call.store).map(drop).map_err(|error| StrategyFault::of(&error))
    }
}

fn misfit(error: &wasmtime::Error, needed: &'static Interface) -> LoadFault {
    let why = format!("the component does not fit: {}", printable(&format!("{error:#}"), 400));
    LoadFault::WrongWorld { why, needed }
}

fn ask<W: World>(pre: &W::Pre, mut call: Call) -> Result<Description, LoadFault> {
    let told = match W::instantiate(pre, &mut call.store) {
        Ok(instance) => W::describe(&instance, &mut call.store),
        // Without a trap or a limit, what it exports is not what is called for.
        Err(error) if StrategyFault::of(&error).kind == FaultKind::BadOutput => {
            return Err(misfit(&error, W::INTERFACE));
        }
        Err(error) => Err(error),
    };
    let fuel = call.fuel_used();
    told.map_err(|error| LoadFault::Describe(StrategyFault { fuel: Some(fuel), ..StrategyFault::of(&error) }))
}

/// The store of one call with the limits of its class; the instance in it ends
/// with the call, whatever came of it.
struct Call {
    store: Store<Budget>,
    tank: u64,
    _pass: Pass,
}

impl Call {
    fn new(engine: &wasmtime::Engine, class: LimitClass, rows: usize, gate: &Gate) -> Call {
        let pass = gate.enter();
        let tank = class.fuel(rows);
        let mut store = Store::new(engine, Budget::new(class));
        store.limiter(|budget| budget);
        store.set_fuel(tank).expect("the engine counts fuel");
        store.set_hostcall_fuel(output_bytes(rows));
        store.set_epoch_deadline(Gate::epochs(class.limits().deadline));
        Call { store, tank, _pass: pass }
    }

    fn fuel_used(&self) -> u64 {
        self.tank.saturating_sub(self.store.get_fuel().expect("the engine counts fuel"))
    }
}
