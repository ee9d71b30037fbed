//! Completed payments to ourselves, and the channels that they went through.

use super::names;
use super::sql::{Unsigned, int, word};
use crate::econ::pairs;
use crate::model::UnixTime;
use crate::model::ledger::{HtlcSide, PaymentSide, Rebalance, Way};
use rusqlite::{Connection, Result, Row, Transaction, params};

/// Seconds after which channels that were looked for in vain are looked for again; doubled each time.
const TRY_AGAIN_S: i64 = 600;

/// After so many tries, about a week's, nobody will know any more.
pub(super) const MOST_TRIES: i64 = 10;

/// How long an end without its payment is kept, s.
const KEEP_SIDES_S: u64 = 7 * UnixTime::DAY;

/// Takes in completed payments; those known stay as they are. Returns how many were new.
pub fn put(tx: &Transaction<'_>, rebalances: &[Rebalance]) -> Result<usize> {
    let mut put = tx.prepare_cached(
        "INSERT OR IGNORE INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut new = 0;
    for one in rebalances {
        new += put.execute(params![
            one.payment_hash,
            int(one.groupid)?,
            int(one.partid)?,
            one.amount,
            one.fee,
            one.completed_at
        ])?;
    }
    Ok(new)
}

/// Keeps ends of payments until the payments themselves are seen complete.
pub fn put_sides(tx: &Transaction<'_>, sides: &[PaymentSide], now: UnixTime) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT OR IGNORE INTO payment_sides (payment_hash, channel_id, side, groupid, partid, amount_msat, seen_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for side in sides {
        put.execute(params![
            side.payment_hash,
            side.channel_id,
            side.way.name(),
            int(side.groupid)?,
            int(side.partid)?,
            side.amount,
            now
        ])?;
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

/// Finds the channels of payments from the ends that are stored. Ends that served, or that no payment
/// came for, go. Returns how many parts found both.
pub fn match_sides(tx: &Transaction<'_>, now: UnixTime) -> Result<usize> {
    let hashes: Vec<[u8; 32]> = tx
        .prepare_cached(
            "SELECT DISTINCT r.payment_hash FROM rebalances r JOIN payment_sides s ON s.payment_hash = r.payment_hash
             WHERE r.out_channel IS NULL OR r.in_channel IS NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let mut found = 0;
    for hash in hashes {
        found += match_one(tx, &hash)?;
    }
    tx.prepare_cached(
        "DELETE FROM payment_sides WHERE seen_s < ?1 OR payment_hash IN
             (SELECT payment_hash FROM rebalances GROUP BY payment_hash
              HAVING count(*) FILTER (WHERE out_channel IS NULL OR in_channel IS NULL) = 0)",
    )?
    .execute([now.minus(KEEP_SIDES_S)])?;
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
