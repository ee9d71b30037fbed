//! The commands of the binary for people.

pub mod demo;
pub mod docs;
pub mod rpc;
