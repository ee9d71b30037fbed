//! Jobs given to sling: each from the moment its money is reserved until what it cost is known.

use super::rebalances::{self, Mark};
use super::sql::{Unsigned, int, opt_int, require_durable, word};
use crate::model::job::{Job, JobEnd, JobId, JobOrigin, JobOutcome, JobState, StartRebalance, StopReason};
use crate::model::{ChannelId, Moment, Msat, Ppm, SignedMsat, UnixTime};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

impl ToSql for JobId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        int(self.0).map(ToSqlOutput::from)
    }
}

impl FromSql for JobId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Unsigned::column_result(value).map(|stored| JobId(stored.0))
    }
}

/// A job's columns. What its payments moved and cost comes from the payments themselves, so that
/// the two can never differ.
const SELECT: &str = "SELECT j.*, (SELECT sum(amount_msat) FROM rebalances WHERE job_id = j.id) AS moved,
    (SELECT sum(fee_msat) FROM rebalances WHERE job_id = j.id) AS cost FROM rebalance_jobs j";

/// Writes a job with its reservation, durably, for sling hears of it next. None of the payments known by
/// now is its own. Returns its number.
pub(super) fn insert(tx: &Transaction<'_>, start: &StartRebalance, at: UnixTime) -> Result<JobId> {
    require_durable(tx)?;
    let (evaluator, digest) = match &start.origin {
        JobOrigin::Evaluator { name, digest, .. } => (Some(name.as_str()), *digest),
        JobOrigin::Operator { .. } => (None, None),
    };
    let Mark { entry, index } = rebalances::mark(tx)?;
    let id = tx
        .prepare_cached(
            "INSERT INTO rebalance_jobs (state, evaluator, forced, to_channel, to_scid, to_peer, amount_msat,
                 payment_msat, most_payments, max_ppm, max_hops, keep_share, keep_most_msat, reserved_msat, fleet,
                 value_msat, reserved_at_s, deadline_s, evaluator_digest,
                 after_entry, after_index, worth_msat, most_htlcs)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                 ?22, ?23)",
        )?
        .insert(params![
            JobState::Reserved.name(),
            evaluator,
            start.origin.is_forced(),
            start.to.channel_id,
            start.to.scid,
            start.to.peer_id,
            start.amount,
            start.payment,
            int(start.most_payments)?,
            start.max_fee,
            start.max_hops,
            start.keep_share,
            start.keep_most,
            start.worst_cost(),
            start.fleet,
            start.value.map(|value| value.0),
            at,
            at.plus(start.time_limit_s),
            digest,
            int(entry)?,
            opt_int(index)?,
            start.worth.map(|worth| worth.0),
            int(start.most_htlcs)?,
        ])?;
    let mut source = tx.prepare_cached(
        "INSERT INTO rebalance_sources (job_id, position, channel_id, scid, peer_id) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, end) in start.from.iter().enumerate() {
        source.execute(params![id, int(position as u64)?, end.channel_id, end.scid, end.peer_id])?;
    }
    // SQLite's own numbers are never negative here.
    Ok(JobId(id.unsigned_abs()))
}

/// Jobs that are not settled, oldest first.
pub fn live(conn: &Connection) -> Result<Vec<Job>> {
    query(conn, &format!("{SELECT} WHERE j.state <> 'settled' ORDER BY j.id"), [])
}

/// One job.
pub fn get(conn: &Connection, id: JobId) -> Result<Option<Job>> {
    Ok(query(conn, &format!("{SELECT} WHERE j.id = ?1"), [id])?.pop())
}

/// The latest jobs, newest first.
pub fn recent(conn: &Connection, limit: u32) -> Result<Vec<Job>> {
    query(conn, &format!("{SELECT} ORDER BY j.id DESC LIMIT ?1"), [limit])
}

/// Jobs that were settled from `since` on, oldest first.
pub fn settled_since(conn: &Connection, since: UnixTime) -> Result<Vec<Job>> {
    query(conn, &format!("{SELECT} WHERE j.settled_at_s >= ?1 ORDER BY j.settled_at_s, j.id"), [since])
}

/// sling took the job.
pub fn started(tx: &Transaction<'_>, id: JobId, at: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "UPDATE rebalance_jobs SET state = 'running', started_at_s = ?2 WHERE id = ?1 AND state = 'reserved'",
    )?
    .execute(params![id, at])?;
    Ok(())
}

/// The job is to be ended. The first reason stays.
pub fn stopping(tx: &Transaction<'_>, id: JobId, why: StopReason, word: Option<&str>) -> Result<()> {
    tx.prepare_cached(
        "UPDATE rebalance_jobs SET state = 'stopping', stop_reason = ?2, word = coalesce(?3, word)
         WHERE id = ?1 AND state IN ('reserved', 'running')",
    )?
    .execute(params![id, why.name(), word])?;
    Ok(())
}

/// sling has forgotten the job.
pub fn stopped(tx: &Transaction<'_>, id: JobId, at: Moment) -> Result<()> {
    tx.prepare_cached(
        "UPDATE rebalance_jobs SET state = 'stopped', stopped_at_s = ?2, stopped_steady_s = ?3
         WHERE id = ?1 AND state IN ('reserved', 'running', 'stopping')",
    )?
    .execute(params![id, at.now, at.steady])?;
    Ok(())
}

/// What the job's payments moved and cost is final; the rest of its reservation is free. None that is
/// made from now on is its own.
pub(super) fn settle(tx: &Transaction<'_>, job: &Job, outcome: JobOutcome, at: UnixTime) -> Result<()> {
    let Mark { entry, index } = rebalances::mark(tx)?;
    tx.prepare_cached(
        "UPDATE rebalance_jobs SET state = 'settled', settled_at_s = ?2, outcome = ?3, moved_msat = ?4, fee_msat = ?5,
             last_entry = ?6, last_index = ?7
         WHERE id = ?1 AND state = 'stopped'",
    )?
    .execute(params![job.id, at, outcome.name(), job.moved, job.fee, int(entry)?, opt_int(index)?])?;
    Ok(())
}

/// A settled job learned of another payment.
pub(super) fn correct(tx: &Transaction<'_>, job: &Job) -> Result<()> {
    tx.prepare_cached(
        "UPDATE rebalance_jobs SET outcome = ?2, moved_msat = ?3, fee_msat = ?4 WHERE id = ?1 AND state = 'settled'",
    )?
    .execute(params![job.id, job.judge().name(), job.moved, job.fee])?;
    Ok(())
}

/// Forgets jobs settled before `before` whose payments are not in the books of this plugin's
/// costs. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    const OLD: &str = "SELECT id FROM rebalance_jobs WHERE settled_at_s < ?1
        AND NOT EXISTS (SELECT 1 FROM rebalances WHERE job_id = rebalance_jobs.id)";
    tx.execute(&format!("DELETE FROM rebalance_sources WHERE job_id IN ({OLD})"), [before])?;
    tx.execute(&format!("DELETE FROM rebalance_jobs WHERE id IN ({OLD})"), [before])
}

fn query(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = conn.prepare_cached(sql)?.query_map(params, read)?.collect::<Result<_>>()?;
    let mut sources = conn.prepare_cached(
        "SELECT channel_id, scid, peer_id FROM rebalance_sources WHERE job_id = ?1 ORDER BY position",
    )?;
    for job in &mut jobs {
        let end =
            |row: &Row<'_>| Ok(JobEnd { channel_id: row.get(0)?, scid: row.get(1)?, peer_id: row.get(2)? });
        job.start.from = sources.query_map([job.id], end)?.collect::<Result<_>>()?;
    }
    Ok(jobs)
}

fn read(row: &Row<'_>) -> Result<Job> {
    let (reserved_at, deadline): (UnixTime, UnixTime) = (row.get("reserved_at_s")?, row.get("deadline_s")?);
    Ok(Job {
        id: row.get("id")?,
        state: word(row, "state", JobState::from_name)?,
        start: StartRebalance {
            to: JobEnd {
                channel_id: row.get("to_channel")?,
                scid: row.get("to_scid")?,
                peer_id: row.get("to_peer")?,
            },
            from: Vec::new(),
            amount: row.get("amount_msat")?,
            payment: row.get("payment_msat")?,
            most_payments: row.get::<_, Unsigned>("most_payments")?.0,
            most_htlcs: row.get::<_, Unsigned>("most_htlcs")?.0,
            max_fee: row.get("max_ppm")?,
            max_hops: row.get("max_hops")?,
            keep_share: row.get("keep_share")?,
            keep_most: row.get("keep_most_msat")?,
            time_limit_s: deadline.since(reserved_at),
            origin: origin(row)?,
            fleet: row.get("fleet")?,
            value: row.get::<_, Option<i64>>("value_msat")?.map(SignedMsat),
            worth: row.get::<_, Option<i64>>("worth_msat")?.map(SignedMsat),
        },
        reserved: row.get("reserved_msat")?,
        reserved_at,
        after_index: row.get::<_, Option<Unsigned>>("after_index")?.map(|index| index.0),
        started_at: row.get("started_at_s")?,
        deadline,
        stopped_at: row.get("stopped_at_s")?,
        stopped_steady: row.get("stopped_steady_s")?,
        settled_at: row.get("settled_at_s")?,
        stop_reason: optional(row, "stop_reason", StopReason::from_name)?,
        word: row.get("word")?,
        outcome: optional(row, "outcome", JobOutcome::from_name)?,
        moved: row.get::<_, Option<Msat>>("moved")?.unwrap_or_default(),
        fee: row.get::<_, Option<Msat>>("cost")?.unwrap_or_default(),
    })
}

fn origin(row: &Row<'_>) -> Result<JobOrigin> {
    match row.get::<_, Option<String>>("evaluator")? {
        None => Ok(JobOrigin::Operator { force: row.get("forced")? }),
        Some(_) => Ok(JobOrigin::Evaluator {
            name: word(row, "evaluator", |name| name.parse().ok())?,
            digest: row.get("evaluator_digest")?,
            force: row.get("forced")?,
        }),
    }
}

fn optional<T>(row: &Row<'_>, column: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(_) => word(row, column, read).map(Some),
    }
}

/// What filling each channel took on average since `since`, whoever did it.
pub fn rates_since(conn: &Connection, since: UnixTime) -> Result<HashMap<ChannelId, Ppm>> {
    conn.prepare_cached(
        "SELECT in_channel, sum(amount_msat), sum(fee_msat) FROM rebalances
         WHERE completed_at_s >= ?1 AND in_channel IS NOT NULL GROUP BY in_channel",
    )?
    .query_map([since], |row| {
        let (moved, fee): (Msat, Msat) = (row.get(1)?, row.get(2)?);
        let ppm = u128::from(fee.0) * 1_000_000 / u128::from(moved.0.max(1));
        Ok((row.get(0)?, Ppm(u32::try_from(ppm).unwrap_or(u32::MAX))))
    })?
    .collect()
}
