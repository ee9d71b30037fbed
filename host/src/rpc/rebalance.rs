//! `revenue-rebalance`: moves liquidity now, within every limit on cost.

mod answer;

pub(super) use answer::{live_job, rebalancer, recent_job};

use super::args::{Args, Kind, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::cycles::rebalance::{Done, ManualRebalance, Passed, Tried, Wish};
use crate::cycles::schedule::JobName;
use crate::model::Msat;
use crate::model::job::StartRebalance;
use crate::model::refusal::RebalanceRefusal;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-rebalance",
    usage: "[from_channel] [to_channel] [amount_sats] [max_fee_sats] [force] [scid]",
    description: "Moves liquidity from one channel to another, or fills the one channel named in the way that is worth \
                  most, or with nothing named looks at all channels now. Answers when the money is reserved. force=true \
                  skips expected gain and pauses, never budget, reserve, caps or policies.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

/// The most that one call may ask for, sat: more than any channel holds.
const MOST_SATS: i64 = 100_000_000_000;

const PARAMS: &[Param] = &[
    Param::optional("from_channel", Kind::Channel, "The channel to take from.").or(&["from"]),
    Param::optional("to_channel", Kind::Channel, "The channel to fill.").or(&["to"]),
    Param::optional("amount_sats", Kind::Int { min: 1, max: MOST_SATS }, "What is to arrive, sat.")
        .or(&["amount"]),
    Param::optional(
        "max_fee_sats",
        Kind::Int { min: 0, max: MOST_SATS },
        "The most to pay for the amount, sat: no payment pays a higher rate, but payments that settle late can make \
         it cost up to what is reserved. Without it, what the amount is worth here beyond where it is, or 100.",
    )
    .or(&["max_fee"]),
    Param::optional(
        "force",
        Kind::Bool,
        "Go ahead whatever it is worth, and without a pause after earlier jobs.",
    ),
    Param::optional("scid", Kind::Channel, "The channel to fill in the best way.")
        .or(&["channel", "channel_id"]),
];

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS).map_err(unmoved)?;
    let Some(wish) = wish(&args).map_err(unmoved)? else {
        services.jobs.wake(JobName::Rebalance);
        return Ok(json!({
            "status": "pending",
            "success": true,
            "message": "A rebalance cycle over all channels starts now; revenue-rebalance-debug shows what it decides",
        }));
    };
    match services.rebalance(wish).await? {
        ManualRebalance::Unknown(name) => Err(unmoved(format!("channel {name} is not one of this node's"))),
        ManualRebalance::Passed(passed) => Err(passed_over(&passed)),
        ManualRebalance::NoEvaluator => Err(unmoved(
            "no evaluator answered (revenue-rebalance-debug says why); name from_channel, to_channel and amount_sats",
        )),
        ManualRebalance::Judged(tried) => answer_judged(&tried),
    }
}

/// What is asked for; nothing for a call without a channel. One channel alone and without a name is the
/// one to fill.
fn wish(args: &Args) -> Result<Option<Wish>, String> {
    let force = args.opt_bool("force").unwrap_or(false);
    let amount = args.opt_u64("amount_sats").map(Msat::from_sats);
    let max_fee = args.opt_u64("max_fee_sats").map(Msat::from_sats);
    let (from, to) = (args.opt_channel("from_channel"), args.opt_channel("to_channel"));
    match (from, to, args.opt_channel("scid"), amount) {
        (None, None, None, None) if max_fee.is_none() && !force => Ok(None),
        (None, None, Some(to), None) if max_fee.is_none() => Ok(Some(Wish::Fill { to, force })),
        (Some(to), None, None, None) if args.is_placed("from_channel") && max_fee.is_none() => {
            Ok(Some(Wish::Fill { to, force }))
        }
        (Some(from), Some(to), None, Some(amount)) => {
            Ok(Some(Wish::Move { from, to, amount, max_fee, force }))
        }
        _ => Err("use from_channel, to_channel and amount_sats together, or one channel to fill in the best way, or \
                  nothing for a look at all channels; max_fee_sats needs the first form, force one of the first two"
            .to_owned()),
    }
}

fn unmoved(why: impl std::fmt::Display) -> CommandError {
    CommandError::from(format!("{why}; nothing is moved"))
}

fn passed_over(passed: &Passed) -> CommandError {
    let name = passed.channel.name();
    match &passed.refusal {
        Some(refusal) => refused(&name, refusal),
        None => {
            let factors: Vec<String> =
                passed.factors.iter().map(|(factor, value)| format!("{factor} {value:.6}")).collect();
            unmoved(format!(
                "channel {name}: evaluator '{}' does not want to fill it: {}{}{}; name from_channel, to_channel and \
                 amount_sats to move liquidity all the same",
                passed.evaluator,
                passed.reason,
                if factors.is_empty() { "" } else { ": " },
                factors.join(", ")
            ))
        }
    }
}

fn refused(name: &str, refusal: &RebalanceRefusal) -> CommandError {
    let hint = match refusal.yields_to_force() {
        true => "; force=true skips this limit",
        false => " (force does not skip this limit)",
    };
    let why = refusal.to_string();
    match why.starts_with("channel") || why.starts_with("rebalance_max_amount") {
        // It says itself which channel it is about, or that it is about none.
        true => unmoved(format!("{why}{hint}")),
        false => unmoved(format!("channel {name}: {why}{hint}")),
    }
}

fn answer_judged(tried: &Tried) -> CommandResult {
    let judged = &tried.judged;
    let name = judged.to.name();
    let start = match (&judged.verdict.result, &judged.done) {
        (Err(refusal), _) | (Ok(_), Some(Done::Refused(refusal))) => return Err(refused(&name, refusal)),
        (Ok(_), Some(Done::Lost(why))) => return Err(unmoved(why)),
        (Ok(approved), _) => approved.get(),
    };
    let mut answer = json!({
        "status": "pending",
        "success": true,
        "candidate": answer::candidate(judged, start, tried.figures),
        "limits": judged.verdict.limits,
        "reserved_msat": start.worst_cost().0,
    });
    match judged.done {
        Some(Done::Reserved(job)) => {
            answer["job_id"] = json!(job.0);
            answer["rebalance_id"] = json!(job.0);
            answer["message"] = json!(message(start, &format!("Job {job} is on its way to sling")));
        }
        _ => {
            answer["status"] = json!("success");
            answer["dry_run"] = json!(true);
            answer["message"] = json!(message(start, "Dry run, so nothing is reserved or moved"));
        }
    }
    let mut warnings = answer::doubts(start, tried.figures);
    warnings.extend(tried.unrecorded.clone());
    if !warnings.is_empty() {
        answer["warning"] = json!(warnings.join("; "));
    }
    Ok(answer)
}

fn message(start: &StartRebalance, what: &str) -> String {
    let forced = match start.origin.is_forced() {
        true => "; force skipped expected gain and pauses, not budget, reserve, caps or policies",
        false => "",
    };
    format!(
        "{what}: {} sat to {} at {} ppm at most, ended after {} s{forced}",
        start.amount.sats(),
        start.to.scid,
        start.max_fee.0,
        start.time_limit_s
    )
}
