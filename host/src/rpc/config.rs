//! `revenue-config`: reads and changes settings.

use super::args::{Args, Form, Kind, Menu, Param, shown};
use super::{Command, CommandError, CommandResult, Run, warned};
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
            params: &[Param::optional("key", Kind::Text, "A setting; without it, all of them.").or_blank()],
            doc: "Shows one setting or all of them.",
        },
        Form {
            action: "set",
            params: &[KEY, Param::optional("value", Kind::Any, "The new value, which every call needs.")],
            doc: "Changes a setting now and for all later starts.",
        },
        Form { action: "reset", params: &[KEY], doc: "Takes back what `set` changed, at once." },
        Form { action: "list-mutable", params: &[], doc: "Lists the settings that can be changed." },
    ],
    reads: &["get", "list-mutable"],
    everywhere: &["key", "value"],
    exact: &[],
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    match form.action {
        "set" => set(&services, &args).await.map(|answer| warned(answer, args.unused())),
        "reset" => reset(&services, &args).await.map(|answer| warned(answer, args.unused())),
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

fn known(name: &str) -> Result<&'static Setting, String> {
    if FACTS.contains(&name) {
        return Err(format!("{name} can only be read"));
    }
    config::find(name).ok_or_else(|| {
        format!("Unknown config key: {}; `revenue-config list-mutable` names the keys", quote(name))
    })
}

fn unchanged(why: String) -> CommandError {
    format!("{why}; nothing was changed").into()
}

async fn get(services: &Services, args: &Args) -> CommandResult {
    let (mut config, version) = ((*services.config()).clone(), services.settings.version());
    let key = args.opt_text("key");
    if let Some(name) = key
        && let Some((key, value)) = facts(services).find(|(key, _)| *key == name)
    {
        return Ok(json!({ "key": key, "value": value, "version": version }));
    }
    let setting = key.map(known).transpose()?;
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
    let setting = known(name).map_err(unchanged)?;
    let raw = raw(setting, name, args.opt_json("value")).map_err(unchanged)?;
    let checked = services.check_named(setting, &raw.to_string()).await;
    checked.map_err(|why| unchanged(format!("{name}: {why}")))?;
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
    let setting = known(args.text("key")?).map_err(unchanged)?;
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

/// What is to become of a setting, `called` so by the caller.
fn raw(setting: &Setting, called: &str, value: Option<&Value>) -> Result<config::Value, String> {
    let value = value.ok_or_else(|| format!("{called}: value is missing: use {}", setting.kind))?;
    from_json(value)
        .ok_or_else(|| format!("{called}: '{}' is not allowed: use {}", shown(value), setting.kind))
}

fn from_json(value: &Value) -> Option<config::Value> {
    match value {
        Value::Bool(value) => Some(config::Value::Bool(*value)),
        Value::String(value) => Some(config::Value::Text(value.clone())),
        Value::Number(number) => {
            let int = number.as_i64().map(config::Value::Int);
            int.or_else(|| number.as_f64().map(config::Value::Float))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
