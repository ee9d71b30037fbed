//! cl-hive, unmodified, drives the plugin.

#![allow(clippy::unwrap_used)]

use crate::acts::{fixture, set_policy};
use crate::support::Stage;
use lab::Flavour;
use serde_json::{Value, json};

/// What cl-hive sent to a real lightningd, in order.
fn recorded_calls() -> Vec<(String, Value)> {
    let text = fixture("cl-hive/calls-seen-by-lightningd.jsonl");
    let calls = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    calls.map(|call| (call["method"].as_str().unwrap().to_owned(), call["params"].clone())).collect()
}

/// As cl-hive sends it for a member of its fleet, and for somebody who is none.
fn tier(peer: &str, strategy: &str) -> Value {
    match strategy {
        "hive" => json!({"action": "set", "peer_id": peer, "strategy": "hive", "rebalance": "enabled"}),
        other => json!({"action": "set", "peer_id": peer, "strategy": other}),
    }
}

/// A node id that no channel of ours has.
fn stranger(number: usize) -> String {
    format!("02{number:064x}")
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_calls_are_answered_in_kind() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).start().await;
        let mut asked = 0;
        for (method, params) in
            recorded_calls().into_iter().filter(|(method, _)| method.starts_with("revenue-"))
        {
            asked += 1;
            let answer = stage.call(&method, params.clone()).await;
            assert_eq!(answer.get("error"), None, "{method} {params}: {answer}");
            match (method.as_str(), params["action"].as_str()) {
                ("revenue-status", _) => {
                    let range = answer["config"]["fee_range_ppm"].as_array().unwrap();
                    assert!(range.len() == 2 && range.iter().all(Value::is_u64), "{answer}");
                }
                ("revenue-policy", Some("set")) => {
                    assert_eq!(answer["status"], "success", "{answer}");
                    assert_eq!(answer["policy"]["peer_id"], params["peer_id"]);
                }
                ("revenue-policy", Some("list")) => {
                    assert_eq!(
                        (&answer["count"], &answer["policies"][0]["strategy"]),
                        (&json!(1), &json!("hive"))
                    );
                }
                other => panic!("{other:?} is new in the recording"),
            }
        }
        assert_eq!(asked, 3);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_fee_is_zero_within_seconds_and_not_for_ever() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).unhurried().start().await;
        let (fleet_mate, peer) = (10, stage.peer(10));
        assert_eq!(stage.call("revenue-policy", tier(&peer, "hive")).await["status"], "success");
        stage.until_fee(fleet_mate, 0).await;
        let cycle = stage.until_fees_rest().await["last_fee_cycle"].clone();
        assert_eq!(cycle["trigger"], "policy", "{flavour:?}: it did not wait for the clock");
        let got = stage.call("revenue-policy", json!({"action": "get", "peer_id": peer})).await;
        assert_eq!(
            (&got["policy"]["strategy"], &got["policy"]["rebalance_mode"]),
            (&json!("hive"), &json!("enabled"))
        );
        // Banned: the host's bounds hold again.
        assert_eq!(stage.call("revenue-policy", tier(&peer, "dynamic")).await["status"], "success");
        stage.until_within(fleet_mate, 10, 5_000).await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_of_a_fleet_of_fifty_is_not_held_up() {
    let mut stage = Stage::on(Flavour::V26_06).start().await;
    let mut members: Vec<String> = (1..50).map(stranger).collect();
    members.push(stage.peer(10));
    // cl-hive starts three times within a minute.
    for _ in 0..3 {
        for member in &members {
            let answer = stage.call("revenue-policy", tier(member, "hive")).await;
            assert_eq!(answer["status"], "success", "{answer}");
        }
    }
    let listed = stage.call("revenue-policy", json!({"action": "list"})).await;
    assert_eq!(listed["count"], 50);
    stage.until_fee(10, 0).await;
    stage.restart().await;
    assert_eq!(stage.call("revenue-policy", json!({"action": "list"})).await["count"], 50);
    stage.end().await;
}

/// cl-hive's own reading of a version: `v` and what follows the third number do not count.
fn version_numbers(text: &str) -> Vec<u32> {
    let plain = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    plain.split('.').map(|part| part.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_hive_detects_the_plugin() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).start().await;
        let list = stage.lab.call("plugin", json!({"subcommand": "list"})).await.unwrap().unwrap();
        let rows = list["plugins"].as_array().unwrap();
        let ours = rows.iter().filter(|row| row["name"].as_str().unwrap().contains("cl-revenue-ops"));
        let ours: Vec<_> = ours.collect();
        assert!(!ours.is_empty() && ours.iter().all(|row| row["active"] == true), "{ours:?}");
        // Over the node, as any other plugin asks.
        let status = stage.lab.call("revenue-status", json!({})).await.unwrap().unwrap();
        let version = status["version"].as_str().unwrap();
        assert!(version_numbers(version) >= vec![1, 4, 0], "{version}");
        assert_eq!(status["config"]["fee_range_ppm"], json!([10, 5000]));
        for list in ["channel_states", "recent_fee_changes", "recent_rebalances"] {
            assert!(status[list].is_array(), "{list}");
        }
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_id_is_a_peer_like_any_other() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let ours = stage.lab.with_node(|node| node.id.clone());
    for strategy in ["hive", "dynamic", "hive"] {
        let answer = stage.call("revenue-policy", tier(&ours, strategy)).await;
        assert_eq!((&answer["status"], &answer["policy"]["strategy"]), (&json!("success"), &json!(strategy)));
    }
    set_policy(&stage, 10, &["strategy=hive"]).await;
    stage.until_fee(10, 0).await;
    stage.end().await;
}
