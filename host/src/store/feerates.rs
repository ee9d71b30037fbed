//! Readings of the on-chain feerate, satoshi per 1000 vbytes.

use crate::model::UnixTime;
use rusqlite::{Connection, Result, Transaction, params};

/// How long readings are kept, seconds.
pub const KEPT_S: u64 = 48 * UnixTime::HOUR;

/// Keeps a reading, and forgets those older than [`KEPT_S`].
pub fn record(tx: &Transaction<'_>, now: UnixTime, perkb: u32) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO feerates (read_at_s, perkb) VALUES (?1, ?2)")?
        .execute(params![now, perkb])?;
    tx.prepare_cached("DELETE FROM feerates WHERE read_at_s < ?1")?.execute([now.minus(KEPT_S)])?;
    Ok(())
}

/// Mean of the 24 hours before `now`, the reading at `now` left out.
pub fn day_mean(conn: &Connection, now: UnixTime) -> Result<Option<u32>> {
    conn.prepare_cached(
        "SELECT CAST(round(avg(perkb)) AS INTEGER) FROM feerates WHERE read_at_s >= ?1 AND read_at_s < ?2",
    )?
    .query_row([now.minus(UnixTime::DAY), now], |row| row.get(0))
}

/// Means of the last 24 hours counted back from `now`, that moment included,
/// oldest first; hours without a reading are left out.
pub fn hours(conn: &Connection, now: UnixTime) -> Result<Vec<u32>> {
    conn.prepare_cached(
        "SELECT CAST(round(avg(perkb)) AS INTEGER) FROM feerates WHERE read_at_s > ?1 AND read_at_s <= ?2
         GROUP BY (?2 - read_at_s) / 3600 ORDER BY (?2 - read_at_s) / 3600 DESC",
    )?
    .query_map([now.minus(UnixTime::DAY), now], |row| row.get(0))?
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::memory;

    const NOW: UnixTime = UnixTime(1_000_000);

    #[test]
    fn without_readings_there_is_no_mean() {
        let conn = memory();
        assert_eq!(day_mean(&conn, NOW), Ok(None));
        assert_eq!(hours(&conn, NOW), Ok(vec![]));
    }

    #[test]
    fn means_leave_out_the_moment_and_the_day_before() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        for (age, perkb) in
            [(90_000, 9_999), (80_000, 1_000), (7_200, 2_000), (7_300, 4_000), (1_800, 3_001), (0, 50_000)]
        {
            record(&tx, NOW.minus(age), perkb).expect("stored");
        }
        assert_eq!(day_mean(&tx, NOW), Ok(Some(2_500)));
        assert_eq!(hours(&tx, NOW), Ok(vec![1_000, 3_000, 26_501]));
    }

    #[test]
    fn old_readings_go() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        record(&tx, NOW, 1_000).expect("stored");
        record(&tx, NOW.plus(KEPT_S + 1), 2_000).expect("stored");
        let kept: u32 = tx.query_row("SELECT count(*) FROM feerates", [], |row| row.get(0)).expect("a count");
        assert_eq!(kept, 1);
    }
}
