//! The node's forwards, row by row, and what they add up to.
//!
//! The same forward may come any number of times, in any order, from
//! notifications and lists alike: its row only ever moves from *offered* to
//! failed here, failed further down, or settled, and its sums move with it in
//! the same transaction. So the sums always equal those of the rows.

mod attribution;
mod sums;

use super::cursors;
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

/// Rows of forwards that were received before this instant, s, are forgotten.
pub(super) const ROLLED_UNTIL: &str = "forwards.rolled_until";

/// The node's counter of forwards when rows were last forgotten: what it counts later is new.
const ROLLED_INDEX: &str = "forwards.rolled_index";

/// Takes in forwards as the node lists or announces them. Sums per hour, per day,
/// over all time and per fee interval follow in the same transaction; an interval
/// counts only forwards whose outgoing channel has a known name. A forward whose
/// row was forgotten is counted already and left out.
pub fn ingest(tx: &Transaction<'_>, page: &[Forward]) -> Result<IngestStats> {
    let mut insert = tx.prepare_cached(INSERT)?;
    let mut update = tx.prepare_cached(UPDATE)?;
    let mut select =
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM forwards WHERE in_scid = ?1 AND in_htlc_id = ?2"))?;
    let mut stats = IngestStats::default();
    let mut sums = Sums::default();
    let mut attribution = Attribution::new(tx)?;
    let rolled = Rolled::load(tx)?;
    for forward in page {
        if rolled.may_hold(forward)
            && !select.exists(params![forward.in_channel, int(forward.in_htlc_id)?])?
        {
            continue;
        }
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

/// What is forgotten.
#[derive(Clone, Copy)]
struct Rolled {
    until_ms: u64,
    index: Option<u64>,
}

impl Rolled {
    fn load(conn: &Connection) -> Result<Rolled> {
        let until_ms = cursors::get(conn, ROLLED_UNTIL)?.unwrap_or(0) * 1000;
        Ok(Rolled { until_ms, index: cursors::get(conn, ROLLED_INDEX)? })
    }

    /// Whether the row may be among those forgotten. The counter decides where there is one: a clock
    /// that was set back makes new forwards look old.
    fn may_hold(&self, forward: &Forward) -> bool {
        let is_new = self.index.zip(forward.created_index).is_some_and(|(rolled, index)| index > rolled);
        forward.received_ms < self.until_ms && !is_new
    }
}

/// Forgets rows of forwards that ended and were received before the UTC day of `before`, at most
/// `limit`; what they added up to stays. Only after everything that the node lists was taken in, up to
/// `index` of its counter: what is older and not held then counts as forgotten. Returns how many went.
pub fn roll(tx: &Transaction<'_>, before: UnixTime, index: Option<u64>, limit: u32) -> Result<usize> {
    // No newer than what was taken in: a clock that is ahead must not make forwards to come look old.
    let newest: Option<i64> = tx.query_row("SELECT max(received_ms) FROM forwards", [], |row| row.get(0))?;
    let newest = UnixTime(newest.and_then(|ms| u64::try_from(ms / 1000).ok()).unwrap_or(0));
    let before = before.min(newest);
    let before = before.minus(before.0 % UnixTime::DAY);
    if before.0 > cursors::get(tx, ROLLED_UNTIL)?.unwrap_or(0) {
        cursors::set(tx, ROLLED_UNTIL, before.0)?;
    }
    let gone = tx
        .prepare_cached(
            "DELETE FROM forwards WHERE (in_scid, in_htlc_id) IN (
                 SELECT in_scid, in_htlc_id FROM forwards WHERE received_ms < ?1 AND status > 0
                 ORDER BY received_ms LIMIT ?2)",
        )?
        .execute(params![int(before.0 * 1000)?, limit])?;
    if let (true, Some(index)) = (gone > 0, index) {
        cursors::set(tx, ROLLED_INDEX, index)?;
    }
    Ok(gone)
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
        created_index: None,
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
