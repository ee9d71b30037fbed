//! `getmanifest` and `init`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::{Plugin, PluginCommand, lock, options, process};
use crate::node::Flavour;

/// What lightningd tells a plugin about itself.
pub(crate) struct Handshake {
    pub flavour: Flavour,
    /// The network directory.
    pub lightning_dir: String,
    pub network: String,
    /// True while lightningd starts, false for `plugin start`.
    pub startup: bool,
}

impl Handshake {
    /// How long lightningd waits for a plugin to start.
    fn limit(&self) -> Duration {
        Duration::from_secs(if self.flavour.has(2502) { 120 } else { 60 })
    }

    fn configuration(&self) -> Value {
        let features = json!({
            "init": self.flavour.init_features(), "node": self.flavour.node_features(),
            "channel": "", "invoice": "02000002024100",
        });
        json!({
            "lightning-dir": self.lightning_dir, "rpc-file": "lightning-rpc", "startup": self.startup,
            "network": self.network, "feature_set": features, "always_use_proxy": false,
        })
    }

    /// Starts a plugin and takes it through `getmanifest` and `init`.
    pub async fn start(&self, command: PluginCommand) -> Result<Plugin> {
        let plugin = process::spawn(command, self.flavour)?;
        match tokio::time::timeout(self.limit(), self.introduce(&plugin)).await {
            Ok(Ok(())) => Ok(plugin),
            Ok(Err(error)) => Err(end(&plugin, error).await),
            Err(_) => {
                Err(end(&plugin, anyhow!("the plugin took longer than {:?} to start", self.limit())).await)
            }
        }
    }

    async fn introduce(&self, plugin: &Plugin) -> Result<()> {
        let manifest = plugin.call("getmanifest", json!({"allow-deprecated-apis": false})).await;
        let manifest = manifest.context("getmanifest failed")?;
        check(&manifest)?;
        refuse_disabled(&manifest)?;
        let values = options::resolve(&manifest, &plugin.command().options)?;
        *lock(&plugin.0.values) = values.clone();
        let init = json!({"options": values, "configuration": self.configuration()});
        let answer = plugin.call("init", init).await.context("init failed")?;
        refuse_disabled(&answer)?;
        // Only now does lightningd send notifications and pass calls on.
        *lock(&plugin.0.manifest) = manifest;
        Ok(())
    }
}

fn refuse_disabled(answer: &Value) -> Result<()> {
    match answer.get("disable") {
        Some(reason) => bail!("the plugin disabled itself: {}", reason.as_str().unwrap_or_default()),
        None => Ok(()),
    }
}

fn check(manifest: &Value) -> Result<()> {
    for method in manifest["rpcmethods"].as_array().map(Vec::as_slice).unwrap_or_default() {
        for field in ["name", "usage"] {
            if method[field].as_str().is_none() {
                bail!("a method lacks its {field}: {method}");
            }
        }
    }
    for list in ["options", "rpcmethods"] {
        if !manifest[list].is_array() {
            bail!("the manifest lacks {list}");
        }
    }
    Ok(())
}

/// Ends a plugin that failed to start and adds what it said last to the error.
async fn end(plugin: &Plugin, error: anyhow::Error) -> anyhow::Error {
    let killed = plugin.kill().await;
    let line = |line: &super::LogLine| format!("{}: {}", line.level, line.message);
    let said: Vec<String> = plugin.logs().iter().rev().take(5).map(line).collect();
    let said = said.into_iter().rev().collect::<Vec<_>>().join(" | ");
    match killed {
        Ok(status) => error.context(format!("the plugin did not start ({status}); it said: {said}")),
        Err(problem) => error.context(problem.to_string()),
    }
}
