//! What a clock that was ahead left behind, mended once it has gone back.

use super::{clock, senders, tenures};
use crate::model::{ClockJump, Moment, UnixTime};
use rusqlite::{Connection, Result, Transaction};

/// Stamps that something waits for, or that nothing newer is seen behind.
const MENDED: [(&str, &str); 5] = [
    ("fee_intervals", "start_s"),
    ("fee_intervals", "end_s"),
    ("fee_intervals", "sampled_s"),
    ("fee_changes", "changed_at_s"),
    ("rebalance_jobs", "settled_at_s"),
];

/// Notes the clock as [`clock::note`] does, and mends what it left behind when that tells that it went back.
pub fn note(tx: &Transaction<'_>, at: Moment, seen: Option<ClockJump>) -> Result<()> {
    let before = clock::last_jump(tx)?;
    clock::note(tx, at, seen)?;
    let noted = clock::last_jump(tx)?.filter(|jump| Some(*jump) != before);
    if noted.is_some_and(|jump| jump.by_s < 0) { mend(tx, at.now) } else { Ok(()) }
}

/// Brings stamps from the future down to `now`: pauses and counts that begin with them would otherwise
/// last until their time comes. Nothing is mended while the clock shows a time more than a day before
/// these books began, for then it is behind.
pub fn mend(tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
    if !has_begun(tx, now)? {
        return Ok(());
    }
    for (table, column) in MENDED {
        tx.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {column} > ?1"), [now])?;
    }
    tenures::mend(tx, now)?;
    senders::resume(tx, now)
}

/// Whether something in the books is older than the day after `now`.
fn has_begun(conn: &Connection, now: UnixTime) -> Result<bool> {
    let tomorrow = now.plus(UnixTime::DAY);
    conn.query_row("SELECT EXISTS (SELECT 1 FROM channels WHERE first_seen_s <= ?1)", [tomorrow], |row| {
        row.get(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, Digest, Msat, Ppm, StrategyName};
    use crate::store::changes::{self, ChangeOrigin, FeeChange};
    use crate::store::tenures::InForce;
    use crate::store::testing::{channel, channel_id, memory, peer};
    use crate::store::{intervals, names, reservations};

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const AHEAD: UnixTime = UnixTime(NOW.0 + 365 * UnixTime::DAY);

    /// Books that began yesterday, and went on in a boot that was a year ahead.
    fn books() -> Connection {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        names::observe(&tx, &[channel(1)], NOW.minus(UnixTime::DAY)).expect("stored");
        look(&tx, NOW.minus(UnixTime::DAY), 100);
        change(&tx, AHEAD, 200);
        tx.execute(
            "INSERT INTO rebalance_jobs (state, evaluator, forced, to_channel, to_scid, to_peer, amount_msat,
                 payment_msat, max_ppm, max_hops, keep_share, keep_most_msat, reserved_msat, fleet, reserved_at_s,
                 deadline_s, settled_at_s, outcome)
             VALUES ('settled', NULL, 0, ?1, 1, zeroblob(33), 1, 1, 1, 1, 0.2, 1, 1, 0, ?2, ?2, ?2, 'success')",
            rusqlite::params![channel_id(1), AHEAD],
        )
        .expect("a job");
        senders::advance(&tx, 0.98, 3_600, AHEAD).expect("counted");
        decides(&tx, 7, NOW.minus(UnixTime::DAY));
        decides(&tx, 8, AHEAD);
        tx.commit().expect("kept");
        conn
    }

    fn look(tx: &Transaction<'_>, at: UnixTime, ppm: u32) {
        let channel = Channel { fee_ppm: Ppm(ppm), ..channel(1) };
        intervals::observe(tx, at, &[channel], |_| Msat(0)).expect("stored");
    }

    fn change(tx: &Transaction<'_>, at: UnixTime, new: u32) {
        let (channel_id, peer_id) = (channel_id(1), peer(1));
        let (old, base) = (Ppm(1), Msat(0));
        let (reason, origin) = ("scarcity".to_owned(), ChangeOrigin::Strategy);
        let change = FeeChange {
            at,
            channel_id,
            scid: None,
            peer_id,
            old,
            new: Ppm(new),
            base,
            reason,
            origin,
            htlc_max: None,
            from_congestion: false,
        };
        changes::record(tx, &change).expect("stored");
    }

    fn decides(tx: &Transaction<'_>, digest: u8, at: UnixTime) {
        let in_force = InForce {
            channel_id: channel_id(1),
            capacity: Msat(1),
            strategy: StrategyName::dynamic(),
            digest: Digest([digest; 32]),
        };
        tenures::note(tx, &[in_force], at).expect("stored");
    }

    #[test]
    fn who_decides_is_known_from_when_the_clock_went_back() {
        let mut conn = books();
        let tx = conn.transaction().expect("a transaction");
        mend(&tx, NOW).expect("mended");
        decides(&tx, 9, NOW.plus(600));
        let all = tenures::all(&tx).expect("tenures").into_iter();
        let spans: Vec<_> = all.map(|one| (one.held.digest.0[0], one.from, one.to)).collect();
        let (yesterday, later) = (NOW.minus(UnixTime::DAY), NOW.plus(600));
        assert_eq!(spans, [(7, yesterday, Some(NOW)), (8, NOW, Some(later)), (9, later, None)]);
    }

    #[test]
    fn pauses_and_intervals_begin_when_the_clock_went_back() {
        let mut conn = books();
        let tx = conn.transaction().expect("a transaction");
        mend(&tx, NOW).expect("mended");
        let spans = |now: UnixTime| {
            let mut all = intervals::load(&tx, UnixTime(0), 9, now).expect("intervals");
            let of_channel = all.remove(&channel_id(1)).expect("some");
            of_channel.into_iter().map(|span| (span.start, span.end, span.fee.0)).collect::<Vec<_>>()
        };
        let later = NOW.plus(600);
        assert_eq!(spans(later), [(NOW.minus(UnixTime::DAY), NOW, 100), (NOW, later, 200)]);
        let past = reservations::past(&tx).expect("jobs")[&channel_id(1)];
        assert_eq!(past.last_success, Some(NOW));
        let used_up = |now: UnixTime| {
            changes::updates_in(&tx, now.minus(UnixTime::DAY), now)
                .expect("counts")
                .contains_key(&channel_id(1))
        };
        assert!(used_up(later) && !used_up(NOW.plus(UnixTime::DAY + 1)), "it counts for a day");
        look(&tx, later, 300);
        assert_eq!(spans(later).last(), Some(&(later, later, 300)), "what comes is learned from");
    }

    #[test]
    fn a_clock_that_is_behind_leaves_the_books_as_they_are() {
        let mut conn = books();
        let tx = conn.transaction().expect("a transaction");
        mend(&tx, NOW.minus(3 * UnixTime::DAY)).expect("left alone");
        let latest: UnixTime = tx
            .query_row("SELECT max(settled_at_s) FROM rebalance_jobs", [], |row| row.get(0))
            .expect("a job");
        assert_eq!(latest, AHEAD);
    }
}
