//! The actions that change nothing.

use super::answer;
use crate::cycles::Services;
use crate::guard::policy::in_force;
use crate::model::Policy;
use crate::rpc::CommandResult;
use crate::rpc::args::Args;
use crate::store::policies;
use serde_json::json;

pub(super) async fn list(services: &Services) -> CommandResult {
    let policies = all_in_force(services).await?;
    Ok(json!({
        "policies": answer::policies(&policies, services.now()),
        "count": policies.len(),
    }))
}

pub(super) async fn get(services: &Services, args: &Args) -> CommandResult {
    let peer_id = args.peer_id("peer_id")?;
    let now = services.now();
    let stored = services.store.read(move |conn| Ok(policies::get(conn, &peer_id)?)).await?;
    Ok(json!({ "policy": answer::policy(&in_force(stored, peer_id, now), now) }))
}

pub(super) async fn find(services: &Services, args: &Args) -> CommandResult {
    let tag = args.text("tag")?;
    let mut policies = all_in_force(services).await?;
    policies.retain(|policy| policy.tags.iter().any(|own| own == tag));
    Ok(json!({
        "peers": answer::policies(&policies, services.now()),
        "count": policies.len(),
        "tag": tag,
    }))
}

pub(super) async fn changes(services: &Services, args: &Args) -> CommandResult {
    let since = args.opt_u64("since").unwrap_or(0);
    let (last, changes) = services
        .store
        .read(move |conn| {
            // In this order, a change between the two reads is told twice rather than never.
            let last = policies::last_cursor(conn)?;
            Ok((last, policies::changes_since(conn, since)?))
        })
        .await?;
    let now = services.now();
    let shown: Vec<_> = changes.iter().map(|change| answer::change(change, now)).collect();
    Ok(json!({
        "count": shown.len(),
        "changes": shown,
        "since": since,
        "last_change_timestamp": last,
    }))
}

/// Every stored policy whose time is not over.
pub(in crate::rpc) async fn all_in_force(services: &Services) -> anyhow::Result<Vec<Policy>> {
    let now = services.now();
    let mut stored = services.store.read(|conn| Ok(policies::load_all(conn)?)).await?;
    stored.retain(|policy| !policy.is_expired(now));
    Ok(stored)
}
