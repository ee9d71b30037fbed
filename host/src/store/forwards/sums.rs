//! Sums of forwards, gathered in memory and written once per hour, day, month and channel name.
//!
//! What each forward adds is kept as a reference to it, and added up only in the order of the rows that are
//! written: a map of sums would be several times as large as the forwards themselves.

use super::delta::Delta;
use super::received_s;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::{Scid, UnixTime};
use crate::store::cursors;
use crate::store::sql::{int, opt_int};
use crate::store::window::MONTH;
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::HashMap;

/// Hours that began before this instant, s, are forgotten.
pub(in crate::store) const HOURS_SINCE: &str = "flow_hours.since";

/// The sums of one transaction.
pub(super) struct Sums<'a> {
    shares: Vec<Share<'a>>,
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

/// What one forward adds to the sums of one channel name.
#[derive(Clone, Copy)]
struct Share<'a> {
    forward: &'a Forward,
    scid: Scid,
    /// When the forward was received, s.
    second: u64,
    way: Way,
    /// -1: it is taken out again.
    sign: i8,
}

/// Whether the forward came in by the channel or left by it.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Share<'_> {
    fn delta(&self) -> Result<Delta> {
        match self.way {
            Way::In => Delta::incoming(self.forward),
            Way::Out => Delta::outgoing(self.forward),
        }
    }

    /// Where it is counted, among stretches of so many seconds.
    fn key(&self, length: u64) -> (u64, Scid) {
        (self.second - self.second % length, self.scid)
    }
}

/// Sums, and when a forward of these last settled, s.
#[derive(Default)]
struct Total {
    delta: Delta,
    last_in: Option<u64>,
    last_out: Option<u64>,
}

impl Total {
    fn of(shares: &[Share<'_>]) -> Result<Total> {
        let mut total = Total::default();
        for share in shares {
            let (delta, sign) = (share.delta()?, i64::from(share.sign));
            total.delta.add(&delta, sign);
            if sign * delta.in_count > 0 {
                total.last_in = total.last_in.max(Some(share.second));
            }
            if sign * delta.out_count > 0 {
                total.last_out = total.last_out.max(Some(share.second));
            }
        }
        Ok(total)
    }
}

impl<'a> Sums<'a> {
    /// Hours of the UTC days before `hours_from` are forgotten. Room is made for so many forwards.
    pub fn new(conn: &Connection, hours_from: UnixTime, forwards: usize) -> Result<Sums<'a>> {
        let since = UnixTime(cursors::get(conn, HOURS_SINCE)?.unwrap_or(0));
        Ok(Sums {
            shares: Vec::with_capacity(2 * forwards),
            failures: HashMap::new(),
            hours_since: since.max(hours_from.minus(hours_from.0 % UnixTime::DAY)),
            newest_left_out: None,
        })
    }

    pub fn add(&mut self, forward: &'a Forward) -> Result<()> {
        self.put(forward, 1)
    }

    pub fn subtract(&mut self, forward: &'a Forward) -> Result<()> {
        self.put(forward, -1)
    }

    fn put(&mut self, forward: &'a Forward, sign: i8) -> Result<()> {
        let second = received_s(forward);
        let hour = second - second % UnixTime::HOUR;
        if hour < self.hours_since.0 {
            self.newest_left_out = self.newest_left_out.max(Some(hour));
        }
        if let Some(key) = failure_key(forward) {
            *self.failures.entry(key).or_default() += i64::from(sign);
        }
        let ways = [(Some(forward.in_channel), Way::In), (forward.out_channel, Way::Out)];
        for (scid, way) in ways {
            let Some(scid) = scid else { continue };
            let share = Share { forward, scid, second, way, sign };
            if share.delta()? != Delta::default() {
                self.shares.push(share);
            }
        }
        Ok(())
    }

    /// Adds the sums to those in the database, in the order of their keys, which
    /// touches each page of the file once.
    pub fn store(mut self, tx: &Transaction<'_>) -> Result<()> {
        put_totals(tx, &mut self.shares)?;
        put_stretches(tx, "flow_months", "month_s", MONTH, &mut self.shares)?;
        put_stretches(tx, "flow_days", "day_s", UnixTime::DAY, &mut self.shares)?;
        self.shares.retain(|share| share.key(UnixTime::HOUR).0 >= self.hours_since.0);
        put_stretches(tx, "flow_hours", "hour_s", UnixTime::HOUR, &mut self.shares)?;
        put_failures(tx, self.failures)?;
        match self.newest_left_out {
            Some(hour) => forget_hours(tx, UnixTime(hour + UnixTime::HOUR)),
            None => Ok(()),
        }
    }
}

fn put_totals(tx: &Transaction<'_>, shares: &mut [Share<'_>]) -> Result<()> {
    let mut upsert = tx.prepare_cached(UPSERT_TOTAL)?;
    shares.sort_unstable_by_key(|share| share.scid);
    for same in shares.chunk_by(|one, next| one.scid == next.scid) {
        let Total { delta: sum, last_in, last_out } = Total::of(same)?;
        upsert.execute(params![
            same[0].scid,
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

/// Adds sums of stretches of so many seconds to the table of such.
fn put_stretches(
    tx: &Transaction<'_>,
    table: &str,
    key: &str,
    length: u64,
    shares: &mut [Share<'_>],
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
    shares.sort_unstable_by_key(|share| share.key(length));
    for same in shares.chunk_by(|one, next| one.key(length) == next.key(length)) {
        let ((start, scid), sum) = (same[0].key(length), Total::of(same)?.delta);
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
