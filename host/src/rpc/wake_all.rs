//! `revenue-wake-all`: looks at every fee now.

use super::args::Args;
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-wake-all",
    usage: "",
    description: "Starts a fee cycle over all channels now.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

/// No channel sleeps here: the answer counts those that the cycle will look at.
async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    let channels = services.node.channels().await.map_err(|error| format!("listpeerchannels: {error}"))?;
    let open = channels.iter().filter(|channel| channel.state.is_open()).count();
    services.visit_all();
    Ok(json!({
        "status": "ok",
        "channels_woken": open,
        "message": format!("A fee cycle over {open} channels starts now"),
    }))
}
