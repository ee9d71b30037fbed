//! The financial position, one row per UTC day.
//!
//! The first look of a day takes its row; days that nobody looked at are made up from the books, so
//! without what was owned then. A row that exists is never changed; only the sums of imported rows
//! follow what the books have learned since, and rows that a clock far ahead made go when it is right again.

use super::books;
use crate::econ::networth::{NetWorth, Phase};
use crate::model::ledger::CostKind;
use crate::model::{Msat, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::BTreeMap;

/// Most days made up at once.
const MOST_DAYS: u64 = 3_650;

/// Rows that are further ahead than this were made by a wrong clock, s. A small step back of the clock
/// costs no row.
const AHEAD_S: u64 = 2 * UnixTime::DAY;

/// What the books add up to, over all time or up to a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    forwards: i64,
    revenue: i64,
    /// In the order of [`CostKind::ALL`].
    costs: [i64; CostKind::ALL.len()],
    rebalances: i64,
}

/// What is owned, and how many channels there are. Amounts are unknown before the first look at the
/// node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    confirmed: Option<Msat>,
    unconfirmed: Option<Msat>,
    local: Option<Msat>,
    remote: Option<Msat>,
    opening: Option<Msat>,
    closing: Option<Msat>,
    capacity: Msat,
    open: u32,
    closing_count: u32,
    closed: u32,
}

/// Takes today's row, if there is none, and makes up those that are missing before it: back to the last
/// row, or to the beginning of the books. Returns how many rows were added.
pub fn take(tx: &Transaction<'_>, now: UnixTime) -> Result<usize> {
    let today = now.minus(now.0 % UnixTime::DAY);
    forget_ahead(tx, now)?;
    let last = last_day(tx)?;
    if last.is_some_and(|last| last >= today) {
        return Ok(0);
    }
    let daily = daily(tx)?;
    let first =
        last.map(|last| last.plus(UnixTime::DAY)).or_else(|| daily.keys().next().copied()).unwrap_or(today);
    let first = first.max(today.minus(MOST_DAYS * UnixTime::DAY));
    let (mut added, mut day) = (0, first);
    while day < today {
        let sums = up_to(&daily, day);
        added += put(tx, day, "rebuilt", day.plus(UnixTime::DAY), &sums, None)?;
        day = day.plus(UnixTime::DAY);
    }
    sum_imported(tx, &daily)?;
    let position = position(tx)?;
    Ok(added + put(tx, today, "taken", now, &up_to(&daily, UnixTime(u64::MAX)), Some(position))?)
}

/// Forgets days that are still to come, unless the node's records say that it is the clock now that is
/// wrong: they bear the node's time, and none can be of a future as far.
fn forget_ahead(tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM financial_snapshots WHERE day_s > ?1 AND source <> 'imported' AND ?1 >= (
             SELECT max(coalesce((SELECT max(day_s) FROM flow_days), 0),
                 coalesce((SELECT max(at_s) FROM costs WHERE source <> 'estimate'), 0),
                 coalesce((SELECT max(completed_at_s) FROM rebalances), 0)))",
    )?
    .execute([now.plus(AHEAD_S)])?;
    Ok(())
}

/// Whether a row may be due now: none is there of this day, or some are there of days to come.
pub fn is_due(conn: &Connection, now: UnixTime) -> Result<bool> {
    Ok(last_day(conn)?.is_none_or(|last| last.plus(UnixTime::DAY) <= now || last > now))
}

/// Makes the sums of imported rows from the books: those of the file knew less.
fn sum_imported(tx: &Transaction<'_>, daily: &BTreeMap<UnixTime, Sums>) -> Result<()> {
    let days: Vec<UnixTime> = tx
        .prepare_cached("SELECT day_s FROM financial_snapshots WHERE source = 'imported'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let mut update = tx.prepare_cached(
        "UPDATE financial_snapshots SET forward_count = ?2, revenue_msat = ?3, open_cost_msat = ?4,
             splice_cost_msat = ?5, close_cost_msat = ?6, sweep_cost_msat = ?7, penalty_cost_msat = ?8,
             lease_cost_msat = ?9, rebalance_cost_msat = ?10 WHERE day_s = ?1",
    )?;
    for day in days {
        let sums = up_to(daily, day);
        let [open, splice, close, sweep, penalty, lease] = sums.costs;
        update.execute(params![
            day,
            sums.forwards,
            sums.revenue,
            open,
            splice,
            close,
            sweep,
            penalty,
            lease,
            sums.rebalances
        ])?;
    }
    Ok(())
}

/// The latest day that has a row.
pub fn last_day(conn: &Connection) -> Result<Option<UnixTime>> {
    conn.query_row("SELECT max(day_s) FROM financial_snapshots", [], |row| row.get(0))
}

fn up_to(daily: &BTreeMap<UnixTime, Sums>, day: UnixTime) -> Sums {
    let mut total = Sums::default();
    for sums in daily.range(..=day).map(|(_, sums)| sums) {
        total.forwards += sums.forwards;
        total.revenue += sums.revenue;
        total.rebalances += sums.rebalances;
        for (sum, cost) in total.costs.iter_mut().zip(sums.costs) {
            *sum += cost;
        }
    }
    total
}

/// What each day added to the books.
fn daily(conn: &Connection) -> Result<BTreeMap<UnixTime, Sums>> {
    let mut daily: BTreeMap<UnixTime, Sums> = BTreeMap::new();
    let mut select =
        conn.prepare_cached("SELECT day_s, sum(out_count), sum(earned_msat) FROM flow_days GROUP BY day_s")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let sums = daily.entry(row.get(0)?).or_default();
        (sums.forwards, sums.revenue) = (row.get(1)?, row.get(2)?);
    }
    for (at, kind) in CostKind::ALL.iter().enumerate() {
        let mut select = conn
            .prepare_cached("SELECT at_s - at_s % 86400, sum(msat) FROM costs WHERE kind = ?1 GROUP BY 1")?;
        let mut rows = select.query([kind.name()])?;
        while let Some(row) = rows.next()? {
            daily.entry(row.get(0)?).or_default().costs[at] = row.get(1)?;
        }
    }
    let mut select = conn.prepare_cached(
        "SELECT completed_at_s - completed_at_s % 86400, sum(fee_msat) FROM rebalances GROUP BY 1",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        daily.entry(row.get(0)?).or_default().rebalances = row.get(1)?;
    }
    Ok(daily)
}

/// What the reports would say now: the same parts of the same net worth.
fn position(conn: &Connection) -> Result<Position> {
    let books = books::all(conn)?;
    let worth = books.net_worth();
    let count = |phase| u32::try_from(books.in_phase(phase).count()).unwrap_or(u32::MAX);
    let part = |of: fn(&NetWorth) -> Msat| worth.as_ref().map(of);
    let total: Msat = books
        .in_phase(Phase::Open)
        .filter_map(|account| account.funds.as_ref())
        .map(|listed| listed.total)
        .sum();
    Ok(Position {
        confirmed: part(|worth| worth.wallet.confirmed),
        unconfirmed: part(|worth| worth.wallet.unconfirmed),
        local: part(|worth| worth.channels),
        remote: part(|worth| worth.channels).map(|local| total.saturating_sub(local)),
        opening: part(|worth| worth.opening),
        closing: part(|worth| worth.closing),
        capacity: books.capacity(),
        open: count(Phase::Open),
        closing_count: count(Phase::Closing),
        closed: count(Phase::Closed),
    })
}

fn put(
    tx: &Transaction<'_>,
    day: UnixTime,
    source: &str,
    at: UnixTime,
    sums: &Sums,
    position: Option<Position>,
) -> Result<usize> {
    let [open, splice, close, sweep, penalty, lease] = sums.costs;
    tx.prepare_cached(
        "INSERT OR IGNORE INTO financial_snapshots (day_s, source, taken_at_s, onchain_confirmed_msat,
             onchain_unconfirmed_msat, channels_local_msat, channels_remote_msat, opening_msat, closing_msat, capacity_msat,
             channels_open, channels_closing, channels_closed, forward_count, revenue_msat, open_cost_msat,
             splice_cost_msat, close_cost_msat, sweep_cost_msat, penalty_cost_msat, lease_cost_msat,
             rebalance_cost_msat)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
    )?
    .execute(params![
        day,
        source,
        at,
        position.and_then(|position| position.confirmed),
        position.and_then(|position| position.unconfirmed),
        position.and_then(|position| position.local),
        position.and_then(|position| position.remote),
        position.and_then(|position| position.opening),
        position.and_then(|position| position.closing),
        position.map(|position| position.capacity),
        position.map(|position| position.open),
        position.map(|position| position.closing_count),
        position.map(|position| position.closed),
        sums.forwards,
        sums.revenue,
        open,
        splice,
        close,
        sweep,
        penalty,
        lease,
        sums.rebalances
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channel;
    use crate::store::names;
    use crate::store::sql::Unsigned;
    use crate::store::testing::{channel, channel_id, memory};

    const DAY: u64 = UnixTime::DAY;

    fn rows(conn: &Connection) -> Vec<(u64, String, i64, i64, Option<i64>)> {
        conn.prepare("SELECT day_s / 86400, source, revenue_msat, open_cost_msat, capacity_msat FROM financial_snapshots")
            .and_then(|mut select| {
                let row = |row: &rusqlite::Row<'_>| {
                    Ok((row.get::<_, Unsigned>(0)?.0, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                };
                select.query_map([], row)?.collect()
            })
            .expect("rows")
    }

    #[test]
    fn a_day_is_taken_once_and_missed_days_are_made_up() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        tx.execute_batch(
            "INSERT INTO flow_days VALUES (10 * 86400, 1, 0, 0, 0, 2, 500, 0, 0, 0, 0), (12 * 86400, 1, 0, 0, 0, 1, 70, 0, 0, 0, 0);
             INSERT INTO costs (channel_id, kind, msat, at_s, source) VALUES (zeroblob(32), 'open', 9, 11 * 86400 + 5, 'node');",
        )
        .expect("seeded");
        assert_eq!(take(&tx, UnixTime(13 * DAY + 60)), Ok(4));
        let expected = [
            (10, "rebuilt", 500, 0, None),
            (11, "rebuilt", 500, 9, None),
            (12, "rebuilt", 570, 9, None),
            (13, "taken", 570, 9, Some(0)),
        ];
        let expected = expected
            .map(|(day, source, revenue, cost, capacity)| (day, source.to_owned(), revenue, cost, capacity));
        assert_eq!(rows(&tx), expected);
        // Later on the same day, and after the clock went back, nothing changes.
        for again in [13 * DAY + 7_200, 12 * DAY, 5 * DAY] {
            assert_eq!(take(&tx, UnixTime(again)), Ok(0));
        }
        assert_eq!(rows(&tx), expected);
        assert_eq!(take(&tx, UnixTime(15 * DAY)), Ok(2));
        assert_eq!(rows(&tx).len(), 6);
    }

    #[test]
    fn days_that_a_clock_made_which_was_ahead_go_when_it_is_right() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        tx.execute_batch("INSERT INTO flow_days VALUES (10 * 86400, 1, 0, 0, 0, 2, 500, 0, 0, 0, 0)")
            .expect("seeded");
        assert_eq!(take(&tx, UnixTime(11 * DAY)), Ok(2));
        let before = rows(&tx);
        assert_eq!(take(&tx, UnixTime(376 * DAY)), Ok(365));
        // Set back too far, it is the clock that contradicts the node's records.
        assert_eq!(take(&tx, UnixTime(3 * DAY)), Ok(0));
        assert_eq!(rows(&tx).len(), 367);
        assert!(is_due(&tx, UnixTime(11 * DAY + 60)).expect("readable"));
        assert_eq!(take(&tx, UnixTime(11 * DAY + 60)), Ok(0));
        assert_eq!(rows(&tx)[..2], before);
        assert_eq!(last_day(&tx), Ok(Some(UnixTime(13 * DAY))), "a small step back costs no row");
    }

    #[test]
    fn sums_of_imported_days_follow_the_books() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        tx.execute_batch(
            "INSERT INTO financial_snapshots (day_s, source, taken_at_s, capacity_msat, forward_count, revenue_msat,
                 open_cost_msat, close_cost_msat, sweep_cost_msat, splice_cost_msat, penalty_cost_msat,
                 lease_cost_msat, rebalance_cost_msat) VALUES (11 * 86400, 'imported', 950460, 77, 0, 9, 9, 0, 0, 0, 0, 0, 0);
             INSERT INTO flow_days VALUES (10 * 86400, 1, 0, 0, 0, 2, 500, 0, 0, 0, 0), (12 * 86400, 1, 0, 0, 0, 1, 70, 0, 0, 0, 0);
             INSERT INTO costs (channel_id, kind, msat, at_s, source) VALUES (zeroblob(32), 'open', 4, 11 * 86400 + 5, 'imported');",
        )
        .expect("seeded");
        assert_eq!(take(&tx, UnixTime(13 * DAY)), Ok(2), "what is missing after it is made up");
        assert_eq!(rows(&tx)[0], (11, "imported".to_owned(), 500, 4, Some(77)));
        tx.execute("UPDATE costs SET msat = 3", []).expect("a record");
        assert_eq!(take(&tx, UnixTime(14 * DAY)), Ok(1));
        assert_eq!(rows(&tx)[0], (11, "imported".to_owned(), 500, 3, Some(77)));
    }

    #[test]
    fn a_days_row_adds_up_to_the_net_worth_of_the_reports() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let states = [
            "CHANNELD_NORMAL",
            "CHANNELD_AWAITING_LOCKIN",
            "OPENINGD",
            "CHANNELD_SHUTTING_DOWN",
            "ONCHAIN",
            "ONCHAIN",
        ];
        let channels: Vec<Channel> = (1..=6).map(channel).collect();
        names::observe(&tx, &channels, UnixTime(DAY)).expect("stored");
        tx.execute("INSERT INTO node_funds VALUES (1, 86400, 1000000, 200000, 0, 9, NULL)", [])
            .expect("a look");
        for (n, state) in (1u8..).zip(states) {
            tx.execute(
                "INSERT INTO channel_funds VALUES (?1, 86400, ?2, 1, ?3, 90000, 0, 0, 0, 0, NULL)",
                params![channel_id(n), state, 10_i64.pow(u32::from(n) - 1)],
            )
            .expect("a channel");
        }
        // The money of a commitment of ours is still to be swept; after a mutual close the wallet has it.
        for (n, kind) in [(5, "local_unilateral"), (6, "mutual")] {
            let life =
                "INSERT INTO channel_lives (channel_id, closed_at_s, close_kind) VALUES (?1, 86400, ?2)";
            tx.execute(life, params![channel_id(n), kind]).expect("a life");
        }
        take(&tx, UnixTime(DAY + 60)).expect("taken");
        let found: [i64; 9] = tx
            .query_row(
                "SELECT onchain_confirmed_msat, onchain_unconfirmed_msat, channels_local_msat, channels_remote_msat,
                     opening_msat, closing_msat, channels_open, channels_closing, channels_closed FROM financial_snapshots",
                [],
                |row| {
                    let mut found = [0; 9];
                    for (at, number) in found.iter_mut().enumerate() {
                        *number = row.get(at)?;
                    }
                    Ok(found)
                },
            )
            .expect("a row");
        assert_eq!(found, [1_000_000, 200_000, 1, 89_999, 10, 11_000, 1, 1, 2]);
        let worth = books::all(&tx).expect("books").net_worth().expect("a look was taken");
        let parts = [found[0], found[1], found[2], found[4], found[5]];
        assert_eq!(worth.total().0 as i64, parts.iter().sum::<i64>());
    }
}
