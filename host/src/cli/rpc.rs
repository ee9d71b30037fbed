//! `cl-revenue-ops rpc`: a small client for machines without lightning-cli, with its rules:
//! positional parameters, or named ones with `-k` or when the first has a `=`; each is JSON
//! when it reads as JSON, and text otherwise.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// How to call what.
#[derive(clap::Args)]
pub struct Options {
    /// Path of the lightning-rpc socket.
    #[arg(long, env = "LIGHTNING_RPC")]
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
        let mut rpc = cln_rpc::ClnRpc::new(&options.socket)
            .await
            .with_context(|| format!("connecting to {}", options.socket.display()))?;
        rpc.call_raw::<Value, Value>(&options.method, &params)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))
    };
    let answer = tokio::time::timeout(timeout, call)
        .await
        .with_context(|| format!("no answer within {} s", options.timeout))??;
    super::print(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
    Ok(())
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
