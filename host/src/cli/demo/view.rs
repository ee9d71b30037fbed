//! What a client of the node can see: channels, fees, and the plugin's reasons.

use super::stage::Stage;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One look at the node.
pub(super) struct View {
    pub(super) rows: Vec<Row>,
    /// Fees earned since the node exists, msat.
    pub(super) earned_msat: u64,
    /// Feerate, sat per virtual byte.
    pub(super) feerate: f64,
    /// Faults of strategies so far.
    pub(super) faults: u64,
}

/// One channel.
#[derive(Clone, Default)]
pub(super) struct Row {
    pub(super) alias: String,
    pub(super) scid: String,
    pub(super) strategy: String,
    /// Our share, 0 to 1.
    pub(super) share: f64,
    pub(super) fee_ppm: u64,
    /// The latest decision, if there was one.
    pub(super) decision: Option<Decision>,
}

/// Why a fee is what it is.
#[derive(Clone, Default)]
pub(super) struct Decision {
    pub(super) cycle: u64,
    pub(super) reason: String,
    pub(super) factors: Vec<(String, f64)>,
    pub(super) proposed_ppm: u64,
    /// `approved`, or the code of the refusal.
    pub(super) verdict: String,
    pub(super) applied: bool,
}

impl View {
    pub(super) async fn look(stage: &Stage) -> Result<View> {
        let info = stage.call("getinfo", json!({})).await?;
        let debug = stage.call("revenue-fee-debug", json!({})).await?;
        let status = stage.call("revenue-status", json!({})).await?;
        let feerates = stage.call("feerates", json!({ "style": "perkb" })).await?;
        let by_id: HashMap<&str, &Value> = debug["channels"]
            .as_array()
            .context("revenue-fee-debug lists channels")?
            .iter()
            .filter_map(|row| Some((row["full_channel_id"].as_str()?, row)))
            .collect();
        let rows = stage.aliases.iter().filter_map(|(id, alias)| Some(row(alias, by_id.get(id.as_str())?)));
        Ok(View {
            rows: rows.collect(),
            earned_msat: info["fees_collected_msat"].as_u64().unwrap_or(0),
            feerate: feerates["perkb"]["estimates"][2]["feerate"].as_f64().unwrap_or(0.0) / 1000.0,
            faults: status["strategies"]["faults_total"].as_u64().unwrap_or(0),
        })
    }
}

fn row(alias: &str, row: &Value) -> Row {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Row {
        alias: alias.to_owned(),
        scid: text(&row["channel_id"]),
        strategy: text(&row["strategy"]),
        share: row["local_share"].as_f64().unwrap_or(0.0),
        fee_ppm: row["fee_ppm"].as_u64().unwrap_or(0),
        decision: row["last_decision"].as_object().map(|_| decision(&row["last_decision"])),
    }
}

fn decision(row: &Value) -> Decision {
    let factors = row["factors"].as_object().into_iter().flatten();
    Decision {
        cycle: row["cycle"].as_u64().unwrap_or(0),
        reason: row["reason"].as_str().unwrap_or_default().to_owned(),
        factors: factors.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect(),
        proposed_ppm: row["proposed_ppm"].as_u64().unwrap_or(0),
        verdict: row["verdict"].as_str().unwrap_or_default().to_owned(),
        applied: row["outcome"].as_str().is_some_and(|outcome| outcome == "applied" || outcome == "reconciled"),
    }
}

/// What was seen on the way.
#[derive(Default)]
pub(super) struct Tallies {
    pub(super) changes: u64,
    /// Held back, by the code of the refusal.
    pub(super) refusals: BTreeMap<String, u64>,
    /// Applied changes, by the strategy's reason.
    pub(super) reasons: BTreeMap<String, u64>,
    seen: HashSet<(String, u64)>,
}

impl Tallies {
    /// Counts a refusal that no cycle made.
    pub(super) fn note_refusal(&mut self, code: &str) {
        *self.refusals.entry(code.to_owned()).or_default() += 1;
    }

    /// Counts decisions that were not seen before.
    pub(super) fn note(&mut self, view: &View) {
        for (row, decision) in view.rows.iter().filter_map(|row| Some((row, row.decision.as_ref()?))) {
            if !self.seen.insert((row.scid.clone(), decision.cycle)) {
                continue;
            }
            if decision.applied {
                self.changes += 1;
                *self.reasons.entry(decision.reason.clone()).or_default() += 1;
            } else if decision.verdict != "unchanged" {
                *self.refusals.entry(decision.verdict.clone()).or_default() += 1;
            }
        }
    }
}
