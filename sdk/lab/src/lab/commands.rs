//! Methods that concern attached plugins: `plugin`, `setconfig`, and their part of lists.

use serde_json::{Value, json};

use super::Shared;
use crate::node::config_entry;
use crate::plugin::{Plugin, PluginCommand};
use crate::rpc::{RpcError, RpcResult};

/// A parameter by name or place.
fn parameter<'a>(params: &'a Value, name: &str, place: usize) -> Option<&'a Value> {
    params.get(name).or_else(|| params.get(place))
}

impl Shared {
    /// Answers what the node alone can't; none if it is not such a method.
    pub(super) async fn own_command(&self, method: &str, params: &Value) -> Option<RpcResult> {
        match method {
            "plugin" => self.plugin_command(params).await,
            "setconfig" if self.flavour.has(2308) => Some(self.set_config(params).await),
            _ => None,
        }
    }

    async fn plugin_command(&self, params: &Value) -> Option<RpcResult> {
        let name = parameter(params, "plugin", 1).and_then(Value::as_str)?;
        let attached = self
            .plugins()
            .into_iter()
            .find(|plugin| plugin.name() == name || plugin.path().as_os_str() == name);
        match (parameter(params, "subcommand", 0)?.as_str()?, attached) {
            ("stop", Some(plugin)) => Some(self.stop(&plugin).await),
            ("start", None) => Some(self.start(name, params).await),
            ("start", Some(_)) => Some(Err(RpcError::new(-1, format!("{name}: already registered")))),
            _ => None,
        }
    }

    async fn stop(&self, plugin: &Plugin) -> RpcResult {
        let stopped = plugin.stop().await;
        stopped.map_err(|error| RpcError::new(-1, format!("{error:#}")))?;
        self.announce(plugin, "plugin_stopped");
        Ok(json!({"command": "stop", "result": format!("Successfully stopped {}.", plugin.name())}))
    }

    async fn start(&self, path: &str, params: &Value) -> RpcResult {
        let mut command = PluginCommand::new(path);
        let named = params.as_object().cloned().unwrap_or_default();
        let options =
            named.into_iter().filter(|(name, _)| !["subcommand", "plugin"].contains(&name.as_str()));
        command.options = options.collect();
        let started = self.attach(command, false).await;
        started.map_err(|error| RpcError::new(-3, format!("{path}: {error:#}")))?;
        Ok(json!({"command": "start", "plugins": self.plugin_rows()}))
    }

    fn plugin_rows(&self) -> Vec<Value> {
        let mut rows = self.with_node(|node| node.plugin_rows());
        rows.extend(self.plugins().iter().map(|plugin| {
            let dynamic = plugin.manifest()["dynamic"] != false;
            json!({"name": plugin.path(), "active": true, "dynamic": dynamic})
        }));
        rows
    }

    async fn set_config(&self, params: &Value) -> RpcResult {
        let missing = || RpcError::invalid("missing required parameter: config");
        let name = parameter(params, "config", 0).and_then(Value::as_str).ok_or_else(missing)?;
        let owner = self.plugins().into_iter().find(|plugin| plugin.option_spec(name).is_some());
        let unknown =
            || RpcError::invalid(format!("config: Unknown config option: invalid token '\"{name}\"'"));
        owner.ok_or_else(unknown)?.set_config(name, parameter(params, "val", 1)).await
    }

    /// Adds the plugins' part to an answer of the node.
    pub(super) fn completed(&self, method: &str, params: &Value, result: RpcResult) -> RpcResult {
        match (method, result) {
            ("plugin", Ok(mut result)) if result["command"] == "list" => {
                result["plugins"] = json!(self.plugin_rows());
                Ok(result)
            }
            ("help", result) => self.help(parameter(params, "command", 0), result),
            ("listconfigs", Ok(result)) => Ok(self.configs(parameter(params, "config", 0), result)),
            (_, result) => result,
        }
    }

    fn help(&self, wanted: Option<&Value>, result: RpcResult) -> RpcResult {
        let mut rows = Vec::new();
        for plugin in self.plugins() {
            let methods = plugin.manifest()["rpcmethods"].as_array().cloned().unwrap_or_default();
            let methods =
                methods.iter().filter(|method| wanted.is_none_or(|wanted| *wanted == method["name"]));
            rows.extend(methods.map(|method| {
                let text = |field: &str| method[field].as_str().unwrap_or_default().to_owned();
                let command = format!("{} {}", text("name"), text("usage"));
                let mut row = json!({"command": command.trim_end()});
                if !self.flavour.has(2411) {
                    row["category"] = json!("plugin");
                    row["description"] = json!(text("description"));
                    row["verbose"] = json!(text("long_description"));
                }
                row
            }));
        }
        match result {
            Ok(mut result) => {
                if let Some(known) = result["help"].as_array_mut() {
                    known.extend(rows);
                }
                Ok(result)
            }
            Err(_) if !rows.is_empty() => Ok(json!({"help": rows, "format-hint": "simple"})),
            Err(error) => Err(error),
        }
    }

    fn configs(&self, wanted: Option<&Value>, mut result: Value) -> Value {
        for plugin in self.plugins() {
            let mut values = plugin.option_values();
            values.retain(|name, _| wanted.is_none_or(|wanted| *wanted == name.as_str()));
            if !self.flavour.has(2308) {
                let row = json!({"path": plugin.path(), "name": plugin.name(), "options": values});
                match result["plugins"].as_array_mut() {
                    Some(rows) => rows.push(row),
                    None => result["plugins"] = json!([row]),
                }
                continue;
            }
            for (name, value) in values {
                let given = plugin.command().options.contains_key(&name);
                let mut entry = config_entry(&name, value, if given { "cmdline" } else { "default" });
                entry["plugin"] = json!(plugin.path());
                if plugin.option_spec(&name).is_some_and(|option| option["dynamic"] == true) {
                    entry["dynamic"] = json!(true);
                }
                result["configs"][name] = entry;
            }
        }
        result
    }
}
