//! `revenue-clboss-status`: which peers CLBoss was told to leave alone, as it said at the last look.

use super::args::Args;
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::node::Companion;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-clboss-status",
    usage: "",
    description: "Shows whether CLBoss is there, and which peers and tags it leaves alone.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

/// CLBoss is not waited for: the answer is what it said when it was last asked, once a minute.
async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    let (config, health) = (services.config(), services.health());
    let available = services.has_companion(Companion::Clboss);
    let mut answer = json!({
        "clboss_enabled": config.clboss_enabled,
        "clboss_available": available,
        "unmanaged_peers": [],
    });
    match health.clboss.filter(|_| available) {
        Some(seen) => {
            let unmanaged = seen.status.unmanaged();
            let peers = unmanaged.iter().map(|(peer, tags)| {
                json!({ "peer_id": peer, "tags": tags, "ours": tags.iter().any(|tag| tag == "lnfee") })
            });
            answer["unmanaged_peers"] = peers.collect();
            answer["as_of"] = json!(seen.at.0);
            answer["clboss_status"] = seen.status.whole().clone();
        }
        None if available => answer["message"] = json!("clboss was not asked, or has not answered yet"),
        None => answer["message"] = json!("clboss is not available"),
    }
    if !config.clboss_enabled {
        answer["message"] = json!("clboss-enabled is false: CLBoss is told nothing");
    }
    Ok(answer)
}
