//! The books behind [`crate::guard::budget`]: what is spent, what is reserved, and how a job's
//! payments become its cost.

use super::sql::{Unsigned, int};
use super::{flow, jobs};
use crate::config::Config;
use crate::guard::Approved;
use crate::guard::budget::{self, Books, Held, Ledger, Reserved, Spent};
use crate::model::job::{Job, JobId, JobState, Past, StartRebalance};
use crate::model::refusal::{Holder, RebalanceRefusal};
use crate::model::{ChannelId, Msat, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::HashMap;

/// A transaction as the place where reservations are kept.
struct InTransaction<'a, 'conn>(&'a Transaction<'conn>);

impl Books for InTransaction<'_, '_> {
    type Error = rusqlite::Error;

    fn ledger(&self, since: UnixTime) -> Result<Ledger> {
        ledger(self.0, since)
    }

    fn open(&mut self, start: &StartRebalance, at: UnixTime) -> Result<JobId> {
        jobs::insert(self.0, start, at)
    }
}

/// Reserves the worst case of a job, or says which limit forbids it. What ended jobs spent as it is
/// known by now counts. The transaction must begin as one that writes, as those of
/// [`super::Store::write`] do: no other can come in between.
pub fn reserve(
    tx: &Transaction<'_>,
    approved: Approved<StartRebalance>,
    config: &Config,
    now: UnixTime,
) -> Result<std::result::Result<Reserved, RebalanceRefusal>> {
    assign(tx, now)?;
    budget::reserve(&mut InTransaction(tx), approved, config, now)
}

/// What is spent from `since` on, what is reserved, and what was earned.
pub fn ledger(conn: &Connection, since: UnixTime) -> Result<Ledger> {
    let held = jobs::live(conn)?.iter().map(held_by).collect();
    Ok(Ledger { earned: flow::earned_since(conn, since)?, spent: spent_since(conn, since)?, held })
}

fn held_by(job: &Job) -> Held {
    Held { left: job.held(), ..Held::by(&job.start, Holder::Job(job.id)) }
}

fn spent_since(conn: &Connection, since: UnixTime) -> Result<Vec<Spent>> {
    conn.prepare_cached(
        "SELECT j.to_channel, j.to_peer, j.fleet, r.fee_msat FROM rebalances r JOIN rebalance_jobs j ON j.id = r.job_id
         WHERE r.completed_at_s >= ?1",
    )?
    .query_map([since], |row| {
        Ok(Spent { to: row.get(0)?, peer_id: row.get(1)?, fleet: row.get(2)?, fee: row.get(3)? })
    })?
    .collect()
}

/// Gives payments whose channels are known to the jobs that made them: those of jobs that are not
/// settled, and of settled ones whose payments' channels were learned within a week. Jobs that are
/// not settled share no channel, so that there is never a choice. Returns how many it gave.
pub fn assign(tx: &Transaction<'_>, now: UnixTime) -> Result<usize> {
    // Clocks of this plugin and lightningd may round the same second differently.
    const JOB: &str = "SELECT j.id FROM rebalance_jobs j JOIN rebalance_sources s ON s.job_id = j.id
        WHERE j.to_channel = rebalances.in_channel AND s.channel_id = rebalances.out_channel
            AND j.payment_msat = rebalances.amount_msat
            AND rebalances.completed_at_s + 1 >= j.reserved_at_s
            AND rebalances.completed_at_s <= coalesce(j.settled_at_s, rebalances.completed_at_s)
        ORDER BY j.id DESC LIMIT 1";
    let recent = now.minus(7 * UnixTime::DAY);
    let since: Option<UnixTime> = tx
        .prepare_cached(
            "SELECT min(reserved_at_s) FROM rebalance_jobs WHERE state <> 'settled' OR settled_at_s >= ?1",
        )?
        .query_row([recent], |row| row.get(0))?;
    let Some(since) = since else { return Ok(0) };
    let assigned: Vec<Option<JobId>> = tx
        .prepare_cached(&format!(
            "UPDATE rebalances SET job_id = ({JOB}) WHERE completed_at_s >= ?1 AND job_id IS NULL
                 AND in_channel IS NOT NULL AND out_channel IS NOT NULL AND EXISTS ({JOB}) RETURNING job_id"
        ))?
        .query_map([since.minus(1)], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for id in assigned.iter().flatten() {
        if let Some(job) = jobs::get(tx, *id)?.filter(|job| job.state == JobState::Settled) {
            jobs::correct(tx, &job)?;
        }
    }
    Ok(assigned.len())
}

/// A payment that may be the job's, though its channels are not both known: of the size and within
/// the rate of the job's payments, since it began, and not known to go elsewhere.
const UNDECIDED: &str = "job_id IS NULL AND (in_channel IS NULL OR out_channel IS NULL)
    AND coalesce(in_channel, ?2) = ?2 AND amount_msat = ?3 AND fee_msat <= ?4 AND completed_at_s + 1 >= ?5
    AND (out_channel IS NULL
         OR out_channel IN (SELECT channel_id FROM rebalance_sources WHERE job_id = ?1))";

/// How many payments may be the job's, but cannot be told yet.
pub fn undecided(conn: &Connection, job: &Job) -> Result<u64> {
    let (start, most) = (&job.start, job.start.max_fee.fee(Msat::ZERO, job.start.payment));
    conn.prepare_cached(&format!("SELECT count(*) FROM rebalances WHERE {UNDECIDED}"))?
        .query_row(params![job.id, start.to.channel_id, start.payment, most, job.reserved_at], |row| {
            row.get::<_, Unsigned>(0).map(|count| count.0)
        })
}

/// Takes the payments that may be the job's as its own: the oldest, and no more than its
/// reservation covers.
fn assume_undecided(tx: &Transaction<'_>, job: &Job) -> Result<()> {
    let (start, most) = (&job.start, job.start.max_fee.fee(Msat::ZERO, job.start.payment));
    let covered = start.most_payments.saturating_sub(job.moved.0 / start.payment.0.max(1));
    tx.prepare_cached(&format!(
        "UPDATE rebalances SET job_id = ?1 WHERE (payment_hash, groupid, partid) IN
             (SELECT payment_hash, groupid, partid FROM rebalances WHERE {UNDECIDED}
              ORDER BY completed_at_s LIMIT ?6)"
    ))?
    .execute(params![
        job.id,
        start.to.channel_id,
        start.payment,
        most,
        job.reserved_at,
        int(covered)?
    ])?;
    Ok(())
}

/// Settles a job that sling has forgotten and of which no payment is under way. With `assume`,
/// payments that may be its own count as its own: rather too much is spent than too little.
/// Returns the settled job, or none when it is not ready. Payments are given to jobs in the same
/// transaction: one whose channels another job learns meanwhile is neither undecided nor given.
pub fn settle(tx: &Transaction<'_>, id: JobId, assume: bool, now: UnixTime) -> Result<Option<Job>> {
    assign(tx, now)?;
    let Some(job) = jobs::get(tx, id)?.filter(|job| job.state == JobState::Stopped) else { return Ok(None) };
    if assume {
        assume_undecided(tx, &job)?;
    } else if undecided(tx, &job)? > 0 {
        return Ok(None);
    }
    let Some(job) = jobs::get(tx, id)? else { return Ok(None) };
    jobs::settle(tx, &job, job.judge(), now)?;
    jobs::get(tx, id)
}

/// Failures in a row and the latest end of each kind, by the channel that was to be filled. A job
/// that moved something, even if not all, is a success; one that was interrupted is neither.
pub fn past(conn: &Connection) -> Result<HashMap<ChannelId, Past>> {
    let mut past: HashMap<ChannelId, Past> = HashMap::new();
    let mut select = conn.prepare_cached(
        "SELECT to_channel, outcome, settled_at_s FROM rebalance_jobs WHERE state = 'settled'
         ORDER BY to_channel, settled_at_s, id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (one, at) = (past.entry(row.get(0)?).or_default(), row.get(2)?);
        match row.get::<_, String>(1)?.as_str() {
            "success" | "partial" => *one = Past { failures: 0, last_success: Some(at), ..*one },
            "timeout" | "failed" => {
                *one = Past { failures: one.failures.saturating_add(1), last_failure: Some(at), ..*one }
            }
            _ => {}
        }
    }
    Ok(past)
}

#[cfg(test)]
mod tests;
