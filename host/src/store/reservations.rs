//! The books behind [`crate::guard::budget`]: what is spent, what is reserved, and how a job's
//! payments become its cost.

use super::sql::{Unsigned, int, word};
use super::{clock, flow, jobs};
use crate::config::Config;
use crate::guard::Approved;
use crate::guard::budget::{self, Books, Held, Ledger, Reserved, Spent};
use crate::model::job::{Job, JobId, JobOutcome, JobState, Past, StartRebalance};
use crate::model::refusal::{Holder, RebalanceRefusal};
use crate::model::{ChannelId, ClockJump, Moment, Msat, SteadyTime, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::HashMap;

/// Settled jobs to which a payment may still be given.
const LATEST_JOBS: i64 = 1_000;

/// A transaction as the place where reservations are kept.
struct InTransaction<'a, 'conn>(&'a Transaction<'conn>);

impl Books for InTransaction<'_, '_> {
    type Error = rusqlite::Error;

    fn ledger(&self, at: Moment) -> Result<Ledger> {
        ledger(self.0, at)
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
    at: Moment,
) -> Result<std::result::Result<Reserved, RebalanceRefusal>> {
    assign(tx)?;
    budget::reserve(&mut InTransaction(tx), approved, config, at)
}

/// What is spent and was earned within [`budget::WINDOW_S`], and what is reserved. Costs count from
/// when they were booked, by the time that truly passed since. Earnings go by the time on the node's
/// records: while that is in doubt they are nothing.
pub fn ledger(conn: &Connection, at: Moment) -> Result<Ledger> {
    let held = jobs::live(conn)?.iter().map(held_by).collect();
    let earned = match clock::is_in_doubt(conn, at.steady)? {
        true => Msat::ZERO,
        false => {
            let until = at.now.plus(ClockJump::TOLERANCE_S);
            flow::earned_between(conn, at.now.minus(budget::WINDOW_S), until)?
        }
    };
    Ok(Ledger { earned, spent: spent_since(conn, at.steady.minus(budget::WINDOW_S))?, held })
}

fn held_by(job: &Job) -> Held {
    Held { left: job.held(), ..Held::by(&job.start, Holder::Job(job.id)) }
}

fn spent_since(conn: &Connection, since: SteadyTime) -> Result<Vec<Spent>> {
    conn.prepare_cached(
        "SELECT j.to_channel, j.to_peer, j.fleet, r.fee_msat FROM rebalances r JOIN rebalance_jobs j ON j.id = r.job_id
         WHERE r.booked_s >= ?1 AND r.job_id IS NOT NULL",
    )?
    .query_map([since], |row| {
        Ok(Spent { to: row.get(0)?, peer_id: row.get(1)?, fleet: row.get(2)?, fee: row.get(3)? })
    })?
    .collect()
}

/// A payment that may be the job's: not among those that were known when the money was reserved,
/// neither by these books nor by lightningd's numbers. Where one of the two does not tell, it may be.
const AFTER: &str =
    "rebalances.entry > j.after_entry AND coalesce(rebalances.created_index > j.after_index, TRUE)";

/// Nor made after the job was settled, when all of its own were known. Without lightningd's numbers
/// the books have to tell.
const BEFORE_END: &str = "(j.state <> 'settled'
    OR coalesce(rebalances.created_index <= j.last_index, rebalances.entry <= j.last_entry))";

/// Gives payments whose channels are known to the jobs that made them: those of jobs that are not
/// settled, and of the latest settled ones whose payments' channels were learned late. Jobs that are
/// not settled share no channel, so that there is never a choice. No clock has a say in it: whoever
/// sets one back makes no payment look older than its job. Returns how many it gave.
pub fn assign(tx: &Transaction<'_>) -> Result<usize> {
    let job = format!(
        "SELECT j.id FROM rebalance_jobs j JOIN rebalance_sources s ON s.job_id = j.id
         WHERE j.to_channel = rebalances.in_channel AND s.channel_id = rebalances.out_channel
             AND j.payment_msat = rebalances.amount_msat AND {AFTER} AND {BEFORE_END}
         ORDER BY j.id DESC LIMIT 1"
    );
    let after: Option<i64> = tx
        .prepare_cached(
            "SELECT min(after_entry) FROM rebalance_jobs
             WHERE state <> 'settled' OR id > (SELECT max(id) FROM rebalance_jobs) - ?1",
        )?
        .query_row([LATEST_JOBS], |row| row.get(0))?;
    let Some(after) = after else { return Ok(0) };
    let assigned: Vec<Option<JobId>> = tx
        .prepare_cached(&format!(
            "UPDATE rebalances SET job_id = ({job}) WHERE entry > ?1 AND job_id IS NULL
                 AND in_channel IS NOT NULL AND out_channel IS NOT NULL AND EXISTS ({job}) RETURNING job_id"
        ))?
        .query_map([after], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for id in assigned.iter().flatten() {
        if let Some(job) = jobs::get(tx, *id)?.filter(|job| job.state == JobState::Settled) {
            jobs::correct(tx, &job)?;
        }
    }
    Ok(assigned.len())
}

/// From where payments come that may be the job's, though their channels are not both known: of the
/// size and within the rate of the job's payments, made since it began, and not known to go elsewhere.
const UNDECIDED: &str = "rebalances JOIN rebalance_jobs j ON j.id = ?1
    WHERE rebalances.job_id IS NULL AND (in_channel IS NULL OR out_channel IS NULL)
        AND coalesce(in_channel, ?2) = ?2 AND rebalances.amount_msat = ?3 AND rebalances.fee_msat <= ?4
        AND (out_channel IS NULL
             OR out_channel IN (SELECT channel_id FROM rebalance_sources WHERE job_id = ?1))";

/// How many payments may be the job's, but cannot be told yet.
pub fn undecided(conn: &Connection, job: &Job) -> Result<u64> {
    let (start, most) = (&job.start, job.start.max_fee.fee(Msat::ZERO, job.start.payment));
    conn.prepare_cached(&format!("SELECT count(*) FROM {UNDECIDED} AND {AFTER}"))?
        .query_row(params![job.id, start.to.channel_id, start.payment, most], |row| {
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
             (SELECT payment_hash, groupid, partid FROM {UNDECIDED} AND {AFTER}
              ORDER BY rebalances.entry LIMIT ?5)"
    ))?
    .execute(params![job.id, start.to.channel_id, start.payment, most, int(covered)?])?;
    Ok(())
}

/// Settles a job that sling has forgotten and of which no payment is under way. With `assume`,
/// payments that may be its own count as its own: rather too much is spent than too little.
/// Returns the settled job, or none when it is not ready. Payments are given to jobs in the same
/// transaction: one whose channels another job learns meanwhile is neither undecided nor given.
pub fn settle(tx: &Transaction<'_>, id: JobId, assume: bool, now: UnixTime) -> Result<Option<Job>> {
    assign(tx)?;
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
        match word(row, 1, JobOutcome::from_name)? {
            JobOutcome::Success | JobOutcome::Partial => {
                *one = Past { failures: 0, last_success: Some(at), ..*one }
            }
            JobOutcome::Timeout | JobOutcome::Failed => {
                *one = Past { failures: one.failures.saturating_add(1), last_failure: Some(at), ..*one }
            }
            JobOutcome::Interrupted => {}
        }
    }
    Ok(past)
}

#[cfg(test)]
mod tests;
