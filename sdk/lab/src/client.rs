//! A small JSON-RPC client for lightningd's socket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::rpc::{self, RpcResult};
use crate::wire::{self, JsonReader};

/// How long [`call`] waits for an answer.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Calls a method on a socket. The outer result is about the connection, the inner one is the answer.
pub async fn call(socket: &Path, method: &str, params: Value) -> Result<RpcResult> {
    call_within(socket, method, params, TIMEOUT).await
}

/// [`call`] with a limit of one's own on the whole exchange.
pub async fn call_within(socket: &Path, method: &str, params: Value, limit: Duration) -> Result<RpcResult> {
    let exchange = async {
        let mut stream =
            UnixStream::connect(socket).await.with_context(|| format!("can't reach {}", socket.display()))?;
        let request = json!({"jsonrpc": "2.0", "id": "lab#1", "method": method, "params": params});
        stream.write_all(&wire::message(&request)).await.context("can't send the request")?;
        let answer =
            JsonReader::new(stream).next().await?.context("the connection closed without an answer")?;
        anyhow::ensure!(answer["id"] == "lab#1", "the answer is for another request: {}", answer["id"]);
        Ok(rpc::outcome(answer))
    };
    tokio::time::timeout(limit, exchange)
        .await
        .with_context(|| format!("no answer to {method} in {limit:?}"))?
}
