//! A canary as `show` tells of it: its channels, its bounds, and the host's word on it.

use crate::econ::canary::{Statistics, Verdict, Word, judge};
use crate::model::CycleKind;
use crate::model::UnixTime;
use crate::model::module::{Canary, InstalledModule};
use crate::rpc::sheet::two;
use crate::store::{Connection, canaries};
use anyhow::Result;
use serde_json::{Value, json};

/// The host's word on a canary for fees as of now; none for any other module.
pub(super) fn verdict(conn: &Connection, module: &InstalledModule, now: UnixTime) -> Result<Option<Verdict>> {
    let Some(canary) = module.canary.as_ref().filter(|_| module.decides == CycleKind::Fee) else {
        return Ok(None);
    };
    Ok(Some(judge(&canaries::evidence(conn, module, canary, now)?, &canary.bounds)))
}

pub(super) fn shown(canary: &Canary, verdict: Option<&Verdict>) -> Value {
    json!({
        "since": canary.since.0,
        "channels": canary.channels.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "max_revenue_fall_pct": canary.bounds.max_revenue_fall_pct,
        "max_refusals_pct": canary.bounds.max_refusals_pct,
        "min_hours": canary.bounds.min_hours,
        "min_forwards": canary.bounds.min_forwards,
        "judged": verdict.map(judged),
    })
}

fn judged(verdict: &Verdict) -> Value {
    let numbers: &Statistics = &verdict.statistics;
    let (word, waits_for) = match &verdict.word {
        Word::GoOn { waits_for } => ("goes on".to_owned(), waits_for.clone()),
        Word::Return { why } => (format!("is taken back: {why}"), None),
    };
    json!({
        "verdict": word,
        "revenue_not_judged_before": waits_for,
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
    })
}
