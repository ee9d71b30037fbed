//! Calls of modules that were written down, and are made again.

#![allow(clippy::unwrap_used)]

mod engines;
mod export;
mod nodes;
mod replay;
mod size;

use crate::acts::digest;
