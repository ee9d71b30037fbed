//! A loaded module, and one call of it.

use super::check;
use super::config::Tier;
use super::fault::{FaultKind, StrategyFault, printable};
use super::gate::Gate;
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
        f.debug_struct("Module").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
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
        let wrong = |error: wasmtime::Error| LoadFault::WrongWorld {
            why: format!("the component does not fit: {}", printable(&format!("{error:#}"), 400)),
        };
        // Nothing is ever defined in the linker: it is the sandbox.
        let linker = Linker::new(component.engine());
        let fee = linker.instantiate_pre(component).and_then(v1::FeeStrategyPre::new).map_err(wrong)?;
        let description = ask(&fee, header.class, gate).map_err(LoadFault::Describe)?;
        describe::check(&description).map_err(|why| LoadFault::BadDescription { why })?;
        let Header { name, digest, class, built_in, bytes, origin } = header;
        Ok(Module { name, digest, description, class, built_in, bytes, origin, fee })
    }

    /// One call, in an instance of its own.
    pub(super) fn decide(&self, input: &FeeInput, gate: &Gate) -> Result<StrategyDecision, StrategyFault> {
        let rows = input.channels.len();
        let lowered = v1::input(input, &self.description);
        let (answer, fuel) = call(&self.fee, self.class, rows, gate, |store, strategy| {
            strategy.revenue_ops_strategy_fee().call_decide(store, &lowered)
        })?;
        let fault = |kind, detail: &str| StrategyFault::new(kind, detail).with_fuel(Some(fuel));
        match answer {
            Ok(decision) => check::check(v1::decision(decision), rows, &self.description)
                .map(|decision| StrategyDecision { fuel, ..decision })
                .map_err(|problem| fault(FaultKind::BadOutput, &problem)),
            Err(text) => Err(fault(FaultKind::GuestError, &printable(&text, MAX_ERROR_BYTES))),
        }
    }
}

fn ask(fee: &v1::FeeStrategyPre<Budget>, class: LimitClass, gate: &Gate) -> Result<Description, StrategyFault> {
    let (raw, _) = call(fee, class, 0, gate, |store, strategy| {
        strategy.revenue_ops_strategy_fee().call_describe(store)
    })?;
    Ok(v1::description(raw))
}

/// Runs `body` on a new instance under the limits of `class` for `rows`
/// channels; gives its value and the fuel used. The instance ends with the
/// call, whatever came of it.
fn call<T>(
    fee: &v1::FeeStrategyPre<Budget>,
    class: LimitClass,
    rows: usize,
    gate: &Gate,
    body: impl FnOnce(&mut Store<Budget>, &v1::FeeStrategy) -> wasmtime::Result<T>,
) -> Result<(T, u64), StrategyFault> {
    let _pass = gate.enter();
    let tank = class.fuel(rows);
    let mut store = Store::new(fee.engine(), Budget::new(class));
    store.limiter(|budget| budget);
    store.set_hostcall_fuel(output_bytes(rows));
    store.set_epoch_deadline(Gate::epochs(class.limits().deadline));
    let value = store
        .set_fuel(tank)
        .and_then(|()| fee.instantiate(&mut store))
        .and_then(|strategy| body(&mut store, &strategy));
    let fuel = store.get_fuel().ok().map(|left| tank.saturating_sub(left));
    match value {
        Ok(value) => Ok((value, fuel.unwrap_or(tank))),
        Err(error) => Err(StrategyFault::of(&error).with_fuel(fuel)),
    }
}
