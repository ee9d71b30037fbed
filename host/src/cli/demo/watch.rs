//! Reading the state of node and plugin through their commands.

use super::stage::{Name, Stage};
use super::tally::Tally;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What is to be seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Simulated hours since traffic began.
    pub hours: f64,
    pub rows: Vec<Row>,
    pub tally: Tally,
    /// Calls of setchannel that the node got; each changes one channel's fee.
    pub setchannels: u64,
    /// Feerate, sat per virtual byte.
    pub sat_per_vb: Option<f64>,
    pub events: Vec<Event>,
}

/// A channel.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: Name,
    pub strategy: String,
    /// Our share of the capacity, 0 to 1.
    pub local_share: f64,
    pub fee_ppm: u32,
    /// When the fee last changed, simulated hours since traffic began, and from what.
    pub changed: Option<(f64, u32)>,
    pub decision: Option<Decision>,
}

/// The latest decision about a channel, as `revenue-fee-debug` tells it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Decision {
    pub cycle: i64,
    pub strategy: String,
    pub old_fee_ppm: u32,
    pub proposed_ppm: Option<u32>,
    pub reason: String,
    pub factors: Map<String, Value>,
    pub limits: Vec<Limit>,
    pub verdict: String,
    pub verdict_text: Option<String>,
    pub approved_ppm: Option<u32>,
    pub outcome: Option<String>,
    pub outcome_text: Option<String>,
}

/// A limit that moved a proposal.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Limit {
    pub limit: String,
    /// Where to, where it is about the rate, ppm.
    pub ppm: Option<u32>,
}

/// Something worth a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Simulated hours since traffic began.
    pub hours: f64,
    /// The channel's alias, or what else it happened to.
    pub who: String,
    pub kind: EventKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventKind {
    /// A fee; `leap` is the larger of old and new over the smaller, at least 1.
    Changed {
        leap: f64,
    },
    Refused,
    News,
}

/// The reason of what an operator typed.
const MANUAL: &str = "manual";

impl Decision {
    /// Whether it became the node's fee, or was that already.
    pub fn is_in_force(&self) -> bool {
        self.is_change() || self.proposed_ppm == Some(self.old_fee_ppm)
    }

    /// Whether the node's fee changed by it.
    fn is_change(&self) -> bool {
        matches!(self.outcome.as_deref(), Some("applied" | "reconciled"))
    }

    /// Code and words of what kept it from becoming the node's fee.
    pub fn refusal(&self) -> Option<(&str, &str)> {
        match (&self.outcome, self.is_in_force()) {
            (_, true) => None,
            (Some(outcome), false) => Some((outcome, self.outcome_text.as_deref().unwrap_or_default())),
            (None, false) => Some((&self.verdict, self.verdict_text.as_deref().unwrap_or_default())),
        }
    }
}

fn leap(decision: &Decision) -> f64 {
    let (old, new) = (decision.old_fee_ppm, decision.approved_ppm.unwrap_or_default());
    f64::from(old.max(new)) / f64::from(old.min(new).max(1))
}

/// Who looks, and what it knows already.
#[derive(Default)]
pub struct Watcher {
    pub scene: Scene,
    /// The latest decision seen, by channel: its cycle.
    seen: HashMap<String, i64>,
    /// The latest update of a forward that was read; they count from 1.
    last_update: u64,
}

#[derive(Deserialize)]
struct Debugged {
    channel_id: String,
    strategy: String,
    fee_ppm: u32,
    local_share: f64,
    last_decision: Option<Decision>,
}

impl Watcher {
    /// Brings the scene up to date.
    pub async fn look(&mut self, stage: &Stage, hours: f64) -> Result<()> {
        let debugged = stage.call("revenue-fee-debug", json!([])).await?;
        let debugged: Vec<Debugged> =
            serde_json::from_value(debugged["channels"].clone()).context("reading revenue-fee-debug")?;
        let mut debugged: HashMap<String, Debugged> =
            debugged.into_iter().map(|channel| (channel.channel_id.clone(), channel)).collect();
        let known: HashMap<String, Row> =
            self.scene.rows.drain(..).map(|row| (row.name.scid.clone(), row)).collect();
        for name in &stage.names {
            // A channel that the plugin does not list is not open.
            let Some(now) = debugged.remove(&name.scid) else { continue };
            let row = self.row(name, now, known.get(&name.scid), hours);
            self.scene.rows.push(row);
        }
        self.read_forwards(stage).await?;
        self.read_feerate(stage, hours).await?;
        self.scene.setchannels = stage.setchannels();
        self.scene.hours = hours;
        Ok(())
    }

    fn row(&mut self, name: &Name, now: Debugged, before: Option<&Row>, hours: f64) -> Row {
        let changed = match before {
            Some(before) if before.fee_ppm != now.fee_ppm => Some((hours, before.fee_ppm)),
            Some(before) => before.changed,
            None => None,
        };
        if let Some(decision) = &now.last_decision {
            let known = self.seen.insert(name.scid.clone(), decision.cycle);
            if known != Some(decision.cycle) {
                self.note(name, decision, hours);
            }
        }
        Row {
            name: name.clone(),
            strategy: now.strategy,
            local_share: now.local_share,
            fee_ppm: now.fee_ppm,
            changed,
            decision: now.last_decision,
        }
    }

    /// Counts a decision that was not seen before.
    fn note(&mut self, name: &Name, decision: &Decision, hours: f64) {
        let tally = &mut self.scene.tally;
        decision.limits.iter().for_each(|limit| tally.limited(&limit.limit));
        let (kind, text) = match decision.refusal() {
            None if decision.is_change() => {
                tally.changed(&decision.reason);
                (EventKind::Changed { leap: leap(decision) }, super::draw::change(decision))
            }
            // The story tells what operators do.
            Some(_) if decision.reason == MANUAL => return,
            None => return,
            Some((code, why)) => {
                tally.refused(code, why);
                (EventKind::Refused, super::draw::refused(decision, code, why))
            }
        };
        self.scene.events.push(Event { hours, who: name.alias.clone(), kind, text });
    }

    async fn read_forwards(&mut self, stage: &Stage) -> Result<()> {
        let params = json!({ "index": "updated", "start": self.last_update + 1 });
        let answer = stage.call("listforwards", params).await?;
        let number = |forward: &Value, field: &str| forward[field].as_u64().unwrap_or_default();
        for forward in answer["forwards"].as_array().context("listforwards has no forwards")? {
            self.last_update = self.last_update.max(number(forward, "updated_index"));
            if forward["status"] == "settled" {
                self.scene.tally.settled += 1;
                self.scene.tally.fees_msat += number(forward, "fee_msat");
                self.scene.tally.volume_msat += number(forward, "out_msat");
            }
        }
        Ok(())
    }

    async fn read_feerate(&mut self, stage: &Stage, hours: f64) -> Result<()> {
        let answer = stage.call("feerates", json!(["perkb"])).await?;
        let sat_per_vb = answer["perkb"]["opening"].as_f64().map(|perkb| perkb / 1000.0);
        if let (Some(old), Some(new)) = (self.scene.sat_per_vb, sat_per_vb)
            && old != new
        {
            let text = format!("{old:.0} -> {new:.0} sat/vB");
            self.scene.events.push(Event { hours, who: "the mempool".into(), kind: EventKind::News, text });
        }
        self.scene.sat_per_vb = sat_per_vb;
        Ok(())
    }
}
