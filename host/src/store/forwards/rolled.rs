//! Rows that are forgotten: what they added up to stays.

use crate::model::UnixTime;
use crate::model::forward::Forward;
use crate::store::cursors;
use crate::store::sql::int;
use rusqlite::{Connection, Result, Transaction, params};

/// Rows of forwards that were received before this instant, s, are forgotten.
pub(in crate::store) const ROLLED_UNTIL: &str = "forwards.rolled_until";

/// The node's counter of forwards when rows were last forgotten: what it counts later is new.
const ROLLED_INDEX: &str = "forwards.rolled_index";

/// What is forgotten.
#[derive(Clone, Copy)]
pub(super) struct Rolled {
    until: UnixTime,
    index: Option<u64>,
}

impl Rolled {
    pub fn load(conn: &Connection) -> Result<Rolled> {
        let until = UnixTime(cursors::get(conn, ROLLED_UNTIL)?.unwrap_or(0));
        Ok(Rolled { until, index: cursors::get(conn, ROLLED_INDEX)? })
    }

    /// Whether the row may be among those forgotten. The counter decides where there is one: a clock
    /// that was set back makes new forwards look old.
    pub fn may_hold(self, forward: &Forward) -> bool {
        let is_new = self.index.zip(forward.created_index).is_some_and(|(rolled, index)| index > rolled);
        forward.received_ms < self.until.0 * 1000 && !is_new
    }

    /// Notes that rows of days up to `second` were left out, of a list that was taken in up to `index`.
    pub fn forget_until(self, tx: &Transaction<'_>, second: u64, index: Option<u64>) -> Result<()> {
        let until = second.div_ceil(UnixTime::DAY) * UnixTime::DAY;
        cursors::set(tx, ROLLED_UNTIL, until.max(self.until.0))?;
        match index.max(self.index) {
            Some(index) => cursors::set(tx, ROLLED_INDEX, index),
            None => Ok(()),
        }
    }
}

/// Notes that none of the rows that are forgotten is above `index` of the node's counter.
pub(in crate::store) fn lower_rolled_index(tx: &Transaction<'_>, index: u64) -> Result<()> {
    match cursors::get(tx, ROLLED_INDEX)? {
        Some(rolled) if rolled > index => cursors::set(tx, ROLLED_INDEX, index),
        _ => Ok(()),
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
