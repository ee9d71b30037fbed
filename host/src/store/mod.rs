//! The books of the node: one SQLite file per node and network.
//!
//! This is the only code that speaks SQL. [`Store`] owns the connections and
//! runs jobs on them; the modules hold plain functions on a connection, one
//! module per family of tables. A function that takes a [`Transaction`] writes,
//! one that takes a [`Connection`] only reads. Money is integer msat, instants
//! are whole seconds since 1970 UTC unless a name says otherwise.

pub mod accounts;
pub mod adopt;
pub mod ahead;
pub mod attempts;
pub mod books;
pub mod books_state;
pub mod canaries;
pub mod changes;
pub mod clock;
pub mod costs;
pub mod cursors;
pub mod cycles;
pub mod decisions;
pub mod feerates;
pub mod flow;
pub mod forwards;
pub mod funds;
pub mod installed;
pub mod intervals;
pub mod jobs;
pub mod journal;
pub mod lists;
pub mod lives;
pub mod meta;
pub mod modules;
pub mod names;
pub mod overrides;
pub mod pairs;
pub mod past;
pub mod policies;
pub mod rebalances;
pub mod reservations;
pub mod senders;
pub mod snapshots;
pub mod states;
pub mod tenures;
pub mod terms;
pub mod trials;
pub mod trust;
pub mod uploads;
pub mod usage;

mod db;
mod open;
mod schema;
mod sql;
#[cfg(test)]
pub(crate) mod testing;
mod trouble;
mod window;

pub use db::Store;
pub use open::OpenError;
pub use rusqlite::{Connection, Transaction};
pub use trouble::Trouble;
