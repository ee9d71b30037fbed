//! Pure arithmetic: data in, numbers and words out.

pub mod canary;
pub mod capacity;
pub mod chain;
pub mod classify;
pub mod closure;
pub mod flow;
pub mod networth;
pub mod pairs;
pub mod performance;
pub mod pnl;
pub mod student;
pub mod whatif;
