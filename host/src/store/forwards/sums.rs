//! Sums of a page, gathered in memory and written once per hour, day, month and channel name.

use super::received_s;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::{Msat, Scid, UnixTime};
use crate::store::sql::{int, opt_int};
use crate::store::window::MONTH;
use rusqlite::{Result, Transaction, params};
use std::collections::HashMap;

/// BOLT 4 `temporary_channel_failure`: what a node answers for want of balance.
const TEMPORARY_CHANNEL_FAILURE: u32 = 0x1007;

/// What forwards add to the sums of one channel name. Negative while a forward
/// that ended in another way than first told is taken out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Delta {
    pub in_msat: i64,
    pub out_msat: i64,
    pub in_count: i64,
    pub out_count: i64,
    pub earned_msat: i64,
    pub sourced_msat: i64,
    pub failed_liquidity: i64,
    pub failed_downstream: i64,
    pub failed_other: i64,
}

fn signed(amount: Msat) -> Result<i64> {
    int(amount.0)
}

impl Delta {
    /// What the forward adds to the channel it came in by.
    fn incoming(forward: &Forward) -> Result<Delta> {
        let mut delta = Delta::default();
        match (forward.status, forward.out_channel) {
            (ForwardStatus::Settled, _) => {
                delta.in_msat = signed(forward.in_msat)?;
                delta.in_count = 1;
                delta.sourced_msat = signed(forward.fee_msat)?;
            }
            // Failed before a channel was chosen.
            (ForwardStatus::LocalFailed | ForwardStatus::Failed, None) => delta.failed_other = 1,
            _ => {}
        }
        Ok(delta)
    }

    /// What the forward adds to the channel it leaves, or should have left, by.
    pub(super) fn outgoing(forward: &Forward) -> Result<Delta> {
        let mut delta = Delta::default();
        match (forward.status, forward.failcode) {
            (ForwardStatus::Offered, _) => {}
            (ForwardStatus::Settled, _) => {
                delta.out_msat = signed(forward.out_msat)?;
                delta.out_count = 1;
                delta.earned_msat = signed(forward.fee_msat)?;
            }
            (ForwardStatus::Failed, _) => delta.failed_downstream = 1,
            (ForwardStatus::LocalFailed, None | Some(TEMPORARY_CHANNEL_FAILURE)) => {
                delta.failed_liquidity = 1
            }
            (ForwardStatus::LocalFailed, Some(_)) => delta.failed_other = 1,
        }
        Ok(delta)
    }

    /// Calls `each` with the names the forward counts for, and what it adds there.
    pub fn of(forward: &Forward, mut each: impl FnMut(Scid, Delta)) -> Result<()> {
        each(forward.in_channel, Delta::incoming(forward)?);
        if let Some(out) = forward.out_channel {
            each(out, Delta::outgoing(forward)?);
        }
        Ok(())
    }

    /// Adds `sign` times `other`.
    pub fn add(&mut self, other: &Delta, sign: i64) {
        self.in_msat += sign * other.in_msat;
        self.out_msat += sign * other.out_msat;
        self.in_count += sign * other.in_count;
        self.out_count += sign * other.out_count;
        self.earned_msat += sign * other.earned_msat;
        self.sourced_msat += sign * other.sourced_msat;
        self.failed_liquidity += sign * other.failed_liquidity;
        self.failed_downstream += sign * other.failed_downstream;
        self.failed_other += sign * other.failed_other;
    }
}

/// Sums by start of a stretch of time, s, and channel name.
type Stretches = HashMap<(u64, Scid), Delta>;

/// The sums of one page.
#[derive(Default)]
pub(super) struct Sums {
    hours: Stretches,
    totals: HashMap<Scid, Total>,
    failures: HashMap<FailureKey, i64>,
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

#[derive(Default)]
struct Total {
    delta: Delta,
    last_in: Option<u64>,
    last_out: Option<u64>,
}

impl Sums {
    pub fn add(&mut self, forward: &Forward) -> Result<()> {
        self.put(forward, 1)?;
        if forward.status == ForwardStatus::Settled {
            let at = Some(received_s(forward));
            let last_in = &mut self.totals.entry(forward.in_channel).or_default().last_in;
            *last_in = at.max(*last_in);
            if let Some(out) = forward.out_channel {
                let last_out = &mut self.totals.entry(out).or_default().last_out;
                *last_out = at.max(*last_out);
            }
        }
        Ok(())
    }

    pub fn subtract(&mut self, forward: &Forward) -> Result<()> {
        self.put(forward, -1)
    }

    fn put(&mut self, forward: &Forward, sign: i64) -> Result<()> {
        let second = received_s(forward);
        let hour = second - second % UnixTime::HOUR;
        if let Some(key) = failure_key(forward) {
            *self.failures.entry(key).or_default() += sign;
        }
        Delta::of(forward, |scid, delta| {
            if delta != Delta::default() {
                self.hours.entry((hour, scid)).or_default().add(&delta, sign);
                self.totals.entry(scid).or_default().delta.add(&delta, sign);
            }
        })
    }

    /// Adds the page's sums to those in the database, in the order of their
    /// keys, which touches each page of the file once.
    pub fn store(self, tx: &Transaction<'_>) -> Result<()> {
        let days = by_longer(&self.hours, UnixTime::DAY);
        let months = by_longer(&days, MONTH);
        put_stretches(tx, "flow_hours", "hour_s", self.hours)?;
        put_stretches(tx, "flow_days", "day_s", days)?;
        put_stretches(tx, "flow_months", "month_s", months)?;
        put_failures(tx, self.failures)?;
        let mut upsert = tx.prepare_cached(UPSERT_TOTAL)?;
        for (scid, Total { delta: sum, last_in, last_out }) in self.totals {
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
}

/// The same sums by longer stretches of so many seconds.
fn by_longer(sums: &Stretches, length: u64) -> Stretches {
    let mut longer = Stretches::new();
    for ((start, scid), sum) in sums {
        longer.entry((start - start % length, *scid)).or_default().add(sum, 1);
    }
    longer
}

/// Adds sums of hours, days or months to the table of such.
fn put_stretches(tx: &Transaction<'_>, table: &str, key: &str, sums: Stretches) -> Result<()> {
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
