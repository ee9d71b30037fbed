//! Everything that is known of the modules of one name.

use super::life::brief;
use super::performance::{DEFAULT_DAYS, Performance};
use super::{canary, name, unchanged};
use crate::cycles::Services;
use crate::cycles::modules::Named;
use crate::model::module::{InstalledModule, ModuleEvent};
use crate::model::strategy::ParamValue;
use crate::model::{CycleKind, Digest, Policy, StrategyName, UnixTime};
use crate::rpc::CommandResult;
use crate::rpc::args::{Args, Form};
use crate::store::modules::{self, ModuleFaults};
use crate::store::trials::{self, Difference, TrialSums};
use crate::store::usage::{self, Usage};
use crate::store::{installed, names, policies};
use anyhow::Result;
use serde_json::{Value, json};

pub(super) const FORM: Form = Form {
    action: "show",
    params: &[super::NAME],
    doc: "The modules of a name, installed, built in or a file: digest, version, signers, parameters, fuel and time used, faults, peers, trials, what \
          they brought, and every step of their lives.",
};

/// Most steps that are shown.
const MOST_EVENTS: u32 = 50;
/// How far back use is summed up.
const USE_S: u64 = 14 * UnixTime::DAY;

struct Known {
    module: InstalledModule,
    faults: Option<ModuleFaults>,
    usage: Usage,
    trial: TrialSums,
    latest: Vec<Difference>,
    verdict: Option<canary::Verdict>,
}

struct Page {
    modules: Vec<Known>,
    events: Vec<ModuleEvent>,
    set: Vec<(String, ParamValue)>,
    policies: Vec<Policy>,
    performance: Performance,
    names: canary::Names,
}

pub(super) async fn run(services: &Services, args: &Args) -> CommandResult {
    let name = name(args)?;
    let page = page(services, &name).await?;
    let mut shown = Vec::new();
    for known in &page.modules {
        shown.push(module(services, known, &page).await);
    }
    if page.modules.is_empty() {
        match services.named(&name).await {
            Ok(found) => {
                for one in &found {
                    shown.push(named(services, (&name, one), &page).await?);
                }
            }
            Err(why) if page.events.is_empty() => return Err(unchanged(why)),
            // It was installed once.
            Err(_) => {}
        }
    }
    Ok(json!({
        "status": "success",
        "name": name.as_str(),
        "modules": shown,
        "events": page.events.iter().map(event).collect::<Vec<_>>(),
    }))
}

async fn page(services: &Services, name: &StrategyName) -> Result<Page> {
    let (name, now) = (name.clone(), services.now());
    let since = now.minus(USE_S);
    services
        .store
        .read(move |conn| {
            let mut known = Vec::new();
            for module in installed::all(conn)?.into_iter().filter(|module| module.name == name) {
                known.push(Known {
                    faults: modules::get(conn, &module.digest, module.decides)?,
                    usage: usage::of(conn, &module.digest, (module.decides, &module.stands_for), since)?,
                    trial: trials::sums(conn, &module, since)?,
                    latest: trials::latest(conn, &module)?,
                    verdict: canary::verdict(conn, &module, now)?,
                    module,
                });
            }
            let set = installed::set_params(conn)?.into_iter().filter(|(of, ..)| *of == name);
            Ok(Page {
                modules: known,
                events: installed::events(conn, &name, MOST_EVENTS)?,
                set: set.map(|(_, param, value)| (param, value)).collect(),
                policies: policies::load_all(conn)?,
                performance: Performance::read(conn, now, DEFAULT_DAYS)?,
                names: names::shown(conn)?,
            })
        })
        .await
}

async fn module(services: &Services, known: &Known, page: &Page) -> Value {
    let one = &known.module;
    let mut shown = brief(one);
    shown["bytes"] = json!(one.bytes);
    shown["installed_at"] = json!(one.installed_at.0);
    shown["manifest"] = json!(one.manifest);
    match services.describe_installed(one).await {
        Ok(about) => {
            shown["state_version"] = json!(about.state_version);
            shown["params"] = super::param::all(&about, &page.set);
        }
        Err(why) => shown["not_loadable"] = json!(why),
    }
    shown["peers_with_policy"] = json!(peers(&page.policies, &one.stands_for, one.decides));
    shown["use"] = usage_json(&known.usage);
    shown["faults"] = known.faults.as_ref().map_or(Value::Null, super::fault);
    shown["trial"] = if known.trial.runs > 0 { trial(known, &page.names) } else { Value::Null };
    shown["performance"] = performance(page, one.decides, &one.digest);
    let of_canary = |own| canary::shown(own, known.verdict.as_ref(), &page.names);
    shown["canary"] = one.canary.as_ref().map_or(Value::Null, of_canary);
    shown
}

/// A strategy that is not installed: what its name means.
async fn named(services: &Services, (name, one): (&StrategyName, &Named), page: &Page) -> Result<Value> {
    let (digest, decides, since) = (one.digest, one.decides, services.now().minus(USE_S));
    let place = name.clone();
    let read = services.store.read(move |conn| {
        let usage = usage::of(conn, &digest, (decides, &place), since)?;
        Ok((usage, modules::get(conn, &digest, decides)?))
    });
    let (usage, faults) = read.await?;
    let about = &one.description;
    Ok(json!({
        "name": name.as_str(),
        "version": about.version,
        "digest": digest.to_string(),
        "decides": decides.name(),
        "stage": null,
        "built_in": one.built_in,
        "stands_for": name.as_str(),
        "bytes": one.bytes,
        "state_version": about.state_version,
        "params": super::param::all(about, &page.set),
        "peers_with_policy": peers(&page.policies, name, decides),
        "use": usage_json(&usage),
        "faults": faults.as_ref().map_or(Value::Null, super::fault),
        "performance": performance(page, decides, &digest),
    }))
}

fn performance(page: &Page, decides: CycleKind, digest: &Digest) -> Value {
    match decides {
        CycleKind::Fee => json!(page.performance.of_module(digest)),
        CycleKind::Rebalance => page.performance.of_evaluator(digest),
    }
}

/// Peers whose policy names a strategy.
fn peers(policies: &[Policy], strategy: &StrategyName, decides: CycleKind) -> Vec<String> {
    let named = policies.iter().filter(|policy| policy.names(strategy, decides));
    named.map(|policy| policy.peer_id.to_string()).collect()
}

fn per(sum: u64, count: u64) -> Value {
    if count == 0 { Value::Null } else { json!((sum as f64 / count as f64 * 100.0).round() / 100.0) }
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "days": USE_S / UnixTime::DAY,
        "calls": usage.calls,
        "faults": usage.faults,
        "fuel": usage.fuel,
        "fuel_per_channel": per(usage.fuel, usage.channels),
        "took_us": usage.took_us,
        "us_per_channel": per(usage.took_us, usage.channels),
        "last_call": usage.last.map(|at| at.0),
    })
}

fn trial(known: &Known, names: &canary::Names) -> Value {
    let TrialSums {
        runs,
        since,
        last,
        channels,
        same,
        differing,
        difference,
        refused,
        faults,
        fuel,
        took_us,
    } = &known.trial;
    let unit = match known.module.decides {
        CycleKind::Fee => "ppm",
        CycleKind::Rebalance => "msat",
    };
    let latest = known.latest.iter().map(|one| {
        json!({
            "channel_id": canary::shown_name(&one.channel_id, names),
            "full_channel_id": one.channel_id.to_string(),
            "in_force": one.in_force,
            "on_trial": one.on_trial,
            "in_force_base_fee_msat": one.in_force_terms.base_fee.map(|base| base.0),
            "on_trial_base_fee_msat": one.on_trial_terms.base_fee.map(|base| base.0),
            "in_force_htlc_max_msat": one.in_force_terms.htlc_max.map(|most| most.0),
            "on_trial_htlc_max_msat": one.on_trial_terms.htlc_max.map(|most| most.0),
            "reason": one.reason,
            "verdict": one.verdict,
        })
    });
    json!({
        "decisions": runs,
        "since": since.map(|at| at.0),
        "last": last.map(|at| at.0),
        "channels": channels,
        "same": same,
        "differing": differing,
        "agreement_pct": per(same * 100, same + differing),
        "mean_difference": per(*difference, *differing),
        "unit": unit,
        "refused": refused,
        "faults": faults,
        "fuel_per_channel": per(*fuel, *channels),
        "us_per_channel": per(*took_us, *channels),
        "latest_differences": latest.collect::<Vec<_>>(),
    })
}

fn event(event: &ModuleEvent) -> Value {
    json!({
        "at": event.at.0,
        "action": event.action,
        "by": event.by,
        "digest": event.digest.map(|digest| digest.to_string()),
        "detail": event.detail,
    })
}
