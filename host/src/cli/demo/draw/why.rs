//! The words on one decision.

use crate::cli::demo::watch::{Decision, Limit, Row};
use serde_json::Value;

/// Why a channel has the fee it has.
pub fn why(row: &Row) -> String {
    match (row.strategy.as_str(), &row.decision) {
        ("passive", _) => "policy: hands off".to_owned(),
        (_, None) => "no change wanted so far".to_owned(),
        (_, Some(decision)) => match decision.refusal() {
            Some((code, _)) => format!("{} ppm refused: {code}", decision.proposed_ppm.unwrap_or_default()),
            None => reasons(decision),
        },
    }
}

/// A fee that changed.
pub fn change(decision: &Decision) -> String {
    let new = decision.approved_ppm.unwrap_or_default();
    format!("{} -> {new} ppm   {}", decision.old_fee_ppm, reasons(decision))
}

/// A fee that did not.
pub fn refused(decision: &Decision, code: &str, why: &str) -> String {
    format!("{} ppm refused ({code}): {why}", decision.proposed_ppm.unwrap_or_default())
}

fn reasons(decision: &Decision) -> String {
    let of = |name: &str| decision.factors.get(name).and_then(Value::as_f64);
    let price = price(decision);
    let words = match decision.reason.as_str() {
        "target" => "policy: one fixed rate".to_owned(),
        "fleet" => "policy: a fleet member".to_owned(),
        "manual" => "set by hand".to_owned(),
        "congestion" => "HTLC slots full: highest fee".to_owned(),
        "congestion-over" => format!("slots free: {price}"),
        "vegas" => format!("mempool: floor x {:.2}", of("vegas").unwrap_or(1.0)),
        "vegas-over" => format!("mempool calm: {price}"),
        "" => price,
        reason => format!("{reason}: {price}"),
    };
    match decision.limits.last() {
        None => words,
        Some(Limit { limit, ppm: Some(ppm) }) => format!("{words} [{limit} {ppm}]"),
        Some(Limit { limit, ppm: None }) => format!("{words} [{limit}]"),
    }
}

/// `base 210 x scarcity 1.40` for the Alpha Sequence, all factors by name for others.
fn price(decision: &Decision) -> String {
    let of = |name: &str| decision.factors.get(name).and_then(Value::as_f64);
    let Some(base) = of("base-ppm") else {
        let factor = |(name, value): (&String, &Value)| format!("{name} {value}");
        return decision.factors.iter().map(factor).collect::<Vec<_>>().join(", ");
    };
    match of("scarcity").unwrap_or(1.0) {
        scarcity if scarcity >= 1.005 => format!("base {base:.0} x scarcity {scarcity:.2}"),
        _ => format!("base {base:.0}"),
    }
}
