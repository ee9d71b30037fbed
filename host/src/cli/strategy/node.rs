//! Which node a tool calls.

use crate::cli::rpc::Caller;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where the node's socket is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NodeOptions {
    /// Path of the lightning-rpc socket.
    #[arg(long, value_name = "FILE", env = "LIGHTNING_RPC", hide_env_values = true)]
    rpc_file: Option<PathBuf>,
    /// lightningd's directory; its network's part has the socket. It counts, and not --rpc-file, where both
    /// are given; without either it is ~/.lightning.
    #[arg(long, value_name = "DIR")]
    lightning_dir: Option<PathBuf>,
}

/// Who a node is.
pub(super) struct NodeFacts {
    pub id: String,
    pub network: String,
}

impl NodeOptions {
    /// Calls the node; that of `network`, where the socket's path is not given.
    pub(super) fn connect(&self, network: Option<&str>) -> Result<Caller> {
        let socket = self.socket(network)?;
        Caller::connect(&socket)
            .context("no node answers there: name its socket by --rpc-file or --lightning-dir")
    }

    fn socket(&self, network: Option<&str>) -> Result<PathBuf> {
        if let (None, Some(path)) = (&self.lightning_dir, &self.rpc_file) {
            return Ok(path.clone());
        }
        let home = || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let dir = match &self.lightning_dir {
            Some(dir) => dir.clone(),
            None => home().context("HOME is not set: use --rpc-file or --lightning-dir")?.join(".lightning"),
        };
        Ok(dir.join(network.unwrap_or("bitcoin")).join("lightning-rpc"))
    }
}

/// Asks a node who it is.
pub(super) fn identity(node: &mut Caller) -> Result<NodeFacts> {
    let info = node.call("getinfo", &json!({}))?;
    let text = |field: &str| {
        info[field].as_str().map(str::to_owned).with_context(|| format!("getinfo has no {field}"))
    };
    Ok(NodeFacts { id: text("id")?, network: text("network")? })
}

/// Has a node sign a text.
pub(super) fn sign(node: &mut Caller, text: &str) -> Result<String> {
    let signed: Value = node.call("signmessage", &json!({ "message": text }))?;
    Ok(signed["zbase"].as_str().context("signmessage answered no zbase")?.to_owned())
}
