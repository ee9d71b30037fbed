//! `revenue-status`: what is ready, what is degraded, which jobs ran when, and the limits.
//! Answers at once, from memory and the store, however far the plugin is.

mod clock;
mod degraded;
mod journal;
mod ledger;
mod limits;
mod lists;
mod place;
mod seen;

use super::args::Args;
use super::{Command, CommandResult, Run, rebalance};
use crate::config::Config;
use crate::cycles::lifecycle::{Lifecycle, Phase};
use crate::cycles::schedule::JobStatus;
use crate::cycles::{Health, Services};
use crate::econ::flow::flow_multiplier;
use crate::model::flow::FlowState;
use crate::model::job::Job;
use crate::model::list::List;
use crate::model::{ChannelId, Policy, StrategyName};
use crate::node::{BreakerState, Companion, Group};
use crate::store::adopt::{self, Imported};
use crate::store::books_state::{self, BooksState};
use crate::store::changes::{self, FeeChange};
use crate::store::clock::ClockState;
use crate::store::lists::{BegunAnew, begun_anew};
use crate::store::modules::{self, ModuleFaults};
use crate::store::names::KnownChannel;
use crate::store::{cycles, flow, jobs, names, policies, usage};
use seen::Seen;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-status",
    usage: "",
    description: "Shows what is ready, what is degraded, background jobs, faults of strategies, and the limits.",
    run: Run::AtOnce(|lifecycle, params| Box::pin(run(lifecycle, params))),
};

/// Rows of recent changes shown.
const RECENT: u32 = 10;

async fn run(lifecycle: Lifecycle, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    match lifecycle.phase() {
        Phase::Ready(services) => ready(&services).await,
        Phase::Starting(step) => Ok(starting(&lifecycle.config(), &step)),
    }
}

/// With the settings as lightningd's options have them: those that were changed since are not read yet.
fn starting(config: &Config, step: &str) -> Value {
    json!({
        "status": "starting",
        "version": env!("CARGO_PKG_VERSION"),
        "ready": false,
        "dry_run": config.dry_run,
        "degraded": [{ "part": "start", "why": step }],
        "config": summary(config),
        "channel_states": [],
        "recent_fee_changes": [],
        "rebalance_jobs": [],
        "recent_rebalances": [],
        "jobs": {},
    })
}

/// What the status shows from the store.
#[derive(Default)]
struct Stored {
    channels: HashMap<ChannelId, KnownChannel>,
    flow: Vec<FlowState>,
    changes: Vec<(i64, FeeChange)>,
    modules: Vec<ModuleFaults>,
    /// Strategies whose modules could not be asked, and why.
    not_asked: Vec<(StrategyName, String)>,
    last_cycle: Option<cycles::CycleRow>,
    imported: Option<Imported>,
    books: Option<BooksState>,
    journal: Option<journal::Kept>,
    clock: ClockState,
    /// Of the database.
    path: Option<String>,
    policies: Vec<Policy>,
    /// Lists of the node that ever began anew.
    anew: Vec<BegunAnew>,
    /// Rebalances that are not settled, and the latest of all.
    live: Vec<Job>,
    jobs: Vec<Job>,
}

async fn stored(services: &Services) -> anyhow::Result<Stored> {
    let now = services.now();
    services
        .store
        .read(move |conn| {
            let known = names::channels(conn)?;
            let mut flow: Vec<FlowState> = flow::load_states(conn)?.into_values().collect();
            flow.sort_by_key(|state| state.channel_id);
            Ok(Stored {
                channels: known.into_iter().map(|channel| (channel.channel_id, channel)).collect(),
                flow,
                changes: changes::recent(conn, RECENT)?,
                modules: modules::list(conn)?,
                not_asked: usage::not_asked(conn)?,
                last_cycle: cycles::recent(conn, 1)?.pop(),
                imported: adopt::imported(conn)?,
                books: Some(books_state::load(conn)?),
                journal: Some(journal::kept(conn)?),
                clock: crate::store::clock::load(conn, now)?,
                anew: List::ALL
                    .into_iter()
                    .filter_map(|list| begun_anew(conn, list).transpose())
                    .collect::<Result<_, _>>()?,
                path: conn.path().map(str::to_owned),
                policies: policies::load_all(conn)?,
                live: jobs::live(conn)?,
                jobs: jobs::recent(conn, RECENT)?,
            })
        })
        .await
}

async fn ready(services: &Arc<Services>) -> CommandResult {
    let seen = Seen::now(services);
    let (degraded, stored) = match stored(services).await {
        Ok(mut stored) => {
            stored.clock.last_jump = services.clock_jump().or(stored.clock.last_jump);
            let mut degraded = degraded::parts(services, &seen, &stored.modules);
            degraded.extend(clock::degraded(&stored.clock, seen.now));
            degraded.extend(stored.anew.iter().filter_map(|anew| lists::degraded(anew, seen.now)));
            degraded.extend(stored.not_asked.iter().map(|(strategy, why)| {
                json!({ "part": format!("strategy_{strategy}"), "why": format!("could not be asked: {why}") })
            }));
            (degraded, stored)
        }
        Err(error) => {
            let mut degraded = degraded::parts(services, &seen, &[]);
            if services.store.trouble().is_none() {
                degraded.push(json!({ "part": "store", "why": format!("{error:#}") }));
            }
            (degraded, Stored::default())
        }
    };
    let states: Vec<Value> =
        stored.flow.iter().map(|state| flow_state(state, stored.channels.get(&state.channel_id))).collect();
    let jobs: Map<String, Value> =
        seen.jobs.iter().map(|(job, status)| (job.name().to_owned(), job_answer(status))).collect();
    Ok(json!({
        "status": "running",
        "version": env!("CARGO_PKG_VERSION"),
        "ready": true,
        "dry_run": seen.config.dry_run,
        "config": summary(&seen.config),
        "node": {
            "id": services.node_id.to_string(),
            "network": services.network,
            "version": services.node_version,
            "synced": seen.health.not_synced.is_none(),
        },
        "degraded": degraded,
        "db_path": stored.path,
        "clock": clock::answer(&stored.clock, seen.now),
        "companions": companions(&seen.health),
        "jobs": jobs,
        "last_fee_cycle": stored.last_cycle.map(last_cycle),
        "ledger": stored.books.as_ref().map(ledger::answer),
        "journal": stored.journal.as_ref().map(|kept| journal::answer(kept, &seen.config)),
        "strategies": strategies(services, &seen, &stored.modules),
        "rpc": rpc(services, &seen),
        "limits": limits::answer(&seen.config, &stored.policies),
        "channel_states": states,
        "recent_fee_changes": stored.changes.iter().map(fee_change).collect::<Vec<_>>(),
        "imported": super::imported::answer(stored.imported.as_ref()),
        "rebalancer": rebalance::rebalancer(&seen.sling),
        "rebalance_jobs": stored.live.iter().map(rebalance::live_job).collect::<Vec<_>>(),
        "recent_rebalances": stored.jobs.iter().map(rebalance::recent_job).collect::<Vec<_>>(),
    }))
}

fn summary(config: &Config) -> Value {
    json!({
        "target_flow_sats": config.target_flow,
        "fee_range_ppm": [config.min_fee_ppm, config.max_fee_ppm],
        "rebalance_min_profit_sats": config.rebalance_min_profit,
        "dry_run": config.dry_run,
    })
}

fn companions(health: &Health) -> Value {
    let word = |companion: &Companion| match (health.has(*companion), health.lacks(*companion)) {
        (true, _) => "present",
        (_, true) => "absent",
        _ => "unknown",
    };
    Companion::ALL
        .iter()
        .map(|companion| (companion.name().to_owned(), json!(word(companion))))
        .collect::<Map<_, _>>()
        .into()
}

fn job_answer(job: &JobStatus) -> Value {
    let (outcome, error) = match &job.last_outcome {
        None => (None, None),
        Some(Ok(did)) => (Some(did), None),
        Some(Err(why)) => (None, Some(why)),
    };
    json!({
        "running": job.running,
        "woken": job.woken,
        "runs": job.runs,
        "failures": job.failures,
        "last_started": job.last_started.map(|time| time.0),
        "last_ended": job.last_ended.map(|time| time.0),
        "next": job.next.map(|time| time.0),
        "last_result": outcome,
        "last_error": error,
    })
}

fn last_cycle(cycle: cycles::CycleRow) -> Value {
    json!({
        "id": cycle.id,
        "at": cycle.at.0,
        "trigger": cycle.trigger,
        "channels": cycle.channels,
        "proposals": cycle.proposals,
        "applied": cycle.applied,
        "refused": cycle.refused,
        "failed": cycle.failed,
        "duration_ms": cycle.duration_ms,
    })
}

fn strategies(services: &Services, seen: &Seen, faults: &[ModuleFaults]) -> Value {
    let (files, problem) = match services.engine.available() {
        Ok(files) => (files, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    json!({
        "modules": files.iter().map(|file| json!({ "name": file.name, "bytes": file.bytes })).collect::<Vec<_>>(),
        "problem": problem,
        "place": place::answer(&seen.place),
        "faults_total": faults.iter().map(|module| u64::from(module.faults_total)).sum::<u64>(),
        "faults": faults.iter().map(super::strategy::fault).collect::<Vec<_>>(),
    })
}

fn rpc(services: &Services, seen: &Seen) -> Value {
    let breaker = |(group, state): &(Group, BreakerState)| {
        let answer = json!({
            "state": state.state,
            "lost": state.lost,
            "last_error": state.last_error,
            "seconds_left": state.seconds_left,
        });
        (group.name().to_owned(), answer)
    };
    let groups: Map<String, Value> = seen.breakers.iter().map(breaker).collect();
    json!({ "calls_sent": services.node.calls_sent(), "groups": groups })
}

/// Keys and units as users of this command know them: `channel_id` is the short one.
pub(super) fn flow_state(state: &FlowState, channel: Option<&KnownChannel>) -> Value {
    let scid = channel.and_then(|channel| channel.scid);
    json!({
        "channel_id": scid.map_or_else(|| state.channel_id.to_string(), |scid| scid.to_string()),
        "full_channel_id": state.channel_id.to_string(),
        "peer_id": state.peer_id.to_string(),
        "state": state.class.name(),
        "flow_ratio": state.flow_ratio,
        "sats_in": state.window_in.sats(),
        "sats_out": state.window_out.sats(),
        "capacity": state.capacity.sats(),
        "updated_at": state.updated_at.0,
        "confidence": state.confidence,
        "velocity": state.velocity,
        "flow_multiplier": flow_multiplier(state),
        "ema_decay": state.ema_decay,
        "forward_count": state.forward_count,
    })
}

/// A channel's class by flow, `unknown` before its first analysis.
pub(super) fn flow_word(state: Option<&FlowState>) -> &'static str {
    state.map_or("unknown", |state| state.class.name())
}

fn fee_change((id, change): &(i64, FeeChange)) -> Value {
    json!({
        "id": id,
        "channel_id": change.scid.map_or_else(|| change.channel_id.to_string(), |scid| scid.to_string()),
        "full_channel_id": change.channel_id.to_string(),
        "peer_id": change.peer_id.to_string(),
        "old_fee_ppm": change.old.0,
        "new_fee_ppm": change.new.0,
        "base_fee_msat": change.base.0,
        "htlc_max_msat": change.htlc_max.map(|most| most.0),
        "reason": change.reason,
        "origin": change.origin.name(),
        "manual": u8::from(change.origin == changes::ChangeOrigin::Operator),
        "timestamp": change.at.0,
    })
}
