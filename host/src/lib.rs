//! cl-revenue-ops: a Core Lightning plugin that runs a routing node's business.
//!
//! Layers import downwards only:
//! `rpc -> cycles -> node | store | engine | clock -> guard | econ -> model | config`.
//! `docs/architecture.md` says what each is for and what must stay true.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cycles;
pub mod econ;
pub mod engine;
pub mod guard;
pub mod model;
pub mod node;
pub mod rpc;
pub mod store;
