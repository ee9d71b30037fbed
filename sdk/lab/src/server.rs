//! The node's unix socket: JSON-RPC as lightningd speaks it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};

use crate::lab::Shared;
use crate::mischief::{Fault, distort};
use crate::rpc::{RpcError, RpcResult};
use crate::wire::{JsonReader, message};

/// Binds the socket, in place of any old one.
pub(crate) fn bind(socket: &Path) -> Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("can't replace {}", socket.display()));
        }
        _ => {}
    }
    UnixListener::bind(socket).with_context(|| format!("can't listen on {}", socket.display()))
}

/// Takes connections until the task is aborted.
pub(crate) async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    // Dropping the set with this task ends all connections.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, shared.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers one connection's requests, one after another, until it closes.
async fn converse(stream: UnixStream, shared: Arc<Shared>) {
    let (reading, mut writing) = stream.into_split();
    let mut reader = JsonReader::new(reading);
    let mut last_id = json!("nobody's");
    // Broken input ends the connection, as in lightningd.
    while let Ok(Some(mut request)) = reader.next().await {
        let id = request["id"].take();
        let params = request["params"].take();
        let method = request["method"].as_str().unwrap_or_default();
        let shown_id = std::mem::replace(&mut last_id, id.clone());
        if !respond(&shared, &mut writing, method, params, id, shown_id).await {
            return;
        }
    }
}

/// Answers one request, with the fault that is due; false to close the connection.
async fn respond(
    shared: &Arc<Shared>,
    writing: &mut OwnedWriteHalf,
    method: &str,
    params: Value,
    id: Value,
    previous_id: Value,
) -> bool {
    let now = shared.now_unix_s();
    let fault = {
        let mut mischief = shared.mischief();
        let fault = mischief.take(method);
        if !matches!(fault, Some(Fault::LateAnswer(_))) {
            mischief.note(method, &params, now);
        }
        fault
    };
    let (result, id) = match fault {
        None => (shared.handle(method, params).await, id),
        Some(Fault::Drop) => return false,
        Some(Fault::Dead) => std::future::pending().await,
        Some(Fault::Late(wait)) => {
            tokio::time::sleep(wait).await;
            (shared.handle(method, params).await, id)
        }
        Some(Fault::LateAnswer(wait)) => {
            let result = shared.handle(method, params.clone()).await;
            shared.mischief().note(method, &params, now);
            tokio::time::sleep(wait).await;
            (result, id)
        }
        Some(Fault::Error { code, message }) => (Err(RpcError::new(code, message)), id),
        Some(Fault::Stale) => {
            let old = shared.mischief().last(method);
            (if let Some(old) = old { Ok(old) } else { shared.handle(method, params).await }, id)
        }
        Some(Fault::WrongId) => (shared.handle(method, params).await, previous_id),
        Some(Fault::ApplyThenDrop) => {
            // Whatever came of it, nobody is told.
            drop(shared.handle(method, params).await);
            return false;
        }
        Some(fault) => {
            let mut result = shared.handle(method, params).await;
            if let Ok(result) = &mut result {
                distort(&fault, method, result);
            }
            (result, id)
        }
    };
    let bytes = answer(shared, method, id, result);
    writing.write_all(&bytes).await.is_ok()
}

fn answer(shared: &Arc<Shared>, method: &str, id: Value, result: RpcResult) -> Vec<u8> {
    match result {
        Ok(result) => {
            shared.mischief().remember(method, &result);
            message(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
        }
        Err(error) => message(&json!({"jsonrpc": "2.0", "id": id, "error": error.to_json()})),
    }
}
