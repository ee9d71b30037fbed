//! The socket: framing, many clients, `wait`, time that runs.

use std::time::Duration;

use lab::node::SyncWarning;
use lab::{Flavour, Lab, LabConfig, client};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::Dir;

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_order_with_a_blank_line() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V24_11)).await.unwrap();
    let mut stream = UnixStream::connect(lab.rpc_path()).await.unwrap();
    let requests = r#"{"jsonrpc":"2.0","id":1,"method":"getinfo","params":{}}
        {"jsonrpc":"2.0","id":"two","method":"feerates","params":["perkb"]}{"jsonrpc":"2.0","id":3,"method":"nope"}"#;
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut text = String::new();
    while text.matches("\n\n").count() < 3 {
        let mut piece = vec![0; 65_536];
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "closed early: {text}");
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
    }
    let answers: Vec<Value> =
        text.trim().split("\n\n").map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(answers[0]["id"], 1);
    assert_eq!(answers[0]["result"]["version"], "v24.11");
    assert_eq!(answers[1]["id"], "two");
    assert!(answers[1]["result"]["perkb"]["opening"].is_u64());
    assert_eq!(
        answers[2],
        json!({"jsonrpc": "2.0", "id": 3, "error": {"code": -32601, "message": "Unknown command 'nope'"}})
    );
}

#[tokio::test]
async fn wait_blocks_until_a_forward_ends() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let now = async |next| json!({"subsystem": "forwards", "indexname": "updated", "nextvalue": next});
    let first = lab.call("wait", now(0).await).await.unwrap().unwrap();
    assert_eq!(first, json!({"subsystem": "forwards", "updated": 0}));
    let socket = lab.rpc_path();
    let params = now(1).await;
    let waiting = tokio::spawn(async move { client::call(&socket, "wait", params).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    lab.advance_by(6.0 * 3600.0).unwrap();
    let answer = waiting.await.unwrap().unwrap().unwrap();
    assert!(answer["updated"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn many_clients_are_served_at_once() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    let calls = (0..50).map(|_| {
        let socket = lab.rpc_path();
        tokio::spawn(async move { client::call(&socket, "listpeerchannels", json!({})).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap().unwrap().unwrap();
        assert_eq!(answer["channels"].as_array().unwrap().len(), 13);
    }
    assert_eq!(lab.with_mischief(|mischief| mischief.count("listpeerchannels")), 50);
}

#[tokio::test]
async fn time_runs_at_the_rate_and_payments_pause() {
    let dir = Dir::new();
    let config = LabConfig { manual: false, rate: 200_000.0, ..dir.manual(Flavour::V26_06) };
    let start = config.start_unix_s;
    let lab = Lab::start(config).await.unwrap();
    lab.sleep_until(start + 86_400.0).await;
    let forwards = |lab: &Lab| lab.with_node(|node| node.forwards().count());
    assert!(forwards(&lab) > 20);
    assert!(lab.now_unix_s() >= start + 86_400.0);
    lab.pause();
    let (paused, at) = (forwards(&lab), lab.now_unix_s());
    lab.sleep_until(at + 200_000.0).await;
    assert_eq!(forwards(&lab), paused);
    assert!(lab.with_node(|node| node.block_height()) > 200_144 + 300);
    lab.resume();
    lab.sleep_until(lab.now_unix_s() + 86_400.0).await;
    assert!(forwards(&lab) > paused);
}

#[tokio::test]
async fn two_manual_labs_of_one_seed_are_the_same() {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let dir = Dir::new();
        let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
        lab.advance_by(86_400.0).unwrap();
        let forwards = lab.call("listforwards", json!({})).await.unwrap().unwrap();
        let channels = lab.call("listpeerchannels", json!({})).await.unwrap().unwrap();
        answers.push((forwards, channels));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_syncing_node_says_so() {
    let dir = Dir::new();
    let lab = Lab::start(dir.manual(Flavour::V26_06)).await.unwrap();
    lab.with_node(|node| node.set_sync_warning(Some(SyncWarning::Lightningd)));
    let info = lab.call("getinfo", json!({})).await.unwrap().unwrap();
    assert!(info["warning_lightningd_sync"].is_string());
    lab.with_node(|node| node.set_sync_warning(None));
    let info = lab.call("getinfo", json!({})).await.unwrap().unwrap();
    assert!(info.get("warning_lightningd_sync").is_none());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_refused() {
    let config = LabConfig::new("/tmp/".to_owned() + &"x".repeat(100), Flavour::V26_06);
    let error = Lab::start(config).await.err().unwrap();
    assert!(error.to_string().contains("at most 107 bytes"), "{error}");
}
