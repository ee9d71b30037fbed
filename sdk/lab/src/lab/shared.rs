//! What the socket, the clock's task and the handle share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::Value;
use tokio::sync::watch;

use crate::clock::{CLOCK_ENV, SimClock};
use crate::mischief::Mischief;
use crate::node::{Answer, Flavour, NodeState};
use crate::plugin::{Handshake, Plugin, PluginCommand};
use crate::rpc::{RpcError, RpcResult};

/// See the module's text. Locks are held briefly and never across an await.
pub(crate) struct Shared {
    pub lightning_dir: PathBuf,
    pub manual: bool,
    pub flavour: Flavour,
    network: String,
    clock: SimClock,
    node: Mutex<NodeState>,
    mischief: Mutex<Mischief>,
    plugins: Mutex<Vec<Plugin>>,
    paused: AtomicBool,
    /// Counts changes of the node, for `wait`.
    changes: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new(
        node: NodeState,
        clock: SimClock,
        manual: bool,
        lightning_dir: PathBuf,
        network: String,
    ) -> Self {
        Self {
            lightning_dir,
            manual,
            flavour: node.flavour,
            network,
            clock,
            node: Mutex::new(node),
            mischief: Mutex::default(),
            plugins: Mutex::default(),
            paused: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        }
    }

    pub fn mischief(&self) -> MutexGuard<'_, Mischief> {
        lock(&self.mischief)
    }

    /// Acts on the node and tells plugins what happened, in the order it happened.
    pub fn with_node<T>(&self, act: impl FnOnce(&mut NodeState) -> T) -> T {
        let mut node = lock(&self.node);
        let result = act(&mut node);
        let news = node.take_notifications();
        if node.take_fresh_answers() || !news.is_empty() {
            let plugins = self.plugins();
            news.iter().for_each(|news| plugins.iter().for_each(|plugin| plugin.notify(news)));
            self.changed();
        }
        result
    }

    /// Has those who wait look at the node again.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The plugins that run, those that ended left out.
    pub fn plugins(&self) -> Vec<Plugin> {
        let mut plugins = lock(&self.plugins);
        plugins.retain(|plugin| plugin.exit_status().is_none());
        plugins.clone()
    }

    pub fn forget_plugins(&self) {
        lock(&self.plugins).clear();
    }

    pub fn now_unix_s(&self) -> f64 {
        match self.manual {
            true => lock(&self.node).now_unix_s(),
            false => self.clock.now_unix_s(),
        }
    }

    pub fn clock_for_plugins(&self) -> SimClock {
        match self.manual {
            true => SimClock::starting_at((self.now_unix_s() * 1000.0) as u64, self.clock.rate),
            false => self.clock,
        }
    }

    pub fn set_paused(&self, paused: bool) {
        self.step();
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Moves the simulation up to the clock.
    pub fn step(&self) {
        if self.manual {
            return;
        }
        let now = self.clock.now_unix_s();
        match self.paused.load(Ordering::Relaxed) {
            true => self.with_node(|node| node.skip(now)),
            false => self.with_node(|node| node.advance(now)),
        }
    }

    pub async fn attach(&self, mut command: PluginCommand, startup: bool) -> Result<Plugin> {
        let clock = self.clock_for_plugins().to_env();
        command.env.retain(|(name, _)| name != CLOCK_ENV);
        command.env.push((CLOCK_ENV.to_owned(), clock));
        let handshake = Handshake {
            flavour: self.flavour,
            lightning_dir: self.lightning_dir.display().to_string(),
            network: self.network.clone(),
            startup,
        };
        let plugin = handshake.start(command).await?;
        lock(&self.plugins).push(plugin.clone());
        self.announce(&plugin, "plugin_started");
        Ok(plugin)
    }

    /// Tells plugins of another that came or went; since v25.02.
    pub fn announce(&self, plugin: &Plugin, topic: &'static str) {
        if !self.flavour.has(2502) {
            return;
        }
        let methods = plugin.manifest()["rpcmethods"].as_array().cloned().unwrap_or_default();
        let methods: Vec<Value> = methods.iter().map(|method| method["name"].clone()).collect();
        let body = serde_json::json!({
            "plugin_name": plugin.name(), "plugin_path": plugin.path(), "methods": methods,
        });
        let news = crate::node::Notification { topic, params: serde_json::json!({topic: body}) };
        self.plugins().iter().for_each(|other| other.notify(&news));
    }

    pub async fn stop_plugins(&self) -> Result<()> {
        let stops = self.plugins().into_iter().map(|plugin| tokio::spawn(async move { plugin.stop().await }));
        for stop in stops.collect::<Vec<_>>() {
            stop.await??;
        }
        self.forget_plugins();
        Ok(())
    }

    /// Answers a method of the lab, the node or a plugin.
    pub async fn handle(&self, method: &str, params: Value) -> RpcResult {
        if let Some(answer) = self.own_command(method, &params).await {
            return answer;
        }
        self.step();
        let mut changes = self.changes.subscribe();
        let ticket = self.with_node(NodeState::ticket);
        loop {
            changes.mark_unchanged();
            match self.with_node(|node| node.call_again(ticket, method, &params)) {
                Answer::Now(result) => return self.completed(method, &params, result),
                Answer::NotMine => break,
                Answer::NotYet => {
                    if changes.changed().await.is_err() {
                        return Err(RpcError::new(-1, "the node is stopping"));
                    }
                }
            }
        }
        let plugin = self.plugins().into_iter().find(|plugin| plugin.offers(method));
        match plugin {
            Some(plugin) => plugin.call(method, params).await,
            None => Err(RpcError::unknown(method)),
        }
    }
}
