//! A canary as `show` tells of it: its channels, its bounds, and the host's word on it.

use crate::econ::canary::{self, Statistics, Word, evaluator};
use crate::model::module::{Canary, InstalledModule};
use crate::model::{ChannelId, CycleKind, UnixTime};
use crate::rpc::sheet::two;
use crate::store::{Connection, canaries};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The host's word on a canary as of now.
pub(super) enum Verdict {
    Fees(canary::Verdict),
    Rebalances(evaluator::Verdict),
}

/// The host's word on a canary as of now; none for any other module.
pub(super) fn verdict(conn: &Connection, module: &InstalledModule, now: UnixTime) -> Result<Option<Verdict>> {
    let Some(canary) = &module.canary else { return Ok(None) };
    Ok(Some(match module.decides {
        CycleKind::Fee => {
            Verdict::Fees(canary::judge(&canaries::evidence(conn, module, canary, now)?, &canary.bounds))
        }
        CycleKind::Rebalance => {
            let evidence = canaries::evaluations(conn, module, canary, now)?;
            Verdict::Rebalances(evaluator::judge(&evidence, &canary.bounds))
        }
    }))
}

/// The names to show of channels, by channel.
pub(super) type Names = HashMap<ChannelId, String>;

/// A channel as users of other commands know it.
pub(super) fn shown_name(channel: &ChannelId, names: &Names) -> String {
    names.get(channel).cloned().unwrap_or_else(|| channel.to_string())
}

/// Adds a canary's channels, as users know them and by the ids that they keep for life.
pub(super) fn tell_channels(answer: &mut Value, canary: &Canary, names: &Names) {
    let shown: Vec<String> = canary.channels.iter().map(|id| shown_name(id, names)).collect();
    let full: Vec<String> = canary.channels.iter().map(ToString::to_string).collect();
    answer["channels"] = json!(shown);
    answer["full_channel_ids"] = json!(full);
}

/// A canary's channels and its bounds, those that it is judged by, and the word on it.
pub(super) fn shown(canary: &Canary, verdict: Option<&Verdict>, names: &Names) -> Value {
    let bounds = &canary.bounds;
    let mut shown = json!({ "since": canary.since.0, "max_refusals_pct": bounds.max_refusals_pct });
    tell_channels(&mut shown, canary, names);
    match verdict {
        Some(Verdict::Rebalances(verdict)) => {
            shown["max_cost_rise_pct"] = json!(bounds.max_cost_rise_pct);
            shown["judged"] = of_evaluator(verdict);
        }
        other => {
            shown["max_revenue_fall_pct"] = json!(bounds.max_revenue_fall_pct);
            shown["min_hours"] = json!(bounds.min_hours);
            shown["min_forwards"] = json!(bounds.min_forwards);
            shown["judged"] = match other {
                Some(Verdict::Fees(verdict)) => of_fees(verdict),
                _ => Value::Null,
            };
        }
    }
    shown
}

/// The word itself, and what is not judged before what.
fn said(word: &Word, not_judged: &str, mut numbers: Value) -> Value {
    let (verdict, waits_for) = match word {
        Word::GoOn { waits_for } => ("goes on".to_owned(), waits_for.clone()),
        Word::Return { why } => (format!("is taken back: {why}"), None),
    };
    numbers["verdict"] = json!(verdict);
    numbers[format!("{not_judged}_not_judged_before")] = json!(waits_for);
    numbers
}

fn of_evaluator(verdict: &evaluator::Verdict) -> Value {
    let numbers = &verdict.statistics;
    let shown = json!({
        "jobs": numbers.jobs,
        "others_jobs": numbers.rest_jobs,
        "cost_ppm": {
            "canary": numbers.cost_ppm.map(two),
            "others": numbers.rest_cost_ppm.map(two),
            "expected": numbers.expected_ppm.map(two),
        },
        "cost_rise_pct": numbers.cost_rise_pct.map(two),
        "chance_pct": numbers.chance.map(|chance| two(100.0 * chance)),
        "refusals_pct": numbers.refusals_pct.map(two),
        "others_refusals_pct": numbers.rest_refusals_pct.map(two),
        "excess_refusals_pct": numbers.excess_refusals_pct.map(two),
        "faults": numbers.faults,
    });
    said(&verdict.word, "cost", shown)
}

fn of_fees(verdict: &canary::Verdict) -> Value {
    let numbers: &Statistics = &verdict.statistics;
    let shown = json!({
        "hours": two(numbers.hours),
        "canary_msat_per_day": {
            "before": two(numbers.canary_before_per_day),
            "since": two(numbers.canary_since_per_day),
            "expected": two(numbers.expected_per_day),
        },
        "others_msat_per_day": {
            "before": two(numbers.rest_before_per_day),
            "since": two(numbers.rest_since_per_day),
            "factor": numbers.rest_factor.map(two),
        },
        "expected_forwards": two(numbers.expected_forwards),
        "difference_in_differences_msat": two(numbers.difference_in_differences),
        "revenue_fall_pct": numbers.revenue_fall_pct.map(two),
        "chance_pct": numbers.chance_pct.map(two),
        "refusals_pct": numbers.refusals_pct.map(two),
        "others_refusals_pct": numbers.rest_refusals_pct.map(two),
        "excess_refusals_pct": numbers.excess_refusals_pct.map(two),
        "faults": numbers.faults,
    });
    said(&verdict.word, "revenue", shown)
}
