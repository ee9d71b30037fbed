//! The part of the status about lists of the node that began anew.

use crate::model::UnixTime;
use crate::model::list::List;
use crate::store::lists::BegunAnew;
use serde_json::{Value, json};

/// What it means that a list began anew: until it is read, and for a day after that was noticed.
pub(super) fn degraded(anew: &BegunAnew, now: UnixTime) -> Option<Value> {
    if anew.is_read && now.since(anew.at) >= UnixTime::DAY {
        return None;
    }
    let (what, at) = (anew.list.what(), anew.at);
    let reading = match (anew.is_read, anew.list) {
        (true, _) => "it was read from its beginning",
        (false, List::Forwards) => "it is being read from its beginning",
        (false, List::Payments) => "it is being read from its beginning, and no rebalance starts meanwhile",
    };
    let why = format!(
        "lightningd's list of {what} began anew, seen at {at}, as when a node is rebuilt from its key or put back to a copy: {reading}; what was booked before stays"
    );
    Some(json!({ "part": what, "why": why }))
}
