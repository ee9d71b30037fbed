//! One component ready to run, and one call of it. The same code runs calls in
//! the plugin's process and in a worker's.

use super::fault::{FaultKind, StrategyFault, printable};
use super::gate::{Gate, Pass};
use super::limits::{Budget, LimitClass, MAX_ERROR_BYTES, output_bytes};
use super::v1;
use super::world::World;
use crate::model::strategy::Description;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower,
    TypedFunc,
};

/// What a call took, whatever came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    pub fuel: u64,
    /// Linear memory at the end of the call, bytes.
    pub memory_bytes: usize,
}

/// A call's answer, not yet checked for sense.
pub(super) type Answered<Raw> = (Result<Raw, StrategyFault>, Cost);

/// Why a component could not be asked what it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum AskFault {
    /// It does not export what the world needs; says how.
    Misfit(String),
    Call(StrategyFault),
}

/// A component that is linked with nothing and has the limits of a class.
pub(super) struct Runner<W: World> {
    engine: wasmtime::Engine,
    gate: Arc<Gate>,
    class: LimitClass,
    linked: InstancePre<Budget>,
    /// Where its functions are: looking them up by name in every call would take longer than many calls.
    describe: ComponentExportIndex,
    decide: ComponentExportIndex,
    world: PhantomData<fn() -> W>,
}

impl<W: World> Runner<W> {
    /// Links a compiled component; fails with one phrase when it does not fit the world.
    pub(super) fn link(
        component: &Component,
        class: LimitClass,
        gate: &Arc<Gate>,
    ) -> Result<Runner<W>, String> {
        // Nothing is ever defined in the linker: it is the sandbox.
        let engine = component.engine().clone();
        let linked =
            Linker::new(&engine).instantiate_pre(component).map_err(|error| misfit(&format!("{error:#}")))?;
        let interface = component.get_export_index(None, W::INTERFACE.to_string());
        let interface = interface.ok_or_else(|| misfit(&format!("it does not export {}", W::INTERFACE)))?;
        let function = |name| {
            let found = component.get_export_index(Some(&interface), name);
            found.ok_or_else(|| misfit(&format!("its {} has no function '{name}'", W::INTERFACE)))
        };
        let (describe, decide) = (function("describe")?, function("decide")?);
        let (gate, world) = (Arc::clone(gate), PhantomData);
        Ok(Runner { engine, gate, class, linked, describe, decide, world })
    }

    /// Asks the component what it is.
    pub(super) fn describe(&self) -> Result<Description, AskFault> {
        let mut call = Call::new(&self.engine, self.class, 0, &self.gate);
        let told = match self.fitting(&mut call) {
            Ok(describe) => describe.call(&mut call.store, ()).map(|(about,)| v1::description(about)),
            // Without a trap or a limit, what it exports is not what is called for.
            Err(error) if StrategyFault::of(&error).kind == FaultKind::BadOutput => {
                return Err(AskFault::Misfit(misfit(&format!("{error:#}"))));
            }
            Err(error) => Err(error),
        };
        let fuel = Some(call.fuel_used());
        told.map_err(|error| AskFault::Call(StrategyFault { fuel, ..StrategyFault::of(&error) }))
    }

    /// The function that describes, of an instance whose functions all are of the contract's types.
    fn fitting(&self, call: &mut Call) -> wasmtime::Result<TypedFunc<(), (v1::RawDescription,)>> {
        let instance = self.linked.instantiate(&mut call.store)?;
        call.function::<(&W::Lowered,), (Result<W::Raw, String>,)>(&instance, &self.decide)?;
        call.function(&instance, &self.describe)
    }

    /// One call about `rows` channels, in an instance of its own, and what it took.
    pub(super) fn decide(&self, input: &W::Lowered, rows: usize) -> Answered<W::Raw> {
        let mut call = Call::new(&self.engine, self.class, rows, &self.gate);
        let answer = self.answer(&mut call, input);
        let cost = Cost { fuel: call.fuel_used(), memory_bytes: call.store.data().memory_bytes() };
        let raw = match answer {
            Ok(Ok(raw)) => Ok(raw),
            Ok(Err(text)) => {
                Err(StrategyFault::new(FaultKind::GuestError, &printable(&text, MAX_ERROR_BYTES)))
            }
            Err(error) => Err(StrategyFault::of(&error)),
        };
        (raw.map_err(|fault| StrategyFault { fuel: Some(cost.fuel), ..fault }), cost)
    }

    fn answer(&self, call: &mut Call, input: &W::Lowered) -> wasmtime::Result<Result<W::Raw, String>> {
        let instance = self.linked.instantiate(&mut call.store)?;
        let decide = call.function::<(&W::Lowered,), (Result<W::Raw, String>,)>(&instance, &self.decide)?;
        decide.call(&mut call.store, (input,)).map(|(answer,)| answer)
    }

    /// An instance that is not called.
    pub(super) fn instantiate(&self) -> Result<(), StrategyFault> {
        let mut call = Call::new(&self.engine, self.class, 0, &self.gate);
        self.linked.instantiate(&mut call.store).map(drop).map_err(|error| StrategyFault::of(&error))
    }
}

fn misfit(why: &str) -> String {
    format!("the component does not fit: {}", printable(why, 400))
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

    /// A function of an instance in this store, if it is of these types.
    fn function<Params, Results>(
        &mut self,
        instance: &Instance,
        at: &ComponentExportIndex,
    ) -> wasmtime::Result<TypedFunc<Params, Results>>
    where
        Params: ComponentNamedList + Lower,
        Results: ComponentNamedList + Lift,
    {
        instance.get_typed_func(&mut self.store, at)
    }

    fn fuel_used(&self) -> u64 {
        self.tank.saturating_sub(self.store.get_fuel().expect("the engine counts fuel"))
    }
}
