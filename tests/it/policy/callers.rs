//! The forms in which callers of the Python plugin learned to write.

use super::{Desk, STRANGER};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_serves_all_actions() {
    let desk = Desk::set().await;
    let said = async |params: Value| desk.success(params).await["warning"].as_str().map(str::to_owned);
    // What an action that reads has no use for is nobody's loss.
    desk.success(json!(["set", STRANGER, "tags=old"])).await;
    let policy = desk.policy(STRANGER).await;
    for params in [
        json!({"action": "list", "peer_id": STRANGER, "tag": "x"}),
        json!(["list", STRANGER]),
        json!([{"action": "list", "strategy": "hive"}]),
    ] {
        assert_eq!(desk.call(params.clone()).await["policies"], json!([policy]), "{params}");
    }
    let got = desk.call(json!({"action": "get", "peer_id": STRANGER, "strategy": "hive", "since": ""})).await;
    assert_eq!(got, json!({"policy": policy}));
    assert_eq!(desk.call(json!({"action": "changes", "since": ""})).await["count"], 1);
    // The places of the one signature, where tag is the sixth.
    assert_eq!(said(json!(["tag", STRANGER, null, null, null, "whale"])).await, None);
    let found = desk.call(json!(["find", null, null, null, null, "whale"])).await;
    assert_eq!((&found["count"], &found["peers"][0]["tags"]), (&json!(1), &json!(["old", "whale"])));
    assert_eq!(said(json!(["untag", STRANGER, null, null, null, "old"])).await, None);
    assert_eq!(desk.policy(STRANGER).await["tags"], json!(["whale"]));
    // A change never passes over something in silence.
    let why = said(json!({"action": "set", "peer_id": STRANGER, "strategy": "passive", "tag": "x"})).await;
    assert!(why.unwrap().starts_with("this action has no use for tag: it takes peer_id, strategy"));
    for params in [
        json!({"action": "delete", "peer_id": STRANGER, "tag": "x"}),
        json!({"action": "set", "peer_id": STRANGER, "tag": "x"}),
        json!(["find", "", "", "", "", "whale"]),
        json!(["find", STRANGER, null, null, null, "whale"]),
        json!({"action": "delete", "peer_id": STRANGER, "tags": "x"}),
        json!({"action": "list", "colour": "red"}),
        json!(["delete", STRANGER, "whale"]),
    ] {
        desk.refusal(params).await;
    }
    assert_eq!(desk.policy(STRANGER).await["tags"], json!(["whale"]));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_were_listed_can_be_written_back() {
    let desk = Desk::set().await;
    let (peer, _) = desk.a_peer();
    desk.success(json!(["set", peer, "static", "fee_ppm=50", "tags=z,a", "fee_multiplier_max=2"])).await;
    desk.success(json!(["set", STRANGER, "hive", "expires_in_hours=5"])).await;
    let listed = desk.call(json!(["list"])).await["policies"].clone();
    let cursor = desk.call(json!(["changes"])).await["last_change_timestamp"].clone();
    let again = desk.success(json!({"action": "batch", "updates": listed})).await;
    assert_eq!((&again["updated"], &again["changed"]), (&json!(2), &json!(0)));
    assert_eq!(desk.success(json!(["set", peer])).await["policy"], again["policies"][0]);
    assert_eq!(desk.call(json!(["changes"])).await["last_change_timestamp"], cursor, "nothing was written");
    for one in listed.as_array().unwrap() {
        desk.success(json!(["delete", one["peer_id"]])).await;
    }
    desk.success(json!({"action": "batch", "updates": listed})).await;
    assert_eq!(desk.call(json!(["list"])).await["policies"], listed, "in the same second");
    // As the Python plugin: null empties.
    let emptied = json!([{"peer_id": peer, "fee_ppm_target": null, "fee_multiplier_max": null}]);
    desk.success(json!({"action": "batch", "updates": emptied})).await;
    let left = desk.policy(&peer).await;
    assert_eq!((&left["fee_ppm_target"], &left["fee_multiplier_max"]), (&json!(null), &json!(null)));
    assert_eq!((&left["strategy"], &left["tags"]), (&json!("static"), &json!(["z", "a"])));
    // One spelling of a rate counts beside another's null.
    let mut rate = desk.policy(&peer).await;
    rate["fee_ppm"] = json!(60);
    desk.success(json!({"action": "batch", "updates": [rate]})).await;
    assert_eq!(desk.policy(&peer).await["fee_ppm_target"], 60);
    // A policy without an evaluator of its own is one again.
    let without = desk.policy(&peer).await;
    desk.success(json!(["set", peer, "rebalance_strategy=rebalance-ev"])).await;
    assert_eq!(desk.policy(&peer).await["rebalance_strategy"], "rebalance-ev");
    desk.success(json!({"action": "batch", "updates": [without]})).await;
    assert_eq!(desk.policy(&peer).await["rebalance_strategy"], json!(null));
    let mut past = listed[0].clone();
    past["expires_at"] = json!(1_000);
    let why = desk.refusal(json!({"action": "batch", "updates": [past]})).await;
    assert!(why.contains("updates[0]: expires_at 1000 is not allowed: use a unix time after now"), "{why}");
    // An update without a change writes down what holds.
    desk.success(json!(["delete", peer])).await;
    let default = desk.success(json!(["set", peer])).await;
    assert_eq!(
        (&default["policy"]["strategy"], &desk.call(json!(["list"])).await["count"]),
        (&json!("dynamic"), &json!(2))
    );
    desk.end().await;
}
