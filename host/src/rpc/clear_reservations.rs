//! `revenue-clear-reservations`: frees money that nothing can spend any more.

use super::args::Args;
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::guard::budget;
use crate::store::reservations;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-clear-reservations",
    usage: "",
    description: "Settles ended rebalances and frees what they held; what a job in sling, or one that ended there within \
                  half a minute, or a payment under way holds stays.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    let cleared = services.clear_reservations().await?;
    let (config, at) = (services.config(), services.moment().await?);
    let ledger = services.store.read(move |conn| Ok(reservations::ledger(conn, at)?)).await?;
    let left = budget::overall(&config, &ledger).left();
    Ok(json!({
        "status": "success",
        "cleared_count": cleared.count,
        "released_sats": cleared.released.sats(),
        "released_msat": cleared.released.0,
        "kept_count": cleared.kept,
        "budget_available": left.sats(),
        "message": format!("{} reservations cleared, {}", cleared.count, kept(cleared.kept)),
    }))
}

fn kept(count: usize) -> String {
    match count {
        0 => "none kept".to_owned(),
        _ => format!(
            "{count} kept: a job in sling, or one that has just ended there, or a payment under way holds them"
        ),
    }
}
