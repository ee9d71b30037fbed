//! What `revenue-status` shows of the Python plugin's database.

use crate::store::adopt::{Imported, Outcome, Part};
use serde_json::{Map, Value, json};

/// The answer's `imported`: null when nothing was taken over. Rows are counted by part: those that were
/// `taken`, those `known` to the node itself, which count from its record, and those `skipped`, with why.
pub(super) fn answer(import: Option<&Imported>) -> Value {
    let Some(import) = import else { return Value::Null };
    let parts: Map<String, Value> =
        Part::ALL.iter().map(|part| (part.name().to_owned(), part_answer(import, *part))).collect();
    json!({
        "path": import.path,
        "digest": import.digest.to_string(),
        "imported_at": import.at.0,
        "channels": import.channels,
        "channels_ours": import.channels_ours,
        "node_forwards_since": import.first_forward.map(|at| at.0),
        "node_payments_since": import.first_payment.map(|at| at.0),
        "costs_counted": import.costs_counted,
        "parts": parts,
    })
}

fn part_answer(import: &Imported, part: Part) -> Value {
    let of = |outcome: Outcome| {
        import.counts.iter().filter(move |count| count.part == part.name() && count.outcome == outcome.name())
    };
    let sum = |outcome| of(outcome).map(|count| count.rows).sum::<u64>();
    let reasons = of(Outcome::Skipped).map(|count| json!({ "why": count.why, "rows": count.rows }));
    json!({
        "taken": sum(Outcome::Taken),
        "known": sum(Outcome::Known),
        "skipped": sum(Outcome::Skipped),
        "reasons": reasons.collect::<Vec<_>>(),
    })
}
