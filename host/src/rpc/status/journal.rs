//! The part of the status about the calls of strategies that are kept.

use crate::config::Config;
use crate::model::UnixTime;
use crate::store::{Connection, journal};
use anyhow::Result;
use serde_json::{Value, json};

/// What is kept.
pub(super) struct Kept {
    calls: u64,
    bytes: u64,
    oldest: Option<UnixTime>,
}

pub(super) fn kept(conn: &Connection) -> Result<Kept> {
    let (calls, bytes) = journal::size(conn)?;
    Ok(Kept { calls, bytes, oldest: journal::oldest(conn)? })
}

/// What is kept, and what may be.
pub(super) fn answer(kept: &Kept, config: &Config) -> Value {
    json!({
        "calls": kept.calls,
        "bytes": kept.bytes,
        "oldest": kept.oldest.map(|at| at.0),
        "max_bytes": config.journal_mb * 1_000_000,
        "max_days": config.journal_days,
    })
}
