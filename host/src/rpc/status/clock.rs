//! The part of the status about the clock.

use crate::model::{ClockJump, UnixTime};
use crate::store::clock::ClockState;
use serde_json::{Value, json};

/// What it shows, and what it did.
pub(super) fn answer(clock: &ClockState, now: UnixTime) -> Value {
    json!({
        "now": now.0,
        "last_jump": clock.last_jump.map(|jump| json!({ "at": jump.at.0, "by_s": jump.by_s })),
        "records_ahead_s": clock.records_ahead_s,
    })
}

/// Why the clock may be wrong.
pub(super) fn degraded(clock: &ClockState, now: UnixTime) -> Option<Value> {
    let why = match clock.last_jump.filter(|jump| jump.is_fresh(now)) {
        Some(jump) => jumped(jump),
        None if clock.records_ahead_s > 0 => format!(
            "the node's newest record is from {} s in the future: the clock is behind, or was ahead then; sums over all time are right, those of days and windows go by the time on the records",
            clock.records_ahead_s
        ),
        None => return None,
    };
    Some(json!({ "part": "clock", "why": why }))
}

fn jumped(ClockJump { at, by_s }: ClockJump) -> String {
    let way = if by_s < 0 { "back" } else { "forward" };
    format!(
        "the clock jumped {way} by {} s, seen when it showed {at}: sums over all time are right, those of days and windows go by the time that it showed; for a day nothing old is forgotten, and the rebalance budget is the fixed one",
        by_s.unsigned_abs()
    )
}
