//! `revenue-strategy`: the modules that decide, and their faults.

mod list;

pub(super) use list::fault;

use super::args::{Args, Form, Kind, Menu, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::model::StrategyName;
use crate::store::modules;
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
        _ => list::run(&services).await,
    }
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
