//! sling over the node's socket: who waits for it, and who is told when it ends.

use std::time::Duration;

use lab::market::{ChannelSpec, DemandSpec};
use lab::node::{Fate, PaymentEnd, RouteCost};
use lab::{Extra, Flavour, Lab, LabConfig, MarketSpec, RpcResult, client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::Dir;

/// A lab of three channels whose time stands still, with a once-job's payment that never ends.
async fn lab_with_a_payment_in_flight(dir: &Dir) -> (Lab, String) {
    let channel = |name, peer, share| ChannelSpec::new(name, peer).size(10_000_000, share);
    let channels = vec![channel("empty", 0, 0.1), channel("full", 1, 0.9), channel("half", 2, 0.5)];
    let spec = MarketSpec::new(channels, Vec::<DemandSpec>::new());
    let lab = Lab::start(LabConfig { spec, ..dir.manual(Flavour::V26_06) }).await.unwrap();
    let (here, there) = lab.with_node(|node| {
        node.sling_mut().routes.cost = RouteCost::Fixed { base_msat: 0, ppm: 100 };
        node.sling_mut().routes.fates.push_back(Fate::Hang);
        (node.channels()[0].scid.to_string(), node.channels()[1].scid.to_string())
    });
    let params = json!({"scid": here, "direction": "pull", "amount": 50_000, "maxppm": 100,
                        "onceamount": 50_000, "candidates": [there]});
    let started = lab.call("sling-once", params).await.unwrap().unwrap();
    assert_eq!(started, json!({"result": "started"}));
    (lab, here)
}

fn call(lab: &Lab, method: &'static str, params: Value) -> JoinHandle<RpcResult> {
    let socket = lab.rpc_path();
    tokio::spawn(async move { client::call(&socket, method, params).await.unwrap() })
}

async fn until_waiting(lab: &Lab, calls: usize) {
    while lab.with_node(|node| node.sling().waiting_calls()) < calls {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn calls_wait_for_slings_lock_until_its_timeout() {
    let dir = Dir::new();
    let (lab, here) = lab_with_a_payment_in_flight(&dir).await;
    let delete = call(&lab, "sling-deletejob", json!([here]));
    until_waiting(&lab, 1).await;
    let stats = call(&lab, "sling-stats", json!([true]));
    until_waiting(&lab, 2).await;
    lab.call("sling-version", json!([])).await.unwrap().unwrap();
    lab.call("getinfo", json!({})).await.unwrap().unwrap();
    lab.advance_by(119.0).unwrap();
    assert!(!delete.is_finished() && !stats.is_finished());
    lab.advance_by(1.0).unwrap();
    assert_eq!(delete.await.unwrap().unwrap(), json!({"result": "success"}));
    assert_eq!(stats.await.unwrap().unwrap(), json!([]));
}

#[tokio::test]
async fn who_waits_is_told_when_sling_is_killed() {
    let dir = Dir::new();
    let (lab, here) = lab_with_a_payment_in_flight(&dir).await;
    let stop = call(&lab, "sling-stop", json!([here]));
    until_waiting(&lab, 1).await;
    lab.with_node(|node| node.set_extra(Extra::Sling, false));
    assert_eq!(stop.await.unwrap().unwrap_err().code, -4);
    assert_eq!(lab.call("sling-version", json!([])).await.unwrap().unwrap_err().code, -32601);
    let end = lab.with_node(|node| {
        let hash = node.sling().payments()[0].payment_hash.clone();
        node.end_sling_payment(&hash, true)
    });
    assert_eq!(end, Some(PaymentEnd::Failed), "nobody is there to take the money");
}

#[tokio::test]
async fn a_running_lab_rebalances_by_itself() {
    let dir = Dir::new();
    let config = LabConfig { manual: false, rate: 600.0, ..dir.manual(Flavour::V24_11) };
    let lab = Lab::start(config).await.unwrap();
    let params = lab.with_node(|node| {
        node.set_balance_msat(0, 0);
        node.sling_mut().routes.cost = RouteCost::Fixed { base_msat: 0, ppm: 100 };
        let here = node.channels()[0].scid.to_string();
        json!({"scid": here, "direction": "pull", "amount": 10_000, "maxppm": 100, "onceamount": 30_000,
               "outppm": 100_000, "depleteuptopercent": 0.0, "depleteuptoamount": 0})
    });
    lab.call("sling-once", params).await.unwrap().unwrap();
    let start = lab.now_unix_s();
    lab.sleep_until(start + 600.0).await;
    let settled = lab.with_node(|node| node.sling().spent_msat());
    assert_eq!(settled, 3 * 1000);
}
