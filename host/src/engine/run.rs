//! One component ready to run, and one call of it. The same code runs calls in
//! the plugin's process and in a worker's.

use super::fault::{FaultKind, StrategyFault, printable};
use super::gate::{Gate, Pass};
use super::limits::{Budget, LimitClass, MAX_ERROR_BYTES, output_bytes};
use super::world::World;
use crate::model::strategy::Description;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

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
    pre: W::Pre,
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
        let pre = Linker::new(&engine)
            .instantiate_pre(component)
            .and_then(W::link)
            .map_err(|error| misfit(&error))?;
        Ok(Runner { engine, gate: Arc::clone(gate), class, pre })
    }

    /// Asks the component what it is.
    pub(super) fn describe(&self) -> Result<Description, AskFault> {
        let mut call = Call::new(&self.engine, self.class, 0, &self.gate);
        let told = match W::instantiate(&self.pre, &mut call.store) {
            Ok(instance) => W::describe(&instance, &mut call.store),
            // Without a trap or a limit, what it exports is not what is called for.
            Err(error) if StrategyFault::of(&error).kind == FaultKind::BadOutput => {
                return Err(AskFault::Misfit(misfit(&error)));
            }
            Err(error) => Err(error),
        };
        let fuel = Some(call.fuel_used());
        told.map_err(|error| AskFault::Call(StrategyFault { fuel, ..StrategyFault::of(&error) }))
    }

    /// One call about `rows` channels, in an instance of its own, and what it took.
    pub(super) fn decide(&self, input: &W::Lowered, rows: usize) -> Answered<W::Raw> {
        let mut call = Call::new(&self.engine, self.class, rows, &self.gate);
        let answer = W::instantiate(&self.pre, &mut call.store)
            .and_then(|instance| W::decide(&instance, &mut call.store, input));
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

    /// An instance that is not called.
    pub(super) fn instantiate(&self) -> Result<(), StrategyFault> {
        let mut call = Call::new(&self.engine, self.class, 0, &self.gate);
        W::instantiate(&self.pre, &mut call.store).map(drop).map_err(|error| StrategyFault::of(&error))
    }
}

fn misfit(error: &wasmtime::Error) -> String {
    format!("the component does not fit: {}", printable(&format!("{error:#}"), 400))
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
