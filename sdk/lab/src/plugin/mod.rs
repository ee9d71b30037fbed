//! A plugin's process, spoken to exactly as lightningd does.

mod handshake;
mod options;
mod process;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use handshake::Handshake;

use crate::node::{Flavour, Notification};
use crate::rpc::{RpcError, RpcResult};
use crate::wire;

/// How long lightningd lets a plugin that subscribed to `shutdown` take to end.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// What to start, and with which options.
#[derive(Debug, Clone, Default)]
pub struct PluginCommand {
    /// The plugin's executable.
    pub program: PathBuf,
    /// Arguments; lightningd gives none.
    pub args: Vec<String>,
    /// Environment on top of the lab's own.
    pub env: Vec<(String, String)>,
    /// Options as the operator sets them; numbers and booleans may be text.
    pub options: Map<String, Value>,
}

impl PluginCommand {
    /// A plugin without arguments or options.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ..Self::default() }
    }

    /// Sets an option.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

/// A line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `unusual`, `broken`, or `stderr` for what it printed there.
    pub level: String,
    /// The text.
    pub message: String,
}

/// How a stop went.
#[derive(Debug, Clone, Copy)]
pub struct Stopped {
    /// It ended by itself, rather than being killed.
    pub by_itself: bool,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub status: ExitStatus,
}

enum Outgoing {
    Bytes(Vec<u8>),
    Close,
}

struct Inner {
    command: PluginCommand,
    flavour: Flavour,
    pid: u32,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    pending: Mutex<HashMap<String, oneshot::Sender<RpcResult>>>,
    logs: Mutex<Vec<LogLine>>,
    next_id: AtomicU64,
    kill: mpsc::UnboundedSender<()>,
    exit: watch::Receiver<Option<ExitStatus>>,
    manifest: Mutex<Value>,
    values: Mutex<Map<String, Value>>,
}

/// A running plugin. Clones are the same plugin; when the last is gone the process is killed.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Plugin {
    /// Calls one of its methods, as lightningd passes a call on.
    pub async fn call(&self, method: &str, params: Value) -> RpcResult {
        let (sender, receiver) = oneshot::channel();
        let n = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let id = match self.0.flavour.has(2308) {
            true => json!(format!("cli:{method}#{n}/cln:{method}#{n}")),
            false => json!(n),
        };
        lock(&self.0.pending).insert(id.to_string(), sender);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        if self.exit_status().is_some() {
            lock(&self.0.pending).remove(&id.to_string());
        }
        receiver.await.unwrap_or_else(|_| Err(RpcError::terminated()))
    }

    /// Sends a notification, if the plugin subscribed to its topic.
    pub fn notify(&self, notification: &Notification) {
        if self.subscribes(notification.topic) {
            let Notification { topic, params } = notification;
            self.send(&json!({"jsonrpc": "2.0", "method": topic, "params": params}));
        }
    }

    fn send(&self, message: &Value) {
        // A plugin that has ended reads no more; its callers learn of it from its exit.
        let _ = self.0.outgoing.send(Outgoing::Bytes(wire::message(message)));
    }

    /// Its answer to `getmanifest`.
    pub fn manifest(&self) -> Value {
        lock(&self.0.manifest).clone()
    }

    /// True if it wants to hear of a topic.
    pub fn subscribes(&self, topic: &str) -> bool {
        let manifest = lock(&self.0.manifest);
        let topics = manifest["subscriptions"].as_array().map(Vec::as_slice).unwrap_or_default();
        topics.iter().any(|wanted| wanted == topic || (wanted == "*" && self.0.flavour.has(2308)))
    }

    /// True if it offers a method.
    pub fn offers(&self, method: &str) -> bool {
        lock(&self.0.manifest)["rpcmethods"]
            .as_array()
            .is_some_and(|methods| methods.iter().any(|offered| offered["name"] == method))
    }

    /// Everything it logged so far, in order, its stderr included.
    pub fn logs(&self) -> Vec<LogLine> {
        lock(&self.0.logs).clone()
    }

    /// Waits until a logged line contains `text`; false after `limit`.
    pub async fn wait_for_log(&self, text: &str, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            if lock(&self.0.logs).iter().any(|line| line.message.contains(text)) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// What was started.
    pub fn command(&self) -> &PluginCommand {
        &self.0.command
    }

    /// The file name of its program.
    pub fn name(&self) -> String {
        self.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The path of its program.
    pub fn path(&self) -> &Path {
        &self.0.command.program
    }

    /// Memory in RAM now, KiB; none after its end.
    pub fn rss_kib(&self) -> Option<u64> {
        self.proc_status("VmRSS:")
    }

    /// The most memory it ever had in RAM, KiB; none after its end.
    pub fn peak_rss_kib(&self) -> Option<u64> {
        self.proc_status("VmHWM:")
    }

    fn proc_status(&self, field: &str) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.pid)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// How it ended; none while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.0.exit.borrow()
    }

    /// Waits for its end.
    pub async fn wait_exit(&self) -> Result<ExitStatus> {
        let mut exit = self.0.exit.clone();
        let status = *exit.wait_for(Option::is_some).await.context("nobody watches the process")?;
        status.context("the process has ended")
    }

    /// Kills it as `kill -9` does and waits for its end.
    pub async fn kill(&self) -> Result<ExitStatus> {
        let _ = self.0.kill.send(());
        self.wait_exit().await
    }

    /// Stops it as `plugin stop` does: a subscriber of `shutdown` is told and has 30 s, everybody
    /// else is killed.
    pub async fn stop(&self) -> Result<Stopped> {
        let began = Instant::now();
        let mut by_itself = self.exit_status().is_some();
        if !by_itself && self.subscribes("shutdown") {
            self.send(&json!({"jsonrpc": "2.0", "method": "shutdown", "params": {}}));
            by_itself = tokio::time::timeout(SHUTDOWN_GRACE, self.wait_exit()).await.is_ok();
        }
        // Its pipe stays open until it is dead: at the end of its input a plugin might end by itself.
        let status = self.kill().await?;
        let _ = self.0.outgoing.send(Outgoing::Close);
        Ok(Stopped { by_itself, took: began.elapsed(), status })
    }

    /// Changes a dynamic option as lightningd's `setconfig` does.
    pub async fn set_config(&self, name: &str, value: Option<&Value>) -> RpcResult {
        let option = self
            .option_spec(name)
            .ok_or_else(|| RpcError::invalid(format!("Unknown config option {name}")))?;
        if option["dynamic"] != true {
            return Err(RpcError::invalid(format!("{name} is not changeable at runtime")));
        }
        let typed = value.map(|value| options::typed(&option, value)).transpose();
        let typed = typed.map_err(|problem| RpcError::invalid(format!("{name}: {problem}")))?;
        let mut params = json!({"config": name});
        if let Some(value) = value {
            params["val"] = json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        self.call("setconfig", params).await?;
        let value = typed.unwrap_or(Value::Bool(true));
        lock(&self.0.values).insert(name.to_owned(), value.clone());
        let mut config = crate::node::config_entry(name, value, "setconfig");
        config["config"] = json!(name);
        config["plugin"] = json!(self.path());
        config["dynamic"] = json!(true);
        Ok(json!({"config": config}))
    }

    /// An option as the manifest declares it.
    pub(crate) fn option_spec(&self, name: &str) -> Option<Value> {
        let manifest = lock(&self.0.manifest);
        manifest["options"].as_array()?.iter().find(|option| option["name"] == name).cloned()
    }

    /// The values of its options as given at `init` or changed since.
    pub fn option_values(&self) -> Map<String, Value> {
        lock(&self.0.values).clone()
    }
}
