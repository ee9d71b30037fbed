//! Moving liquidity: what is allowed, what it costs, and what is left of it after trouble.

#![allow(clippy::unwrap_used)]

mod clocks;
mod commands;
mod crash;
mod cycle;
mod faults;
mod fleet;
mod handing;
pub mod place;
