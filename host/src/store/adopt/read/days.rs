//! What flowed on days that the node no longer knows.
//!
//! Forwards stay there row by row for some days and are then added up per outgoing channel and UTC day.
//! A channel's day can be in both: the rows and the sums never mean the same forward, except where a
//! restart made that plugin add them up again, which nothing in the file tells.

use crate::model::{Scid, UnixTime};
use crate::store::adopt::found::{DayKey, Found, Part};
use crate::store::adopt::table::{columns, each_row, read_scid};
use crate::store::forwards::{Delta, NO_CHANNEL};
use crate::store::sql::int;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result, Row};
use std::collections::{BTreeMap, HashMap};

/// No forward moves more than this, msat (1000 bitcoin): what says otherwise is no forward.
const MOST_MSAT: i64 = 100_000_000_000_000;

type Days = BTreeMap<DayKey, Delta>;

/// `since` is when the node's own record of settled forwards begins: days from that one on are left to it.
pub(super) fn all(conn: &Connection, since: Option<UnixTime>, found: &mut Found) -> Result<()> {
    let first_own_day = since.map_or(u64::MAX, day);
    let mut days = Days::new();
    summed(conn, &mut days, found)?;
    from_rows(conn, first_own_day, &mut days, found)?;
    pruned_before_days(conn, &mut days, found)?;
    let all = days.len();
    days.retain(|(day, _), _| *day < first_own_day);
    found.tally.known(Part::Days, "the node's forwards cover that day", (all - days.len()) as u64);
    found.tally.taken(Part::Days, days.len() as u64);
    found.days = days;
    Ok(())
}

/// The start of the UTC day, s.
const fn day(at: UnixTime) -> u64 {
    at.0 - at.0 % UnixTime::DAY
}

fn summed(conn: &Connection, days: &mut Days, found: &mut Found) -> Result<()> {
    let names = ["channel_id", "date", "total_out_msat", "total_fee_msat", "forward_count"];
    each_row(conn, "daily_forwarding_stats", &names, (&mut found.tally, Part::Days), |cells, _| {
        let key = (day(cells.time("date")?), cells.scid("channel_id")?);
        let amount = |name| cells.msat(name).map(|amount| amount.0 as i64);
        let sum = Delta {
            out_msat: amount("total_out_msat")?,
            earned_msat: amount("total_fee_msat")?,
            out_count: cells.count("forward_count")? as i64,
            ..Delta::default()
        };
        days.entry(key).or_default().add(&sum, 1);
        Ok(())
    })
}

/// Why a forward is left out.
const NO_FORWARD: &str = "a forward without a time or with an impossible amount";
const NO_NAME: &str = "a forward whose channel is not a short channel id";

/// Adds up rows that are not yet in the sums. There may be millions, so they are read as they lie: a
/// grouping in SQL would sort them first.
fn from_rows(conn: &Connection, first_own_day: u64, days: &mut Days, found: &mut Found) -> Result<()> {
    let present = columns(conn, "forwards")?;
    if ROW.iter().any(|name| !present.contains(*name)) {
        return Ok(());
    }
    // Texts come after all numbers, and an index finds them.
    let timeless = "SELECT count(*) FROM forwards WHERE timestamp IS NULL OR timestamp >= ''";
    found.tally.skipped(
        Part::Days,
        NO_FORWARD,
        conn.query_row(timeless, [], |row| row.get::<_, u32>(0))?.into(),
    );
    let mut select =
        conn.prepare(&format!("SELECT {} FROM forwards WHERE timestamp < ?1", ROW.join(", ")))?;
    let mut rows = select.query([int(first_own_day.min(1 << 40))?])?;
    let (mut names, mut sums) = (Names::default(), HashMap::<DayKey, Delta>::new());
    while let Some(row) = rows.next()? {
        let Some((day, in_msat, out_msat, fee)) = amounts(row) else {
            found.tally.skipped(Part::Days, NO_FORWARD, 1);
            continue;
        };
        let sides = [
            (4, Delta { in_count: 1, in_msat, sourced_msat: fee, ..Delta::default() }),
            (5, Delta { out_count: 1, out_msat, earned_msat: fee, ..Delta::default() }),
        ];
        for (column, sum) in sides {
            match names.read(row.get_ref(column)?) {
                Some(scid) => sums.entry((day, scid)).or_default().add(&sum, 1),
                None => found.tally.skipped(Part::Days, NO_NAME, 1),
            }
        }
    }
    for (key, sum) in sums {
        days.entry(key).or_default().add(&sum, 1);
    }
    Ok(())
}

const ROW: [&str; 6] = ["timestamp", "in_msat", "out_msat", "fee_msat", "in_channel", "out_channel"];

/// The day of a forward, and what came in, went out and was earned.
fn amounts(row: &Row<'_>) -> Option<(u64, i64, i64, i64)> {
    let number = |column| row.get_ref(column).ok()?.as_i64().ok();
    let amount = |column| number(column).filter(|msat| (0..=MOST_MSAT).contains(msat));
    let at = number(0).and_then(|at| u64::try_from(at).ok()).filter(|at| *at > 0)?;
    Some((day(UnixTime(at)), amount(1)?, amount(2)?, amount(3)?))
}

/// The few names that occur again and again.
#[derive(Default)]
struct Names(HashMap<Vec<u8>, Option<Scid>>);

impl Names {
    fn read(&mut self, value: ValueRef<'_>) -> Option<Scid> {
        let bytes = value.as_bytes().ok()?;
        if let Some(known) = self.0.get(bytes) {
            return *known;
        }
        let scid = std::str::from_utf8(bytes).ok().and_then(read_scid);
        self.0.insert(bytes.to_vec(), scid);
        scid
    }
}

/// What the first versions had added up without days. It counts only if all of it lies before the node's
/// own record: on the day when it was last added to.
fn pruned_before_days(conn: &Connection, days: &mut Days, found: &mut Found) -> Result<()> {
    let names = ["pruned_revenue_msat", "pruned_forward_count", "last_prune_timestamp"];
    each_row(conn, "lifetime_aggregates", &names, (&mut found.tally, Part::Days), |cells, _| {
        let (fee, count) = (cells.msat("pruned_revenue_msat")?, cells.count("pruned_forward_count")?);
        if fee.0 > 0 || count > 0 {
            let key = (day(cells.time("last_prune_timestamp")?), NO_CHANNEL);
            let sum = Delta { earned_msat: fee.0 as i64, out_count: count as i64, ..Delta::default() };
            days.entry(key).or_default().add(&sum, 1);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::adopt::found::Outcome;

    const D: u64 = 86_400;

    fn read(rows: &str, since: Option<u64>) -> Found {
        let conn = Connection::open_in_memory().expect("in memory");
        conn.execute_batch(&format!(
            "CREATE TABLE forwards (in_channel, out_channel, in_msat, out_msat, fee_msat, timestamp);
             CREATE TABLE daily_forwarding_stats (channel_id, date, total_in_msat, total_out_msat, total_fee_msat, forward_count);
             CREATE TABLE lifetime_aggregates (pruned_revenue_msat, pruned_forward_count, last_prune_timestamp); {rows}"
        ))
        .expect("rows");
        let mut found = Found::default();
        all(&conn, since.map(UnixTime), &mut found).expect("readable");
        found
    }

    const ROWS: &str = "INSERT INTO forwards VALUES ('1x1x1', '2x2x2', 1010, 1000, 10, 86400 * 5 + 7),
             ('1x1x1', '2:2:2', 1010, 1000, 10, 86400 * 5 + 8), ('1x1x1', '2x2x2', 1010, 1000, 10, 86400 * 6),
             ('1x1x1', '', 1010, 1000, 10, 86400 * 5), (NULL, '2x2x2', 'lots', 1000, 10, 86400 * 5);
         INSERT INTO daily_forwarding_stats VALUES ('2x2x2', 86400 * 5 + 3600, 505, 500, 5, 1),
             ('2x2x2', 86400 * 4, 505, 500, 5, 1), ('2x2x2', NULL, 505, 500, 5, 1);
         INSERT INTO lifetime_aggregates VALUES (77, 3, 86400 * 2 + 5)";

    #[test]
    fn rows_and_sums_of_a_day_are_added() {
        let found = read(ROWS, None);
        let (one, two) = (read_scid("1x1x1").expect("a scid"), read_scid("2x2x2").expect("a scid"));
        let day = |n, scid| found.days.get(&(n * D, scid)).copied().unwrap_or_default();
        assert_eq!((day(5, two).earned_msat, day(5, two).out_count), (25, 3));
        assert_eq!((day(5, two).out_msat, day(4, two).out_msat, day(6, two).out_msat), (2500, 500, 1000));
        assert_eq!(
            (day(5, one).sourced_msat, day(5, one).in_count),
            (30, 3),
            "what came in is told by rows only"
        );
        assert_eq!(day(2, NO_CHANNEL).earned_msat, 77);
        assert_eq!(found.tally.count(Part::Days, Outcome::Skipped), 3);
    }

    #[test]
    fn days_of_the_nodes_own_record_are_left_to_it() {
        let found = read(ROWS, Some(5 * D + 50_000));
        assert_eq!(found.days.keys().map(|(day, _)| day / D).collect::<Vec<_>>(), [2, 4]);
        // Rows of those days are not even looked at; a sum of such a day is known.
        assert_eq!(found.tally.count(Part::Days, Outcome::Known), 1);
        assert_eq!(found.tally.count(Part::Days, Outcome::Taken), 2);
    }
}
