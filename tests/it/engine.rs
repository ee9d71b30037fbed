//! The sandbox against components that attack it.
//!
//! Every attack is a mode of the guest in `tests/hostile`, which is built once.

#![allow(clippy::unwrap_used)]

mod bombs;
mod cached;
mod faults;
mod honest;
mod mutants;
pub mod place;
mod rebalances;
mod refused;
