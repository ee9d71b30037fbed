//! Workers: processes that run the calls of strategies and can do nothing else.
//!
//! A worker is this program, started again. It shuts itself off from the
//! system before it is given a module, serves that one module for the rest of
//! its life, and speaks with the plugin over one socket. The plugin trusts
//! nothing that comes out of it: sizes, times and contents are bounded on this
//! side, and decisions are checked on this side.
//!
//! | file | what it is for |
//! |---|---|
//! | `wire`, `plain` | what the two say to each other, and as which bytes |
//! | `crew` | the plugin's workers: who is free, who died of what |
//! | `away` | one module's calls through the crew |
//! | `process` | one worker, seen from the plugin |
//! | `inside` | what a worker does |

mod away;
mod crew;
mod inside;
mod plain;
mod process;
mod wire;

pub(super) use away::{Away, Cargo};
pub(super) use crew::Crew;
pub use crew::{CrewStatus, Death, WorkerStatus};
pub use inside::worker_main;

/// The subcommand under which the program is a worker.
pub const WORKER_SUBCOMMAND: &str = "strategy-worker";
/// Carries address space and allocation to the worker.
const SET_UP_VARIABLE: &str = "CL_REVENUE_OPS_WORKER";
