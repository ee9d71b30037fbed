//! A simulated Core Lightning node and payment market.
#![warn(missing_docs)]

pub mod clock;
mod curve;
pub mod ids;
pub mod market;
pub mod rng;
