//! Jumps of the clock, as they show in what is stored.

use super::sql::Unsigned;
use super::{ahead, cursors};
use crate::model::{ClockJump, Moment, SteadyTime, UnixTime};
use rusqlite::{Connection, Result, Transaction};

/// What the clock showed when it was last looked at, and the steady time then.
const SEEN: &str = "clock.seen_s";
const STEADY: &str = "clock.steady_s";
/// The last jump: when it was seen, and how far it went one way or the other.
const JUMPED_AT: &str = "clock.jumped_at_s";
const FORWARD: &str = "clock.forward_s";
const BACK: &str = "clock.back_s";
/// The steady time when it was seen.
const JUMPED_STEADY: &str = "clock.jumped_steady_s";

/// What is known of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockState {
    pub last_jump: Option<ClockJump>,
    /// How far the node's records reach into the future, s; 0 up to the tolerance.
    pub records_ahead_s: u64,
}

/// The steady time at a start at which the clock shows `now`: how long nobody watched is what the clock
/// says, and nothing if it went back meanwhile; what it left behind then is mended.
pub fn resume(tx: &Transaction<'_>, now: UnixTime) -> Result<SteadyTime> {
    let last = cursors::get(tx, STEADY)?.zip(cursors::get(tx, SEEN)?);
    let steady =
        last.map_or(SteadyTime(now.0), |(steady, seen)| SteadyTime(steady).plus(now.since(UnixTime(seen))));
    ahead::note(tx, Moment { now, steady }, None)?;
    Ok(steady)
}

/// Notes what the clock shows, and the jump that was seen; none: it may have gone back while nobody
/// watched.
pub fn note(tx: &Transaction<'_>, at: Moment, seen: Option<ClockJump>) -> Result<()> {
    let Moment { now, steady } = at;
    let last = UnixTime(cursors::get(tx, SEEN)?.unwrap_or(0));
    cursors::set(tx, SEEN, now.0)?;
    cursors::set(tx, STEADY, steady.0)?;
    let back = i64::try_from(last.since(now)).unwrap_or(i64::MAX);
    let unwatched = (last.since(now) > ClockJump::TOLERANCE_S).then_some(ClockJump { at: now, by_s: -back });
    let Some(jump) = seen.or(unwatched) else { return Ok(()) };
    cursors::set(tx, JUMPED_AT, jump.at.0)?;
    cursors::set(tx, JUMPED_STEADY, steady.0)?;
    cursors::set(tx, FORWARD, jump.by_s.max(0).unsigned_abs())?;
    cursors::set(tx, BACK, jump.by_s.min(0).unsigned_abs())
}

/// Whether the clock jumped within a day of true time, so that records of one day by their own time
/// may be those of more.
pub fn is_in_doubt(conn: &Connection, steady: SteadyTime) -> Result<bool> {
    let jumped = cursors::get(conn, JUMPED_STEADY)?;
    Ok(jumped.is_some_and(|at| steady.since(SteadyTime(at)) < UnixTime::DAY))
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
            note(&tx, Moment { now: UnixTime(now), steady: SteadyTime(7) }, seen).expect("stored");
            assert_eq!(last_jump(&tx).expect("readable"), told, "at {now}");
        }
    }

    #[test]
    fn steady_time_follows_the_clock_only_while_nobody_watches_and_never_back() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let start = |now| resume(&tx, UnixTime(now)).expect("stored").0;
        assert_eq!(start(1_000_000), 1_000_000, "it begins with the clock");
        // 600 s of a run in which the clock was set forward by a year.
        let run = Moment { now: UnixTime(33_000_000), steady: SteadyTime(1_000_600) };
        note(&tx, run, None).expect("stored");
        for (now, steady) in [(33_000_050, 1_000_650), (1_001_000, 1_000_650), (1_001_010, 1_000_660)] {
            assert_eq!(start(now), steady, "a start at {now}");
        }
    }

    #[test]
    fn a_clock_that_jumped_is_in_doubt_for_a_day_that_truly_passes() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let steady = resume(&tx, UnixTime(1_000_000)).expect("stored");
        let is_in_doubt = |passed_s| is_in_doubt(&tx, steady.plus(passed_s)).expect("readable");
        assert!(!is_in_doubt(0));
        let jump = ClockJump { at: UnixTime(9_000_000), by_s: 8_000_000 };
        note(&tx, Moment { now: jump.at, steady }, Some(jump)).expect("stored");
        assert_eq!([0, UnixTime::DAY - 1, UnixTime::DAY].map(is_in_doubt), [true, true, false]);
    }
}
