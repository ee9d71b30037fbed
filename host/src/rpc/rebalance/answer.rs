//! Rebalances as callers of the original read them, and what they need to know besides.

use crate::cycles::rebalance::{Figures, Judged, SlingSeen};
use crate::model::job::{Job, JobOrigin, JobState, StartRebalance};
use crate::model::{Msat, SignedMsat};
use serde_json::{Value, json};

/// What is to be moved, and what speaks for it.
pub(super) fn candidate(judged: &Judged, start: &StartRebalance, figures: Figures) -> Value {
    let from = start.from.first();
    let sources: Vec<String> = start.from.iter().map(|end| end.scid.to_string()).collect();
    let gain = expected_gain(start, figures);
    let state = match &start.origin {
        JobOrigin::Operator { .. } => "manual",
        JobOrigin::Evaluator { name, .. } => name.as_str(),
    };
    json!({
        "source_candidates": sources,
        "from_channel": from.map(|end| end.scid.to_string()),
        "to_channel": start.to.scid.to_string(),
        "from_peer_id": from.map(|end| end.peer_id.to_string()),
        "to_peer_id": start.to.peer_id.to_string(),
        "amount_sats": start.amount.sats(),
        "amount_msat": start.amount.0,
        "payment_sats": start.payment.sats(),
        "outbound_fee_ppm": figures.outbound.0,
        "inbound_fee_ppm": figures.inbound.0,
        "source_fee_ppm": figures.source.0,
        "weighted_opp_cost_ppm": figures.forgone.0,
        "spread_ppm": figures.spread,
        "max_budget_sats": start.planned_cost().sats_up(),
        "max_budget_msat": start.planned_cost().0,
        "max_fee_ppm": start.max_fee.0,
        "expected_profit_sats": gain.sats(),
        "liquidity_ratio": rounded(judged.to.local_share()),
        "dest_flow_state": state,
        "dest_turnover_rate": rounded(figures.to_turnover),
        "source_turnover_rate": rounded(figures.from_turnover),
        "num_source_candidates": sources.len(),
    })
}

/// What speaks against a job that no limit forbids.
pub(super) fn doubts(start: &StartRebalance, figures: Figures) -> Vec<String> {
    let Figures { outbound, inbound, forgone, .. } = figures;
    let mut doubts = Vec::new();
    let gain = expected_gain(start, figures);
    if gain < SignedMsat::ZERO {
        let loss = Msat(gain.0.unsigned_abs()).sats_up();
        doubts.push(match &start.origin {
            JobOrigin::Operator { .. } => format!(
                "a loss of {loss} sat is expected: it is worth {outbound} here and {forgone} where it is, and the way \
                 is expected to cost {inbound}"
            ),
            JobOrigin::Evaluator { name, .. } => format!("evaluator '{name}' expects a loss of {loss} sat"),
        });
    }
    if matches!(start.origin, JobOrigin::Operator { .. }) && start.max_fee < inbound {
        let most = start.max_fee;
        doubts.push(format!("the way is expected to cost {inbound}, so at {most} at most it may find none"));
    }
    doubts
}

fn expected_gain(start: &StartRebalance, figures: Figures) -> SignedMsat {
    start.value.unwrap_or_else(|| figures.gain(start.amount))
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// A job with the columns of the original's history.
pub(in crate::rpc) fn recent_job(job: &Job) -> Value {
    let settled = job.state == JobState::Settled;
    let status = match job.outcome {
        Some(outcome) => outcome.name(),
        None => "pending",
    };
    let gained = job.gained();
    json!({
        "id": job.id.0,
        "from_channel": job.start.from.first().map(|end| end.scid.to_string()),
        "source_candidates": job.start.from.iter().map(|end| end.scid.to_string()).collect::<Vec<_>>(),
        "to_channel": job.start.to.scid.to_string(),
        "to_peer_id": job.start.to.peer_id.to_string(),
        "amount_sats": job.start.amount.sats(),
        "max_fee_sats": job.start.planned_cost().sats_up(),
        "actual_fee_sats": settled.then(|| job.fee.sats()),
        "expected_profit_sats": job.start.value.map(|value| value.sats()),
        "expected_profit_msat": job.start.value.map(|value| value.0),
        "actual_profit_sats": gained.map(|gained| gained.sats()),
        "actual_profit_msat": gained.map(|gained| gained.0),
        "status": status,
        "rebalance_type": match job.start.origin {
            JobOrigin::Operator { .. } => "manual",
            JobOrigin::Evaluator { .. } => "normal",
        },
        "error_message": error_message(job),
        "timestamp": job.reserved_at.0,
        "moved_msat": job.moved.0,
        "fee_msat": job.fee.0,
        "reserved_msat": job.reserved.0,
        "max_fee_ppm": job.start.max_fee.0,
        "settled_at": job.settled_at.map(|at| at.0),
    })
}

/// Why a job did not move all that it should.
fn error_message(job: &Job) -> Option<String> {
    let why = job.stop_reason.filter(|_| job.moved < job.start.amount)?;
    Some(match &job.word {
        None => why.name().to_owned(),
        Some(word) => format!("{}: {word}", why.name()),
    })
}

/// How sling is, by the last look.
pub(in crate::rpc) fn rebalancer(sling: &SlingSeen) -> Value {
    let mut operators: Vec<String> = sling.operators_channels().iter().map(ToString::to_string).collect();
    operators.sort_unstable();
    json!({
        "plugin": "sling",
        "state": sling.state.name(),
        "version": sling.state.version(),
        "problem": sling.state.problem(),
        "looked_at": sling.looked_at().map(|at| at.0),
        "operators_channels": operators,
    })
}

/// A job that is not settled.
pub(in crate::rpc) fn live_job(job: &Job) -> Value {
    json!({
        "job_id": job.id.0,
        "state": job.state.name(),
        "to_channel": job.start.to.scid.to_string(),
        "to_peer_id": job.start.to.peer_id.to_string(),
        "from_channels": job.start.from.iter().map(|end| end.scid.to_string()).collect::<Vec<_>>(),
        "amount_sats": job.start.amount.sats(),
        "moved_sats": job.moved.sats(),
        "fee_msat": job.fee.0,
        "max_fee_ppm": job.start.max_fee.0,
        "reserved_msat": job.reserved.0,
        "held_msat": job.held().0,
        "reserved_at": job.reserved_at.0,
        "started_at": job.started_at.map(|at| at.0),
        "deadline": job.deadline.0,
        "stopped_at": job.stopped_at.map(|at| at.0),
        "stop_reason": job.stop_reason.map(|why| why.name()),
        "sling_says": job.word,
    })
}
