//! Plugins that the lab plays itself: their presence, and the little they remember.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::NodeState;
use super::methods;
use super::params::{Params, bad};
use crate::rpc::{RpcError, RpcResult};

/// A plugin beside the one under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extra {
    /// lightningd's accountant.
    Bookkeeper,
    /// The rebalancer: see [`Sling`](super::Sling).
    Sling,
    /// CLBoss: knows which peers it must leave alone.
    Clboss,
    /// cl-hive: knows our membership.
    Hive,
}

impl Extra {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Bookkeeper => "/usr/local/libexec/c-lightning/plugins/bookkeeper",
            Self::Sling => "/home/operator/plugins/sling",
            Self::Clboss => "/home/operator/plugins/clboss",
            Self::Hive => "/home/operator/plugins/cl-hive.py",
        }
    }
}

/// What the played plugins remember.
#[derive(Debug, Default)]
pub(super) struct Extras {
    unmanaged: BTreeMap<String, String>,
    pub tier: Option<String>,
}

impl NodeState {
    /// The plugins that are there, as `plugin list` shows them.
    pub(crate) fn plugin_rows(&self) -> Vec<Value> {
        const ALWAYS: [&str; 8] =
            ["autoclean", "chanbackup", "bcli", "commando", "funder", "topology", "offers", "pay"];
        let core = ALWAYS.iter().map(|name| format!("/usr/local/libexec/c-lightning/plugins/{name}"));
        let extra = self.present.iter().map(|extra| extra.path().to_owned());
        let row = |path: String| {
            let dynamic = path.starts_with("/home");
            json!({"name": path, "active": true, "dynamic": dynamic})
        };
        core.chain(extra).map(row).collect()
    }

    /// The played plugins in the flat `listconfigs` of old nodes.
    pub(super) fn extra_configs(&self) -> Value {
        let row = |extra: &Extra| json!({"path": extra.path(), "name": extra.path().rsplit('/').next().unwrap_or_default()});
        self.present.iter().map(row).collect()
    }

    pub(super) fn plugin_command(&mut self, params: &Params) -> RpcResult {
        let command = params.need_text("subcommand")?;
        match command.as_str() {
            "list" => Ok(json!({"command": "list", "plugins": self.plugin_rows()})),
            "stop" => {
                let name = params.need_text("plugin")?;
                let found = self.present.iter().copied().find(|extra| extra.path().ends_with(&name));
                let extra =
                    found.ok_or_else(|| RpcError::invalid(format!("Could not find plugin {name}")))?;
                self.set_extra(extra, false);
                let full = extra.path().rsplit('/').next().unwrap_or_default();
                Ok(json!({"command": "stop", "result": format!("Successfully stopped {full}.")}))
            }
            "start" | "startdir" | "rescan" => Err(RpcError::new(-1, "the lab can't start this plugin")),
            _ => Err(bad("subcommand", "unknown subcommand", params.need("subcommand")?)),
        }
    }

    pub(super) fn help(&mut self, params: &Params) -> RpcResult {
        let wanted = params.text("command");
        let core = methods::listed(self.flavour, &self.present).map(|method| (method.name, method.usage));
        let sling = self.sling_methods();
        let rows: Vec<Value> = core
            .chain(sling)
            .filter(|(name, _)| !self.hides(name))
            .filter(|(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
            .map(|(name, usage)| {
                let usage = format!("{name} {usage}");
                let mut row = json!({"command": usage.trim_end()});
                if !self.flavour.has(2411) {
                    row["category"] = json!("plugin");
                    row["description"] = json!(name);
                    row["verbose"] = json!(name);
                }
                row
            })
            .collect();
        match wanted {
            Some(name) if rows.is_empty() => Err(RpcError::unknown(&name)),
            _ => Ok(json!({"help": rows, "format-hint": "simple"})),
        }
    }

    pub(super) fn clboss_status(&mut self, _: &Params) -> RpcResult {
        let mut unmanaged = Map::from_iter([("comment".to_owned(), json!("peers CLBoss leaves alone"))]);
        unmanaged.extend(self.extras.unmanaged.iter().map(|(id, tags)| (id.clone(), json!(tags))));
        Ok(json!({"channel_candidates": [], "peer_metrics": {}, "unmanaged": unmanaged}))
    }

    /// Replaces a peer's tags; none at all hands it back to CLBoss.
    pub(super) fn clboss_unmanage(&mut self, params: &Params) -> RpcResult {
        let (id, tags) = (params.need_text("nodeid")?, params.text("tags").unwrap_or_default());
        let tags: Vec<&str> = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        const KNOWN: [&str; 4] = ["lnfee", "open", "close", "balance"];
        if let Some(stray) = tags.iter().find(|tag| !KNOWN.contains(tag)) {
            return Err(RpcError::invalid(format!("Parameter error: unknown tag {stray}")));
        }
        if tags.is_empty() {
            self.extras.unmanaged.remove(&id);
        } else {
            self.extras.unmanaged.insert(id, tags.join(", "));
        }
        Ok(json!({}))
    }

    pub(super) fn hive_status(&mut self, _: &Params) -> RpcResult {
        let tier = self.extras.tier.as_deref().unwrap_or("member");
        Ok(json!({"status": "active", "members": {"total": 1}, "membership": {"tier": tier}}))
    }
}
