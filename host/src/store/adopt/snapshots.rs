//! The sums of imported snapshots, made from the books: the Python plugin's own counted twice, or not
//! at all, what it could not see.

use crate::model::UnixTime;
use crate::store::sql::{Unsigned, int};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::BTreeMap;

/// While the books still take in the node's past, after the import, the sums are made again every hour.
const EVERY_S: u64 = UnixTime::HOUR;
const FOR_S: u64 = 7 * UnixTime::DAY;

/// Sums up to the end of a day: forwards, revenue, the six kinds of costs, rebalances.
type Sums = [i64; 9];

/// Where each kind of cost stands in [`Sums`].
const KINDS: [(&str, usize); 6] =
    [("open", 2), ("close", 3), ("sweep", 4), ("splice", 5), ("penalty", 6), ("lease", 7)];

/// Whether the sums are to be made again.
pub fn snapshots_due(conn: &Connection, now: UnixTime) -> Result<bool> {
    let times = conn
        .query_row(
            "SELECT imported_at_s, snapshots_summed_s FROM imports ORDER BY id DESC LIMIT 1",
            [],
            |row| Ok((row.get::<_, UnixTime>(0)?, row.get::<_, UnixTime>(1)?)),
        )
        .optional()?;
    Ok(times.is_some_and(|(imported, summed)| now.since(imported) <= FOR_S && now.since(summed) >= EVERY_S))
}

/// Makes the sums of all imported snapshots from what the books hold now.
pub fn sum_snapshots(tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
    let days: Vec<u64> = tx
        .prepare("SELECT day_s FROM financial_snapshots WHERE source = 'imported' ORDER BY day_s")?
        .query_map([], |row| row.get(0).map(|Unsigned(day)| day))?
        .collect::<Result<_>>()?;
    let mut update = tx.prepare(
        "UPDATE financial_snapshots SET forward_count = ?2, revenue_msat = ?3, open_cost_msat = ?4,
             close_cost_msat = ?5, sweep_cost_msat = ?6, splice_cost_msat = ?7, penalty_cost_msat = ?8,
             lease_cost_msat = ?9, rebalance_cost_msat = ?10 WHERE day_s = ?1",
    )?;
    let by_day = by_day(tx)?;
    let mut booked = by_day.into_iter().peekable();
    let mut sums = Sums::default();
    for day in days {
        while let Some((_, more)) = booked.next_if(|(at, _)| *at <= day) {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        let [count, revenue, open, close, sweep, splice, penalty, lease, rebalance] = sums;
        update.execute(params![
            int(day)?,
            count,
            revenue,
            open,
            close,
            sweep,
            splice,
            penalty,
            lease,
            rebalance
        ])?;
    }
    tx.execute("UPDATE imports SET snapshots_summed_s = ?1", [now])?;
    Ok(())
}

/// What each day added.
fn by_day(tx: &Transaction<'_>) -> Result<BTreeMap<u64, Sums>> {
    let mut days: BTreeMap<u64, Sums> = BTreeMap::new();
    let mut select =
        tx.prepare("SELECT day_s, sum(out_count), sum(earned_msat) FROM flow_days GROUP BY day_s")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Unsigned(day) = row.get(0)?;
        let sums = days.entry(day).or_default();
        (sums[0], sums[1]) = (row.get(1)?, row.get(2)?);
    }
    let mut select = tx.prepare(
        "SELECT at_s - at_s % 86400, kind, sum(msat) FROM (
             SELECT at_s, kind, msat FROM costs
             UNION ALL SELECT completed_at_s, 'rebalance', fee_msat FROM rebalances) GROUP BY 1, 2",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (Unsigned(day), kind) = (row.get(0)?, row.get::<_, String>(1)?);
        let place = KINDS.iter().find(|(name, _)| *name == kind).map_or(8, |(_, place)| *place);
        days.entry(day).or_default()[place] += row.get::<_, i64>(2)?;
    }
    Ok(days)
}
