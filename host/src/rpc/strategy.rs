//! `revenue-strategy`: the modules that decide, and their faults.

use super::args::{Args, Form, Kind, Menu, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::model::StrategyName;
use crate::store::modules::{self, ModuleFaults};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-strategy",
    usage: "action [name]",
    description: "Lists strategy modules and their faults, and ends a quarantine: list, clear-quarantine.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

static MENU: Menu = Menu {
    selector: "action",
    default: Some("list"),
    forms: &[
        Form {
            action: "list",
            params: &[],
            doc: "Built-in strategies, modules in the directory, and faults.",
        },
        Form {
            action: "clear-quarantine",
            params: &[Param::required("name", Kind::Text, "The strategy whose modules may run again.")],
            doc: "Lets a module that failed three times in a row run again.",
        },
    ],
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    match form.action {
        "clear-quarantine" => clear(&services, args.text("name")?).await,
        _ => list(&services).await,
    }
}

async fn list(services: &Services) -> CommandResult {
    let files = services.engine.available().map_err(|error| format!("the strategies directory: {error}"))?;
    let faults = services.store.read(|conn| Ok(modules::list(conn)?)).await?;
    Ok(json!({
        "built_in": StrategyName::BUILT_IN,
        "modules": files.iter().map(|file| json!({ "name": file.name, "bytes": file.bytes })).collect::<Vec<_>>(),
        "faults": faults.iter().map(fault).collect::<Vec<_>>(),
    }))
}

async fn clear(services: &Services, name: &str) -> CommandResult {
    let strategy: StrategyName = name.parse().map_err(CommandError::from)?;
    let wanted = strategy.clone();
    let cleared = services.store.write(move |tx| Ok(modules::clear_strategy(tx, &wanted)?)).await?;
    services.engine.forget(&strategy);
    if cleared == 0 {
        return Ok(
            json!({ "status": "noop", "message": format!("no module of '{strategy}' is in quarantine") }),
        );
    }
    services.visit_all();
    Ok(
        json!({ "status": "success", "cleared": cleared, "message": format!("'{strategy}' may decide again") }),
    )
}

/// A module's faults, as the status shows them too.
pub(super) fn fault(module: &ModuleFaults) -> Value {
    json!({
        "strategy": module.strategy.as_str(),
        "digest": module.digest.to_string(),
        "faults_total": module.faults_total,
        "faults_in_row": module.faults_in_row,
        "quarantined": module.quarantined_at.is_some(),
        "quarantined_at": module.quarantined_at.map(|time| time.0),
        "last_fault": { "code": module.last_code, "text": module.last_text, "at": module.last_fault_at.0 },
    })
}
