//! What was taken over, for those who ask.

use crate::model::{Digest, UnixTime};
use crate::store::sql::Unsigned;
use rusqlite::{Connection, OptionalExtension, Result};

/// An import and what became of the file's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    pub path: String,
    /// SHA-256 of the file and its log.
    pub digest: Digest,
    pub at: UnixTime,
    /// Channels that the file names, and how many of them are this node's.
    pub channels: u64,
    pub channels_ours: u64,
    /// Where the node's own record began.
    pub first_forward: Option<UnixTime>,
    pub first_payment: Option<UnixTime>,
    pub counts: Vec<Count>,
    /// Costs of the file that count now, being in no record of the node.
    pub costs_counted: u64,
}

/// Rows of one part with one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub part: String,
    pub outcome: String,
    pub why: String,
    pub rows: u64,
}

/// The import of these books, if there was one.
pub fn imported(conn: &Connection) -> Result<Option<Imported>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Imported {
            path: row.get("path")?,
            digest: row.get("digest")?,
            at: row.get("imported_at_s")?,
            channels: row.get("channels").map(|Unsigned(count)| count)?,
            channels_ours: row.get("channels_ours").map(|Unsigned(count)| count)?,
            first_forward: row.get("first_forward_s")?,
            first_payment: row.get("first_payment_s")?,
            counts: Vec::new(),
            costs_counted: 0,
        })
    };
    let import = conn.query_row("SELECT * FROM imports ORDER BY id DESC LIMIT 1", [], read).optional()?;
    let Some(mut import) = import else { return Ok(None) };
    import.counts = conn
        .prepare_cached("SELECT part, outcome, why, rows FROM import_counts ORDER BY part, outcome, why")?
        .query_map([], |row| {
            let Unsigned(rows) = row.get("rows")?;
            Ok(Count { part: row.get("part")?, outcome: row.get("outcome")?, why: row.get("why")?, rows })
        })?
        .collect::<Result<_>>()?;
    import.costs_counted = conn
        .prepare_cached("SELECT count(*) FROM costs WHERE source = 'imported'")?
        .query_row([], |row| row.get(0).map(|Unsigned(rows)| rows))?;
    Ok(Some(import))
}
