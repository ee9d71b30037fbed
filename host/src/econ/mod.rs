//! Pure arithmetic about the business: no I/O, no clock, no SQL.

pub mod flow;
