//! Peers as senders: how the forwards that they handed us ended. Each counts for less as it ages.
//!
//! A forward that failed for want of balance on our side says nothing about its sender and is in
//! neither count.

use super::cursors;
use super::sql::int;
use crate::model::{PeerId, Scid, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::HashMap;

/// Where the counting stands, milliseconds of receipt.
const COUNTED_UNTIL: &str = "sender_counts";

/// A forward is looked at once it is this old, seconds: nearly all have ended by then.
const RIPE_S: u64 = 600;

/// How far the first count looks back, seconds.
const FIRST_LOOK_S: u64 = 14 * UnixTime::DAY;

/// BOLT 4 `temporary_channel_failure`: what a node answers for want of balance.
const WANT_OF_BALANCE: i64 = 0x1007;

/// How a sender's forwards ended, older ones weighing less.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SenderCounts {
    pub settled: f64,
    pub failed: f64,
}

/// Lets the counts age and adds the forwards that have become ripe since the last time. After
/// `interval_s` seconds `decay` of a count is left.
pub fn advance(tx: &Transaction<'_>, decay: f64, interval_s: u64, now: UnixTime) -> Result<()> {
    let until = now.minus(RIPE_S).0 * 1_000;
    let first = now.minus(FIRST_LOOK_S).0 * 1_000;
    let from = cursors::get(tx, COUNTED_UNTIL)?.unwrap_or(first).max(first);
    if until <= from {
        return Ok(());
    }
    let weight = |age_ms: u64| decay.powf(age_ms as f64 / 1_000.0 / interval_s.max(1) as f64);
    let left = weight(until - from);
    tx.execute("UPDATE sender_counts SET settled = settled * ?1, failed = failed * ?1", [left])?;
    let mut new: HashMap<Scid, SenderCounts> = HashMap::new();
    let mut select = tx.prepare_cached(
        "SELECT in_scid, status, received_ms FROM forwards WHERE received_ms >= ?1 AND received_ms < ?2
             AND (status >= 2 OR (status = 1 AND coalesce(failcode, ?3) <> ?3))",
    )?;
    let mut rows = select.query(params![int(from)?, int(until)?, WANT_OF_BALANCE])?;
    while let Some(row) = rows.next()? {
        let age = until.saturating_sub(row.get::<_, super::sql::Unsigned>(2)?.0);
        let counts = new.entry(row.get(0)?).or_default();
        match row.get::<_, u8>(1)? {
            3 => counts.settled += weight(age),
            _ => counts.failed += weight(age),
        }
    }
    drop(rows);
    let mut add = tx.prepare_cached(
        "INSERT INTO sender_counts (scid, settled, failed) VALUES (?1, ?2, ?3)
         ON CONFLICT (scid) DO UPDATE SET settled = settled + excluded.settled, failed = failed + excluded.failed",
    )?;
    for (scid, counts) in new {
        add.execute(params![scid, counts.settled, counts.failed])?;
    }
    tx.execute("DELETE FROM sender_counts WHERE settled + failed < 1e-6", [])?;
    cursors::set(tx, COUNTED_UNTIL, until)
}

/// Goes on counting from now on, where a clock that was ahead counted up to a time that is still to come.
pub(super) fn resume(tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
    let until = now.minus(RIPE_S).0 * 1_000;
    match cursors::get(tx, COUNTED_UNTIL)? {
        Some(counted) if counted > until => cursors::set(tx, COUNTED_UNTIL, until),
        _ => Ok(()),
    }
}

/// The counts of every peer that handed us something lately.
pub fn by_peer(conn: &Connection) -> Result<HashMap<PeerId, SenderCounts>> {
    let mut peers: HashMap<PeerId, SenderCounts> = HashMap::new();
    let mut select = conn.prepare_cached(
        "SELECT c.peer_id, s.settled, s.failed FROM sender_counts s JOIN channel_names n ON n.scid = s.scid
         JOIN channels c ON c.channel_id = n.channel_id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let counts = peers.entry(row.get(0)?).or_default();
        counts.settled += row.get::<_, f64>(1)?;
        counts.failed += row.get::<_, f64>(2)?;
    }
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Msat;
    use crate::model::forward::{Forward, ForwardStatus};
    use crate::store::testing::{channel, memory, peer, scid};
    use crate::store::{forwards, names};

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn forward(id: u64, age_s: u64, status: ForwardStatus, failcode: Option<u32>) -> Forward {
        Forward {
            in_channel: scid(1),
            in_htlc_id: id,
            out_channel: Some(scid(2)),
            in_msat: Msat(1_001),
            out_msat: Msat(1_000),
            fee_msat: Msat(1),
            status,
            received_ms: (NOW.0 - age_s) * 1_000,
            resolved_ms: Some((NOW.0 - age_s) * 1_000 + 10),
            failcode,
            created_index: None,
            updated_index: None,
        }
    }

    #[test]
    fn our_empty_channel_is_not_the_senders_fault_and_age_counts() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        names::observe(&tx, &[channel(1), channel(2)], NOW).expect("stored");
        let page = [
            forward(1, 700, ForwardStatus::Settled, None),
            forward(2, 700, ForwardStatus::LocalFailed, Some(0x1007)),
            forward(3, 700, ForwardStatus::LocalFailed, None),
            forward(4, 700, ForwardStatus::LocalFailed, Some(0x100c)),
            forward(5, 700, ForwardStatus::Failed, None),
            forward(6, 30, ForwardStatus::Settled, None),
        ];
        forwards::ingest(&tx, &page).expect("stored");
        advance(&tx, 0.5, 3_600, NOW).expect("counted");
        let fresh = by_peer(&tx).expect("counts")[&peer(1)];
        let weight = 0.5f64.powf(100.0 / 3_600.0);
        assert!(
            (fresh.settled - weight).abs() < 1e-9 && (fresh.failed - 2.0 * weight).abs() < 1e-9,
            "{fresh:?}"
        );

        advance(&tx, 0.5, 3_600, NOW.plus(3_600)).expect("counted");
        let later = by_peer(&tx).expect("counts")[&peer(1)];
        assert!((later.failed - weight).abs() < 1e-9, "{later:?}");
        let second = 0.5f64.powf(3_030.0 / 3_600.0);
        assert!((later.settled - weight / 2.0 - second).abs() < 1e-9, "{later:?}");
    }

    #[test]
    fn a_clock_that_was_ahead_stops_no_count() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        names::observe(&tx, &[channel(1)], NOW).expect("stored");
        advance(&tx, 0.98, 3_600, NOW.plus(365 * UnixTime::DAY)).expect("counted");
        resume(&tx, NOW).expect("stored");
        forwards::ingest(&tx, &[forward(1, 30, ForwardStatus::Settled, None)]).expect("stored");
        advance(&tx, 0.98, 3_600, NOW.plus(3_600)).expect("counted");
        assert!(by_peer(&tx).expect("counts")[&peer(1)].settled > 0.9);
    }

    #[test]
    fn small_counts_do_not_vanish_by_rounding() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        names::observe(&tx, &[channel(1)], NOW).expect("stored");
        forwards::ingest(&tx, &[forward(1, 700, ForwardStatus::Settled, None)]).expect("stored");
        for hour in 0..34 {
            advance(&tx, 0.98, 3_600, NOW.plus(hour * 3_600)).expect("counted");
        }
        let counts = by_peer(&tx).expect("counts")[&peer(1)];
        assert!((0.49..0.53).contains(&counts.settled), "{counts:?}");
    }
}
