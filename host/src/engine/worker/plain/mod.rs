//! Values as bytes of fixed width: what plugin and worker hand each other is
//! written and read about once per microsecond and channel, which formats that
//! save room are too slow for.
//!
//! Numbers are little endian, at their full width; lengths and the positions of
//! variants are 32 bits; what is not there is one byte. Nothing describes
//! itself: both ends are the same program.

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::encode;

use std::fmt;

/// Why a value is not written or read: one phrase.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem(String);

impl Problem {
    fn new(why: &str) -> Problem {
        Problem(why.to_owned())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl serde::ser::Error for Problem {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Problem(why.to_string())
    }
}

impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Problem(why.to_string())
    }
}

#[cfg(test)]
mod tests;
