//! Calls of modules that were written down, and are made again.

#![allow(clippy::unwrap_used)]

mod nodes;
mod size;
