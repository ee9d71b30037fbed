//! What the plugin cannot do now, and why.

use super::seen::Seen;
use super::{ledger, place};
use crate::config::Config;
use crate::cycles::Services;
use crate::cycles::rebalance::default_evaluator;
use crate::node::Companion;
use crate::store::modules::ModuleFaults;
use serde_json::{Value, json};

/// One entry per part that does less than it should.
pub(super) fn parts(services: &Services, seen: &Seen, modules: &[ModuleFaults]) -> Vec<Value> {
    let (config, health) = (&seen.config, &seen.health);
    let part = |part: &str, why: String| json!({ "part": part, "why": why });
    let mut degraded = Vec::new();
    degraded.extend(services.store.trouble().map(|trouble| part("store", trouble.to_string())));
    degraded.extend(health.node_error.clone().map(|why| part("node", why)));
    degraded.extend(
        health.not_synced.clone().map(|why| part("node_sync", format!("{why}; no fee is set meanwhile"))),
    );
    degraded.extend(services.not_imported.clone().map(|why| part("import", why)));
    degraded.extend(
        services
            .settings
            .left_out()
            .into_iter()
            .map(|left_out| part("settings", format!("stored settings are left out: {}", left_out.why))),
    );
    degraded.extend(
        Companion::ALL
            .iter()
            .filter(|companion| health.lacks(**companion) && is_wanted(**companion, config))
            .map(|companion| part(companion.name(), format!("not there: {}", companion.without_it()))),
    );
    degraded.extend(ledger::degraded(health));
    degraded.extend(place::degraded(&seen.place));
    if let Some(why) = seen.sling.state.problem().filter(|_| health.has(Companion::Sling)) {
        degraded.push(part("rebalancing", why));
    }
    if let Some((name, why)) =
        health.evaluator.as_ref().filter(|(name, _)| *name == default_evaluator(config))
    {
        degraded.push(part("evaluator", format!("{why}; rebalance-ev answers instead of '{name}'")));
    }
    for (group, state) in &seen.breakers {
        if state.state != "closed" {
            let why = state.last_error.as_deref().unwrap_or_default();
            degraded.push(part(&format!("rpc_{group}"), format!("{} after a lost call: {why}", state.state)));
        }
    }
    degraded.extend(modules.iter().filter(|module| module.quarantined_at.is_some()).map(|module| {
        part(
            &format!("strategy_{}", module.strategy),
            format!("in quarantine: {}: {}", module.last_code, module.last_text),
        )
    }));
    for (job, status) in &seen.jobs {
        if let Some(Err(why)) = &status.last_outcome {
            degraded.push(part(&format!("job_{}", job.name()), why.clone()));
        }
    }
    degraded
}

/// Whether the plugin can do less without it. CLBoss takes nothing away by its absence, and
/// the fleet only when the operator insists on it.
fn is_wanted(companion: Companion, config: &Config) -> bool {
    match companion {
        Companion::Sling | Companion::Bookkeeper => true,
        Companion::Hive => config.hive_enabled == "true",
        Companion::Clboss => false,
    }
}
