//! Set-up: a simulated node, the plugin on it, and a policy for some of its peers.

use super::options::{Options, Pace};
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use lab::{Flavour, Lab, LabConfig, MarketSpec, Plugin, PluginCommand, client};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Policies given by alias, as parameters of `revenue-policy set <peer>`. All other peers have
/// the default one, which is `dynamic`.
pub const POLICIES: [(&str, &[&str]); 5] = [
    ("exchange-sink", &["strategy=dynamic", "tags=sink"]),
    ("wallet-hub", &["strategy=dynamic", "fee_multiplier_max=0.1"]),
    ("corner-shop", &["strategy=static", "fee_ppm=300"]),
    ("quiet-corner", &["strategy=passive"]),
    ("fleet-mate", &["strategy=hive"]),
];

/// How long the plugin may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// A running node with its plugin.
pub struct Stage {
    pub lab: Lab,
    pub plugin: Plugin,
    /// The plugin's executable.
    pub program: PathBuf,
    pub names: Vec<Name>,
    pub spec: MarketSpec,
    pub seed: u64,
    /// Simulated unix time at which the node started, seconds.
    pub started_s: f64,
    /// Simulated unix time at which traffic begins, seconds.
    pub opened_s: f64,
    /// From the plugin's start until it was ready.
    pub ready_after: Duration,
    /// To be removed at the end.
    temporary: Option<PathBuf>,
}

/// What a channel is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    pub scid: String,
    pub alias: String,
    pub peer_id: String,
}

impl Stage {
    /// Starts everything; traffic waits for [`Lab::resume`].
    pub async fn set_up(options: &Options, pace: Pace) -> Result<Stage> {
        let temporary = std::env::temp_dir().join(format!("cl-revenue-ops-demo.{}", std::process::id()));
        let dir = options.dir.as_ref().unwrap_or(&temporary);
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("making {}", dir.display()))?;
        let steps = steps()?;
        let stage = Stage::in_dir(options, pace, dir, &steps).await;
        steps.finish_and_clear();
        if stage.is_err() && options.dir.is_none() {
            // The first error is the one to tell.
            let _ = std::fs::remove_dir_all(dir);
        }
        stage
    }

    async fn in_dir(options: &Options, pace: Pace, dir: &Path, steps: &ProgressBar) -> Result<Stage> {
        steps.set_message("starting the simulated node");
        let config =
            LabConfig { rate: pace.rate, seed: options.seed, ..LabConfig::new(dir, Flavour::V26_06) };
        let (spec, started_s) = (config.spec.clone(), config.start_unix_s);
        let lab = Lab::start(config).await?;
        lab.pause();
        steps.inc(1);
        steps.set_message("starting the plugin");
        let program = std::env::current_exe().context("finding this program")?;
        let began = Instant::now();
        let plugin = lab.attach(PluginCommand::new(&program)).await?;
        wait_until_ready(&lab.rpc_path()).await?;
        let ready_after = began.elapsed();
        steps.inc(1);
        let names = names(&lab);
        give_policies(&lab.rpc_path(), &names, steps).await?;
        let opened_s = lab.now_unix_s();
        let temporary = options.dir.is_none().then(|| dir.to_owned());
        let seed = options.seed;
        Ok(Stage { lab, plugin, program, names, spec, seed, started_s, opened_s, ready_after, temporary })
    }

    /// Calls a method on the node's socket. An error of the plugin's is an error here.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
        call(&self.lab.rpc_path(), method, params).await
    }

    /// The first channel with the peer of this alias.
    pub fn named(&self, alias: &str) -> Result<&Name> {
        self.names
            .iter()
            .find(|name| name.alias == alias)
            .with_context(|| format!("no channel is called {alias}"))
    }

    /// Simulated hours since traffic began.
    pub fn hours(&self) -> f64 {
        (self.lab.now_unix_s() - self.opened_s) / 3600.0
    }

    /// Calls of setchannel so far.
    pub fn setchannels(&self) -> u64 {
        let is_one = |call: &&lab::mischief::SeenCall| call.method == "setchannel";
        self.lab.with_mischief(|mischief| mischief.calls().iter().filter(is_one).count() as u64)
    }

    /// The end of what the plugin logged.
    pub fn last_words(&self) -> String {
        let logs = self.plugin.logs();
        let last = &logs[logs.len().saturating_sub(3)..];
        last.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join(" | ")
    }

    /// Stops plugin and node, and takes the temporary directory away.
    pub async fn close(self) -> Result<()> {
        let stopped = self.lab.shutdown().await;
        if let Some(dir) = self.temporary {
            std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
        }
        stopped
    }
}

fn steps() -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:20} {msg}")?;
    Ok(ProgressBar::new(POLICIES.len() as u64 + 2).with_style(style))
}

fn names(lab: &Lab) -> Vec<Name> {
    lab.with_node(|node| {
        let channels = node.channels().iter();
        channels
            .map(|channel| Name {
                scid: channel.scid.to_string(),
                alias: channel.alias.clone(),
                peer_id: channel.peer_id.clone(),
            })
            .collect()
    })
}

async fn wait_until_ready(socket: &Path) -> Result<()> {
    let end = Instant::now() + READY;
    loop {
        let status = call(socket, "revenue-status", json!([])).await?;
        if status["ready"] == true {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the plugin is not ready after {READY:?}: {}", status["degraded"]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn give_policies(socket: &Path, names: &[Name], steps: &ProgressBar) -> Result<()> {
    let peers: HashMap<&str, &str> =
        names.iter().map(|name| (name.alias.as_str(), name.peer_id.as_str())).collect();
    for (alias, policy) in POLICIES {
        steps.set_message(format!("revenue-policy set {alias} {}", policy.join(" ")));
        let peer = peers.get(alias).with_context(|| format!("no channel is called {alias}"))?;
        let params: Vec<&str> = ["set", peer].into_iter().chain(policy.iter().copied()).collect();
        call(socket, "revenue-policy", json!(params)).await?;
        steps.inc(1);
    }
    Ok(())
}

async fn call(socket: &Path, method: &str, params: Value) -> Result<Value> {
    match client::call(socket, method, params).await? {
        Err(error) => bail!("{method}: {error}"),
        Ok(answer) if answer["status"] == "error" => {
            bail!("{}", answer["error"].as_str().unwrap_or("an error without words"))
        }
        Ok(answer) => Ok(answer),
    }
}
