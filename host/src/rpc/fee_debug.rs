//! `revenue-fee-debug`: why each fee is what it is, and what the next cycle would do.

use super::args::{Args, Kind, Param};
use super::strategy::how_to_replay;
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::cycles::fee::{Held, Plan, Planned, Tenure};
use crate::cycles::schedule::Scope;
use crate::guard::fee::GOSSIP_GATE;
use crate::model::fee::{Limit, Origin, Refusal, SetFee};
use crate::model::flow::FlowState;
use crate::model::{Channel, ChannelId, CycleKind, Ppm, UnixTime};
use crate::store::changes::{self, FeeChange};
use crate::store::decisions::{self, DecisionRow};
use crate::store::{Connection, flow};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-fee-debug",
    usage: "[channel_id]",
    description: "Explains the latest fee decisions and what the next cycle would do, without doing it.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] =
    &[Param::optional("channel_id", Kind::Channel, "A channel; without it, all of them.")
        .or(&["scid"])
        .or_blank()];

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS)?;
    let snapshot = services.node.snapshot(services.clock.tick()?).await.map_err(|error| error.to_string())?;
    let scope = match args.opt_channel("channel_id") {
        None => Scope::All,
        Some(name) => {
            let channel = snapshot.channels.iter().find(|channel| name.names(channel));
            let unknown = || CommandError::from(format!("channel {name} is not one of this node's"));
            Scope::Peers(BTreeSet::from([channel.ok_or_else(unknown)?.peer_id]))
        }
    };
    let plan = services.explain_fees(snapshot, &scope).await?;
    let stored = services.store.read(stored).await?;
    let past = Past { now: plan.tick.now, stored, tenures: &plan.tenures };
    let wanted = |channel: &Channel| args.opt_channel("channel_id").is_none_or(|name| name.names(channel));
    let decided =
        plan.decided.iter().filter(|planned| wanted(&planned.channel)).map(|planned| decided(planned, &past));
    let held = plan.held.iter().filter(|held| wanted(&held.channel)).map(|held| self::held(held, &past));
    let mut channels: Vec<Value> = decided.chain(held).collect();
    channels.sort_by(|one, other| one["channel_id"].as_str().cmp(&other["channel_id"].as_str()));
    Ok(json!({
        "timestamp": plan.tick.now.0,
        "config": {
            "fee_interval_seconds": plan.config.fee_interval,
            "fee_range_ppm": [plan.config.min_fee_ppm, plan.config.max_fee_ppm],
            "max_base_fee_msat": plan.config.max_base_fee_msat,
            "max_updates_per_day": plan.config.max_updates_per_day,
            "max_step_factor": plan.config.max_step_factor,
            "dry_run": plan.config.dry_run,
        },
        "strategies": calls(&plan),
        "summary": summary(&channels),
        "channels": channels,
    }))
}

fn calls(plan: &Plan) -> Vec<Value> {
    plan.calls
        .iter()
        .map(|call| {
            json!({
                "strategy": call.strategy.as_str(),
                "digest": call.digest.map(|digest| digest.to_string()),
                "version": call.version,
                "channels": call.channels.len(),
                "fuel": call.result.as_ref().ok().map(|decision| decision.fuel),
                "inputs_digest": call.inputs_digest().map(|digest| digest.to_string()),
                "fault": call.result.as_ref().err().map(|(code, text)| json!({ "code": code, "text": text })),
                "fallback": call.fallback.as_ref().map(|name| name.as_str()),
            })
        })
        .collect()
}

/// What the store tells, by channel.
struct Stored {
    decisions: HashMap<ChannelId, DecisionRow>,
    /// The latest that this plugin made.
    changes: HashMap<ChannelId, FeeChange>,
    flow: HashMap<ChannelId, FlowState>,
}

fn stored(conn: &Connection) -> anyhow::Result<Stored> {
    Ok(Stored {
        decisions: decisions::latest(conn)?.into_iter().map(|row| (row.channel_id, row)).collect(),
        changes: changes::last_own_per_channel(conn)?,
        flow: flow::load_states(conn)?,
    })
}

/// What was before.
struct Past<'a> {
    now: UnixTime,
    stored: Stored,
    tenures: &'a HashMap<ChannelId, Tenure>,
}

/// What every row has.
fn common(channel: &Channel, strategy: &str, past: &Past<'_>) -> Map<String, Value> {
    let (id, stored) = (&channel.channel_id, &past.stored);
    let tenure = past.tenures.get(id);
    let hours = |tenure: &Tenure| (past.now.since(tenure.since) as f64 / 360.0).round() / 10.0;
    let row = json!({
        "channel_id": channel.name(),
        "full_channel_id": channel.channel_id.to_string(),
        "peer_id": channel.peer_id.to_string(),
        "strategy": strategy,
        "fee_ppm": channel.fee_ppm.0,
        "base_fee_msat": channel.fee_base.0,
        "htlc_max_msat": channel.htlc_max.0,
        "local_share": super::analyze::rounded(channel.local_share()),
        "hours_since_update": tenure.map(hours),
        "forwards_since_update": tenure.map(|tenure| tenure.forwards),
        "last_broadcast_fee_ppm": stored.changes.get(id).map(|change| change.new.0),
        "flow_state": super::status::flow_word(stored.flow.get(id)),
        "last_decision": stored.decisions.get(id).map(last_decision),
    });
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}

fn decided(planned: &Planned, past: &Past<'_>) -> Value {
    let (proposal, verdict) = (&planned.verdict.proposal, &planned.verdict);
    let mut row = common(&planned.channel, planned.strategy.as_str(), past);
    let approved: Result<&SetFee, &Refusal> = verdict.result.as_ref().map(|approved| approved.get());
    row.insert("status".into(), json!(approved.map_or_else(|refusal| refusal.code(), |_| "would_set")));
    row.insert("skip_reason".into(), json!(approved.err().map(ToString::to_string)));
    row.insert("next_fee_ppm".into(), json!(approved.ok().map(|fee| fee.fee.0)));
    row.insert("next_base_fee_msat".into(), json!(approved.ok().map(|fee| fee.base_fee.0)));
    row.insert(
        "next_htlc_max_msat".into(),
        json!(approved.ok().and_then(|fee| fee.htlc_max).map(|most| most.0)),
    );
    let asked = proposal.origin != Origin::Host;
    row.insert("proposed_ppm".into(), json!(asked.then_some(proposal.fee.0)));
    row.insert("proposed_base_fee_msat".into(), json!(proposal.base_fee.map(|base| base.0)));
    row.insert("proposed_htlc_max_msat".into(), json!(proposal.htlc_max.map(|most| most.0)));
    row.insert("reason".into(), json!(proposal.reason));
    row.insert("factors".into(), factors(&proposal.factors));
    row.insert(
        "limits".into(),
        verdict.limits.iter().map(|moved| limit(moved.code(), moved.value())).collect(),
    );
    row.into()
}

fn held(held: &Held, past: &Past<'_>) -> Value {
    let mut row = common(&held.channel, held.strategy.as_str(), past);
    row.insert("status".into(), json!("hold"));
    let Some(wanted) = &held.wanted else {
        row.insert("skip_reason".into(), json!(held.why));
        return row.into();
    };
    row.insert(
        "skip_reason".into(),
        json!(format!("{}{}", held.why, distance(held.channel.fee_ppm, wanted.fee))),
    );
    row.insert("wanted_ppm".into(), json!(wanted.fee.0));
    row.insert("reason".into(), json!(wanted.reason));
    row.insert("factors".into(), factors(&wanted.factors));
    row.into()
}

/// How far the fee in force is from the one that a strategy has in mind.
fn distance(fee: Ppm, wanted: Ppm) -> String {
    if fee == wanted {
        return ": its own fee is in force".to_owned();
    }
    let apart = f64::from(fee.0.abs_diff(wanted.0)) / f64::from(fee.0.max(1));
    let word = if apart <= GOSSIP_GATE { ", which is too close for a message" } else { "" };
    format!(": it has {} ppm in mind{word}", wanted.0)
}

fn factors(factors: &[(String, f64)]) -> Value {
    factors
        .iter()
        .map(|(name, value)| (name.clone(), json!(super::analyze::rounded(*value))))
        .collect::<Map<_, _>>()
        .into()
}

/// The value stands under the name of its unit.
fn limit(code: &str, value: u64) -> Value {
    json!({ "limit": code, (Limit::unit(code)): value })
}

fn last_decision(row: &DecisionRow) -> Value {
    json!({
        "cycle": row.cycle_id,
        "replay": row.digest.map(|_| how_to_replay(CycleKind::Fee, row.cycle_id, row.strategy.as_str())),
        "at": row.at.0,
        "strategy": row.strategy.as_str(),
        "digest": row.digest.map(|digest| digest.to_string()),
        "old_fee_ppm": row.old.0,
        "proposed_ppm": row.proposed.map(|fee| fee.0),
        "reason": row.reason,
        "factors": factors(&row.factors),
        "limits": row.limits.iter().map(|(code, value)| limit(code, *value)).collect::<Vec<_>>(),
        "verdict": row.verdict,
        "verdict_text": row.verdict_text,
        "approved_ppm": row.approved.map(|fee| fee.0),
        "old_base_fee_msat": row.old_terms.base_fee.map(|base| base.0),
        "proposed_base_fee_msat": row.proposed_terms.base_fee.map(|base| base.0),
        "approved_base_fee_msat": row.approved_terms.base_fee.map(|base| base.0),
        "old_htlc_max_msat": row.old_terms.htlc_max.map(|most| most.0),
        "proposed_htlc_max_msat": row.proposed_terms.htlc_max.map(|most| most.0),
        "approved_htlc_max_msat": row.approved_terms.htlc_max.map(|most| most.0),
        "outcome": row.outcome,
        "outcome_text": row.outcome_text,
    })
}

/// How many channels have which status.
fn summary(channels: &[Value]) -> Value {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for status in channels.iter().filter_map(|channel| channel["status"].as_str()) {
        *counts.entry(status).or_default() += 1;
    }
    let mut summary: Map<String, Value> =
        counts.into_iter().map(|(status, n)| (status.to_owned(), json!(n))).collect();
    summary.insert("total".to_owned(), json!(channels.len()));
    summary.into()
}
