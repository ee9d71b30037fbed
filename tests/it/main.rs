//! Behaviour that users see: the real plugin on a simulated node, the real sandbox, the real
//! database.

mod engine;
mod policy;
mod store;
