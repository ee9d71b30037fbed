//! `revenue-config`: reads and changes settings.

use super::args::{Args, Form, Kind, Menu, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::config::{self, SETTINGS, Setting};
use crate::cycles::Services;
use crate::model::quote;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-config",
    usage: "action [key] [value]",
    description: "Reads and changes settings: get, set, reset, list-mutable.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const KEY: Param = Param::required("key", Kind::Text, "A setting, by its key or its option's name.");

static MENU: Menu = Menu {
    selector: "action",
    default: Some("get"),
    forms: &[
        Form {
            action: "get",
            params: &[Param::optional("key", Kind::Text, "A setting; without it, all of them.")],
            doc: "Shows one setting or all of them.",
        },
        Form {
            action: "set",
            params: &[KEY, Param::required("value", Kind::Any, "The new value.")],
            doc: "Changes a setting now and for all later starts.",
        },
        Form { action: "reset", params: &[KEY], doc: "Takes back what `set` changed, at once." },
        Form { action: "list-mutable", params: &[], doc: "Lists the settings that can be changed." },
    ],
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    match form.action {
        "set" => set(&services, &args).await,
        "reset" => reset(&services, &args).await,
        "list-mutable" => Ok(list_mutable()),
        "get" => get(&services, &args).await,
        other => Menu::has_no(other),
    }
}

/// Fields of the Python plugin's answer that no setting stands behind.
const FACTS: [&str; 4] =
    ["clboss_unmanage_duration_hours", "enable_flow_asymmetry", "enable_peer_sync", "sling_available"];

/// What is so here.
fn facts(services: &Services) -> impl Iterator<Item = (&'static str, Value)> {
    let is_available = services.desk.sling().problem().is_none();
    FACTS.into_iter().zip([json!(24), json!(false), json!(false), json!(is_available)])
}

fn known(name: &str) -> Result<&'static Setting, CommandError> {
    if FACTS.contains(&name) {
        return Err(format!("{name} can only be read; nothing was changed").into());
    }
    config::find(name).ok_or_else(|| {
        format!("Unknown config key: {}; `revenue-config list-mutable` names the keys", quote(name)).into()
    })
}

async fn get(services: &Services, args: &Args) -> CommandResult {
    let (mut config, version) = ((*services.config()).clone(), services.settings.version());
    if let Some(name) = args.opt_text("key")
        && let Some((key, value)) = facts(services).find(|(key, _)| *key == name)
    {
        return Ok(json!({ "key": key, "value": value, "version": version }));
    }
    let setting = args.opt_text("key").map(known).transpose()?;
    // The file that is open: another than is configured where that is the Python plugin's. A store in
    // trouble hides no setting.
    if setting.is_none_or(|setting| setting.key == "db_path")
        && let Ok(Some(path)) = services.store.read(|conn| Ok(conn.path().map(str::to_owned))).await
    {
        config.db_path = path;
    }
    if let Some(setting) = setting {
        return Ok(
            json!({ "key": setting.key, "value": to_json(&(setting.get)(&config)), "version": version }),
        );
    }
    let mut all: Map<String, Value> =
        SETTINGS.iter().map(|setting| (setting.key.to_owned(), to_json(&(setting.get)(&config)))).collect();
    all.extend(facts(services).map(|(key, value)| (key.to_owned(), value)));
    all.insert("version".to_owned(), json!(version));
    Ok(json!({ "config": all, "version": version }))
}

async fn set(services: &Services, args: &Args) -> CommandResult {
    let name = args.text("key")?;
    let setting = known(name)?;
    let raw = from_json(args.json("value")?)?;
    let unchanged = |why| CommandError::from(format!("{name}: {why}; nothing was changed"));
    services.check_named(setting, &raw.to_string()).await.map_err(unchanged)?;
    let changed = services
        .settings
        .set(&services.store, setting, &raw, name, services.now())
        .await
        .map_err(|error| error.to_string())?;
    Ok(json!({
        "status": "success",
        "key": changed.key,
        "old_value": to_json(&changed.old),
        "new_value": to_json(&changed.new),
        "version": changed.version,
    }))
}

async fn reset(services: &Services, args: &Args) -> CommandResult {
    let setting = known(args.text("key")?)?;
    let changed =
        services.settings.reset(&services.store, setting).await.map_err(|error| error.to_string())?;
    Ok(json!({
        "status": "success",
        "key": changed.key,
        "old_value": to_json(&changed.old),
        "new_value": to_json(&changed.new),
        "message": format!("Override of {} removed; '{}' is in force now", changed.key, changed.new),
        "version": changed.version,
    }))
}

fn list_mutable() -> Value {
    let keys: Vec<&str> =
        SETTINGS.iter().filter(|setting| setting.mutable).map(|setting| setting.key).collect();
    json!({ "mutable_keys": keys, "count": keys.len() })
}

fn to_json(value: &config::Value) -> Value {
    match value {
        config::Value::Bool(value) => json!(value),
        config::Value::Int(value) => json!(value),
        config::Value::Float(value) => json!(value),
        config::Value::Text(value) => json!(value),
    }
}

fn from_json(value: &Value) -> Result<config::Value, CommandError> {
    match value {
        Value::Bool(value) => Ok(config::Value::Bool(*value)),
        Value::String(value) => Ok(config::Value::Text(value.clone())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Ok(config::Value::Int(value)),
            (None, Some(value)) => Ok(config::Value::Float(value)),
            (None, None) => Err("value: the number is too large".into()),
        },
        _ => Err("value: use a number, true, false or a text".into()),
    }
}
