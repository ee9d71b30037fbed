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
    /// The rebalancer. Its commands answer in its shapes; nothing is rebalanced.
    Sling,
    /// CLBoss: knows which peers it must leave alone.
    Clboss,
    /// cl-hive: knows our membership.
    Hive,
}

impl Extra {
    fn path(self) -> &'static str {
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
    sling_jobs: BTreeMap<String, Value>,
    sling_once: BTreeMap<String, Value>,
    sling_excepts: [Vec<String>; 2],
    unmanaged: BTreeMap<String, String>,
    pub tier: Option<String>,
}

/// sling answers every mistake with this code.
fn sling_error(message: impl Into<String>) -> RpcError {
    RpcError { code: -32700, message: message.into(), data: Some(Value::Null) }
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
                self.present.remove(&extra);
                let full = extra.path().rsplit('/').next().unwrap_or_default();
                Ok(json!({"command": "stop", "result": format!("Successfully stopped {full}.")}))
            }
            "start" | "startdir" | "rescan" => Err(RpcError::new(-1, "the lab can't start this plugin")),
            _ => Err(bad("subcommand", "unknown subcommand", params.need("subcommand")?)),
        }
    }

    pub(super) fn help(&mut self, params: &Params) -> RpcResult {
        let wanted = params.text("command");
        let rows = methods::listed(self.flavour, &self.present);
        let rows: Vec<Value> = rows
            .filter(|method| wanted.as_deref().is_none_or(|wanted| wanted == method.name))
            .map(|method| {
                let usage = format!("{} {}", method.name, method.usage);
                let mut row = json!({"command": usage.trim_end()});
                if !self.flavour.has(2411) {
                    row["category"] = json!("plugin");
                    row["description"] = json!(method.name);
                    row["verbose"] = json!(method.name);
                }
                row
            })
            .collect();
        match wanted {
            Some(name) if rows.is_empty() => Err(RpcError::unknown(&name)),
            _ => Ok(json!({"help": rows, "format-hint": "simple"})),
        }
    }

    pub(super) fn sling_version(&mut self, _: &Params) -> RpcResult {
        Ok(json!({"version": "v4.2.1"}))
    }

    /// Checks a job's parameters and returns its scid and what `sling-jobsettings` shows of it.
    fn sling_parse(&self, params: &Params) -> Result<(String, Value), RpcError> {
        let job = params.as_map();
        for name in ["scid", "direction", "amount", "maxppm"] {
            params.need(name).map_err(|error| sling_error(error.message))?;
        }
        for name in ["amount", "maxppm", "onceamount"] {
            if job.get(name).is_some_and(|value| !value.is_u64()) {
                return Err(sling_error(format!("{name} must be a positive integer")));
            }
        }
        if !job.contains_key("outppm") && !job.contains_key("candidates") {
            return Err(sling_error("Atleast one of outppm and candidatelist must be set."));
        }
        let direction = match job["direction"].as_str() {
            Some("pull") => "Pull",
            Some("push") => "Push",
            _ => return Err(sling_error("Direction must be pull or push")),
        };
        let scid = params.need_text("scid")?;
        if !self.channels.iter().any(|c| c.scid.to_string() == scid && c.state.carries_payments()) {
            return Err(sling_error(format!("Could not find channel: {scid}")));
        }
        let mut shown = Map::new();
        shown.insert("sat_direction".into(), json!(direction));
        for (name, value) in job.iter().filter(|(name, _)| !["scid", "direction"].contains(&name.as_str())) {
            let sat = value.as_u64().unwrap_or_default();
            match name.as_str() {
                "amount" => shown.insert("amount_msat".into(), json!(sat * 1000)),
                "depleteuptoamount" => shown.insert("depleteuptoamount_msat".into(), json!(sat * 1000)),
                _ => shown.insert(name.clone(), value.clone()),
            };
        }
        Ok((scid, Value::Object(shown)))
    }

    pub(super) fn sling_job(&mut self, params: &Params) -> RpcResult {
        let (scid, job) = self.sling_parse(params)?;
        self.extras.sling_jobs.insert(scid, job);
        Ok(json!({"result": "success"}))
    }

    pub(super) fn sling_once(&mut self, params: &Params) -> RpcResult {
        let (scid, job) = self.sling_parse(params)?;
        params.need("onceamount").map_err(|error| sling_error(error.message))?;
        if self.extras.sling_jobs.contains_key(&scid) {
            return Err(sling_error(format!("There is already a job for {scid}")));
        }
        self.extras.sling_once.insert(scid, job);
        Ok(json!({"result": "started"}))
    }

    pub(super) fn sling_jobsettings(&mut self, params: &Params) -> RpcResult {
        let jobs = &self.extras.sling_jobs;
        match params.text("scid") {
            None => Ok(json!(jobs)),
            Some(scid) => match jobs.get(&scid) {
                Some(job) => Ok(json!({scid: job})),
                None => Err(sling_error("channel not found")),
            },
        }
    }

    pub(super) fn sling_go(&mut self, params: &Params) -> RpcResult {
        let jobs = &self.extras.sling_jobs;
        let started = match params.text("scid") {
            Some(scid) if !jobs.contains_key(&scid) => {
                return Err(sling_error(format!("Shortchannelid not found in jobs: {scid}")));
            }
            Some(_) => 1,
            None if jobs.is_empty() => return Err(sling_error("No jobs found")),
            None => jobs.len(),
        };
        Ok(json!({"tasks_started": started, "tasks_failed_start:": 0}))
    }

    pub(super) fn sling_stop(&mut self, params: &Params) -> RpcResult {
        let once = &mut self.extras.sling_once;
        let stopped = match params.text("scid") {
            Some(scid) => {
                usize::from(once.remove(&scid).is_some() || self.extras.sling_jobs.contains_key(&scid))
            }
            None => std::mem::take(once).len() + self.extras.sling_jobs.len(),
        };
        Ok(json!({"stopped_count": stopped}))
    }

    pub(super) fn sling_deletejob(&mut self, params: &Params) -> RpcResult {
        let job = params.need_text("job")?;
        if job == "all" {
            self.extras.sling_jobs.clear();
            self.extras.sling_once.clear();
        } else {
            self.extras.sling_jobs.remove(&job);
            self.extras.sling_once.remove(&job);
        }
        Ok(json!({"result": "success"}))
    }

    pub(super) fn sling_stats(&mut self, params: &Params) -> RpcResult {
        // The positional form is [scid] [json], and [json] alone.
        let only_flag = params.get("scid").is_some_and(Value::is_boolean);
        let scid = if only_flag { None } else { params.text("scid") };
        let json_wanted = only_flag || params.boolean("json")? == Some(true);
        match (json_wanted, scid) {
            (false, _) => Ok(json!({"format-hint": "simple", "result": ""})),
            (true, None) => Ok(json!([])),
            (true, Some(_)) => Ok(json!({"successes_in_time_window": null, "failures_in_time_window": null})),
        }
    }

    pub(super) fn sling_except_chan(&mut self, params: &Params) -> RpcResult {
        self.sling_except(0, "scid", params)
    }

    pub(super) fn sling_except_peer(&mut self, params: &Params) -> RpcResult {
        self.sling_except(1, "id", params)
    }

    fn sling_except(&mut self, which: usize, name: &str, params: &Params) -> RpcResult {
        let list = &mut self.extras.sling_excepts[which];
        let target = params.text(name);
        match (params.text("command").as_deref(), target) {
            (Some("list"), _) => return Ok(json!(list)),
            (Some("add"), Some(target)) => list.push(target),
            (Some("remove"), Some(target)) => list.retain(|known| *known != target),
            _ => return Err(sling_error("expected list, or add/remove with a target")),
        }
        Ok(json!({"result": "success"}))
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
