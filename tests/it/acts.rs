//! What operators and other users of the node do, one call each.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Has all fees looked at, and returns the cycle that did it.
pub async fn cycle(stage: &Stage) -> Value {
    stage.fee_cycle().await["last_fee_cycle"].clone()
}

/// `revenue-policy set` for a channel's peer, as words of a command line.
pub async fn set_policy(stage: &Stage, channel: usize, words: &[&str]) -> Value {
    let mut params = vec!["set".to_owned(), stage.peer(channel)];
    params.extend(words.iter().map(|word| (*word).to_owned()));
    let answer = stage.call("revenue-policy", json!(params)).await;
    assert_eq!(answer["status"], "success", "{words:?}: {answer}");
    answer
}

/// What `revenue-fee-debug` says of one channel.
pub async fn fee_debug(stage: &Stage, channel: usize) -> Value {
    let answer = stage.call("revenue-fee-debug", json!([stage.scid(channel)])).await;
    let [row] = answer["channels"].as_array().expect("rows").as_slice() else { panic!("one row: {answer}") };
    row.clone()
}

/// What the last decided proposal for a channel came to.
pub async fn last_decision(stage: &Stage, channel: usize) -> Value {
    // The node has a fee before the cycle's record is written.
    stage.until_fees_rest().await;
    fee_debug(stage, channel).await["last_decision"].clone()
}

pub fn channel_id(stage: &Stage, channel: usize) -> String {
    stage.lab.with_node(|node| node.channels()[channel].channel_id.clone())
}

/// Another user of the node sets a fee, ppm.
pub fn meddle(stage: &Stage, channel: usize, ppm: u32) {
    stage.lab.with_node(|node| node.set_fee_ppm(channel, ppm));
}

/// Parameters of the `setchannel` calls for a channel, by any of its names.
pub fn writes_to(stage: &Stage, channel: usize) -> Vec<Value> {
    let names = stage.lab.with_node(|node| {
        let channel = &node.channels()[channel];
        [
            channel.scid.to_string(),
            channel.local_alias.to_string(),
            channel.channel_id.clone(),
            channel.peer_id.clone(),
        ]
    });
    let calls = stage.lab.calls().into_iter().filter(|call| call.method == "setchannel");
    let params = calls.map(|call| call.params);
    params.filter(|params| names.iter().any(|name| params["id"] == name.as_str())).collect()
}

/// Puts a module in place, at once, as a careful operator does.
pub fn install(stage: &Stage, name: &str, wasm: &[u8]) {
    let dir = stage.lab.lightning_dir().join("revenue-ops/strategies");
    let fresh = dir.join(format!(".{name}.new"));
    std::fs::write(&fresh, wasm).unwrap();
    std::fs::rename(fresh, dir.join(format!("{name}.wasm"))).unwrap();
}

/// Makes the plugin's database refuse what this trigger is on, such as `INSERT ON fee_cycles`, until
/// [`take_writes`].
pub fn refuse_writes(stage: &Stage, on: &str) {
    let refusal = "BEGIN SELECT RAISE(ABORT, 'out of ink'); END";
    change_database(stage, &format!("CREATE TRIGGER out_of_ink BEFORE {on} {refusal}"));
}

/// Lets the plugin's database take everything again.
pub fn take_writes(stage: &Stage) {
    change_database(stage, "DROP TRIGGER out_of_ink");
}

fn change_database(stage: &Stage, sql: &str) {
    let conn = rusqlite::Connection::open(stage.db_path()).unwrap();
    conn.busy_timeout(DEADLINE).unwrap();
    conn.execute_batch(sql).unwrap();
}

/// A file under `tests/fixtures`.
pub fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A module's digest as answers show it.
pub fn digest(wasm: &[u8]) -> String {
    Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect()
}
