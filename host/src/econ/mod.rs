//! Pure arithmetic: data in, numbers and words out.

pub mod capacity;
pub mod classify;
pub mod flow;
pub mod networth;
pub mod pnl;
