//! The node's forwards, row by row, and what they add up to.
//!
//! The same forward may come any number of times, in any order, from
//! notifications and lists alike: its row only ever moves from *offered* to
//! failed here, failed further down, or settled, and its sums move with it in
//! the same transaction. So the sums always equal those of the rows.

mod attribution;
mod sums;

use super::sql::{Unsigned, int, opt_int};
use crate::model::UnixTime;
use crate::model::forward::{Forward, ForwardStatus};
use attribution::Attribution;
use rusqlite::{CachedStatement, Connection, Result, Row, Transaction, params};
pub(super) use sums::Delta;
use sums::Sums;

/// What one page brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestStats {
    /// Forwards never seen before.
    pub new: u64,
    /// Known forwards that have since ended, or ended better.
    pub changed: u64,
}

/// Where a status stands on the way that a row can only go upwards. A forward
/// that failed here can still settle, when lightningd takes it up again after a
/// restart.
const fn rank(status: ForwardStatus) -> u8 {
    match status {
        ForwardStatus::Offered => 0,
        ForwardStatus::LocalFailed => 1,
        ForwardStatus::Failed => 2,
        ForwardStatus::Settled => 3,
    }
}

const BY_RANK: [ForwardStatus; 4] =
    [ForwardStatus::Offered, ForwardStatus::LocalFailed, ForwardStatus::Failed, ForwardStatus::Settled];

const COLUMNS: &str =
    "in_scid, in_htlc_id, out_scid, in_msat, out_msat, fee_msat, status, received_ms, resolved_ms, failcode";
const INSERT: &str =
    "INSERT INTO forwards (in_scid, in_htlc_id, out_scid, in_msat, out_msat, fee_msat, status,
         received_ms, resolved_ms, failcode) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
     ON CONFLICT (in_scid, in_htlc_id) DO NOTHING";
const UPDATE: &str =
    "UPDATE forwards SET out_scid = ?3, in_msat = ?4, out_msat = ?5, fee_msat = ?6, status = ?7,
         received_ms = ?8, resolved_ms = ?9, failcode = ?10 WHERE in_scid = ?1 AND in_htlc_id = ?2";

/// Takes in forwards as the node lists or announces them. Sums per hour, over
/// all time and per fee interval follow in the same transaction; an interval
/// counts only forwards whose outgoing channel has a known name.
pub fn ingest(tx: &Transaction<'_>, page: &[Forward]) -> Result<IngestStats> {
    let mut insert = tx.prepare_cached(INSERT)?;
    let mut update = tx.prepare_cached(UPDATE)?;
    let mut select =
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM forwards WHERE in_scid = ?1 AND in_htlc_id = ?2"))?;
    let mut stats = IngestStats::default();
    let mut sums = Sums::default();
    let mut attribution = Attribution::new(tx)?;
    for forward in page {
        if write(&mut insert, forward)? == 1 {
            stats.new += 1;
        } else {
            let known = select.query_row(params![forward.in_channel, int(forward.in_htlc_id)?], read)?;
            if rank(known.status) >= rank(forward.status) {
                continue;
            }
            write(&mut update, forward)?;
            stats.changed += 1;
            sums.subtract(&known)?;
            attribution.subtract(&known)?;
        }
        sums.add(forward)?;
        attribution.add(forward)?;
    }
    sums.store(tx)?;
    attribution.store(tx)?;
    Ok(stats)
}

fn write(statement: &mut CachedStatement<'_>, forward: &Forward) -> Result<usize> {
    statement.execute(params![
        forward.in_channel,
        int(forward.in_htlc_id)?,
        forward.out_channel,
        forward.in_msat,
        forward.out_msat,
        forward.fee_msat,
        rank(forward.status),
        int(forward.received_ms)?,
        opt_int(forward.resolved_ms)?,
        forward.failcode,
    ])
}

fn read(row: &Row<'_>) -> Result<Forward> {
    let status: u8 = row.get(6)?;
    Ok(Forward {
        in_channel: row.get(0)?,
        in_htlc_id: row.get::<_, Unsigned>(1)?.0,
        out_channel: row.get(2)?,
        in_msat: row.get(3)?,
        out_msat: row.get(4)?,
        fee_msat: row.get(5)?,
        status: BY_RANK[usize::from(status.min(3))],
        received_ms: row.get::<_, Unsigned>(7)?.0,
        resolved_ms: row.get::<_, Option<Unsigned>>(8)?.map(|stored| stored.0),
        failcode: row.get(9)?,
        updated_index: None,
    })
}

/// Calls `each` with every forward received in `[from, until)`, oldest first.
pub fn received_between(
    conn: &Connection,
    from: UnixTime,
    until: UnixTime,
    mut each: impl FnMut(Forward) -> Result<()>,
) -> Result<()> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM forwards WHERE received_ms >= ?1 AND received_ms < ?2 ORDER BY received_ms"
    ))?;
    let mut rows = select.query(params![int(from.0 * 1000)?, int(until.0 * 1000)?])?;
    while let Some(row) = rows.next()? {
        each(read(row)?)?;
    }
    Ok(())
}

/// Forwards kept.
pub fn count(conn: &Connection) -> Result<u64> {
    conn.query_row("SELECT count(*) FROM forwards", [], |row| row.get(0)).map(|Unsigned(rows)| rows)
}

/// The second in which a forward was received.
fn received_s(forward: &Forward) -> u64 {
    forward.received_ms / 1000
}

#[cfg(test)]
mod tests;
