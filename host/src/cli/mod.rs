//! The commands of the binary for people.

pub mod demo;
pub mod docs;
pub mod rpc;
pub mod strategy;

use std::io::{self, Write};

/// Prints to standard output. Whoever closed it has seen enough: that is no error.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}
