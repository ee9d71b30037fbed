//! A loaded module, and the checks on what comes back from it.

use super::config::Tier;
use super::describe;
use super::fault::{FaultKind, StrategyFault};
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use super::run::Cost;
use super::site::Seat;
use super::world::{Fees, World};
use crate::model::Digest;
use crate::model::strategy::Description;

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
    seat: Seat<W>,
}

impl<W: World> std::fmt::Debug for Module<W> {
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

impl<W: World> Module<W> {
    /// A seated component that has told what it is.
    pub(super) fn new(
        header: Header,
        (seat, description): (Seat<W>, Description),
    ) -> Result<Module<W>, LoadFault> {
        describe::check(&description).map_err(|why| LoadFault::BadDescription { why })?;
        let Header { name, digest, class, built_in, bytes, origin } = header;
        let not_kept = None;
        Ok(Module { name, digest, description, class, built_in, bytes, origin, not_kept, seat })
    }

    /// One call, and what it took. Whoever ran it, the answer is checked here.
    pub(super) fn decide(&self, input: &W::Input) -> (Result<W::Decision, StrategyFault>, Cost) {
        let lowered = W::lower(input, &self.description);
        let (answer, cost) = self.seat.decide(lowered, W::rows(input));
        let decision = answer.and_then(|raw| {
            W::check(raw, input, &self.description, cost.fuel).map_err(|problem| StrategyFault {
                fuel: Some(cost.fuel),
                ..StrategyFault::new(FaultKind::BadOutput, &problem)
            })
        });
        (decision, cost)
    }

    /// An instance that is not called.
    pub(super) fn instantiate(&self) -> Result<(), StrategyFault> {
        self.seat.instantiate()
    }
}
