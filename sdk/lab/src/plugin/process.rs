//! The process behind a plugin: its pipes, its answers, its end.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Weak};

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use super::{Inner, LogLine, Outgoing, Plugin, PluginCommand, lock};
use crate::node::Flavour;
use crate::rpc;
use crate::wire::JsonReader;

/// Starts the process and the tasks that read, write and watch it.
pub(super) fn spawn(command: PluginCommand, flavour: Flavour) -> Result<Plugin> {
    let mut child = Command::new(&command.program)
        .args(&command.args)
        .env("LIGHTNINGD_PLUGIN", "1")
        .env("LIGHTNINGD_VERSION", flavour.version())
        .envs(command.env.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("can't start {}", command.program.display()))?;
    let pid = child.id().context("the process ended at once")?;
    let (outgoing, to_write) = mpsc::unbounded_channel();
    let (kill, kills) = mpsc::unbounded_channel();
    let (ended, exit) = watch::channel(None);
    let stdin = child.stdin.take().context("stdin is piped")?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let stderr = child.stderr.take().context("stderr is piped")?;
    let inner = Arc::new(Inner {
        command,
        flavour,
        pid,
        outgoing,
        pending: Mutex::new(HashMap::new()),
        logs: Mutex::new(Vec::new()),
        next_id: AtomicU64::new(1),
        kill,
        exit,
        manifest: Mutex::new(Value::Null),
        values: Mutex::new(Map::new()),
    });
    tokio::spawn(write(stdin, to_write));
    let reading = tokio::spawn(read(stdout, Arc::downgrade(&inner)));
    tokio::spawn(read_stderr(stderr, Arc::downgrade(&inner)));
    let weak = Arc::downgrade(&inner);
    tokio::spawn(async move {
        let status = watch_over(child, kills).await;
        // What it wrote before its end still counts.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), reading).await;
        let _ = ended.send(status);
        if let Some(inner) = weak.upgrade() {
            lock(&inner.pending).clear();
        }
    });
    Ok(Plugin(inner))
}

/// Waits for the end; kills when asked, and when nobody holds the plugin any more.
async fn watch_over(
    mut child: Child,
    mut kills: mpsc::UnboundedReceiver<()>,
) -> Option<std::process::ExitStatus> {
    tokio::select! {
        status = child.wait() => status.ok(),
        _ = kills.recv() => {
            // An error means that it has ended already.
            let _ = child.start_kill();
            child.wait().await.ok()
        }
    }
}

async fn write(mut stdin: ChildStdin, mut messages: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some(Outgoing::Bytes(bytes)) = messages.recv().await {
        // A broken pipe is the plugin's end, which its watcher reports.
        if stdin.write_all(&bytes).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read(stdout: ChildStdout, inner: Weak<Inner>) {
    let mut reader = JsonReader::new(stdout);
    loop {
        let next = reader.next().await;
        let Some(inner) = inner.upgrade() else { return };
        match next {
            Ok(Some(message)) => take(&inner, message),
            Ok(None) => return,
            Err(error) => {
                // lightningd kills a plugin that writes anything but JSON to stdout.
                log(&inner, "broken", format!("bad output on stdout: {error:#}"));
                let _ = inner.kill.send(());
                return;
            }
        }
    }
}

/// Hands an answer to its caller, or keeps a logged line; other notifications mean nothing here.
fn take(inner: &Inner, message: Value) {
    if message.get("method").is_some() {
        if message["method"] == "log" {
            let text = |field: &str| message["params"][field].as_str().unwrap_or_default().to_owned();
            log(inner, &text("level"), text("message"));
        }
        return;
    }
    let waiting = lock(&inner.pending).remove(&message["id"].to_string());
    match waiting {
        // The caller may have given up.
        Some(waiting) => drop(waiting.send(rpc::outcome(message))),
        None => log(inner, "broken", format!("answer to no request: {message}")),
    }
}

fn log(inner: &Inner, level: &str, message: String) {
    lock(&inner.logs).push(LogLine { level: level.to_owned(), message });
}

async fn read_stderr(stderr: ChildStderr, inner: Weak<Inner>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(inner) = inner.upgrade() else { return };
        log(&inner, "stderr", line);
    }
}
