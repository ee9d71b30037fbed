//! A node with a few channels on which time runs, and what tests ask of it.

use crate::support::{DEADLINE, Setup, Stage, wait_until};
use lab::Flavour;
use lab::MarketSpec;
use lab::market::{ChannelSpec, DemandSpec};
use lab::node::{Fate, RouteCost, SlingPayment};
use serde_json::{Value, json};

/// Seconds of the node per second.
pub const RATE: f64 = 60.0;

/// A payment that reaches us, and completes when `NodeState::end_sling_payment` says so.
pub const ARRIVES: Fate = Fate::Settle { after_s: 1e9 };

/// Four channels of 5,000,000 sat without demand: 0 is nearly empty, 1 and 2 are nearly full, 3 is
/// half full. Every route costs 1,200 ppm and 15 msat. What a channel sells at stays as it is.
pub fn node() -> Setup {
    node_with(Vec::new())
}

/// The same with demand.
pub fn node_with(demands: Vec<DemandSpec>) -> Setup {
    node_on(Flavour::V26_06, demands)
}

/// The same on another lightningd.
pub fn node_on(flavour: Flavour, demands: Vec<DemandSpec>) -> Setup {
    let channel =
        |n: usize, share: f64| ChannelSpec::new(&format!("peer{n}"), n).size(5_000_000, share).ppm(2_500);
    let channels = vec![channel(0, 0.05), channel(1, 0.95), channel(2, 0.9), channel(3, 0.5)];
    Stage::on(flavour)
        .spec(MarketSpec::new(channels, demands))
        .option("scarcity-pricing", false)
        .rate(RATE)
        .running()
}

/// A running stage whose sling has been looked at, with routes of this cost.
pub async fn start(setup: Setup) -> Stage {
    let stage = setup.start().await;
    prepared(&stage).await;
    stage
}

/// Sets such routes, and waits until sling has been looked at.
pub async fn prepared(stage: &Stage) {
    routes(stage, RouteCost::Fixed { base_msat: 15, ppm: 1_200 });
    stage.until_status(|status| status["rebalancer"]["state"] != "unknown").await;
}

/// The fate of the next payment. sling waits for it so long that even a busy plugin ends the job before
/// another is sent in its place.
pub fn next_fate(stage: &Stage, fate: Fate) {
    stage.lab.with_node(|node| {
        node.sling_mut().options.timeoutpay_s = 600;
        node.sling_mut().routes.fates.push_back(fate);
    });
}

/// What every route costs from now on.
pub fn routes(stage: &Stage, cost: RouteCost) {
    stage.lab.with_node(|node| node.sling_mut().routes.cost = cost);
}

/// Asks for a rebalance by the channels' places.
pub async fn ask(stage: &Stage, from: usize, to: usize, amount_sats: u64, more: Value) -> Value {
    let mut params = json!({
        "from_channel": stage.scid(from), "to_channel": stage.scid(to), "amount_sats": amount_sats,
    });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    stage.call("revenue-rebalance", params).await
}

/// Waits until no job is under way, and gives the latest one.
pub async fn settled(stage: &Stage) -> Value {
    let done = |status: &Value| {
        status["rebalance_jobs"] == json!([])
            && status["recent_rebalances"].as_array().is_some_and(|r| !r.is_empty())
    };
    stage.until_status(done).await["recent_rebalances"][0].clone()
}

/// Waits until a job is as wanted, and gives it.
pub async fn until_job(stage: &Stage, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_until(DEADLINE, async || {
        let status = stage.status().await;
        let jobs = status["rebalance_jobs"].as_array().unwrap();
        jobs.iter().find(|job| wanted(job)).cloned().ok_or(status["rebalance_jobs"].clone())
    })
    .await
}

/// What sling paid, by the node's own account.
pub fn payments(stage: &Stage) -> Vec<SlingPayment> {
    stage.lab.with_node(|node| node.sling().payments().to_vec())
}

/// The fees of all payments that settled, msat.
pub fn spent_msat(stage: &Stage) -> u64 {
    stage.lab.with_node(|node| node.sling().spent_msat())
}

/// Nothing of ours is left in sling.
pub fn sling_is_clean(stage: &Stage) {
    let (tasks, jobs) = stage.lab.with_node(|node| (node.sling().tasks(), node.sling().jobs()));
    assert!(tasks.is_empty() && jobs.is_empty(), "{tasks:?} {jobs:?}");
}

/// Waits until sling works on nothing: what a plugin told it last may be heard after its end.
pub async fn sling_rests(stage: &Stage) {
    wait_until(DEADLINE, async || match stage.lab.with_node(|node| node.sling().tasks()) {
        tasks if tasks.iter().all(|task| !task.active) => Ok(()),
        tasks => Err(json!(format!("{tasks:?}"))),
    })
    .await;
}

/// The whole funnel.
pub async fn debug(stage: &Stage) -> Value {
    stage.success("revenue-rebalance-debug", json!({})).await
}

/// Changes a setting.
pub async fn configure(stage: &Stage, key: &str, value: Value) {
    stage.success("revenue-config", json!({ "action": "set", "key": key, "value": value })).await;
}
