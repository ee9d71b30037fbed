//! `revenue-strategy`: the modules that decide, from the day they arrive to the day they go.

mod canary;
mod install;
mod life;
mod list;
mod param;
mod performance;
mod push;
mod replay;
mod show;
pub mod sigfile;
mod sub;
mod trust;

pub(super) use list::fault;
pub use param::value as param_value;
pub(super) use replay::how as how_to_replay;

use super::args::{Args, Form, Kind, Menu, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::model::StrategyName;
use crate::model::module::InstalledModule;
use serde_json::Value;
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-strategy",
    usage: "[action] [name] ...",
    description: "Installs strategy modules, tries them beside the ones in force, puts them in force and takes them back: \
                  list, show, performance, verify, install, shadow, canary, activate, rollback, remove, set-param, clear-quarantine; \
                  trust (list, add, remove): whose signatures let modules in; push (begin, chunk, commit, abort, list): \
                  signed modules in chunks; replay: has an earlier cycle decided again.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

static MENU: Menu = Menu {
    selector: "action",
    default: Some("list"),
    forms: &[
        Form {
            action: "list",
            params: &[],
            doc: "Built-in strategies, installed modules, files in the strategies directory, and faults.",
        },
        show::FORM,
        performance::FORM,
        install::VERIFY,
        install::INSTALL,
        life::SHADOW,
        life::CANARY,
        life::ACTIVATE,
        life::ROLLBACK,
        life::REMOVE,
        param::FORM,
        life::CLEAR_QUARANTINE,
        trust::FORM,
        push::FORM,
        replay::FORM,
    ],
    reads: &[],
    everywhere: &[],
    exact: &[],
};

/// The first parameter of most forms.
const NAME: Param = Param::required("name", Kind::Text, "The module's name.");
/// Tells modules of one name apart.
const WHICH: Param = Param::optional(
    "module",
    Kind::Text,
    "Its version, or the first digits of its digest; without it the one on its way in, else the one in force.",
)
.or(&["version", "digest"]);

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    if let Some(params) = sub::behind(&params, "trust") {
        return trust::run(&services, params).await;
    }
    if let Some(params) = sub::behind(&params, "push") {
        return push::run(&services, params).await;
    }
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    let services = &services;
    match form.action {
        "show" => show::run(services, &args).await,
        "performance" => performance::run(services, &args).await,
        "verify" => install::verify(services, &args).await,
        "install" => install::install(services, &args).await,
        "shadow" => life::shadow(services, &args).await,
        "canary" => life::canary(services, &args).await,
        "activate" => life::activate(services, &args).await,
        "rollback" => life::rollback(services, &args).await,
        "remove" => life::remove(services, &args).await,
        "set-param" => param::run(services, &args).await,
        "clear-quarantine" => life::clear_quarantine(services, &args).await,
        "replay" => replay::run(services, &args).await,
        word @ ("trust" | "push") => {
            Err(unchanged(format!("{word} has words of its own: say {word} first, and then its word")))
        }
        "list" => list::run(services).await,
        other => Menu::has_no(other),
    }
}

/// A sentence of a refusal, with what every caller wants to know.
fn unchanged(why: String) -> CommandError {
    CommandError::from(format!("{why}; nothing was changed"))
}

fn name(args: &Args) -> Result<StrategyName, CommandError> {
    args.text("name")?.parse().map_err(unchanged)
}

fn stands_for(args: &Args) -> Result<Option<StrategyName>, CommandError> {
    args.opt_text("for").map(str::parse).transpose().map_err(unchanged)
}

/// The module that the parameters name and module mean.
async fn module(services: &Services, args: &Args) -> Result<InstalledModule, CommandError> {
    let found = services.find_installed(&name(args)?, args.opt_text("module")).await?;
    found.map_err(unchanged)
}
