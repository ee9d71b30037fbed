//! Setting the demo's stage: node, plugin, policies; and striking it afterwards.

use super::Options;
use anyhow::{Context, Result, anyhow, bail};
use lab::{Flavour, Lab, LabConfig, MarketSpec, Plugin, PluginCommand};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How long the plugin may take to be ready.
const READY: Duration = Duration::from_secs(20);

/// Policies of the demo, by the peer's alias: strategy, and the fee of a static one.
const POLICIES: [(&str, &str, Option<u32>); 4] = [
    ("quiet-corner", "passive", None),
    ("corner-shop", "static", Some(350)),
    ("fleet-mate", "hive", None),
    ("pricey-drain", "dynamic", None),
];

/// When someone mistypes a fee, as a share of the days, and what they type, ppm.
pub(super) const RECKLESS_AT: f64 = 0.3;
const RECKLESS_PPM: u32 = 20_000;

/// A running demo.
pub(super) struct Stage {
    pub(super) lab: Lab,
    pub(super) start_unix_s: f64,
    /// Channel id and alias of each channel.
    pub(super) aliases: Vec<(String, String)>,
    plugin: Plugin,
    /// To be removed at the end.
    temporary: Option<PathBuf>,
}

impl Stage {
    pub(super) async fn set(options: &Options) -> Result<Stage> {
        let (dir, temporary) = match &options.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let dir = std::env::temp_dir().join(format!("revenue-demo-{}", std::process::id()));
                (dir.clone(), Some(dir))
            }
        };
        let config = LabConfig {
            seed: options.seed,
            rate: options.days * 86_400.0 / options.seconds,
            ..LabConfig::new(dir, Flavour::V26_06)
        };
        let start_unix_s = config.start_unix_s;
        let lab = Lab::start(config).await?;
        let program = std::env::current_exe().context("the path of this program")?;
        let plugin = lab.attach(PluginCommand::new(program)).await.context("starting the plugin")?;
        let aliases = lab.with_node(|node| {
            node.channels().iter().map(|channel| (channel.channel_id.clone(), channel.alias.clone())).collect()
        });
        let stage = Stage { lab, start_unix_s, aliases, plugin, temporary };
        stage.wait_until_ready().await?;
        stage.give_policies().await?;
        Ok(stage)
    }

    /// Calls a method of the node or the plugin, as any client of the socket would.
    pub(super) async fn call(&self, method: &str, params: Value) -> Result<Value> {
        let answer = self.lab.call(method, params).await?.map_err(|error| anyhow!("{method}: {error}"))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{method}: {error}"),
            None => Ok(answer),
        }
    }

    /// The simulated time.
    pub(super) fn now_unix_s(&self) -> f64 {
        self.lab.now_unix_s()
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ready = async {
            while self.call("revenue-status", json!({})).await?["ready"] != json!(true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        tokio::time::timeout(READY, ready).await.context("the plugin is not ready")?
    }

    async fn give_policies(&self) -> Result<()> {
        for (alias, strategy, fee) in POLICIES {
            let peer = self.lab.with_node(|node| {
                node.channels().iter().find(|channel| channel.alias == alias).map(|channel| channel.peer_id.clone())
            });
            let peer = peer.with_context(|| format!("the market has no peer '{alias}'"))?;
            let params = json!({ "action": "set", "peer_id": peer, "strategy": strategy, "fee_ppm": fee });
            self.call("revenue-policy", params).await?;
        }
        Ok(())
    }

    /// Asks for a fee that no operator means, and gives the plugin's answer as a line.
    pub(super) async fn try_reckless_fee(&self) -> Result<String> {
        let scid = self.lab.with_node(|node| node.channels()[0].scid.to_string());
        let params = json!([scid, RECKLESS_PPM]);
        let answer = self.lab.call("revenue-set-fee", params).await?.map_err(|error| anyhow!("{error}"))?;
        let refusal = answer["error"].as_str().context("a reckless fee is refused")?;
        Ok(format!("$ lightning-cli revenue-set-fee {scid} {RECKLESS_PPM}\n  {refusal}"))
    }

    /// What the same days would have earned at the fees that the node began with, and how
    /// many forwards settled: the same market with the same senders, without the plugin.
    pub(super) fn untouched(&self, options: &Options) -> (u64, usize) {
        let mut market = lab::Market::new(MarketSpec::demo(), options.seed, self.start_unix_s);
        let forwards = market.advance(self.start_unix_s + options.days * 86_400.0);
        let settled: Vec<_> = forwards.iter().filter(|forward| forward.status == lab::market::Status::Settled).collect();
        (settled.iter().map(|forward| forward.fee_msat()).sum(), settled.len())
    }

    /// Ends plugin and node, and removes what was temporary.
    pub(super) async fn strike(self) -> Result<()> {
        self.plugin.stop().await.context("stopping the plugin")?;
        self.lab.shutdown().await?;
        match &self.temporary {
            Some(dir) => std::fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display())),
            None => Ok(()),
        }
    }
}
