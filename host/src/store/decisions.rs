//! What was decided for each channel, and why.

use super::changes::ChangeOrigin;
use super::cycles::{DecisionRecord, Terms};
use super::sql::{json, to_json, word};
use crate::model::fee::{Outcome, Refusal};
use crate::model::{ChannelId, Digest, Msat, PeerId, Ppm, Scid, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

/// A decision as it is told to an operator: codes for programs, sentences for people.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRow {
    pub cycle_id: i64,
    pub at: UnixTime,
    pub channel_id: ChannelId,
    pub scid: Option<Scid>,
    pub peer_id: PeerId,
    pub strategy: StrategyName,
    pub digest: Option<Digest>,
    pub old: Ppm,
    pub proposed: Option<Ppm>,
    pub reason: String,
    pub factors: Vec<(String, f64)>,
    /// Code of each limit that moved the proposal, and where to.
    pub limits: Vec<(String, u64)>,
    /// `approved`, `limited`, `none` (nothing was proposed), or the code of the refusal.
    pub verdict: String,
    /// The refusal's sentence.
    pub verdict_text: Option<String>,
    pub approved: Option<Ppm>,
    /// What was in force with the rate, what was named, and what was let through.
    pub old_terms: Terms,
    pub proposed_terms: Terms,
    pub approved_terms: Terms,
    /// Code of the outcome of an approved fee.
    pub outcome: Option<String>,
    /// Why it failed or is not known.
    pub outcome_text: Option<String>,
}

const APPROVED: &str = "approved";
const LIMITED: &str = "limited";
const NOTHING_PROPOSED: &str = "none";

fn verdict(decision: &DecisionRecord) -> &'static str {
    match &decision.refusal {
        Some(refusal) => refusal.code(),
        None if decision.proposed.is_none() && decision.approved.is_none() => NOTHING_PROPOSED,
        None if decision.limits.is_empty() => APPROVED,
        None => LIMITED,
    }
}

fn outcome_text(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Failed(why) | Outcome::Unknown(why) => Some(why.clone()),
        Outcome::Lowered(most) => Some(format!("the largest HTLC that lightningd allows is {most}")),
        Outcome::Applied | Outcome::Reconciled | Outcome::DryRun => None,
    }
}

pub(super) fn insert(tx: &Transaction<'_>, cycle_id: i64, decision: &DecisionRecord) -> Result<()> {
    let limits: Vec<_> = decision.limits.iter().map(|limit| (limit.code(), limit.value())).collect();
    tx.prepare_cached(
        "INSERT INTO fee_decisions (cycle_id, channel_id, scid, peer_id, strategy, digest, old_ppm, proposed_ppm,
             reason, factors, limits, verdict, verdict_text, approved_ppm, outcome, outcome_text,
             from_congestion, old_base_msat, old_htlc_max_msat, proposed_base_msat, proposed_htlc_max_msat,
             approved_base_msat, approved_htlc_max_msat, origin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
             ?23, ?24)",
    )?
    .execute(params![
        cycle_id,
        decision.channel_id,
        decision.scid,
        decision.peer_id,
        decision.strategy.as_str(),
        decision.digest,
        decision.old,
        decision.proposed,
        decision.reason,
        to_json(&decision.factors)?,
        to_json(&limits)?,
        verdict(decision),
        decision.refusal.as_ref().map(Refusal::to_string),
        decision.approved,
        decision.outcome.as_ref().map(Outcome::code),
        decision.outcome.as_ref().and_then(outcome_text),
        decision.from_congestion,
        decision.old_terms.base_fee,
        decision.old_terms.htlc_max,
        decision.proposed_terms.base_fee,
        decision.proposed_terms.htlc_max,
        decision.approved_terms.base_fee,
        decision.approved_terms.htlc_max,
        decision.origin.name(),
    ])?;
    Ok(())
}

/// The latest decision for one channel.
pub fn latest_for(conn: &Connection, channel_id: &ChannelId) -> Result<Option<DecisionRow>> {
    conn.prepare_cached(
        "SELECT d.*, c.at_s FROM fee_decisions d JOIN fee_cycles c ON c.id = d.cycle_id
         WHERE d.channel_id = ?1 ORDER BY d.cycle_id DESC LIMIT 1",
    )?
    .query_row([channel_id], read)
    .optional()
}

/// The latest decision for each channel, by channel id. Seeks from channel to
/// channel in the index, so that it costs the same however long the history is.
pub fn latest(conn: &Connection) -> Result<Vec<DecisionRow>> {
    conn.prepare_cached(
        "WITH RECURSIVE decided (channel) AS (
             SELECT min(channel_id) FROM fee_decisions
             UNION ALL
             SELECT (SELECT min(channel_id) FROM fee_decisions WHERE channel_id > channel) FROM decided
             WHERE channel IS NOT NULL
         )
         SELECT d.*, c.at_s FROM decided
         JOIN fee_decisions d ON d.channel_id = channel
             AND d.cycle_id = (SELECT max(cycle_id) FROM fee_decisions WHERE channel_id = channel)
         JOIN fee_cycles c ON c.id = d.cycle_id WHERE channel IS NOT NULL ORDER BY d.channel_id",
    )?
    .query_map([], read)?
    .collect()
}

/// A decision whose outcome was not known, and is in force.
pub(super) struct LostAnswer {
    /// Who wanted it.
    pub origin: ChangeOrigin,
    pub reason: String,
    pub from_congestion: bool,
    pub htlc_max: Option<Msat>,
}

/// When the channel's latest decision had no known outcome and wanted the rate and base fee that are now
/// in force, marks it as reconciled and returns it.
pub(super) fn settle_unknown(
    tx: &Transaction<'_>,
    channel_id: &ChannelId,
    in_force: Ppm,
    base: Msat,
) -> Result<Option<LostAnswer>> {
    tx.prepare_cached(
        "UPDATE fee_decisions SET outcome = ?4, outcome_text = NULL
         WHERE channel_id = ?1 AND outcome = ?5 AND approved_ppm = ?2 AND coalesce(approved_base_msat, ?3) = ?3
             AND cycle_id = (SELECT max(cycle_id) FROM fee_decisions WHERE channel_id = ?1)
         RETURNING origin, reason, from_congestion, approved_htlc_max_msat",
    )?
    .query_row(
        params![channel_id, in_force, base, Outcome::Reconciled.code(), Outcome::Unknown(String::new()).code()],
        |row| {
            Ok(LostAnswer {
                origin: word(row, "origin", ChangeOrigin::from_name)?,
                reason: row.get("reason")?,
                from_congestion: row.get("from_congestion")?,
                htlc_max: row.get("approved_htlc_max_msat")?,
            })
        },
    )
    .optional()
}

pub(super) fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute(
        "DELETE FROM fee_decisions WHERE cycle_id IN (SELECT id FROM fee_cycles WHERE at_s < ?1) AND cycle_id <
             (SELECT max(cycle_id) FROM fee_decisions latest WHERE latest.channel_id = fee_decisions.channel_id)",
        [before],
    )
}

fn read(row: &Row<'_>) -> Result<DecisionRow> {
    Ok(DecisionRow {
        cycle_id: row.get("cycle_id")?,
        at: row.get("at_s")?,
        channel_id: row.get("channel_id")?,
        scid: row.get("scid")?,
        peer_id: row.get("peer_id")?,
        strategy: word(row, "strategy", |text| text.parse().ok())?,
        digest: row.get("digest")?,
        old: row.get("old_ppm")?,
        proposed: row.get("proposed_ppm")?,
        reason: row.get("reason")?,
        factors: json(row, "factors")?,
        limits: json(row, "limits")?,
        verdict: row.get("verdict")?,
        verdict_text: row.get("verdict_text")?,
        approved: row.get("approved_ppm")?,
        old_terms: terms(row, "old_base_msat", "old_htlc_max_msat")?,
        proposed_terms: terms(row, "proposed_base_msat", "proposed_htlc_max_msat")?,
        approved_terms: terms(row, "approved_base_msat", "approved_htlc_max_msat")?,
        outcome: row.get("outcome")?,
        outcome_text: row.get("outcome_text")?,
    })
}

fn terms(row: &Row<'_>, base_fee: &str, htlc_max: &str) -> Result<Terms> {
    Ok(Terms { base_fee: row.get(base_fee)?, htlc_max: row.get(htlc_max)? })
}
