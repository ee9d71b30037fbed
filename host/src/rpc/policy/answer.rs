//! The shapes of answers.

use crate::model::{PeerId, Policy, UnixTime};
use crate::store::policies::{ChangeKind, PolicyChange};
use serde_json::{Value, json};

/// A policy as callers read it. Only one that names an evaluator has that field.
pub(in crate::rpc) fn policy(policy: &Policy, now: UnixTime) -> Value {
    let mut answer = json!({
        "peer_id": policy.peer_id.to_string(),
        "strategy": policy.strategy.as_str(),
        "rebalance_mode": policy.rebalance_mode.name(),
        "fee_ppm_target": policy.fee_ppm_target.map(|fee| fee.0),
        "tags": policy.tags,
        "updated_at": policy.updated_at.0,
        "fee_multiplier_min": policy.fee_multiplier_min,
        "fee_multiplier_max": policy.fee_multiplier_max,
        "expires_at": policy.expires_at.map(|end| end.0),
        "is_expired": policy.is_expired(now),
    });
    if let Some(name) = &policy.rebalance_strategy {
        answer["rebalance_strategy"] = json!(name.as_str());
    }
    answer
}

/// Policies in one array.
pub(in crate::rpc) fn policies<'a>(all: impl IntoIterator<Item = &'a Policy>, now: UnixTime) -> Vec<Value> {
    all.into_iter().map(|one| policy(one, now)).collect()
}

/// A change: the policy that it led to (the default one after a deletion or expiry, with
/// the change's own time), the cursor, and what kind of change it was.
pub(super) fn change(change: &PolicyChange, now: UnixTime) -> Value {
    let default = || Policy { updated_at: change.changed_at, ..Policy::default_for(change.peer_id) };
    let mut answer = policy(&change.policy.clone().unwrap_or_else(default), now);
    answer["cursor"] = json!(change.cursor);
    answer["deleted"] = json!(change.kind != ChangeKind::Set);
    answer["change"] = json!(change.kind.name());
    answer
}

/// The beginning of a node id, for sentences.
pub(super) fn short(peer_id: PeerId) -> String {
    format!("{}...", &peer_id.to_string()[..12])
}
