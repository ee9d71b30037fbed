//! The steps of a module's life.

use super::canary::tell_channels;
use super::{module, name, stands_for, unchanged};
use crate::cycles::Services;
use crate::cycles::modules::CanaryWish;
use crate::model::module::{CanaryBounds, InstalledModule};
use crate::model::{ChannelName, CycleKind, StrategyName};
use crate::rpc::args::{Args, Form, Kind, Param};
use crate::rpc::{CommandError, CommandResult};
use crate::store::{modules, names};
use serde_json::{Value, json};
use std::collections::HashMap;

const FOR: Param = Param::optional(
    "for",
    Kind::Text,
    "The strategy, as policies name it, for whose peers it decides, e.g. dynamic, hive or rebalance-ev.",
)
.or(&["stands_for"]);

pub(super) const SHADOW: Form = Form {
    action: "shadow",
    params: &[super::NAME, FOR, super::WHICH],
    doc: "Lets a module decide in each cycle beside the one in force; nothing is applied, differences are kept.",
};

pub(super) const CANARY: Form = Form {
    action: "canary",
    params: &[
        super::NAME,
        Param::optional("channels", Kind::List, "Channels to decide for, by short channel id or channel_id."),
        Param::optional(
            "share",
            Kind::Number { min: 0.1, max: 90.0 },
            "Without channels: percent of the capacity; default 10.",
        ),
        Param::optional(
            "max_revenue_fall",
            Kind::Number { min: 1.0, max: 100.0 },
            "It is taken back when its revenue falls by more percent than that of the channels beside it; default 30.",
        ),
        Param::optional(
            "max_refusals",
            Kind::Number { min: 0.0, max: 100.0 },
            "It is taken back when more percent of its proposals are refused; default 50.",
        ),
        Param::optional(
            "max_cost_rise",
            Kind::Number { min: 1.0, max: 1_000.0 },
            "An evaluator is taken back when its jobs cost more percent above what was to be expected; default 50.",
        ),
        Param::optional(
            "min_hours",
            Kind::Int { min: 1, max: 720 },
            "Hours before its revenue is judged; default 24.",
        ),
        Param::optional(
            "min_forwards",
            Kind::Int { min: 1, max: 100_000 },
            "Forwards on either side before its revenue is judged; default 20.",
        ),
        super::WHICH,
    ],
    doc: "Lets a shadow decide for some channels; it is taken back when it fails, earns less, pays more or is refused too often.",
};

pub(super) const ACTIVATE: Form = Form {
    action: "activate",
    params: &[
        super::NAME,
        FOR,
        Param::optional("force", Kind::Bool, "true: although it never decided on trial, or failed there."),
        super::WHICH,
    ],
    doc: "Puts a module in force from the next cycle on; what was in force is kept for a rollback.",
};

pub(super) const ROLLBACK: Form = Form {
    action: "rollback",
    params: &[super::NAME],
    doc: "Takes the last step back: ends a trial, or puts in force again what was in force before. The name is the \
          module's, or that of the strategy it stands for.",
};

pub(super) const REMOVE: Form = Form {
    action: "remove",
    params: &[super::NAME, super::WHICH],
    doc: "Forgets a module; refused while it decides for anyone.",
};

pub(super) const CLEAR_QUARANTINE: Form = Form {
    action: "clear-quarantine",
    params: &[Param::required("name", Kind::Text, "The strategy, or the module, that may run again.")],
    doc: "Lets a module that failed three times in a row run again.",
};

pub(super) async fn shadow(services: &Services, args: &Args) -> CommandResult {
    let module = module(services, args).await?;
    let shadow = services.shadow(module, stands_for(args)?).await?.map_err(unchanged)?;
    services.visit_all();
    let told =
        format!("decides beside '{}' from the next cycle on; nothing of it is applied", shadow.stands_for);
    Ok(step(&shadow, &told))
}

pub(super) async fn canary(services: &Services, args: &Args) -> CommandResult {
    let module = module(services, args).await?;
    has_own_bounds(&module, args).map_err(unchanged)?;
    let canary = services.start_canary(module, wish(args)?).await?.map_err(unchanged)?;
    services.visit_all();
    let count = canary.canary.as_ref().map_or(0, |own| own.channels.len());
    let told = format!("decides for {count} channels of '{}' from the next cycle on", canary.stands_for);
    let mut answer = step(&canary, &told);
    if let Some(own) = &canary.canary {
        // The canary has begun: where the names cannot be read, the ids that last do.
        let names = services.store.read(|conn| Ok(names::shown(conn)?)).await.unwrap_or_else(|error| {
            tracing::warn!("the names of a canary's channels could not be read: {error:#}");
            HashMap::new()
        });
        tell_channels(&mut answer, own, &names);
    }
    Ok(answer)
}

/// Refuses bounds by which a module of its world is not judged.
fn has_own_bounds(module: &InstalledModule, args: &Args) -> Result<(), String> {
    const OF_FEES: [&str; 3] = ["max_revenue_fall", "min_hours", "min_forwards"];
    let is_given = |name: &&str| args.opt_number(name).is_some() || args.opt_int(name).is_some();
    let (others, own) = match module.decides {
        CycleKind::Fee => {
            (&["max_cost_rise"][..], "max_refusals, max_revenue_fall, min_hours and min_forwards")
        }
        CycleKind::Rebalance => (&OF_FEES[..], "max_refusals and max_cost_rise"),
    };
    match others.iter().find(|name| is_given(name)) {
        Some(name) => {
            Err(format!("{name} is no bound of '{}': a canary of its world has {own}", module.name))
        }
        None => Ok(()),
    }
}

fn wish(args: &Args) -> Result<CanaryWish, CommandError> {
    let names = args.opt_list("channels").unwrap_or_default();
    let channels = names.iter().map(|name| name.parse::<ChannelName>()).collect::<Result<Vec<_>, _>>();
    let bounds = CanaryBounds {
        max_revenue_fall_pct: args.opt_number("max_revenue_fall").unwrap_or(30.0),
        max_refusals_pct: args.opt_number("max_refusals").unwrap_or(50.0),
        max_cost_rise_pct: args.opt_number("max_cost_rise").unwrap_or(50.0),
        min_hours: args.opt_u32("min_hours").unwrap_or(24),
        min_forwards: args.opt_u32("min_forwards").unwrap_or(20),
    };
    let channels = channels.map_err(unchanged)?;
    Ok(CanaryWish { channels, share_pct: args.opt_number("share").unwrap_or(10.0), bounds })
}

pub(super) async fn activate(services: &Services, args: &Args) -> CommandResult {
    let module = module(services, args).await?;
    let force = args.opt_bool("force").unwrap_or(false);
    let active = services.activate(module, stands_for(args)?, force).await?.map_err(unchanged)?;
    services.visit_all();
    Ok(step(&active, &format!("decides for the peers of '{}' from the next cycle on", active.stands_for)))
}

pub(super) async fn rollback(services: &Services, args: &Args) -> CommandResult {
    let (ended, back) = services.rollback(name(args)?).await?.map_err(unchanged)?;
    services.visit_all();
    let told = match &back {
        Some(back) => {
            let InstalledModule { name, version, .. } = back;
            let rests = if services.rests(back).await? {
                format!(", and rests: clear it with revenue-strategy clear-quarantine {name}")
            } else {
                String::new()
            };
            format!("decides nothing any more; '{name}' {version} is in force again{rests}")
        }
        None if ended.stands_for.is_built_in() => {
            format!("decides nothing any more; the built-in '{}' decides as it did before", ended.stands_for)
        }
        None => format!(
            "decides nothing any more; where '{}' is named, the built-in '{}' decides unless there is a file of that name",
            ended.stands_for,
            ended.decides.built_in()
        ),
    };
    let mut answer = step(&ended, &told);
    answer["in_force"] = back.as_ref().map_or(Value::Null, brief);
    Ok(answer)
}

pub(super) async fn remove(services: &Services, args: &Args) -> CommandResult {
    let module = module(services, args).await?;
    let removed = services.remove_module(module).await?.map_err(unchanged)?;
    Ok(step(&removed, "is removed"))
}

pub(super) async fn clear_quarantine(services: &Services, args: &Args) -> CommandResult {
    let strategy = name(args)?;
    let installed = services.installed().await?;
    let wanted: StrategyName = strategy.clone();
    let cleared = services
        .store
        .write(move |tx| {
            let mut cleared = modules::clear_strategy(tx, &wanted)?;
            for module in installed.iter().filter(|module| module.name == wanted) {
                cleared += usize::from(modules::clear(tx, &module.digest, module.decides)?);
            }
            Ok(cleared)
        })
        .await?;
    services.engine.forget(&strategy);
    if cleared == 0 {
        let message = format!("no module of '{strategy}' is in quarantine");
        return Ok(json!({ "status": "noop", "message": message }));
    }
    services.visit_all();
    let message = format!("'{strategy}' may decide again");
    Ok(json!({ "status": "success", "cleared": cleared, "message": message }))
}

/// The answer to a step that was taken.
fn step(module: &InstalledModule, told: &str) -> Value {
    let mut answer = brief(module);
    answer["status"] = json!("success");
    answer["message"] = json!(format!("'{}' {} {told}", module.name, module.version));
    answer
}

/// A module in few words.
pub(super) fn brief(module: &InstalledModule) -> Value {
    json!({
        "name": module.name.as_str(),
        "version": module.version,
        "digest": module.digest.to_string(),
        "decides": module.decides.name(),
        "stage": module.stage.name(),
        "stage_since": module.stage_since.0,
        "stands_for": module.stands_for.as_str(),
        "signers": module.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
