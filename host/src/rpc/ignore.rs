//! `revenue-ignore`, kept for those who know it: a policy that leaves a peer alone.

use super::args::{Args, Kind, Param};
use super::policy::change;
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::guard::policy::{IGNORED, PolicyUpdate, tag_of};
use crate::model::{RebalanceMode, StrategyName};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-ignore",
    usage: "peer_id [reason]",
    description: "Leaves a peer alone: no fees (CLBoss may set them again), no rebalancing. Deprecated: use revenue-policy \
                  set <peer_id> strategy=passive rebalance=disabled.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] = &[
    Param::required("peer_id", Kind::PeerId, "The peer's node id."),
    Param::optional("reason", Kind::Text, "Why, kept as a tag as far as one holds it; `manual` by default.")
        .or_blank(),
];

/// The reason of those who give none.
pub(super) const MANUAL: &str = "manual";

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS).map_err(change::refused)?;
    let peer_id = args.peer_id("peer_id").map_err(change::refused)?;
    args.check_not_misspelt("reason").map_err(change::refused)?;
    let reason = args.opt_text("reason").unwrap_or(MANUAL);
    let tag = Some(tag_of(reason)).filter(|tag| !tag.is_empty());
    let update = PolicyUpdate {
        strategy: Some(StrategyName::passive()),
        rebalance_mode: Some(RebalanceMode::Disabled),
        tags: Some(vec![IGNORED.to_owned(), tag.unwrap_or_else(|| MANUAL.to_owned())]),
        ..PolicyUpdate::default()
    };
    change::change(&services, peer_id, true, move |_| Ok(update)).await?;
    Ok(json!({
        "status": "success",
        "action": "ignore",
        "peer_id": peer_id.to_string(),
        "reason": reason,
        "message": format!("Peer {peer_id} is left alone: strategy passive, rebalancing disabled"),
        "warning": "DEPRECATED: Use 'revenue-policy set <peer_id> strategy=passive rebalance=disabled' instead.",
    }))
}
