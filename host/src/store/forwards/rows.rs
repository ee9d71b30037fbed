//! The rows themselves.

use super::rolled::Rolled;
use super::{BY_RANK, rank};
use crate::model::UnixTime;
use crate::model::forward::{Forward, ForwardStatus};
use crate::store::sql::{Unsigned, int, opt_int};
use rusqlite::{CachedStatement, Connection, Result, Row, Transaction, params};

pub(super) const COLUMNS: &str =
    "in_scid, in_htlc_id, out_scid, in_msat, out_msat, fee_msat, status, received_ms, resolved_ms, failcode";
const INSERT: &str =
    "INSERT INTO forwards (in_scid, in_htlc_id, out_scid, in_msat, out_msat, fee_msat, status,
         received_ms, resolved_ms, failcode) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
     ON CONFLICT (in_scid, in_htlc_id) DO NOTHING";
const UPDATE: &str =
    "UPDATE forwards SET out_scid = ?3, in_msat = ?4, out_msat = ?5, fee_msat = ?6, status = ?7,
         received_ms = ?8, resolved_ms = ?9, failcode = ?10 WHERE in_scid = ?1 AND in_htlc_id = ?2";

/// What became of a forward that was told.
pub(super) enum Put {
    /// It is counted as it is told, or better.
    Nothing,
    /// It was never told before.
    New,
    /// It ended, or ended better, since it was told like this.
    InsteadOf(Forward),
}

/// Writes the rows of one transaction.
pub(super) struct Rows<'tx> {
    insert: CachedStatement<'tx>,
    update: CachedStatement<'tx>,
    select: CachedStatement<'tx>,
    rolled: Rolled,
    /// What ended and was received earlier gets no row, milliseconds.
    kept_from_ms: u64,
    /// When the newest of those was received, milliseconds.
    newest_left_out_ms: Option<u64>,
    /// No row there was received earlier, milliseconds.
    oldest_ms: u64,
}

impl<'tx> Rows<'tx> {
    pub fn new(tx: &'tx Transaction<'_>, kept_from: UnixTime) -> Result<Rows<'tx>> {
        let select = format!("SELECT {COLUMNS} FROM forwards WHERE in_scid = ?1 AND in_htlc_id = ?2");
        Ok(Rows {
            insert: tx.prepare_cached(INSERT)?,
            update: tx.prepare_cached(UPDATE)?,
            select: tx.prepare_cached(&select)?,
            rolled: Rolled::load(tx)?,
            kept_from_ms: (kept_from.0 - kept_from.0 % UnixTime::DAY) * 1000,
            newest_left_out_ms: None,
            oldest_ms: oldest_ms(tx)?,
        })
    }

    /// Writes the forward where it is news. At most once for each forward.
    pub fn put(&mut self, forward: &Forward) -> Result<Put> {
        let may_be_forgotten = self.rolled.may_hold(forward);
        let has_no_row_to_be =
            forward.received_ms < self.kept_from_ms && forward.status != ForwardStatus::Offered;
        if (may_be_forgotten || has_no_row_to_be) && !self.has(forward)? {
            if may_be_forgotten {
                return Ok(Put::Nothing);
            }
            self.newest_left_out_ms = self.newest_left_out_ms.max(Some(forward.received_ms));
            return Ok(Put::New);
        }
        if write(&mut self.insert, forward)? == 1 {
            return Ok(Put::New);
        }
        let known = self.select.query_row(params![forward.in_channel, int(forward.in_htlc_id)?], read)?;
        if rank(known.status) >= rank(forward.status) {
            return Ok(Put::Nothing);
        }
        write(&mut self.update, forward)?;
        Ok(Put::InsteadOf(known))
    }

    fn has(&mut self, forward: &Forward) -> Result<bool> {
        Ok(forward.received_ms >= self.oldest_ms
            && self.select.exists(params![forward.in_channel, int(forward.in_htlc_id)?])?)
    }

    /// Notes what was left out. `index` is as far as the node's list was taken in.
    pub fn finish(self, tx: &Transaction<'_>, index: Option<u64>) -> Result<()> {
        match self.newest_left_out_ms {
            Some(newest) => self.rolled.forget_until(tx, newest / 1000 + 1, index),
            None => Ok(()),
        }
    }
}

/// Some time before the oldest row was received: spellings of one instant may differ in their precision.
fn oldest_ms(conn: &Connection) -> Result<u64> {
    const PRECISION_MS: u64 = 1_000;
    let oldest: Option<Unsigned> =
        conn.prepare_cached("SELECT min(received_ms) FROM forwards")?.query_row([], |row| row.get(0))?;
    Ok(oldest.map_or(u64::MAX, |Unsigned(oldest)| oldest.saturating_sub(PRECISION_MS)))
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

pub(super) fn read(row: &Row<'_>) -> Result<Forward> {
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
