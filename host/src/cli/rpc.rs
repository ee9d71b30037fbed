//! `cl-revenue-ops rpc`: a small client for machines without lightning-cli, with its rules:
//! positional parameters, or named ones with `-k` or when the first has a `=`; each is JSON
//! when it reads as JSON, and text otherwise.

use anyhow::{Context, Result, bail};
use cln_rpc::ClnRpc;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How to call what.
#[derive(clap::Args)]
pub struct Options {
    /// Path of the lightning-rpc socket.
    #[arg(long, value_name = "FILE", alias = "rpc-file", env = "LIGHTNING_RPC", hide_env_values = true)]
    socket: PathBuf,
    /// All parameters are key=value.
    #[arg(short = 'k', long)]
    keyword: bool,
    /// Seconds to wait for the answer.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// The method, e.g. revenue-status.
    method: String,
    /// Its parameters.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    params: Vec<String>,
}

/// Calls the method and prints its answer; an error of the node's is an error here.
pub async fn run(options: Options) -> Result<()> {
    let params = params(&options.params, options.keyword)?;
    let timeout = Duration::from_secs(options.timeout);
    let call = async {
        let mut rpc = connected(&options.socket).await?;
        answer(&mut rpc, &options.method, &params).await
    };
    let answer = in_time(timeout, call).await?;
    super::print(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
    Ok(())
}

async fn connected(socket: &Path) -> Result<ClnRpc> {
    ClnRpc::new(socket).await.with_context(|| format!("connecting to {}", socket.display()))
}

async fn answer(rpc: &mut ClnRpc, method: &str, params: &Value) -> Result<Value> {
    rpc.call_raw::<Value, Value>(method, params).await.map_err(|error| anyhow::anyhow!("{error}"))
}

async fn in_time<T>(timeout: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(timeout, call).await;
    answer.with_context(|| format!("no answer within {} s", timeout.as_secs()))?
}

/// A connection for tools that call one method after another.
pub struct Caller {
    runtime: Runtime,
    rpc: ClnRpc,
}

/// How long a tool waits for an answer: taking a module in includes compiling it.
const PATIENCE: Duration = Duration::from_secs(180);

impl Caller {
    /// Connects to the socket of a lightningd.
    pub fn connect(socket: &Path) -> Result<Caller> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let rpc = runtime.block_on(in_time(PATIENCE, connected(socket)))?;
        Ok(Caller { runtime, rpc })
    }

    /// Calls a method; an error of the node's is an error here.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        let call = answer(&mut self.rpc, method, params);
        self.runtime.block_on(in_time(PATIENCE, call)).context(method.to_owned())
    }
}

fn params(words: &[String], keyword: bool) -> Result<Value> {
    if !keyword && !words.first().is_some_and(|first| is_assignment(first)) {
        return Ok(words.iter().map(|word| value(word)).collect());
    }
    let mut named = Map::new();
    for word in words {
        let Some((name, text)) = word.split_once('=') else {
            bail!("'{word}': with -k every parameter is key=value")
        };
        if named.insert(name.to_owned(), value(text)).is_some() {
            bail!("'{name}' is given twice");
        }
    }
    Ok(Value::Object(named))
}

/// Whether a word is `name=...` rather than JSON that happens to have a `=` in it.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    })
}

/// Numbers, literals, arrays and objects as JSON, all else as text.
fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(
            value @ (Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Array(_)
            | Value::Object(_)
            | Value::String(_)),
        ) => value,
        Err(_) => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(words: &[&str], keyword: bool) -> Result<Value> {
        params(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), keyword)
    }

    #[test]
    fn words_are_read_as_lightning_cli_reads_them() {
        for (words, keyword, expect) in [
            (
                &["set", "02ab", "strategy=static", "fee_ppm=100"][..],
                false,
                json!(["set", "02ab", "strategy=static", "fee_ppm=100"]),
            ),
            (&["action=set", "fee_ppm=100"], false, json!({ "action": "set", "fee_ppm": 100 })),
            (&["action=set", "tags=[\"a\"]"], true, json!({ "action": "set", "tags": ["a"] })),
            (&["103x1x0", "77", "true", "null"], false, json!(["103x1x0", 77, true, null])),
            (&["batch", "[{\"peer_id\":\"02=\"}]"], false, json!(["batch", [{ "peer_id": "02=" }]])),
            (&[], false, json!([])),
        ] {
            assert_eq!(read(words, keyword).expect("readable"), expect, "{words:?}");
        }
        assert!(read(&["list"], true).is_err());
        assert!(read(&["a=1", "a=2"], true).is_err());
    }
}
