//! The actions that change policies.
//!
//! A change reads the old policy, decides and writes within one transaction, so that calls
//! at the same time build on each other.

use super::{answer, update};
use crate::cycles::Services;
use crate::guard::policy::{self as guard, PolicyUpdate, RateLimiter};
use crate::model::{CycleKind, PeerId, Policy, StrategyName, UnixTime};
use crate::rpc::args::Args;
use crate::rpc::{CommandError, CommandResult};
use crate::store::policies::{self, ChangeKind};
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::{Arc, MutexGuard, PoisonError};

const UNWRITTEN: &str = "the policies could not be written, so nothing was changed";

/// A policy after a change that was asked for.
#[derive(Clone)]
pub(in crate::rpc) struct Changed {
    policy: Policy,
    /// Whether that is another policy than before.
    effective: bool,
}

pub(super) async fn set(services: Arc<Services>, args: &Args) -> CommandResult {
    let (peer_id, update) = update::read(args).map_err(refused)?;
    if let Some(why) = args.unused().filter(|_| update == PolicyUpdate::default()) {
        return Err(refused(format!("set: {why}")));
    }
    check_strategies(&services, update.strategy.iter()).await?;
    check_evaluators(&services, std::iter::once(&update)).await?;
    let changed = change(&services, peer_id, true, move |_| Ok(update)).await?;
    let short = answer::short(peer_id);
    let message = match changed.effective {
        true => format!("Policy updated for peer {short}"),
        false => format!("Policy of peer {short} was like this already"),
    };
    let mut answer = json!({
        "status": "success",
        "policy": answer::policy(&changed.policy, services.now()),
        "message": message,
    });
    if let Some(warning) = warning(&services, &changed.policy).await {
        answer["warning"] = json!(warning);
    }
    Ok(answer)
}

pub(super) async fn tag(services: Arc<Services>, args: &Args) -> CommandResult {
    let tag = args.text("tag").map_err(refused)?.to_owned();
    retag(services, args, move |old| guard::with_tag(old, &tag)).await
}

pub(super) async fn untag(services: Arc<Services>, args: &Args) -> CommandResult {
    let tag = args.text("tag").map_err(refused)?.to_owned();
    retag(services, args, move |old| Ok(guard::without_tag(old, &tag))).await
}

async fn retag(
    services: Arc<Services>,
    args: &Args,
    edit: impl FnOnce(&Policy) -> Result<PolicyUpdate, String> + Send + 'static,
) -> CommandResult {
    let peer_id = args.peer_id("peer_id").map_err(refused)?;
    let changed = change(&services, peer_id, false, edit).await?;
    Ok(json!({
        "status": "success",
        "peer_id": peer_id.to_string(),
        "tags": changed.policy.tags,
    }))
}

/// Changes one policy, within the peer's quota. `explicit`: a peer without a policy gets
/// one even if that says what holds anyway.
pub(in crate::rpc) async fn change(
    services: &Arc<Services>,
    peer_id: PeerId,
    explicit: bool,
    edit: impl FnOnce(&Policy) -> Result<PolicyUpdate, String> + Send + 'static,
) -> Result<Changed, CommandError> {
    let (shared, now) = (Arc::clone(services), services.now());
    let write = services.store.write(move |tx| {
        let stored = policies::get(tx, &peer_id)?.filter(|policy| !policy.is_expired(now));
        let wanted = |stored: &Option<Policy>| {
            let old = guard::in_force(stored.clone(), peer_id, now);
            let new = guard::apply(&old, &edit(&old)?, now)?;
            let effective = !guard::is_noop(&old, &new) || (explicit && stored.is_none());
            if !effective {
                return Ok(Changed { policy: old, effective });
            }
            let taken = quota(&shared).take(peer_id, now);
            taken.map_err(|too_many| too_many.to_string())?;
            Ok(Changed { policy: new, effective })
        };
        let wanted: Result<Changed, String> = wanted(&stored);
        if let Ok(Changed { policy, effective: true }) = &wanted {
            policies::put(tx, policy)?;
        }
        Ok(wanted)
    });
    let changed = write.await.context(UNWRITTEN)?.map_err(refused)?;
    if changed.effective {
        services.policy_changed(vec![peer_id]);
    }
    Ok(changed)
}

pub(super) async fn delete(services: Arc<Services>, args: &Args) -> CommandResult {
    let peer_id = args.peer_id("peer_id").map_err(refused)?;
    if !remove(&services, peer_id).await? {
        return Ok(json!({
            "status": "noop",
            "peer_id": peer_id.to_string(),
            "message": format!("Peer {} has no policy: the defaults hold", answer::short(peer_id)),
        }));
    }
    Ok(json!({
        "status": "success",
        "peer_id": peer_id.to_string(),
        "message": "Policy deleted, peer reverted to defaults (dynamic strategy, rebalancing enabled)",
    }))
}

/// Returns a peer to the default, which counts as a change but is never refused. False when it has
/// no policy.
pub(in crate::rpc) async fn remove(services: &Services, peer_id: PeerId) -> Result<bool, CommandError> {
    let now = services.now();
    let write = services.store.write(move |tx| {
        let held = policies::get(tx, &peer_id)?.is_some_and(|policy| !policy.is_expired(now));
        if held {
            policies::delete(tx, &peer_id, now, ChangeKind::Deleted)?;
        }
        Ok(held)
    });
    let held = write.await.context(UNWRITTEN)?;
    if held {
        quota(services).count(peer_id, now);
        services.policy_changed(vec![peer_id]);
    }
    Ok(held)
}

pub(super) async fn batch(services: Arc<Services>, args: &Args) -> CommandResult {
    let updates = args.json("updates").map_err(refused)?;
    let updates = update::read_batch(updates).map_err(refused)?;
    let named = updates.iter().filter_map(|(_, update)| update.strategy.as_ref());
    check_strategies(&services, named).await?;
    check_evaluators(&services, updates.iter().map(|(_, update)| update)).await?;
    let now = services.now();
    let write = services.store.write(move |tx| {
        let mut stored = HashMap::new();
        for (peer_id, _) in &updates {
            stored.insert(*peer_id, policies::get(tx, peer_id)?);
        }
        let all = apply_all(stored, &updates, now);
        for Changed { policy, .. } in all.iter().flatten().filter(|changed| changed.effective) {
            policies::put(tx, policy)?;
        }
        Ok(all)
    });
    let all = write.await.context(UNWRITTEN)?.map_err(refused)?;
    let changed: Vec<_> = all.iter().filter(|one| one.effective).map(|one| one.policy.peer_id).collect();
    let count = changed.len();
    if count > 0 {
        services.policy_changed(changed);
    }
    Ok(batch_answer(&all, count, &warnings(&services, &all).await, now))
}

/// What may surprise about the policies of a batch; each strategy is looked up once.
async fn warnings(services: &Services, all: &[Changed]) -> Vec<String> {
    let strategies: HashSet<&StrategyName> = all.iter().map(|one| &one.policy.strategy).collect();
    let mut authors = HashSet::new();
    for strategy in strategies {
        if services.is_authors(strategy, CycleKind::Fee).await {
            authors.insert(strategy);
        }
    }
    let told = |policy: &Policy| {
        let why = guard::warning(policy, authors.contains(&policy.strategy))?;
        Some(format!("{}: {why}", policy.peer_id))
    };
    all.iter().filter_map(|one| told(&one.policy)).collect()
}

/// The policies that a batch leads to, one per peer, in the order in which it names them.
fn apply_all(
    mut stored: HashMap<PeerId, Option<Policy>>,
    updates: &[(PeerId, PolicyUpdate)],
    now: UnixTime,
) -> Result<Vec<Changed>, String> {
    let mut all: Vec<(Policy, Changed)> = Vec::new();
    for (index, (peer_id, update)) in updates.iter().enumerate() {
        let place = all.iter().position(|(_, changed)| changed.policy.peer_id == *peer_id);
        let place = place.unwrap_or_else(|| {
            let held = stored.remove(peer_id).flatten().filter(|policy| !policy.is_expired(now));
            let effective = held.is_none();
            let policy = guard::in_force(held, *peer_id, now);
            all.push((policy.clone(), Changed { policy, effective }));
            all.len() - 1
        });
        let (_, changed) = &mut all[place];
        changed.policy =
            guard::apply(&changed.policy, update, now).map_err(|why| format!("updates[{index}]: {why}"))?;
    }
    let settled = |(old, changed): (Policy, Changed)| match changed.effective
        || !guard::is_noop(&old, &changed.policy)
    {
        true => Changed { effective: true, ..changed },
        false => Changed { policy: old, effective: false },
    };
    Ok(all.into_iter().map(settled).collect())
}

/// What may surprise about a policy, given what decides for its strategy now.
async fn warning(services: &Services, policy: &Policy) -> Option<&'static str> {
    guard::warning(policy, services.is_authors(&policy.strategy, CycleKind::Fee).await)
}

fn batch_answer(all: &[Changed], changed: usize, warnings: &[String], now: UnixTime) -> Value {
    let mut answer = json!({
        "status": "success",
        "updated": all.len(),
        "changed": changed,
        "policies": answer::policies(all.iter().map(|one| &one.policy), now),
        "message": format!("Updated {} policies, {changed} of them to something new", all.len()),
    });
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    answer
}

/// Each strategy that is named must be there and loadable.
async fn check_strategies(
    services: &Services,
    named: impl Iterator<Item = &StrategyName>,
) -> Result<(), CommandError> {
    let mut names: Vec<_> = named.collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        services.check_strategy(name).await.map_err(refused)?;
    }
    Ok(())
}

/// Each evaluator that is named must be there and loadable.
async fn check_evaluators(
    services: &Services,
    updates: impl Iterator<Item = &PolicyUpdate>,
) -> Result<(), CommandError> {
    let named: std::collections::BTreeSet<&StrategyName> = updates
        .filter_map(|update| match &update.rebalance_strategy {
            guard::Edit::To(name) => Some(name),
            guard::Edit::Keep | guard::Edit::Clear => None,
        })
        .collect();
    for name in named {
        services.check_evaluator(name).await.map_err(refused)?;
    }
    Ok(())
}

/// The quota holds plain counts, so a panic elsewhere leaves it usable.
fn quota(services: &Services) -> MutexGuard<'_, RateLimiter> {
    services.policy_quota.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of a call that left everything as it was.
pub(in crate::rpc) fn refused(why: impl Display) -> CommandError {
    CommandError::from(format!("{why}; nothing was changed"))
}
