//! The handle that ties node, market, socket and plugins together.

mod commands;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::task::JoinHandle;

pub(crate) use shared::Shared;

use crate::client;
use crate::clock::SimClock;
use crate::market::MarketSpec;
use crate::mischief::{Mischief, SeenCall};
use crate::node::{Extra, Flavour, NodeConfig, NodeState, Notification, Recorded};
use crate::plugin::{Plugin, PluginCommand};
use crate::rpc::RpcResult;
use crate::server;

/// Wall time between two steps of the simulation.
const STEP: Duration = Duration::from_millis(20);
/// Longest path of a unix socket on Linux, bytes.
const SOCKET_PATH_MAX: usize = 107;

/// How a lab is set up.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// lightningd's base directory; the network directory is made in it. Keep it short: it holds
    /// a unix socket, whose path has at most 107 bytes.
    pub dir: PathBuf,
    /// The lightningd to pretend to be.
    pub flavour: Flavour,
    /// `regtest`, or another network.
    pub network: String,
    /// The node's channels and the demand for them.
    pub spec: MarketSpec,
    /// Everything random follows from this.
    pub seed: u64,
    /// Simulated unix time at the start, seconds.
    pub start_unix_s: f64,
    /// Simulated seconds per second.
    pub rate: f64,
    /// Time moves only by [`Lab::advance_to`]; for tests that must repeat exactly. The clock that
    /// plugins are given still runs, at `rate`, from the lab's time at their start.
    pub manual: bool,
    /// Plugins that the lab plays.
    pub extras: Vec<Extra>,
    /// Block height at the start.
    pub block_height: u32,
    /// A real node's recordings, to answer from.
    pub recorded: Option<Recorded>,
}

impl LabConfig {
    /// The demo market on regtest at real speed, with bookkeeper and sling, seed 1, from 1 January
    /// 2027 on.
    pub fn new(dir: impl Into<PathBuf>, flavour: Flavour) -> Self {
        Self {
            dir: dir.into(),
            flavour,
            network: "regtest".to_owned(),
            spec: MarketSpec::demo(),
            seed: 1,
            start_unix_s: 1_798_761_600.0,
            rate: 1.0,
            manual: false,
            extras: vec![Extra::Bookkeeper, Extra::Sling],
            block_height: 200_000,
            recorded: None,
        }
    }

    /// A node that answers from recordings, at the phase they stand at, with bookkeeper and, since
    /// v24.11, sling. It stands still; the clock starts after everything that was recorded.
    pub fn of_recording(dir: impl Into<PathBuf>, recorded: Recorded) -> Self {
        let flavour = recorded.flavour();
        let sling = flavour.has(2411).then_some(Extra::Sling);
        Self {
            spec: MarketSpec::new(Vec::new(), Vec::new()),
            start_unix_s: recorded.after_end_s() as f64,
            manual: true,
            extras: [Extra::Bookkeeper].into_iter().chain(sling).collect(),
            block_height: recorded.block_height(),
            recorded: Some(recorded),
            ..Self::new(dir, flavour)
        }
    }
}

/// A running lab. Dropping it ends its socket and kills its plugins.
pub struct Lab {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Lab {
    /// Starts the node and its socket, and lets time run unless it is manual.
    pub async fn start(config: LabConfig) -> Result<Self> {
        let lightning_dir = config.dir.join(&config.network);
        let socket = lightning_dir.join("lightning-rpc");
        ensure!(
            socket.as_os_str().len() <= SOCKET_PATH_MAX,
            "{} is too long for a socket: at most {SOCKET_PATH_MAX} bytes",
            socket.display()
        );
        std::fs::create_dir_all(&lightning_dir)
            .with_context(|| format!("can't make {}", lightning_dir.display()))?;
        let mut node_config = NodeConfig::new(config.flavour, config.spec, config.seed, config.start_unix_s);
        node_config.network = config.network.clone();
        node_config.lightning_dir = lightning_dir.display().to_string();
        node_config.block_height = config.block_height;
        node_config.extras = config.extras;
        let mut node = NodeState::new(node_config);
        if let Some(recorded) = config.recorded {
            node.replay(recorded);
        }
        let clock = SimClock::starting_at((config.start_unix_s * 1000.0) as u64, config.rate);
        let shared = Arc::new(Shared::new(node, clock, config.manual, lightning_dir, config.network));
        let listener = server::bind(&socket)?;
        let mut tasks = vec![tokio::spawn(server::serve(listener, shared.clone()))];
        if !config.manual {
            tasks.push(tokio::spawn(run(shared.clone())));
        }
        Ok(Self { shared, tasks })
    }

    /// Starts a plugin on this node, as lightningd does at its start. Attach again to restart one.
    pub async fn attach(&self, command: PluginCommand) -> Result<Plugin> {
        self.shared.attach(command, true).await
    }

    /// Looks at the node, or changes it; plugins are told of what changed.
    pub fn with_node<T>(&self, act: impl FnOnce(&mut NodeState) -> T) -> T {
        self.shared.step();
        self.shared.with_node(act)
    }

    /// Moves a recorded node on, or back, to a phase of its run, without telling plugins.
    pub fn enter_phase(&self, name: &str) -> Result<()> {
        self.with_node(|node| node.enter_phase(name))?;
        self.shared.changed();
        Ok(())
    }

    /// What the recorded node told its plugins over its whole run, in order; nothing if this node
    /// plays no recording.
    pub fn recorded_notifications(&self) -> Vec<Notification> {
        self.with_node(|node| {
            node.recorded().map(|recorded| recorded.notifications().to_vec()).unwrap_or_default()
        })
    }

    /// Tells plugins something, whether it is true of the node or not.
    pub fn notify(&self, notification: &Notification) {
        self.shared.plugins().iter().for_each(|plugin| plugin.notify(notification));
    }

    /// Sets faults for the node's socket, or counts the calls it saw.
    pub fn with_mischief<T>(&self, act: impl FnOnce(&mut Mischief) -> T) -> T {
        act(&mut self.shared.mischief())
    }

    /// The calls that came in on the socket so far.
    pub fn calls(&self) -> Vec<SeenCall> {
        self.with_mischief(|mischief| mischief.calls().to_vec())
    }

    /// The node's RPC socket.
    pub fn rpc_path(&self) -> PathBuf {
        self.shared.lightning_dir.join("lightning-rpc")
    }

    /// The network directory, as plugins get it in `init`.
    pub fn lightning_dir(&self) -> &Path {
        &self.shared.lightning_dir
    }

    /// Calls a method over the socket. The outer result is about the connection.
    pub async fn call(&self, method: &str, params: Value) -> Result<RpcResult> {
        client::call(&self.rpc_path(), method, params).await
    }

    /// The clock that plugins are given if they start now.
    pub fn clock(&self) -> SimClock {
        self.shared.clock_for_plugins()
    }

    /// Simulated unix time, seconds.
    pub fn now_unix_s(&self) -> f64 {
        self.shared.now_unix_s()
    }

    /// Stops payments; blocks and clocks go on.
    pub fn pause(&self) {
        self.shared.set_paused(true);
    }

    /// Lets payments come again, from now on: those of the pause never happen.
    pub fn resume(&self) {
        self.shared.set_paused(false);
    }

    /// In manual mode, moves time on to `unix_s` (simulated unix time, seconds).
    pub fn advance_to(&self, unix_s: f64) -> Result<()> {
        ensure!(self.shared.manual, "time moves by itself in this lab");
        self.with_node(|node| node.advance(unix_s));
        Ok(())
    }

    /// In manual mode, moves time on by `seconds` simulated seconds.
    pub fn advance_by(&self, seconds: f64) -> Result<()> {
        self.advance_to(self.now_unix_s() + seconds)
    }

    /// Waits until simulated time is `unix_s`. Does nothing in manual mode.
    pub async fn sleep_until(&self, unix_s: f64) {
        while !self.shared.manual && self.now_unix_s() < unix_s {
            let left = Duration::from_secs_f64((unix_s - self.now_unix_s()).max(0.0));
            tokio::time::sleep(self.clock().wall_duration(left).max(Duration::from_millis(1))).await;
        }
    }

    /// Stops as lightningd does: plugins that asked for it hear `shutdown` and have 30 s.
    pub async fn shutdown(mut self) -> Result<()> {
        let outcome = self.shared.stop_plugins().await;
        self.end_tasks();
        outcome
    }

    fn end_tasks(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
        // Another lab may have the directory by now; a socket left behind does no harm.
        let _ = std::fs::remove_file(self.rpc_path());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.tasks.is_empty() {
            self.end_tasks();
        }
        self.shared.forget_plugins();
    }
}

/// Moves the simulation on with the clock.
async fn run(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        shared.step();
    }
}
