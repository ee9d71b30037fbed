//! Fees on the node: what policies, operators, limits, the market and other programs make of them.

#![allow(clippy::unwrap_used)]

mod by_hand;
mod limits;
mod market;
mod neighbours;
mod policies;
mod terms;
mod turns;
