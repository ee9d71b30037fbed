//! Jumps of the clock, as they show in what is stored.

use super::cursors;
use super::sql::Unsigned;
use crate::model::{ClockJump, UnixTime};
use rusqlite::{Connection, Result, Transaction};

/// When the clock was last looked at.
const SEEN: &str = "clock.seen_s";
/// The last jump: when it was seen, and how far it went one way or the other.
const JUMPED_AT: &str = "clock.jumped_at_s";
const FORWARD: &str = "clock.forward_s";
const BACK: &str = "clock.back_s";

/// What is known of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockState {
    pub last_jump: Option<ClockJump>,
    /// How far the node's records reach into the future, s; 0 up to the tolerance.
    pub records_ahead_s: u64,
}

/// Notes what the clock shows, and the jump that was seen; none: it may have gone back while nobody
/// watched.
pub fn note(tx: &Transaction<'_>, now: UnixTime, seen: Option<ClockJump>) -> Result<()> {
    let last = UnixTime(cursors::get(tx, SEEN)?.unwrap_or(0));
    cursors::set(tx, SEEN, now.0)?;
    let back = i64::try_from(last.since(now)).unwrap_or(i64::MAX);
    let unwatched = (last.since(now) > ClockJump::TOLERANCE_S).then_some(ClockJump { at: now, by_s: -back });
    let Some(jump) = seen.or(unwatched) else { return Ok(()) };
    cursors::set(tx, JUMPED_AT, jump.at.0)?;
    cursors::set(tx, FORWARD, jump.by_s.max(0).unsigned_abs())?;
    cursors::set(tx, BACK, jump.by_s.min(0).unsigned_abs())
}

/// The last jump that was noted.
pub fn last_jump(conn: &Connection) -> Result<Option<ClockJump>> {
    let Some(at) = cursors::get(conn, JUMPED_AT)? else { return Ok(None) };
    let seconds = |name| cursors::get(conn, name).map(|s| i64::try_from(s.unwrap_or(0)).unwrap_or(i64::MAX));
    Ok(Some(ClockJump { at: UnixTime(at), by_s: seconds(FORWARD)? - seconds(BACK)? }))
}

/// What is known of the clock now.
pub fn load(conn: &Connection, now: UnixTime) -> Result<ClockState> {
    let newest: Option<Unsigned> = conn
        .prepare_cached(
            "SELECT max(newest) FROM (SELECT max(received_ms) / 1000 AS newest FROM forwards
                 UNION ALL SELECT max(completed_at_s) FROM rebalances)",
        )?
        .query_row([], |row| row.get(0))?;
    let ahead = newest.map_or(0, |Unsigned(newest)| UnixTime(newest).since(now));
    let records_ahead_s = if ahead > ClockJump::TOLERANCE_S { ahead } else { 0 };
    Ok(ClockState { last_jump: last_jump(conn)?, records_ahead_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::memory;

    #[test]
    fn the_last_jump_is_told_seen_or_not() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let jump = |at, by_s| Some(ClockJump { at: UnixTime(at), by_s });
        for (now, seen, told) in [
            (1_000_000, None, None),
            (1_000_600, None, None),
            // An NTP client at work.
            (1_000_400, None, None),
            (2_000_000, None, None),
            (3_000_000, jump(3_000_000, 900_000), jump(3_000_000, 900_000)),
            (2_100_000, None, jump(2_100_000, -900_000)),
            (2_100_600, None, jump(2_100_000, -900_000)),
            (1_100_000, jump(1_100_000, -1_000_100), jump(1_100_000, -1_000_100)),
        ] {
            note(&tx, UnixTime(now), seen).expect("stored");
            assert_eq!(last_jump(&tx).expect("readable"), told, "at {now}");
        }
    }
}
