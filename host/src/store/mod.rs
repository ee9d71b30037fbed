//! The books of the node: one SQLite file per node and network.
//!
//! This is the only code that speaks SQL. [`Store`] owns the connections and
//! runs jobs on them; the modules hold plain functions on a connection, one
//! module per family of tables. A function that takes a [`Transaction`] writes,
//! one that takes a [`Connection`] only reads. Money is integer msat, instants
//! are whole seconds since 1970 UTC unless a name says otherwise.

pub mod adopt;
pub mod books;
pub mod changes;
pub mod cursors;
pub mod cycles;
pub mod decisions;
pub mod feerates;
pub mod flow;
pub mod forwards;
pub mod intervals;
pub mod meta;
pub mod modules;
pub mod names;
pub mod overrides;
pub mod policies;
pub mod states;

mod db;
mod open;
mod schema;
mod sql;
#[cfg(test)]
mod testing;

pub use db::Store;
pub use open::OpenError;
pub use rusqlite::{Connection, Transaction};
