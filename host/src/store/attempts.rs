//! Rebalance cycles: every channel that was looked at as one to fill, and why it was or was not.

use super::cycles::{ModuleFault, ModuleRun};
use super::sql::{int, json, opt_int, to_json, word};
use super::states::{self, NodeStateRecord, StateRecord};
use crate::model::job::JobId;
use crate::model::refusal::Room;
use crate::model::{ChannelId, Digest, Msat, Ppm, SignedMsat, Tick, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

/// What was decided about filling one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub to: ChannelId,
    pub to_name: String,
    /// Names of the channels to take from, the best first.
    pub sources: Vec<String>,
    /// An evaluator's name, or [`OPERATOR`].
    pub decider: String,
    pub amount: Option<Msat>,
    pub max_fee: Option<Ppm>,
    pub value: Option<SignedMsat>,
    pub cost: Option<Msat>,
    pub success: Option<f64>,
    pub reason: String,
    pub factors: Vec<(String, f64)>,
    pub limits: Vec<String>,
    /// [`STARTED`], [`DRY_RUN`], [`NOT_WANTED`], [`LOST`], or the code of the refusal.
    pub verdict: String,
    pub verdict_text: Option<String>,
    pub job: Option<JobId>,
}

pub const OPERATOR: &str = "operator";
pub const STARTED: &str = "started";
pub const DRY_RUN: &str = "dry_run";
pub const NOT_WANTED: &str = "not_wanted";
/// The books could not take the job, so that it was given up.
pub const LOST: &str = "lost";

/// One cycle, or one wish of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempted {
    pub tick: Tick,
    pub trigger: String,
    /// The budget as the cycle found it.
    pub budget: Room,
    pub duration_ms: u64,
    pub note: Option<String>,
    pub calls: Vec<(ModuleRun, Option<Digest>)>,
    pub candidates: Vec<Candidate>,
    pub states: Vec<StateRecord>,
    pub node_states: Vec<NodeStateRecord>,
}

/// A cycle in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptedRow {
    pub id: i64,
    pub at: UnixTime,
    pub trigger: String,
    pub considered: u32,
    pub started: u32,
    pub refused: u32,
    pub duration_ms: u64,
    pub note: Option<String>,
}

/// Keeps a cycle with its candidates and the evaluators' states. Returns its number.
pub fn record(tx: &Transaction<'_>, cycle: &Attempted) -> Result<i64> {
    let with = |verdicts: &[&str]| {
        cycle.candidates.iter().filter(|one| verdicts.contains(&one.verdict.as_str())).count() as u64
    };
    let considered = cycle.candidates.len() as u64;
    let (started, passed) = (with(&[STARTED]), with(&[STARTED, DRY_RUN, NOT_WANTED]));
    let id = tx
        .prepare_cached(
            "INSERT INTO rebalance_cycles (at_s, seed, trigger, considered, started, refused, budget_msat, spent_msat,
                 reserved_msat, duration_ms, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .insert(params![
            cycle.tick.now,
            int(cycle.tick.seed)?,
            cycle.trigger,
            int(considered)?,
            int(started)?,
            int(considered - passed)?,
            cycle.budget.limit,
            cycle.budget.spent,
            cycle.budget.reserved,
            int(cycle.duration_ms)?,
            cycle.note,
        ])?;
    for (run, inputs_digest) in &cycle.calls {
        insert_call(tx, id, run, *inputs_digest)?;
        run.note_version(tx, cycle.tick.now)?;
    }
    for candidate in &cycle.candidates {
        insert(tx, id, candidate)?;
    }
    states::put(tx, &cycle.states, cycle.tick.now)?;
    for state in &cycle.node_states {
        states::put_node(tx, state, cycle.tick.now)?;
    }
    Ok(id)
}

fn insert_call(tx: &Transaction<'_>, id: i64, run: &ModuleRun, inputs: Option<Digest>) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO rebalance_calls (cycle_id, evaluator, digest, inputs_digest, version, fuel, channels, fault_code,
             fault_text, fallback, took_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        id,
        run.strategy.as_str(),
        run.digest,
        inputs,
        run.version,
        opt_int(run.fuel)?,
        run.channels,
        run.fault.as_ref().map(|fault| &fault.code),
        run.fault.as_ref().map(|fault| &fault.text),
        run.fallback.as_ref().map(|name| name.as_str()),
        int(run.took_us)?,
    ])?;
    Ok(())
}

fn insert(tx: &Transaction<'_>, cycle_id: i64, one: &Candidate) -> Result<()> {
    // The better of two proposals for a channel comes first, and is the one that is told.
    tx.prepare_cached(
        "INSERT OR IGNORE INTO rebalance_candidates (cycle_id, to_channel, to_name, sources, decider, amount_msat,
             max_ppm, value_msat, cost_msat, success, reason, factors, limits, verdict, verdict_text, job_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        cycle_id,
        one.to,
        one.to_name,
        to_json(&one.sources)?,
        one.decider,
        one.amount,
        one.max_fee,
        one.value.map(|value| value.0),
        one.cost,
        one.success,
        one.reason,
        to_json(&one.factors)?,
        to_json(&one.limits)?,
        one.verdict,
        one.verdict_text,
        one.job,
    ])?;
    Ok(())
}

/// The latest cycle.
pub fn last(conn: &Connection) -> Result<Option<AttemptedRow>> {
    conn.prepare_cached("SELECT * FROM rebalance_cycles ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(AttemptedRow {
                id: row.get("id")?,
                at: row.get("at_s")?,
                trigger: row.get("trigger")?,
                considered: row.get("considered")?,
                started: row.get("started")?,
                refused: row.get("refused")?,
                duration_ms: row.get::<_, super::sql::Unsigned>("duration_ms")?.0,
                note: row.get("note")?,
            })
        })
        .optional()
}

/// What one cycle considered, by channel id.
pub fn candidates(conn: &Connection, cycle_id: i64) -> Result<Vec<Candidate>> {
    conn.prepare_cached("SELECT * FROM rebalance_candidates WHERE cycle_id = ?1 ORDER BY to_channel")?
        .query_map([cycle_id], read)?
        .collect()
}

/// The calls of evaluators in one cycle, by name.
pub fn calls(conn: &Connection, cycle_id: i64) -> Result<Vec<ModuleRun>> {
    conn.prepare_cached("SELECT * FROM rebalance_calls WHERE cycle_id = ?1 ORDER BY evaluator")?
        .query_map([cycle_id], read_call)?
        .collect()
}

/// Forgets cycles before `before`, the latest excepted. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute(
        "DELETE FROM rebalance_cycles WHERE at_s < ?1 AND id < (SELECT max(id) FROM rebalance_cycles)",
        [before],
    )
}

fn read(row: &Row<'_>) -> Result<Candidate> {
    Ok(Candidate {
        to: row.get("to_channel")?,
        to_name: row.get("to_name")?,
        sources: json(row, "sources")?,
        decider: row.get("decider")?,
        amount: row.get("amount_msat")?,
        max_fee: row.get("max_ppm")?,
        value: row.get::<_, Option<i64>>("value_msat")?.map(SignedMsat),
        cost: row.get("cost_msat")?,
        success: row.get("success")?,
        reason: row.get("reason")?,
        factors: json(row, "factors")?,
        limits: json(row, "limits")?,
        verdict: row.get("verdict")?,
        verdict_text: row.get("verdict_text")?,
        job: row.get("job_id")?,
    })
}

fn read_call(row: &Row<'_>) -> Result<ModuleRun> {
    let code: Option<String> = row.get("fault_code")?;
    let text: Option<String> = row.get("fault_text")?;
    let fallback: Option<String> = row.get("fallback")?;
    Ok(ModuleRun {
        strategy: word(row, "evaluator", |text| text.parse().ok())?,
        digest: row.get("digest")?,
        version: row.get("version")?,
        fuel: row.get::<_, Option<super::sql::Unsigned>>("fuel")?.map(|fuel| fuel.0),
        took_us: row.get::<_, super::sql::Unsigned>("took_us")?.0,
        channels: row.get("channels")?,
        fault: code.map(|code| ModuleFault { code, text: text.unwrap_or_default() }),
        fallback: fallback.and_then(|name| name.parse().ok()),
    })
}
