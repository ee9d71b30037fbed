//! The node's forwards, row by row, and what they add up to.
//!
//! The same forward may come any number of times, in any order, from
//! notifications and lists alike: its row only ever moves from *offered* to
//! failed here, failed further down, or settled, and its sums move with it in
//! the same transaction. So the sums always equal those of the rows.

mod attribution;
mod delta;
mod rolled;
mod rows;
mod strays;
mod sums;

use super::sql::{Unsigned, int};
pub use super::window::Kept;
use crate::model::UnixTime;
use crate::model::forward::{Forward, ForwardStatus};
use attribution::Attribution;
pub(super) use delta::Delta;
pub use rolled::roll;
pub(super) use rolled::{ROLLED_UNTIL, lower_rolled_index};
use rows::{COLUMNS, Put, Rows, read};
use rusqlite::{Connection, Result, Transaction, params};
use std::cmp::Reverse;
pub(super) use strays::NO_CHANNEL;
use strays::Strays;
pub use strays::claim_strays;
pub(super) use sums::HOURS_SINCE;
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

/// Takes in forwards as the node announces them, or as it lists all of them at once, and keeps each
/// row. Sums per hour, per day, over all time and per fee interval follow in the same transaction; an
/// interval counts only forwards whose outgoing channel has a known name. A forward whose row was
/// forgotten is counted already and left out. One that failed here and asks for a channel that is not known
/// counts under a stand-in until [`claim_strays`] finds whose it is.
pub fn ingest(tx: &Transaction<'_>, told: &[Forward]) -> Result<IngestStats> {
    take_in(tx, told, None, Kept::default())
}

/// The same for the next part of the node's list in the order of creation, which ends at `index` of the
/// node's counter. What was received before `kept` says is forgotten at once: of forwards that ended no
/// row is written then, and no sum by hour.
pub fn ingest_listed(tx: &Transaction<'_>, part: &[Forward], index: u64, kept: Kept) -> Result<IngestStats> {
    take_in(tx, part, Some(index), kept)
}

fn take_in(tx: &Transaction<'_>, told: &[Forward], index: Option<u64>, kept: Kept) -> Result<IngestStats> {
    let mut rows = Rows::new(tx, kept.rows)?;
    let mut stats = IngestStats::default();
    let (mut counted, mut replaced) = (Vec::new(), Vec::new());
    let mut told = best_by_key(told);
    let strays = Strays::among(tx, &told)?;
    strays.stand_in(&mut told);
    for forward in told {
        match rows.put(forward)? {
            Put::Nothing => continue,
            Put::New => stats.new += 1,
            Put::InsteadOf(known) => {
                stats.changed += 1;
                replaced.push(known);
            }
        }
        counted.push(forward);
    }
    rows.finish(tx, index)?;
    strays.note(tx)?;
    let mut sums = Sums::new(tx, kept.hours, counted.len() + replaced.len())?;
    let mut attribution = Attribution::new(tx)?;
    for forward in &replaced {
        sums.subtract(forward)?;
        attribution.subtract(forward)?;
    }
    for forward in counted {
        sums.add(forward)?;
        attribution.add(forward)?;
    }
    sums.store(tx)?;
    attribution.store(tx)?;
    Ok(stats)
}

/// Each forward once, with the best of its endings, in the order of the rows, which touches each page
/// of the file once.
fn best_by_key(told: &[Forward]) -> Vec<&Forward> {
    let mut best: Vec<&Forward> = told.iter().collect();
    best.sort_by_cached_key(|forward| {
        (forward.in_channel.packed(), forward.in_htlc_id, Reverse(rank(forward.status)))
    });
    best.dedup_by_key(|forward| (forward.in_channel, forward.in_htlc_id));
    best
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
