//! The Python plugin's database, taken over once.
//!
//! Its file is copied and never opened itself, so that it stays as it is to the byte, whoever uses it.
//! [`Original`] reads the copy with tolerance for every version of it: a table or column that is not
//! there holds nothing, and a row that makes no sense is counted and left out. [`book`] writes what
//! came of it, all in the caller's transaction. `migrations/07_import.sql` says what counts and why.

mod book;
mod copy;
mod found;
mod original;
mod read;
mod report;
mod table;
#[cfg(test)]
mod tests;

pub(super) use book::IMPORTED_UNTIL;
pub use book::{Adoption, book, is_done};
pub use found::{Found, FoundOverride, FoundPolicy, Outcome, Part, Tally};
pub use original::{Horizons, Original, OriginalError};
pub use report::{Count, Imported, imported};
