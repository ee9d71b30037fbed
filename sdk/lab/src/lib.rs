//! A simulated Core Lightning node and payment market.
//!
//! [`Lab`] is a whole node: it answers on a unix socket in exactly the shapes of one lightningd
//! release, starts plugins as lightningd does, lets payments flow at any speed, and misbehaves when
//! told to. [`market`] and [`node`] underneath are pure and work without it.
#![warn(missing_docs)]

pub mod client;
pub mod clock;
pub mod component;
pub mod ids;
pub mod keys;
mod lab;
pub mod market;
pub mod mischief;
pub mod node;
pub mod plugin;
pub mod rng;
pub mod rpc;
mod server;
mod time;
mod wire;

pub use clock::SimClock;
pub use lab::{Lab, LabConfig};
pub use market::{Market, MarketSpec};
pub use mischief::Fault;
pub use node::{Extra, Flavour, NodeState, Notification, Recorded};
pub use plugin::{Plugin, PluginCommand};
pub use rpc::{RpcError, RpcResult};
