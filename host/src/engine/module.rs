//! A loaded module, and one call of it.

use super::check;
use super::config::Tier;
use super::fault::{FaultKind, StrategyFault, printable};
use super::gate::{Gate, Pass};
use super::limits::{Budget, LimitClass, MAX_ERROR_BYTES, output_bytes};
use super::load_fault::LoadFault;
use super::{describe, v1};
use crate::model::Digest;
use crate::model::strategy::{Description, FeeInput, StrategyDecision};
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

/// A module ready to decide.
pub struct Module {
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
    fee: v1::FeeStrategyPre<Budget>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
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

impl Module {
    /// Links a compiled component with nothing, and asks it what it is.
    pub(super) fn new(header: Header, component: &Component, gate: &Gate) -> Result<Module, LoadFault> {
        // Nothing is ever defined in the linker: it is the sandbox.
        let linker = Linker::new(component.engine());
        let fee = linker
            .instantiate_pre(component)
            .and_then(v1::FeeStrategyPre::new)
            .map_err(|error| misfit(&error))?;
        let description = ask(&fee, header.class, gate)?;
        describe::check(&description).map_err(|why| LoadFault::BadDescription { why })?;
        let Header { name, digest, class, built_in, bytes, origin } = header;
        Ok(Module { name, digest, description, class, built_in, bytes, origin, fee })
    }

    /// One call, in an instance of its own.
    pub(super) fn decide(&self, input: &FeeInput, gate: &Gate) -> Result<StrategyDecision, StrategyFault> {
        let rows = input.channels.len();
        let lowered = v1::input(input, &self.description);
        let mut call = Call::new(&self.fee, self.class, rows, gate);
        let answer = self
            .fee
            .instantiate(&mut call.store)
            .and_then(|strategy| strategy.revenue_ops_strategy_fee().call_decide(&mut call.store, &lowered));
        let fuel = call.fuel_used();
        let decision = match answer {
            Ok(Ok(decision)) => check::check(v1::decision(decision), rows, &self.description)
                .map_err(|problem| StrategyFault::new(FaultKind::BadOutput, &problem)),
            Ok(Err(text)) => {
                Err(StrategyFault::new(FaultKind::GuestError, &printable(&text, MAX_ERROR_BYTES)))
            }
            Err(error) => Err(StrategyFault::of(&error)),
        };
        match decision {
            Ok(decision) => Ok(StrategyDecision { fuel, ..decision }),
            Err(fault) => Err(StrategyFault { fuel: Some(fuel), ..fault }),
        }
    }

    /// An instance that is not called.
    pub(super) fn instantiate(&self, gate: &Gate) -> Result<(), StrategyFault> {
        let mut call = Call::new(&self.fee, self.class, 0, gate);
        self.fee.instantiate(&mut call.store).map(drop).map_err(|error| StrategyFault::of(&error))
    }
}

fn misfit(error: &wasmtime::Error) -> LoadFault {
    LoadFault::WrongWorld {
        why: format!("the component does not fit: {}", printable(&format!("{error:#}"), 400)),
    }
}

fn ask(fee: &v1::FeeStrategyPre<Budget>, class: LimitClass, gate: &Gate) -> Result<Description, LoadFault> {
    let mut call = Call::new(fee, class, 0, gate);
    let told = match fee.instantiate(&mut call.store) {
        Ok(strategy) => strategy.revenue_ops_strategy_fee().call_describe(&mut call.store),
        // Without a trap or a limit, what it exports is not what is called for.
        Err(error) if StrategyFault::of(&error).kind == FaultKind::BadOutput => return Err(misfit(&error)),
        Err(error) => Err(error),
    };
    let fuel = call.fuel_used();
    told.map(v1::description)
        .map_err(|error| LoadFault::Describe(StrategyFault { fuel: Some(fuel), ..StrategyFault::of(&error) }))
}

/// The store of one call with the limits of its class; the instance in it ends
/// with the call, whatever came of it.
struct Call {
    store: Store<Budget>,
    tank: u64,
    _pass: Pass,
}

impl Call {
    fn new(fee: &v1::FeeStrategyPre<Budget>, class: LimitClass, rows: usize, gate: &Gate) -> Call {
        let pass = gate.enter();
        let tank = class.fuel(rows);
        let mut store = Store::new(fee.engine(), Budget::new(class));
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
