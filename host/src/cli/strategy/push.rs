//! `strategy push`: a signed module to a node, in chunks.

use super::Verdict;
use super::bench::Source;
use super::node::NodeOptions;
use super::sigfile::SignatureFile;
use crate::cli::print;
use crate::cli::rpc::Caller;
use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to push, where to.
#[derive(clap::Args)]
pub struct Options {
    /// The `.wasm` file.
    file: PathBuf,
    /// Its signatures; FILE.sig.json if nothing is said.
    #[arg(long, value_name = "FILE")]
    sig: Option<PathBuf>,
    #[command(flatten)]
    node: NodeOptions,
}

/// Bytes of a chunk, unless the node takes smaller ones only.
const CHUNK_BYTES: u64 = 32 << 10;

/// Begins an upload, or goes on with one that broke off, and prints the node's last answer.
pub(super) fn push(options: &Options) -> Result<Verdict> {
    let source = Source::open(&options.file)?;
    let place = SignatureFile::place(&options.file, options.sig.as_deref());
    let file = SignatureFile::read(&place)?;
    file.ensure_for(&source, &place)?;
    let mut node = options.node.connect(Some(&file.manifest.network))?;
    let signature = |one: &crate::model::manifest::Signature| json!({ "signer": one.signer.to_string(), "signature": one.zbase });
    let signatures: Vec<Value> = file.signatures.iter().map(signature).collect();
    let begun =
        step(&mut node, "begin", json!({ "manifest": file.manifest.to_string(), "signatures": signatures }))?;
    let last = match begun["state"].as_str() {
        Some("open") => send(&mut node, &begun, &source.wasm)?,
        _ => begun,
    };
    print(&format!("{}\n", serde_json::to_string_pretty(&last)?))?;
    Ok(Verdict::Good)
}

/// Sends what the node does not have, and commits.
fn send(node: &mut Caller, begun: &Value, wasm: &[u8]) -> Result<Value> {
    let upload = &begun["upload"];
    let most = begun["max_chunk_bytes"].as_u64().unwrap_or(CHUNK_BYTES).clamp(1, CHUNK_BYTES) as usize;
    let (mut sent, mut seq) = position(begun)?;
    let style = ProgressStyle::with_template("{bytes}/{total_bytes} {wide_bar}")?;
    let bar = ProgressBar::new(wasm.len() as u64).with_style(style);
    while sent < wasm.len() {
        bar.set_position(sent as u64);
        let bytes = &wasm[sent..wasm.len().min(sent + most)];
        let chunk = json!({ "upload": upload, "seq": seq, "data": STANDARD.encode(bytes) });
        (sent, seq) = position(&step(node, "chunk", chunk)?)?;
    }
    bar.finish_and_clear();
    step(node, "commit", json!({ "upload": upload }))
}

/// How many bytes the node has, and the number of the next chunk.
fn position(answer: &Value) -> Result<(usize, u64)> {
    let number =
        |field: &str| answer[field].as_u64().with_context(|| format!("the node's answer has no {field}"));
    Ok((usize::try_from(number("bytes")?)?, number("next_seq")?))
}

/// One step; an error of the plugin's is an error here.
fn step(node: &mut Caller, subcommand: &str, mut params: Value) -> Result<Value> {
    params["action"] = json!("push");
    params["subcommand"] = json!(subcommand);
    let answer = node.call("revenue-strategy", &params)?;
    match answer["error"].as_str() {
        Some(why) => Err(anyhow!("{why}")),
        None => Ok(answer),
    }
}
