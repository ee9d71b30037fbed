//! `revenue-list-ignored`, kept for those who know it: the peers that are left alone.

use super::args::Args;
use super::ignore::MANUAL;
use super::policy::read;
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::guard::policy::{IGNORED, is_ignored};
use crate::model::Policy;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-list-ignored",
    usage: "",
    description: "Lists the peers whose policy is passive with rebalancing disabled. Deprecated: use revenue-policy list.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    let mut ignored = read::all_in_force(&services).await?;
    ignored.retain(is_ignored);
    Ok(json!({
        "ignored_peers": ignored.iter().map(row).collect::<Vec<_>>(),
        "count": ignored.len(),
        "warning": "DEPRECATED: Use 'revenue-policy list' instead.",
    }))
}

fn row(policy: &Policy) -> Value {
    let reason = policy.tags.iter().find(|tag| *tag != IGNORED);
    json!({
        "peer_id": policy.peer_id.to_string(),
        "reason": reason.map_or(MANUAL, String::as_str),
        "ignored_at": policy.updated_at.0,
    })
}
