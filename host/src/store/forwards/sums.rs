//! Sums of forwards, gathered in memory and written once per hour, day, month and channel name.

use super::delta::Delta;
use super::received_s;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::{Scid, UnixTime};
use crate::store::cursors;
use crate::store::sql::{int, opt_int};
use crate::store::window::MONTH;
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::HashMap;

/// Sums by start of a stretch of time, s, and channel name.
type Stretches = HashMap<(u64, Scid), Delta>;

/// Hours that began before this instant, s, are forgotten.
pub(in crate::store) const HOURS_SINCE: &str = "flow_hours.since";

/// The sums of one transaction.
pub(super) struct Sums {
    /// None of an hour that is forgotten.
    hours: Stretches,
    /// Months and totals follow from them.
    days: HashMap<(u64, Scid), Total>,
    failures: HashMap<FailureKey, i64>,
    /// Hours that began before this instant are not kept.
    hours_since: UnixTime,
    /// The newest hour that was left out.
    newest_left_out: Option<u64>,
}

/// Start of the day, s; channel name; whether it failed here; failure code.
type FailureKey = (u64, Scid, bool, u32);

/// Where a failed forward is counted.
fn failure_key(forward: &Forward) -> Option<FailureKey> {
    let is_local = match forward.status {
        ForwardStatus::LocalFailed => true,
        ForwardStatus::Failed => false,
        ForwardStatus::Offered | ForwardStatus::Settled => return None,
    };
    let second = received_s(forward);
    let scid = forward.out_channel.unwrap_or(forward.in_channel);
    Some((second - second % UnixTime::DAY, scid, is_local, forward.failcode.unwrap_or(0)))
}

/// Sums, and when a forward of these last settled, s.
#[derive(Clone, Copy, Default)]
struct Total {
    delta: Delta,
    last_in: Option<u64>,
    last_out: Option<u64>,
}

impl Total {
    /// Adds `sign` times what a forward received at `second` comes to.
    fn add(&mut self, delta: &Delta, sign: i64, second: u64) {
        self.delta.add(delta, sign);
        if sign * delta.in_count > 0 {
            self.last_in = self.last_in.max(Some(second));
        }
        if sign * delta.out_count > 0 {
            self.last_out = self.last_out.max(Some(second));
        }
    }

    fn merge(&mut self, other: &Total) {
        self.delta.add(&other.delta, 1);
        self.last_in = self.last_in.max(other.last_in);
        self.last_out = self.last_out.max(other.last_out);
    }
}

impl Sums {
    /// Hours of the UTC days before `hours_from` are forgotten.
    pub fn new(conn: &Connection, hours_from: UnixTime) -> Result<Sums> {
        let since = UnixTime(cursors::get(conn, HOURS_SINCE)?.unwrap_or(0));
        Ok(Sums {
            hours: HashMap::new(),
            days: HashMap::new(),
            failures: HashMap::new(),
            hours_since: since.max(hours_from.minus(hours_from.0 % UnixTime::DAY)),
            newest_left_out: None,
        })
    }

    pub fn add(&mut self, forward: &Forward) -> Result<()> {
        self.put(forward, 1)
    }

    pub fn subtract(&mut self, forward: &Forward) -> Result<()> {
        self.put(forward, -1)
    }

    fn put(&mut self, forward: &Forward, sign: i64) -> Result<()> {
        let second = received_s(forward);
        let (hour, day) = (second - second % UnixTime::HOUR, second - second % UnixTime::DAY);
        let is_hour_kept = hour >= self.hours_since.0;
        if !is_hour_kept {
            self.newest_left_out = self.newest_left_out.max(Some(hour));
        }
        if let Some(key) = failure_key(forward) {
            *self.failures.entry(key).or_default() += sign;
        }
        Delta::of(forward, |scid, delta| {
            if delta == Delta::default() {
                return;
            }
            if is_hour_kept {
                self.hours.entry((hour, scid)).or_default().add(&delta, sign);
            }
            self.days.entry((day, scid)).or_default().add(&delta, sign, second);
        })
    }

    /// Adds the sums to those in the database, in the order of their keys, which
    /// touches each page of the file once.
    pub fn store(self, tx: &Transaction<'_>) -> Result<()> {
        let (months, totals) = (by_month(&self.days), by_name(&self.days));
        put_stretches(tx, "flow_hours", "hour_s", self.hours)?;
        let days = self.days.into_iter().map(|(key, total)| (key, total.delta));
        put_stretches(tx, "flow_days", "day_s", days)?;
        put_stretches(tx, "flow_months", "month_s", months)?;
        put_failures(tx, self.failures)?;
        put_totals(tx, totals)?;
        match self.newest_left_out {
            Some(hour) => forget_hours(tx, UnixTime(hour + UnixTime::HOUR)),
            None => Ok(()),
        }
    }
}

fn put_totals(tx: &Transaction<'_>, totals: HashMap<Scid, Total>) -> Result<()> {
    let mut upsert = tx.prepare_cached(UPSERT_TOTAL)?;
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_unstable_by_key(|(scid, _)| *scid);
    for (scid, Total { delta: sum, last_in, last_out }) in totals {
        upsert.execute(params![
            scid,
            sum.in_msat,
            sum.out_msat,
            sum.in_count,
            sum.out_count,
            sum.earned_msat,
            sum.sourced_msat,
            sum.failed_liquidity,
            sum.failed_downstream,
            sum.failed_other,
            opt_int(last_in)?,
            opt_int(last_out)?
        ])?;
    }
    Ok(())
}

/// Notes that hours of the UTC days before the end of `before`'s are not all there any more.
fn forget_hours(tx: &Transaction<'_>, before: UnixTime) -> Result<()> {
    let since = before.0.div_ceil(UnixTime::DAY) * UnixTime::DAY;
    match cursors::get(tx, HOURS_SINCE)? {
        Some(known) if known >= since => Ok(()),
        _ => cursors::set(tx, HOURS_SINCE, since),
    }
}

/// The same sums by month.
fn by_month(days: &HashMap<(u64, Scid), Total>) -> Stretches {
    let mut months = Stretches::new();
    for ((day, scid), sum) in days {
        months.entry((day - day % MONTH, *scid)).or_default().add(&sum.delta, 1);
    }
    months
}

/// The same sums over all time.
fn by_name(days: &HashMap<(u64, Scid), Total>) -> HashMap<Scid, Total> {
    let mut totals: HashMap<Scid, Total> = HashMap::new();
    for ((_, scid), sum) in days {
        totals.entry(*scid).or_default().merge(sum);
    }
    totals
}

/// Adds sums of hours, days or months to the table of such.
fn put_stretches(
    tx: &Transaction<'_>,
    table: &str,
    key: &str,
    sums: impl IntoIterator<Item = ((u64, Scid), Delta)>,
) -> Result<()> {
    let mut upsert = tx.prepare_cached(&format!(
        "INSERT INTO {table} ({key}, scid, in_msat, out_msat, in_count, out_count, earned_msat, sourced_msat,
             failed_liquidity, failed_downstream, failed_other)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT ({key}, scid) DO UPDATE SET
             in_msat = in_msat + excluded.in_msat, out_msat = out_msat + excluded.out_msat,
             in_count = in_count + excluded.in_count, out_count = out_count + excluded.out_count,
             earned_msat = earned_msat + excluded.earned_msat, sourced_msat = sourced_msat + excluded.sourced_msat,
             failed_liquidity = failed_liquidity + excluded.failed_liquidity,
             failed_downstream = failed_downstream + excluded.failed_downstream,
             failed_other = failed_other + excluded.failed_other"
    ))?;
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by_key(|(key, _)| *key);
    for ((start, scid), sum) in sums {
        upsert.execute(params![
            int(start)?,
            scid,
            sum.in_msat,
            sum.out_msat,
            sum.in_count,
            sum.out_count,
            sum.earned_msat,
            sum.sourced_msat,
            sum.failed_liquidity,
            sum.failed_downstream,
            sum.failed_other
        ])?;
    }
    Ok(())
}

fn put_failures(tx: &Transaction<'_>, failures: HashMap<FailureKey, i64>) -> Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO failure_days (day_s, scid, local, failcode, count) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (day_s, scid, local, failcode) DO UPDATE SET count = count + excluded.count",
    )?;
    let mut failures: Vec<_> = failures.into_iter().filter(|(_, count)| *count != 0).collect();
    failures.sort_unstable_by_key(|(key, _)| *key);
    for ((day, scid, local, failcode), count) in failures {
        upsert.execute(params![int(day)?, scid, local, failcode, count])?;
    }
    Ok(())
}

const UPSERT_TOTAL: &str = "
    INSERT INTO flow_totals (scid, in_msat, out_msat, in_count, out_count, earned_msat, sourced_msat,
        failed_liquidity, failed_downstream, failed_other, last_in_s, last_out_s)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (scid) DO UPDATE SET
        in_msat = in_msat + excluded.in_msat, out_msat = out_msat + excluded.out_msat,
        in_count = in_count + excluded.in_count, out_count = out_count + excluded.out_count,
        earned_msat = earned_msat + excluded.earned_msat, sourced_msat = sourced_msat + excluded.sourced_msat,
        failed_liquidity = failed_liquidity + excluded.failed_liquidity,
        failed_downstream = failed_downstream + excluded.failed_downstream,
        failed_other = failed_other + excluded.failed_other,
        last_in_s = coalesce(max(last_in_s, excluded.last_in_s), last_in_s, excluded.last_in_s),
        last_out_s = coalesce(max(last_out_s, excluded.last_out_s), last_out_s, excluded.last_out_s)";
