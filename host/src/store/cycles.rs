//! Fee cycles: what was decided and what came of it, kept as one whole.

use super::changes::{self, ChangeOrigin, FeeChange};
use super::sql::{Unsigned, int, opt_int};
use super::states::{self, NodeStateRecord, StateRecord};
use super::tenures::{self, InForce};
use super::{decisions, sql, terms};
use crate::model::fee::{Limit, Outcome, Refusal, SetFee};
use crate::model::{ChannelId, Digest, Msat, PeerId, Ppm, Scid, StrategyName, Tick, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};

/// One fee cycle, from its inputs to the node's answers.
#[derive(Clone, Debug, PartialEq)]
pub struct CycleRecord {
    pub tick: Tick,
    /// What set it off, e.g. `timer` or `policy`.
    pub trigger: String,
    /// SHA-256 of everything the strategies were told.
    pub inputs_digest: Option<Digest>,
    /// Channels that were looked at.
    pub channels: u32,
    pub duration_ms: u64,
    /// Why nothing, or not everything, was done.
    pub note: Option<String>,
    pub modules: Vec<ModuleRun>,
    pub decisions: Vec<DecisionRecord>,
    pub states: Vec<StateRecord>,
    pub node_states: Vec<NodeStateRecord>,
    /// Whose decisions are in force from now on, of the channels that were decided about.
    pub in_force: Vec<InForce>,
    /// Base fees and largest HTLCs that modules set.
    pub terms: Vec<terms::Settled>,
}

/// One call of a strategy's module.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleRun {
    pub strategy: StrategyName,
    /// Absent when the module could not be loaded.
    pub digest: Option<Digest>,
    /// The component's own version; empty when it could not be loaded.
    pub version: String,
    pub fuel: Option<u64>,
    /// Wall time of the call, microseconds.
    pub took_us: u64,
    pub channels: u32,
    pub fault: Option<ModuleFault>,
    /// The strategy that decided instead.
    pub fallback: Option<StrategyName>,
}

impl ModuleRun {
    /// Notes the version of a module that was loaded.
    pub(super) fn note_version(&self, tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
        match self.digest.filter(|_| !self.version.is_empty()) {
            Some(digest) => tenures::note_version(tx, digest, &self.version, now),
            None => Ok(()),
        }
    }
}

/// Why a call, or the loading of a module, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFault {
    pub code: String,
    pub text: String,
}

/// What goes with a rate; none is not known, not named, or left as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub base_fee: Option<Msat>,
    pub htlc_max: Option<Msat>,
}

impl Terms {
    /// Those that go with a fee that the guard let through.
    pub fn of(fee: &SetFee) -> Terms {
        Terms { base_fee: Some(fee.base_fee), htlc_max: fee.htlc_max }
    }
}

/// What was decided for one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    pub channel_id: ChannelId,
    pub scid: Option<Scid>,
    pub peer_id: PeerId,
    /// The strategy that decided.
    pub strategy: StrategyName,
    pub digest: Option<Digest>,
    /// Who wanted it.
    pub origin: ChangeOrigin,
    pub old: Ppm,
    /// Absent when the strategy wanted nothing.
    pub proposed: Option<Ppm>,
    /// The strategy's own word.
    pub reason: String,
    pub factors: Vec<(String, f64)>,
    /// Limits that moved the proposal, in the order in which they did.
    pub limits: Vec<Limit>,
    pub refusal: Option<Refusal>,
    /// What the guard let through.
    pub approved: Option<Ppm>,
    /// Base fee and largest HTLC before.
    pub old_terms: Terms,
    /// Those that the strategy named.
    pub proposed_terms: Terms,
    /// Those that go with what was let through.
    pub approved_terms: Terms,
    /// Congestion that the host saw raised what was let through beyond one step.
    pub from_congestion: bool,
    /// What became of an approved fee.
    pub outcome: Option<Outcome>,
}

impl DecisionRecord {
    /// The fee that is in force because of this decision.
    fn applied(&self) -> Option<Ppm> {
        self.approved.filter(|_| self.outcome.as_ref().is_some_and(Outcome::is_in_force))
    }

    fn failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failed(_) | Outcome::Unknown(_)))
    }
}

/// A cycle in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleRow {
    pub id: i64,
    pub at: UnixTime,
    pub seed: u64,
    pub trigger: String,
    pub inputs_digest: Option<Digest>,
    pub channels: u32,
    pub proposals: u32,
    pub applied: u32,
    pub refused: u32,
    pub failed: u32,
    pub duration_ms: u64,
    pub note: Option<String>,
}

/// Keeps a cycle with its decisions, changes of fees, states of strategies, and who decides where.
/// Returns the cycle's number.
pub fn record(tx: &Transaction<'_>, cycle: &CycleRecord) -> Result<i64> {
    let id = insert(tx, cycle)?;
    for run in &cycle.modules {
        insert_module(tx, id, run)?;
        run.note_version(tx, cycle.tick.now)?;
    }
    for decision in &cycle.decisions {
        decisions::insert(tx, id, decision)?;
        if let Some(new) = decision.applied() {
            changes::record(tx, &change(decision, new, cycle.tick.now))?;
        }
    }
    states::put(tx, &cycle.states, cycle.tick.now)?;
    for state in &cycle.node_states {
        states::put_node(tx, state, cycle.tick.now)?;
    }
    tenures::note(tx, &cycle.in_force, cycle.tick.now)?;
    terms::settle(tx, &cycle.terms)?;
    Ok(id)
}

fn change(decision: &DecisionRecord, new: Ppm, at: UnixTime) -> FeeChange {
    FeeChange {
        at,
        channel_id: decision.channel_id,
        scid: decision.scid,
        peer_id: decision.peer_id,
        old: decision.old,
        new,
        base: decision.approved_terms.base_fee.or(decision.old_terms.base_fee).unwrap_or_default(),
        htlc_max: decision.approved_terms.htlc_max,
        reason: decision.reason.clone(),
        origin: decision.origin,
        from_congestion: decision.from_congestion,
    }
}

fn insert(tx: &Transaction<'_>, cycle: &CycleRecord) -> Result<i64> {
    let count =
        |wanted: fn(&DecisionRecord) -> bool| cycle.decisions.iter().filter(|one| wanted(one)).count() as u64;
    tx.prepare_cached(
        "INSERT INTO fee_cycles (at_s, seed, trigger, inputs_digest, channels, proposals, applied, refused, failed,
             duration_ms, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .insert(params![
        cycle.tick.now,
        int(cycle.tick.seed)?,
        cycle.trigger,
        cycle.inputs_digest,
        cycle.channels,
        int(count(|one| one.proposed.is_some()))?,
        int(count(|one| one.applied().is_some()))?,
        int(count(|one| one.refusal.is_some()))?,
        int(count(DecisionRecord::failed))?,
        int(cycle.duration_ms)?,
        cycle.note,
    ])
}

fn insert_module(tx: &Transaction<'_>, cycle_id: i64, run: &ModuleRun) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO cycle_modules (cycle_id, strategy, digest, version, fuel, channels, fault_code, fault_text, fallback,
             took_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        cycle_id,
        run.strategy.as_str(),
        run.digest,
        run.version,
        opt_int(run.fuel)?,
        run.channels,
        run.fault.as_ref().map(|fault| &fault.code),
        run.fault.as_ref().map(|fault| &fault.text),
        run.fallback.as_ref().map(StrategyName::as_str),
        int(run.took_us)?,
    ])?;
    Ok(())
}

/// The latest cycles, newest first.
pub fn recent(conn: &Connection, limit: u32) -> Result<Vec<CycleRow>> {
    conn.prepare_cached("SELECT * FROM fee_cycles ORDER BY id DESC LIMIT ?1")?
        .query_map([limit], read)?
        .collect()
}

/// The calls of modules in one cycle, by strategy.
pub fn modules(conn: &Connection, cycle_id: i64) -> Result<Vec<ModuleRun>> {
    conn.prepare_cached("SELECT * FROM cycle_modules WHERE cycle_id = ?1 ORDER BY strategy")?
        .query_map([cycle_id], read_module)?
        .collect()
}

/// Forgets decisions before `before`, except each channel's latest, and cycles
/// that are left without any. Returns how many decisions went.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    let forgotten = decisions::prune(tx, before)?;
    tx.execute(
        "DELETE FROM fee_cycles WHERE at_s < ?1 AND id < (SELECT max(id) FROM fee_cycles)
         AND NOT EXISTS (SELECT 1 FROM fee_decisions WHERE cycle_id = fee_cycles.id)",
        [before],
    )?;
    Ok(forgotten)
}

fn read(row: &Row<'_>) -> Result<CycleRow> {
    Ok(CycleRow {
        id: row.get("id")?,
        at: row.get("at_s")?,
        seed: row.get::<_, Unsigned>("seed")?.0,
        trigger: row.get("trigger")?,
        inputs_digest: row.get("inputs_digest")?,
        channels: row.get("channels")?,
        proposals: row.get("proposals")?,
        applied: row.get("applied")?,
        refused: row.get("refused")?,
        failed: row.get("failed")?,
        duration_ms: row.get::<_, Unsigned>("duration_ms")?.0,
        note: row.get("note")?,
    })
}

fn read_module(row: &Row<'_>) -> Result<ModuleRun> {
    let code: Option<String> = row.get("fault_code")?;
    let text: Option<String> = row.get("fault_text")?;
    let fallback: Option<String> = row.get("fallback")?;
    Ok(ModuleRun {
        strategy: sql::word(row, "strategy", |text| text.parse().ok())?,
        digest: row.get("digest")?,
        version: row.get("version")?,
        fuel: row.get::<_, Option<Unsigned>>("fuel")?.map(|fuel| fuel.0),
        took_us: row.get::<_, Unsigned>("took_us")?.0,
        channels: row.get("channels")?,
        fault: code.map(|code| ModuleFault { code, text: text.unwrap_or_default() }),
        fallback: fallback.and_then(|name| name.parse().ok()),
    })
}

#[cfg(test)]
pub(in crate::store) mod tests;
