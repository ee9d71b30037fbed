//! `revenue-remanage`: gives a peer back to CLBoss.

use super::args::{Args, Kind, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::guard::policy::in_force;
use crate::node::Companion;
use crate::node::clboss::{OUR_TAGS, TAGS};
use crate::store::policies;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "revenue-remanage",
    usage: "peer_id [tag]",
    description: "Lets CLBoss manage a peer again, in what the tag names or in all that this plugin took over; tags set \
                  by others stay.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] = &[
    Param::required("peer_id", Kind::PeerId, "The peer's node id."),
    Param::optional(
        "tag",
        Kind::Text,
        "lnfee, balance, open or close; lnfee and balance for `all`, the default.",
    )
    .or_blank(),
];

/// What a call without a tag means.
const ALL: &str = "all";

/// How long the caller waits for CLBoss; it is told all the same when it takes longer.
const PATIENCE: Duration = Duration::from_secs(3);

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS).map_err(unchanged)?;
    let peer_id = args.peer_id("peer_id").map_err(unchanged)?;
    let named = args.opt_text("tag").filter(|tag| !tag.eq_ignore_ascii_case(ALL));
    let tags: Vec<&'static str> = match named {
        None => OUR_TAGS.to_vec(),
        Some(word) => vec![known(word)?],
    };
    if services.writer.is_dry() {
        return Err(unchanged("the plugin runs dry, and tells clboss nothing"));
    }
    if !services.has_companion(Companion::Clboss) {
        return Err(unchanged("clboss is not available"));
    }
    let now = services.now();
    let policy = services.store.read(move |conn| Ok(policies::get(conn, &peer_id)?)).await?;
    let policy = in_force(policy, peer_id, now);
    let (node, told) = (services.node.clone(), tags.clone());
    let telling = tokio::spawn(async move { node.remanage(peer_id, &told).await });
    let (status, message) = match tokio::time::timeout(PATIENCE, telling).await {
        Err(_) => ("pending", "clboss has not answered yet; it does so when it gets to it".to_owned()),
        Ok(Ok(Ok(true))) => ("success", format!("clboss manages {} of the peer again", tags.join(" and "))),
        Ok(Ok(Ok(false))) => {
            ("success", format!("clboss managed {} of the peer already", tags.join(" and ")))
        }
        Ok(Ok(Err(error))) => return Err(format!("clboss could not be told: {error}").into()),
        Ok(Err(error)) => return Err(format!("clboss could not be told: {error}").into()),
    };
    let by_hand = match services.config().clboss_enabled {
        true => "",
        false => "; that was by hand: with clboss-enabled=false this plugin tells clboss nothing by itself",
    };
    let mut answer = json!({
        "status": status,
        "peer_id": peer_id.to_string(),
        "tag": named.unwrap_or(ALL),
        "action": "remanage",
        "success": status == "success",
        "message": format!("{message}{by_hand}"),
    });
    if !policy.strategy.is_passive() && services.config().clboss_enabled && tags.contains(&"lnfee") {
        answer["warning"] = json!(format!(
            "the peer's strategy is {}, so the next fee cycle asks clboss to leave its fees alone again: set \
             strategy=passive to leave them to clboss",
            policy.strategy
        ));
    }
    Ok(answer)
}

fn known(word: &str) -> Result<&'static str, CommandError> {
    let plain = word.to_ascii_lowercase();
    let tag = TAGS.into_iter().find(|tag| *tag == plain);
    tag.ok_or_else(|| {
        unchanged(format!("tag '{word}' is not one of clboss's: use {} or {ALL}", TAGS.join(", ")))
    })
}

fn unchanged(why: impl std::fmt::Display) -> CommandError {
    CommandError::from(format!("{why}; nothing was changed"))
}
