//! `revenue-unignore`, kept for those who know it: the end of a peer's policy.

use super::args::{Args, Kind, Param};
use super::policy::change;
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-unignore",
    usage: "peer_id",
    description: "Returns a peer to the default policy: fees are set again, and CLBoss is told to leave them alone. \
                  Deprecated: use revenue-policy delete <peer_id>.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] = &[Param::required("peer_id", Kind::PeerId, "The peer's node id.")];

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS).map_err(change::refused)?;
    let peer_id = args.peer_id("peer_id").map_err(change::refused)?;
    let had_one = change::remove(&services, peer_id).await?;
    let message = match had_one {
        true => {
            format!("Peer {peer_id} is back to the default policy: strategy dynamic, rebalancing enabled")
        }
        false => format!("Peer {peer_id} has no policy: the defaults hold"),
    };
    Ok(json!({
        "status": "success",
        "action": "unignore",
        "peer_id": peer_id.to_string(),
        "message": message,
        "warning": "DEPRECATED: Use 'revenue-policy delete <peer_id>' instead.",
    }))
}
