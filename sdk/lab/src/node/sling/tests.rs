//! The played sling by itself: a stage of three channels, and its helpers.
#![allow(clippy::unwrap_used)]

mod chance;
mod faults;
mod jobs;

use serde_json::{Value, json};

use super::*;
use crate::market::{ChannelSpec, DemandSpec, Direction, MarketSpec};
use crate::node::{Answer, CloseKind, Extra, Flavour, NodeConfig};
use crate::rpc::RpcError;

const START: f64 = 1_798_761_600.0;
const PATH: RouteCost = RouteCost::Fixed { base_msat: 15, ppm: 1200 };

/// Three channels of 10 M sat: empty, full and half full; every route costs 60,015 msat per 50,000
/// sat.
fn node() -> NodeState {
    let channels = vec![
        ChannelSpec::new("empty", 0).size(10_000_000, 0.1),
        ChannelSpec::new("full", 1).size(10_000_000, 0.9),
        ChannelSpec::new("half", 2).size(10_000_000, 0.5),
    ];
    let spec = MarketSpec::new(channels, Vec::<DemandSpec>::new());
    let mut node = NodeState::new(NodeConfig::new(Flavour::V26_06, spec, 7, START));
    node.sling_mut().routes.cost = PATH;
    node
}

fn scid(node: &NodeState, index: usize) -> String {
    node.channels()[index].scid.to_string()
}

/// The parameters of a once-job from the full channel into the empty one, with changes.
fn once(node: &NodeState, changes: Value) -> Value {
    let mut params = json!({
        "scid": scid(node, 0), "direction": "pull", "amount": 50_000, "maxppm": 5000,
        "onceamount": 100_000, "candidates": [scid(node, 1)], "depleteuptopercent": 0.1,
        "depleteuptoamount": 100_000, "paralleljobs": 1,
    });
    merge(&mut params, changes);
    params
}

fn job(node: &NodeState, changes: Value) -> Value {
    let mut params = json!({
        "scid": scid(node, 0), "direction": "pull", "amount": 500_000, "maxppm": 5000, "target": 0.3,
        "candidates": [scid(node, 1)],
    });
    merge(&mut params, changes);
    params
}

fn merge(params: &mut Value, changes: Value) {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(params.as_object_mut().unwrap().remove(name)),
            value => params[name] = value.clone(),
        }
    }
}

fn ok(node: &mut NodeState, method: &str, params: Value) -> Value {
    node.call_now(method, &params).unwrap_or_else(|error| panic!("{method} {params}: {error}"))
}

fn refused(node: &mut NodeState, method: &str, params: Value) -> String {
    let error = node.call_now(method, &params).unwrap_err();
    assert_eq!((error.code, &error.data), (-32700, &Some(Value::Null)), "{method} {params}: {error}");
    error.message
}

fn pass(node: &mut NodeState, seconds: f64) {
    node.advance(node.now_unix_s() + seconds);
}

fn state(node: &NodeState) -> (TaskState, bool) {
    let tasks = node.sling().tasks();
    let task = tasks.first().expect("a task is there");
    (task.state, task.active)
}

fn sendpays(node: &mut NodeState, status: &str) -> Vec<Value> {
    ok(node, "listsendpays", json!({"status": status}))["payments"].as_array().unwrap().clone()
}

/// sling's account, lightningd's list and the balances tell the same.
fn reconcile(node: &mut NodeState, before: &[u64]) {
    let complete = sendpays(node, "complete");
    let fee = |row: &Value| row["amount_sent_msat"].as_u64().unwrap() - row["amount_msat"].as_u64().unwrap();
    assert_eq!(complete.iter().map(fee).sum::<u64>(), node.sling().spent_msat());
    let now: u64 = (0..before.len()).map(|index| node.balance_msat(index)).sum();
    assert_eq!(before.iter().sum::<u64>() - now, node.sling().spent_msat());
    let pending = sendpays(node, "pending");
    assert_eq!(pending.len(), node.sling().in_flight().count());
}

fn balances(node: &NodeState) -> Vec<u64> {
    (0..node.channels().len()).map(|index| node.balance_msat(index)).collect()
}
