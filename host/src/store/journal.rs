//! What modules were asked and answered, kept so that each call can be made again.
//!
//! Inputs of one strategy differ little from cycle to cycle, so most calls are compressed against
//! an earlier one, their base, which stands for itself: no call depends on more than one other.

mod pack;
mod ready;

pub use ready::{Base, Ready, base};

use super::sql::{Unsigned, int, opt_int, word};
use crate::model::transcript::FORMAT;
use crate::model::{Answer, CycleKind, Digest, StrategyName, Told, Transcript, UnixTime};
use anyhow::{Context, Result, bail};
use rusqlite::{Connection, Row, Transaction, params};
use std::collections::BTreeSet;

/// Most calls that are compressed against one: it cannot go before the last of them does.
const MOST_ON_BASE: u64 = 48;
/// Calls that one transaction forgets.
const BATCH: u32 = 64;

/// A call as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub at: UnixTime,
    /// Version of the program that wrote it down.
    pub program: String,
    pub transcript: Transcript,
}

/// Keeps a call of a cycle.
pub fn record(tx: &Transaction<'_>, cycle_id: i64, at: UnixTime, ready: &Ready) -> Result<()> {
    match ready.base {
        Some(base) if !stands(tx, base)? => insert(tx, cycle_id, at, &ready.alone()?),
        _ => insert(tx, cycle_id, at, ready),
    }
}

/// Whether a base is there still: it may have been forgotten since it was found.
fn stands(tx: &Transaction<'_>, base: i64) -> Result<bool> {
    Ok(tx.prepare_cached("SELECT 1 FROM journal WHERE id = ?1 AND base_id IS NULL")?.exists([base])?)
}

fn insert(tx: &Transaction<'_>, cycle_id: i64, at: UnixTime, ready: &Ready) -> Result<()> {
    let Ready { call, decision_digest, base, packed } = ready;
    let fault = match &call.answer {
        Answer::Failed { code, .. } => Some(code),
        Answer::Decided { .. } => None,
    };
    tx.prepare_cached(
        "INSERT INTO journal (kind, cycle_id, strategy, at_s, module, class, format, program, input_digest, input_bytes,
             decision_digest, decision_bytes, fault_code, fuel, base_id, packed_bytes, packed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        call.kind.name(),
        cycle_id,
        call.strategy.as_str(),
        at,
        call.module,
        call.class,
        call.format,
        env!("CARGO_PKG_VERSION"),
        call.input.digest(),
        int(call.input.len() as u64)?,
        decision_digest,
        int(ready::decision(&call.answer).len() as u64)?,
        fault,
        opt_int(call.answer.fuel())?,
        base,
        int(packed.len() as u64)?,
        packed,
    ])?;
    Ok(())
}

/// The calls of a cycle that are kept, by strategy; of one strategy, where it is named.
pub fn calls(
    conn: &Connection,
    kind: CycleKind,
    cycle_id: u64,
    strategy: Option<&StrategyName>,
) -> Result<Vec<Kept>> {
    let mut select = conn.prepare_cached(
        "SELECT j.*, b.packed AS base_packed, b.input_bytes + b.decision_bytes AS base_bytes
         FROM journal j LEFT JOIN journal b ON b.id = j.base_id
         WHERE j.kind = ?1 AND j.cycle_id = ?2 AND (?3 IS NULL OR j.strategy = ?3) ORDER BY j.strategy, j.id",
    )?;
    let mut rows = select.query(params![kind.name(), int(cycle_id)?, strategy.map(StrategyName::as_str)])?;
    let mut calls = Vec::new();
    while let Some(row) = rows.next()? {
        calls.push(read(row)?);
    }
    Ok(calls)
}

fn read(row: &Row<'_>) -> Result<Kept> {
    let strategy: StrategyName = word(row, "strategy", |text| text.parse().ok())?;
    let (input_bytes, decision_bytes) = (unsigned(row, "input_bytes")?, unsigned(row, "decision_bytes")?);
    let prefix = match row.get::<_, Option<Vec<u8>>>("base_packed")? {
        Some(packed) => pack::unpack(&packed, unsigned(row, "base_bytes")?, &[]),
        None => Ok(Vec::new()),
    };
    let packed: Vec<u8> = row.get("packed")?;
    let mut input = prefix
        .and_then(|prefix| pack::unpack(&packed, input_bytes + decision_bytes, &prefix))
        .with_context(|| format!("what is kept of the call of '{strategy}' is damaged"))?;
    let decision = input.split_off(usize::try_from(input_bytes)?.min(input.len()));
    let fuel = row.get::<_, Option<Unsigned>>("fuel")?.map(|fuel| fuel.0);
    let answer = match row.get::<_, Option<String>>("fault_code")? {
        Some(code) => Answer::Failed { fuel, code },
        None => Answer::Decided { fuel: fuel.unwrap_or_default(), decision },
    };
    let transcript = Transcript {
        kind: word(row, "kind", CycleKind::from_name)?,
        strategy,
        module: row.get("module")?,
        class: row.get("class")?,
        format: row.get("format")?,
        input: Told::from(input),
        answer,
    };
    if transcript.input.digest() != row.get("input_digest")? {
        bail!(
            "what is kept of the input of '{}' is not what it was told: its digest differs",
            transcript.strategy
        );
    }
    Ok(Kept { at: row.get("at_s")?, program: row.get("program")?, transcript })
}

fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, Unsigned>(column).map(|number| number.0)
}

/// What is known of a cycle besides its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The latest cycle of the kind.
    pub latest: Option<u64>,
    /// How many modules it called, while that is remembered.
    pub called: Option<u64>,
    /// Strategies whose calls are kept.
    pub kept: BTreeSet<StrategyName>,
}

/// What is known of a cycle besides its calls.
pub fn written(conn: &Connection, kind: CycleKind, cycle_id: u64) -> Result<Written> {
    let (cycles, calls) = match kind {
        CycleKind::Fee => ("fee_cycles", "cycle_modules"),
        CycleKind::Rebalance => ("rebalance_cycles", "rebalance_calls"),
    };
    let id = int(cycle_id)?;
    let number = |sql: String, about: &[&dyn rusqlite::ToSql]| {
        conn.prepare_cached(&sql)?.query_row(about, |row| Ok(row.get::<_, Option<Unsigned>>(0)?.map(|n| n.0)))
    };
    let remembered = conn.prepare_cached(&format!("SELECT 1 FROM {cycles} WHERE id = ?1"))?.exists([id])?;
    let called = number(format!("SELECT count(*) FROM {calls} WHERE cycle_id = ?1"), &[&id])?;
    let mut select =
        conn.prepare_cached("SELECT DISTINCT strategy FROM journal WHERE kind = ?1 AND cycle_id = ?2")?;
    let kept =
        select.query_map(params![kind.name(), id], |row| word(row, "strategy", |text| text.parse().ok()))?;
    Ok(Written {
        latest: number(format!("SELECT max(id) FROM {cycles}"), &[])?,
        called: called.filter(|_| remembered),
        kept: kept.collect::<rusqlite::Result<_>>()?,
    })
}

/// The modules whose calls are kept.
pub fn modules(conn: &Connection) -> Result<BTreeSet<Digest>> {
    // What is compressed against a call is a call of the same module.
    let mut select = conn.prepare_cached("SELECT DISTINCT module FROM journal WHERE base_id IS NULL")?;
    let modules = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(modules)
}

/// How many calls are kept, and what they take, bytes.
pub fn size(conn: &Connection) -> Result<(u64, u64)> {
    let mut select = conn.prepare_cached("SELECT count(*), coalesce(sum(packed_bytes), 0) FROM journal")?;
    let size =
        select.query_row([], |row| Ok((row.get::<_, Unsigned>(0)?.0, row.get::<_, Unsigned>(1)?.0)))?;
    Ok(size)
}

/// When the oldest call that is kept was made.
pub fn oldest(conn: &Connection) -> Result<Option<UnixTime>> {
    Ok(conn.prepare_cached("SELECT min(at_s) FROM journal")?.query_row([], |row| row.get(0))?)
}

/// Forgets some calls before `before`, and some of the oldest while all take more than `most`
/// bytes; a base stays until the last call against it goes. Says whether there is more to forget.
pub fn prune(tx: &Transaction<'_>, before: UnixTime, most: u64) -> Result<bool> {
    let total = size(tx)?.1;
    let mut surplus = total.saturating_sub(most);
    let mut oldest = tx.prepare_cached(
        "SELECT id, at_s < ?1, packed_bytes FROM journal j
         WHERE NOT EXISTS (SELECT 1 FROM journal d WHERE d.base_id = j.id) ORDER BY id LIMIT ?2",
    )?;
    let oldest: Vec<(i64, bool, u64)> = oldest
        .query_map(params![before, BATCH], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Unsigned>(2)?.0))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut forgotten = 0;
    for (id, is_old, bytes) in oldest {
        if is_old || surplus > 0 {
            tx.prepare_cached("DELETE FROM journal WHERE id = ?1")?.execute([id])?;
            surplus = surplus.saturating_sub(bytes);
            forgotten += 1;
        }
    }
    Ok(forgotten > 0)
}

/// Whether bytes of this version can be read here.
pub fn is_readable(call: &Transcript) -> bool {
    call.format == FORMAT
}

#[cfg(test)]
mod tests;
