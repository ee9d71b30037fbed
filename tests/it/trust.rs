//! Signed modules in chunks, and whose signatures let them in.

#![allow(clippy::unwrap_used)]

mod files;
mod pushes;
mod refusals;
mod signers;

use crate::acts::digest;
use crate::support::{Setup, Stage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cl_revenue_ops::engine::built_in_component;
use lab::Flavour;
use lab::keys::NodeKey;
use serde_json::{Value, json};

const METHOD: &str = "revenue-strategy";
const DAY: u64 = 86_400;
/// What the built-in components call their version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The author number `n`.
fn author(n: u64) -> NodeKey {
    NodeKey::of_seed(n)
}

/// A component that needs no building.
fn component(name: &str) -> &'static [u8] {
    built_in_component(name).unwrap()
}

/// A node that trusts these authors by its configuration.
fn trusting(authors: &[u64]) -> Setup {
    let keys: Vec<String> = authors.iter().map(|n| author(*n).id()).collect();
    Stage::on(Flavour::V26_06).channels(1).option("strategy-signers", keys.join(","))
}

/// What an author says of a module.
#[derive(Clone)]
struct Claim {
    network: String,
    name: String,
    version: String,
    abi: String,
    digest: String,
    size: usize,
    not_after: u64,
}

impl Claim {
    /// The truth about `wasm`, for the next day on `stage`.
    fn of(stage: &Stage, name: &str, version: &str, wasm: &[u8]) -> Claim {
        let now = stage.lab.with_node(|node| node.now_unix_s()) as u64;
        Claim {
            network: "regtest".to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            abi: "revenue-ops:strategy/fee@1.0.0".to_owned(),
            digest: digest(wasm),
            size: wasm.len(),
            not_after: now + DAY,
        }
    }

    fn text(&self) -> String {
        let Claim { network, name, version, abi, digest, size, not_after } = self;
        format!(
            "cl-revenue-ops strategy 1; network {network}; name {name}; version {version}; abi {abi}; \
             sha256 {digest}; size {size}; not-after {not_after}"
        )
    }

    /// The parameters of `push begin`, signed by these authors.
    fn signed_by(&self, authors: &[u64]) -> Value {
        begin(&self.text(), authors)
    }
}

fn begin(manifest: &str, authors: &[u64]) -> Value {
    let signature =
        |n: &u64| json!({ "signer": author(*n).id(), "signature": author(*n).sign(manifest).zbase });
    let signatures: Vec<Value> = authors.iter().map(signature).collect();
    json!({ "action": "push", "subcommand": "begin", "manifest": manifest, "signatures": signatures })
}

fn chunk(upload: &Value, seq: usize, bytes: &[u8]) -> Value {
    json!(["push", "chunk", upload, seq, STANDARD.encode(bytes)])
}

/// Sends chunks from number `from` on, 32 KiB each.
async fn send(stage: &Stage, upload: &Value, wasm: &[u8], from: usize) {
    for (seq, bytes) in wasm.chunks(32 << 10).enumerate().skip(from) {
        let answer = stage.success(METHOD, chunk(upload, seq, bytes)).await;
        assert_eq!(answer["next_seq"], seq + 1, "{answer}");
    }
}

async fn commit(stage: &Stage, upload: &Value) -> Value {
    stage.call(METHOD, json!(["push", "commit", upload])).await
}

/// Pushes a module from beginning to end; the commit's answer.
async fn push(stage: &Stage, claim: &Claim, wasm: &[u8], authors: &[u64]) -> Value {
    let begun = stage.success(METHOD, claim.signed_by(authors)).await;
    send(stage, &begun["upload"], wasm, 0).await;
    commit(stage, &begun["upload"]).await
}

/// An error's word and sentence.
async fn error(stage: &Stage, params: Value) -> (String, String) {
    let answer = stage.call(METHOD, params).await;
    assert_eq!(answer["status"], "error", "{answer}");
    (answer["code"].as_str().unwrap_or_default().to_owned(), answer["error"].as_str().unwrap().to_owned())
}
