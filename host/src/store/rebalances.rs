//! Completed payments to ourselves, and the channels that they went through.

use super::sql::{Unsigned, int, opt_int, word};
use super::{lists, names};
use crate::econ::pairs;
use crate::model::ledger::{HtlcSide, PaymentSide, Rebalance, Way};
use crate::model::list::{List, ListIndex};
use crate::model::{SteadyTime, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

/// Seconds after which channels that were looked for in vain are looked for again; doubled each time.
const TRY_AGAIN_S: i64 = 600;

/// After so many tries, about a week's, nobody will know any more.
pub(super) const MOST_TRIES: i64 = 10;

/// How long an end without its payment is kept, s.
const KEEP_SIDES_S: u64 = 7 * UnixTime::DAY;

/// How far payments had come at one moment: into these books, and by lightningd's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The last entry of these books.
    pub entry: u64,
    /// The highest number of a payment, to whomever, that lightningd has told; none if it told none.
    pub index: Option<u64>,
}

/// How far payments have come by now.
pub(super) fn mark(conn: &Connection) -> Result<Mark> {
    let read = lists::reach(conn, List::Payments, ListIndex::Created)?;
    conn.prepare_cached(
        "SELECT coalesce((SELECT max(entry) FROM rebalances), 0),
             (SELECT max(created_index) FROM rebalances WHERE created_index IS NOT NULL)",
    )?
    .query_row([], |row| {
        let (Unsigned(entry), stored) = (row.get(0)?, row.get::<_, Option<Unsigned>>(1)?);
        Ok(Mark { entry, index: read.max(stored.map(|index| index.0)) })
    })
}

/// lightningd numbers its payments anew: the numbers that it told before say nothing of those that it tells
/// from now on. Of payments before and after, the order in these books alone tells what is a job's, and
/// where that leaves it open they count as the job's.
pub(super) fn forget_numbers(tx: &Transaction<'_>) -> Result<()> {
    tx.execute("UPDATE rebalances SET created_index = NULL WHERE created_index IS NOT NULL", [])?;
    tx.execute(
        "UPDATE rebalance_jobs SET after_index = NULL, last_index = NULL
         WHERE after_index IS NOT NULL OR last_index IS NOT NULL",
        [],
    )?;
    Ok(())
}

/// Takes in completed payments; those known stay as they are. Returns how many were new.
pub fn put(tx: &Transaction<'_>, rebalances: &[Rebalance], at: SteadyTime) -> Result<usize> {
    // Rows are never removed, so that no entry's number is used twice.
    let mut put = tx.prepare_cached(
        "INSERT OR IGNORE INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s,
             created_index, booked_s, entry)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT coalesce(max(entry), 0) + 1 FROM rebalances))",
    )?;
    let mut new = 0;
    for one in rebalances {
        new += put.execute(params![
            one.payment_hash,
            int(one.groupid)?,
            int(one.partid)?,
            one.amount,
            one.fee,
            one.completed_at,
            opt_int(one.created_index)?,
            at,
        ])?;
    }
    Ok(new)
}

/// Keeps ends of payments until the payments themselves are seen complete. Ends that are alike are those of
/// several parts where they are told together, and one told twice else.
pub fn put_sides(tx: &Transaction<'_>, sides: &[PaymentSide], now: UnixTime) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT OR IGNORE INTO payment_sides (payment_hash, channel_id, side, groupid, partid, amount_msat, seen_s, number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut alike: HashMap<&PaymentSide, u32> = HashMap::new();
    for side in sides {
        let number = alike.entry(side).or_default();
        put.execute(params![
            side.payment_hash,
            side.channel_id,
            side.way.name(),
            int(side.groupid)?,
            int(side.partid)?,
            side.amount,
            now,
            *number
        ])?;
        *number += 1;
    }
    Ok(())
}

/// Ends of payments from HTLCs whose payments still lack their channels.
pub fn sides_of_htlcs(conn: &Connection, htlcs: &[HtlcSide]) -> Result<Vec<PaymentSide>> {
    let mut lacks = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM rebalances
             WHERE payment_hash = ?1 AND (out_channel IS NULL OR in_channel IS NULL))",
    )?;
    let mut sides = Vec::new();
    for htlc in htlcs {
        if !lacks.query_row([htlc.payment_hash], |row| row.get(0))? {
            continue;
        }
        if let Some(channel_id) = names::resolve(conn, htlc.scid)? {
            let (payment_hash, way, amount) = (htlc.payment_hash, htlc.way, htlc.amount);
            sides.push(PaymentSide { payment_hash, channel_id, way, groupid: 0, partid: 0, amount });
        }
    }
    Ok(sides)
}

/// Hashes of payments whose channels are not known and to be looked for now, newest first.
pub fn unpaired(conn: &Connection, now: UnixTime, limit: usize) -> Result<Vec<[u8; 32]>> {
    conn.prepare_cached(
        "SELECT DISTINCT payment_hash FROM rebalances
         WHERE (out_channel IS NULL OR in_channel IS NULL) AND tries < ?2
             AND payment_hash NOT IN (SELECT payment_hash FROM imported_rebalances WHERE payment_hash IS NOT NULL)
             AND (tried_s IS NULL OR tried_s > ?1 OR ?1 - tried_s >= (?3 << tries))
         ORDER BY tries, completed_at_s DESC LIMIT ?4",
    )?
    .query_map(params![now, MOST_TRIES, TRY_AGAIN_S, limit as i64], |row| row.get(0))?
    .collect()
}

/// Payments with ends that are stored and parts whose channels are not known. It goes from the ends, which are
/// few, to the payments.
const UNMATCHED: &str = "SELECT DISTINCT s.payment_hash FROM payment_sides s CROSS JOIN rebalances r
         ON r.payment_hash = s.payment_hash
     WHERE r.out_channel IS NULL OR r.in_channel IS NULL";

/// Ends that are too old, or whose payments have all their channels.
const SERVED: &str = "DELETE FROM payment_sides WHERE seen_s < ?1
     OR (EXISTS (SELECT 1 FROM rebalances r WHERE r.payment_hash = payment_sides.payment_hash)
         AND NOT EXISTS (SELECT 1 FROM rebalances r WHERE r.payment_hash = payment_sides.payment_hash
             AND (r.out_channel IS NULL OR r.in_channel IS NULL)))";

/// Finds the channels of payments from the ends that are stored. Ends that served, or that no payment
/// came for, go. Returns how many parts found both.
pub fn match_sides(tx: &Transaction<'_>, now: UnixTime) -> Result<usize> {
    let hashes: Vec<[u8; 32]> =
        tx.prepare_cached(UNMATCHED)?.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    let mut found = 0;
    for hash in hashes {
        found += match_one(tx, &hash)?;
    }
    tx.prepare_cached(SERVED)?.execute([now.minus(KEEP_SIDES_S)])?;
    Ok(found)
}

fn match_one(tx: &Transaction<'_>, hash: &[u8; 32]) -> Result<usize> {
    let parts = of_hash(tx, hash)?;
    let sides: Vec<PaymentSide> = tx
        .prepare_cached("SELECT * FROM payment_sides WHERE payment_hash = ?1 ORDER BY channel_id, partid")?
        .query_map([hash], read_side)?
        .collect::<Result<_>>()?;
    let mut set = tx.prepare_cached(
        "UPDATE rebalances SET out_channel = coalesce(out_channel, ?4), in_channel = coalesce(in_channel, ?5)
         WHERE payment_hash = ?1 AND groupid = ?2 AND partid = ?3",
    )?;
    let mut found = 0;
    for (part, (out, into)) in parts.iter().zip(pairs::pair(&parts, &sides)) {
        set.execute(params![hash, int(part.groupid)?, int(part.partid)?, out, into])?;
        found += usize::from(part.out_channel.or(out).is_some() && part.in_channel.or(into).is_some());
    }
    Ok(found)
}

/// Notes that the channels of these payments were looked for in vain.
pub fn tried(tx: &Transaction<'_>, hashes: &[[u8; 32]], now: UnixTime) -> Result<()> {
    let mut note = tx.prepare_cached(
        "UPDATE rebalances SET tries = tries + 1, tried_s = ?2
         WHERE payment_hash = ?1 AND (out_channel IS NULL OR in_channel IS NULL)",
    )?;
    hashes.iter().try_for_each(|hash| note.execute(params![hash, now]).map(drop))
}

/// All parts of one payment.
pub fn of_hash(conn: &Connection, hash: &[u8; 32]) -> Result<Vec<Rebalance>> {
    conn.prepare_cached("SELECT * FROM rebalances WHERE payment_hash = ?1 ORDER BY groupid, partid")?
        .query_map([hash], read)?
        .collect()
}

fn read(row: &Row<'_>) -> Result<Rebalance> {
    Ok(Rebalance {
        payment_hash: row.get("payment_hash")?,
        groupid: row.get::<_, Unsigned>("groupid")?.0,
        partid: row.get::<_, Unsigned>("partid")?.0,
        amount: row.get("amount_msat")?,
        fee: row.get("fee_msat")?,
        completed_at: row.get("completed_at_s")?,
        created_index: row.get::<_, Option<Unsigned>>("created_index")?.map(|index| index.0),
        out_channel: row.get("out_channel")?,
        in_channel: row.get("in_channel")?,
        job_id: row.get::<_, Option<Unsigned>>("job_id")?.map(|id| id.0),
    })
}

fn read_side(row: &Row<'_>) -> Result<PaymentSide> {
    Ok(PaymentSide {
        payment_hash: row.get("payment_hash")?,
        channel_id: row.get("channel_id")?,
        way: word(row, "side", Way::from_name)?,
        groupid: row.get::<_, Unsigned>("groupid")?.0,
        partid: row.get::<_, Unsigned>("partid")?.0,
        amount: row.get("amount_msat")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChannelId, Msat};
    use crate::store::testing::memory;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    #[test]
    fn matching_reads_no_payment_but_those_with_ends() {
        let conn = memory();
        for (sql, params) in [(UNMATCHED, params![]), (SERVED, params![NOW])] {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
            let steps = explain.query_map(params, |row| row.get(3)).expect("steps");
            let steps: Vec<String> = steps.collect::<Result<_>>().expect("texts");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN r")), "{steps:?}");
        }
    }

    fn part(hash: u8, partid: u64, amount: u64) -> Rebalance {
        Rebalance {
            payment_hash: [hash; 32],
            groupid: 1,
            partid,
            amount: Msat(amount),
            fee: Msat(10),
            completed_at: NOW,
            created_index: None,
            out_channel: None,
            in_channel: None,
            job_id: None,
        }
    }

    fn side(hash: u8, way: Way, channel: u8, partid: u64, amount: u64) -> PaymentSide {
        let (payment_hash, channel_id) = ([hash; 32], ChannelId([channel; 32]));
        PaymentSide { payment_hash, channel_id, way, groupid: 0, partid, amount: Msat(amount) }
    }

    #[test]
    fn parts_that_come_in_by_one_channel_are_told_apart() {
        for (what, parts, sides, expected) in [
            (
                "two amounts by one channel, and nothing by another",
                vec![(1, 100), (2, 60)],
                vec![(3, 100), (3, 60)],
                vec![3, 3],
            ),
            (
                "equal amounts, of which two by one channel",
                vec![(1, 50), (2, 50), (3, 50)],
                vec![(3, 50), (4, 50), (3, 50)],
                vec![3, 3, 4],
            ),
        ] {
            let mut conn = memory();
            let tx = conn.transaction().expect("a transaction");
            let parts: Vec<Rebalance> = parts.into_iter().map(|(id, amount)| part(1, id, amount)).collect();
            put(&tx, &parts, SteadyTime(NOW.0)).expect("stored");
            let out = parts.iter().map(|one| side(1, Way::Out, 1, one.partid, one.amount.0 + 10));
            let into = sides.into_iter().map(|(channel, amount)| side(1, Way::In, channel, 0, amount));
            let sides: Vec<PaymentSide> = out.chain(into).collect();
            // Also told twice.
            put_sides(&tx, &sides, NOW).expect("stored");
            put_sides(&tx, &sides, NOW).expect("stored");
            assert_eq!(match_sides(&tx, NOW), Ok(parts.len()), "{what}");
            let by: Vec<Option<ChannelId>> =
                of_hash(&tx, &[1; 32]).expect("parts").iter().map(|part| part.in_channel).collect();
            let expected: Vec<_> = expected.into_iter().map(|n| Some(ChannelId([n; 32]))).collect();
            assert_eq!(by, expected, "{what}");
        }
    }

    fn sides_left(conn: &Connection) -> i64 {
        conn.query_row("SELECT count(*) FROM payment_sides", [], |row| row.get(0)).expect("a number")
    }

    #[test]
    fn ends_stay_until_they_served_or_are_too_old() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        put(&tx, &[part(1, 0, 100), part(2, 0, 100)], SteadyTime(NOW.0)).expect("stored");
        let (out, into) = (side(1, Way::Out, 1, 0, 110), side(1, Way::In, 2, 0, 100));
        put_sides(&tx, &[out, into, side(2, Way::In, 2, 0, 100), side(3, Way::In, 2, 0, 100)], NOW)
            .expect("stored");
        assert_eq!(
            (match_sides(&tx, NOW), sides_left(&tx)),
            (Ok(1), 2),
            "half a payment, and no payment yet"
        );
        assert_eq!((match_sides(&tx, NOW.plus(KEEP_SIDES_S + 1)), sides_left(&tx)), (Ok(0), 0));
    }
}
