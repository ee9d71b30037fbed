//! `revenue-rebalance-debug`: the whole funnel, from every channel to what would be started, and
//! all that stands in the way.

mod rows;
mod why;

use super::args::{Args, Kind, Param};
use super::strategy::how_to_replay;
use super::{Command, CommandResult, Run, rebalance};
use crate::cycles::Services;
use crate::cycles::rebalance::{Judged, Passed, RebalancePlan};
use crate::cycles::strategies::Call;
use crate::engine::Rebalances;
use crate::guard::rebalance::wait;
use crate::model::flow::FlowState;
use crate::model::job::{Job, JobOutcome, Past};
use crate::model::{Channel, ChannelId, ChannelName, CycleKind, UnixTime};
use crate::store::attempts::{self, AttemptedRow, Candidate};
use crate::store::cycles::ModuleRun;
use crate::store::{flow, jobs, reservations};
use rows::Rows;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use why::Why;

pub(super) const COMMAND: Command = Command {
    name: "revenue-rebalance-debug",
    usage: "[channel_id]",
    description: "Explains what the next rebalance cycle would do and why not more: budget, reserve, jobs, pauses, and \
                  every channel's reason, without doing it.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] =
    &[Param::optional("channel_id", Kind::Channel, "A channel; without it, all of them.")
        .or(&["scid"])
        .or_blank()];

/// What the latest cycle considered, and whom it asked.
struct LastCycle {
    candidates: Vec<Candidate>,
    calls: Vec<ModuleRun>,
}

/// What the answer shows from the store.
struct Stored {
    live: Vec<Job>,
    ended: Vec<Job>,
    past: HashMap<ChannelId, Past>,
    flow: HashMap<ChannelId, FlowState>,
    last_cycle: Option<(AttemptedRow, LastCycle)>,
}

async fn stored(services: &Services) -> anyhow::Result<Stored> {
    let since = services.now().minus(UnixTime::DAY);
    services
        .store
        .read(move |conn| {
            let last = attempts::last(conn)?;
            let of = |id| -> anyhow::Result<LastCycle> {
                Ok(LastCycle {
                    candidates: attempts::candidates(conn, id)?,
                    calls: attempts::calls(conn, id)?,
                })
            };
            let of_last = last.as_ref().map(|row| of(row.id)).transpose()?;
            Ok(Stored {
                live: jobs::live(conn)?,
                ended: jobs::settled_since(conn, since)?,
                past: reservations::past(conn)?,
                flow: flow::load_states(conn)?,
                last_cycle: last.zip(of_last),
            })
        })
        .await
}

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS)?;
    let wanted = args.opt_channel("channel_id");
    let snapshot = services.node.snapshot(services.clock.tick()?).await.map_err(|error| error.to_string())?;
    if let Some(name) = wanted
        && !snapshot.channels.iter().any(|channel| name.names(channel))
    {
        return Err(format!("channel {name} is not one of this node's").into());
    }
    let plan = services.plan_rebalances(snapshot, true).await?;
    let stored = stored(&services).await?;
    let config = &plan.config;
    let rows = Rows::of(&plan, &stored, wanted);
    let rejected = rejections(&plan, wanted, &rows);
    Ok(json!({
        "sling_available": plan.sling.state.problem().is_none(),
        "rebalancer": rebalance::rebalancer(&plan.sling),
        "dry_run": config.dry_run,
        "blocked": plan.blocked.as_ref().map(|why| json!({ "code": why.code(), "text": why.to_string() })),
        "capital_controls": capital_controls(&plan, &stored),
        "thresholds": {
            "low_liquidity_threshold": config.low_liquidity_threshold,
            "high_liquidity_threshold": config.high_liquidity_threshold,
            "rebalance_min_profit_sats": config.rebalance_min_profit,
            "rebalance_max_ppm": config.rebalance_max_ppm,
            "max_concurrent_jobs": config.max_concurrent_jobs,
        },
        "evaluators": plan.calls.iter().map(call).collect::<Vec<_>>(),
        "channels": rows.answer(),
        "candidates": plan.judged.iter().filter(|one| is(wanted, &one.to)).map(judged).collect::<Vec<_>>(),
        "passed_over": plan.passed.iter().filter(|one| is(wanted, &one.channel)).map(passed).collect::<Vec<_>>(),
        "rejection_reasons": rejected.iter().map(|(name, why)| why.of(name)).collect::<Vec<_>>(),
        "rejections": rejected.iter().map(rejection).collect::<Vec<_>>(),
        "breakers": breakers(&plan, &stored.past, wanted),
        "jobs": stored.live.iter().map(rebalance::live_job).collect::<Vec<_>>(),
        "last_cycle": stored.last_cycle.as_ref().map(|(row, of)| last_cycle(row, of)),
    }))
}

fn is(wanted: Option<ChannelName>, channel: &Channel) -> bool {
    wanted.is_none_or(|name| name.names(channel))
}

fn capital_controls(plan: &RebalancePlan, stored: &Stored) -> Value {
    let local: crate::model::Msat = plan.snapshot.open_channels().map(|channel| channel.to_us).sum();
    let successes = stored
        .ended
        .iter()
        .filter(|job| matches!(job.outcome, Some(JobOutcome::Success | JobOutcome::Partial)));
    let (count, successes) = (stored.ended.len(), successes.count());
    let (onchain, problem) = match &plan.wallet {
        Ok(onchain) => (Some(*onchain), None),
        Err(why) => (None, Some(why)),
    };
    let reserve = plan.config.min_wallet_reserve;
    json!({
        "onchain_sats": onchain.map(|onchain| onchain.sats()),
        "onchain_error": problem,
        "channel_sats": local.sats(),
        "total_liquid_sats": onchain.map(|onchain| (onchain + local).sats()),
        "wallet_reserve_sats": reserve,
        "reserve_ok": onchain.is_some_and(|onchain| onchain.sats() >= reserve),
        "daily_budget_sats": plan.budget.limit.sats(),
        "earned_24h_sats": plan.earned_day.sats(),
        "daily_spent_sats": plan.budget.spent.sats(),
        "daily_spent_msat": plan.budget.spent.0,
        "daily_reserved_sats": plan.budget.reserved.sats(),
        "daily_reserved_msat": plan.budget.reserved.0,
        "stale_reservations": stored.live.iter().filter(|job| job.stopped_at.is_some()).count(),
        "budget_remaining_sats": plan.budget.left().sats(),
        "budget_ok": plan.budget.left().0 > 0,
        "job_count": count,
        "success_count": successes,
        "success_rate": if count == 0 { 0.0 } else { (successes as f64 / count as f64 * 1000.0).round() / 10.0 },
    })
}

fn call(call: &Call<Rebalances>) -> Value {
    json!({
        "evaluator": call.strategy.as_str(),
        "digest": call.digest.map(|digest| digest.to_string()),
        "version": call.version,
        "channels": call.channels.len(),
        "fuel": call.fuel(),
        "inputs_digest": call.inputs_digest().map(|digest| digest.to_string()),
        "fault": call.fault().map(|(code, text)| json!({ "code": code, "text": text })),
        "fallback": call.fallback.as_ref().map(|name| name.as_str()),
    })
}

fn judged(judged: &Judged) -> Value {
    let (proposal, verdict) = (&judged.verdict.proposal, &judged.verdict);
    let start = verdict.result.as_ref().ok().map(|approved| approved.get());
    let refusal = verdict.result.as_ref().err();
    json!({
        "to_channel": judged.to.name(),
        "from_channels": judged.sources,
        "status": refusal.map_or("would_start", |refusal| refusal.code()),
        "skip_reason": refusal.map(ToString::to_string),
        "amount_sats": verdict.amount().sats(),
        "payment_sats": start.map(|start| start.payment.sats()),
        "max_fee_ppm": start.map_or(proposal.max_fee, |start| start.max_fee).0,
        "worst_cost_msat": start.map(|start| start.worst_cost().0),
        "expected_gain_msat": verdict.value().map(|value| value.0),
        "expected_cost_msat": verdict.cost().map(|cost| cost.0),
        "success_chance": proposal.success,
        "reason": proposal.reason,
        "factors": factors(&proposal.factors),
        "limits": verdict.limits,
    })
}

fn passed(passed: &Passed) -> Value {
    json!({
        "channel": passed.channel.name(),
        "evaluator": passed.evaluator.as_str(),
        "reason": passed.reason,
        "factors": factors(&passed.factors),
        "refusal": passed.refusal.as_ref().map(|refusal| refusal.code()),
        "skip_reason": Why::passed(passed).text,
    })
}

fn factors(factors: &[(String, f64)]) -> Value {
    factors
        .iter()
        .map(|(name, value)| (name.clone(), json!(super::analyze::rounded(*value))))
        .collect::<Map<_, _>>()
        .into()
}

/// Why what might be filled is not, with the channel's name; none where it concerns them all.
fn rejections(plan: &RebalancePlan, wanted: Option<ChannelName>, rows: &Rows) -> Vec<(Option<String>, Why)> {
    let mut reasons: Vec<_> = plan.blocked.iter().map(|why| (None, Why::refused(why))).collect();
    if wanted.is_none() {
        reasons.extend(rows.lacking(&plan.config).into_iter().map(|why| (None, why)));
    }
    for one in plan.judged.iter().filter(|one| is(wanted, &one.to)) {
        reasons.extend(one.verdict.result.as_ref().err().map(|why| (Some(one.to.name()), Why::refused(why))));
    }
    let passed = plan.passed.iter().filter(|one| is(wanted, &one.channel) && !why::needs_nothing(one));
    reasons.extend(passed.map(|one| (Some(one.channel.name()), Why::passed(one))));
    reasons
}

fn rejection((channel, why): &(Option<String>, Why)) -> Value {
    json!({ "channel": channel, "code": why.code, "text": why.text })
}

/// Channels that rest after failures or a success.
fn breakers(
    plan: &RebalancePlan,
    past: &HashMap<ChannelId, Past>,
    wanted: Option<ChannelName>,
) -> Vec<Value> {
    let mut resting: Vec<Value> = plan
        .snapshot
        .open_channels()
        .filter(|channel| is(wanted, channel))
        .filter_map(|channel| {
            let past = past.get(&channel.channel_id)?;
            let refusal = wait(*past, &plan.config, plan.tick.now)?;
            Some(json!({
                "channel": channel.name(),
                "state": refusal.code(),
                "failures": past.failures,
                "last_failure": past.last_failure.map(|at| at.0),
                "last_success": past.last_success.map(|at| at.0),
                "why": refusal.to_string(),
            }))
        })
        .collect();
    resting.sort_by(|one, other| one["channel"].as_str().cmp(&other["channel"].as_str()));
    resting
}

fn last_cycle(row: &AttemptedRow, LastCycle { candidates, calls }: &LastCycle) -> Value {
    let made = calls.iter().filter(|call| call.digest.is_some() && call.fallback.is_none());
    json!({
        "id": row.id,
        "at": row.at.0,
        "trigger": row.trigger,
        "considered": row.considered,
        "started": row.started,
        "refused": row.refused,
        "duration_ms": row.duration_ms,
        "note": row.note,
        "replay": made.map(|call| how_to_replay(CycleKind::Rebalance, row.id, call.strategy.as_str())).collect::<Vec<_>>(),
        "candidates": candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
}

fn candidate(one: &Candidate) -> Value {
    json!({
        "to_channel": one.to_name,
        "from_channels": one.sources,
        "decider": one.decider,
        "amount_sats": one.amount.map(|amount| amount.sats()),
        "max_fee_ppm": one.max_fee.map(|fee| fee.0),
        "expected_gain_msat": one.value.map(|value| value.0),
        "expected_cost_msat": one.cost.map(|cost| cost.0),
        "success_chance": one.success,
        "reason": one.reason,
        "factors": factors(&one.factors),
        "limits": one.limits,
        "verdict": one.verdict,
        "verdict_text": one.verdict_text,
        "job_id": one.job.map(|job| job.0),
    })
}
