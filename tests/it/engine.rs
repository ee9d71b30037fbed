//! The sandbox against components that attack it.
//!
//! Every attack is a mode of the guest in `tests/hostile`, which is built once.

#![allow(clippy::unwrap_used)]

pub mod bombs;
mod cached;
#[cfg(target_os = "linux")]
mod children;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod escape;
mod faults;
mod honest;
mod kept;
mod mutants;
pub mod place;
mod rebalances;
mod refused;
#[cfg(target_os = "linux")]
pub mod worker;
