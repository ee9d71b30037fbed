//! What a module is for: one world of the contract.
//!
//! Both worlds get the same limits, faults and checks; an [`Adapter`] is what
//! differs between them.

use super::load::Loader;
use super::shelf::Shelf;
use crate::model::CycleKind;
use crate::model::strategy::{Decision, Description};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmtime::component::{Lift, Lower};

/// An interface of the contract.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// Without its version.
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// What a component that exports it does, for a sentence.
    pub(super) purpose: &'static str,
}

impl std::fmt::Display for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Modules that set fees.
#[derive(Debug)]
pub enum Fees {}

/// Modules that evaluate rebalances.
#[derive(Debug)]
pub enum Rebalances {}

/// A world of the contract: [`Fees`] or [`Rebalances`].
pub trait World: Adapter + Send + Sync + 'static {
    /// Where its modules are, by name.
    fn shelf(loader: &Loader) -> &Shelf<Self>;
}

impl World for Fees {
    fn shelf(loader: &Loader) -> &Shelf<Fees> {
        &loader.fees
    }
}

impl World for Rebalances {
    fn shelf(loader: &Loader) -> &Shelf<Rebalances> {
        &loader.evaluators
    }
}

/// What the components of a world are told, and how they are understood.
pub trait Adapter: Sized {
    /// What the host tells.
    type Input: Serialize + DeserializeOwned;
    /// What the host gets, checked.
    type Decision: Decision + Serialize + DeserializeOwned;
    /// The input and the answer in the contract's form: what the world's `decide` takes and gives.
    type Lowered: Lower + Serialize + DeserializeOwned;
    type Raw: Lift + Serialize + DeserializeOwned;
    const INTERFACE: &'static Interface;
    /// The cycle in which the module is called: the world's name elsewhere.
    const CYCLE: CycleKind;

    /// Channels in an input: fuel and output are measured by them.
    fn rows(input: &Self::Input) -> usize;
    fn lower(input: &Self::Input, about: &Description) -> Self::Lowered;
    /// The lists of bytes of an input: its rows as the guest reads them, and states.
    fn input_blobs(input: &mut Self::Lowered) -> Vec<&mut Vec<u8>>;
    /// The lists of bytes of an answer: states.
    fn answer_blobs(raw: &mut Self::Raw) -> Vec<&mut Vec<u8>>;
    /// The decision that `raw` holds, or one sentence that says what is wrong with it.
    fn check(
        raw: Self::Raw,
        input: &Self::Input,
        about: &Description,
        fuel: u64,
    ) -> Result<Self::Decision, String>;
}
