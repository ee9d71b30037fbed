//! `revenue-strategy replay`: earlier cycles decided again, by the real plugin.

use crate::acts::{cycle, fee_debug, install, set_policy};
use crate::engine::place::guest;
use crate::rebalance::place as rebalances;
use crate::support::{DEADLINE, Stage, wait_until};
use cl_revenue_ops::model::strategy::StrategyDecision;
use cl_revenue_ops::model::{Answer, CycleKind};
use cl_revenue_ops::store::journal::{self, Ready};
use lab::market::ChannelSpec;
use lab::{Flavour, MarketSpec};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// The number of a cycle that never was.
const TAMPERED: u64 = 7_000_000;

/// A node whose channels have peers of their own: the first has the default policy, the others a
/// fixed rate, the fleet's, and a module of the operator's.
pub async fn node() -> Stage {
    guest("honest");
    let channel = |n: usize| ChannelSpec::new(&format!("peer-{n}"), n).ppm(50);
    let spec = MarketSpec::new((0..4).map(channel).collect(), Vec::new());
    // So that upkeep comes every second.
    let stage = Stage::on(Flavour::V26_06).spec(spec).rate(60.0).start().await;
    install(&stage, "guest", &guest("honest"));
    set_policy(&stage, 1, &["static", "fee_ppm=71"]).await;
    set_policy(&stage, 2, &["strategy=hive"]).await;
    set_policy(&stage, 3, &["strategy=guest"]).await;
    stage
}

/// Runs a cycle over all channels; its number.
pub async fn decided(stage: &Stage) -> u64 {
    cycle(stage).await["id"].as_u64().unwrap()
}

pub async fn replay(stage: &Stage, words: &[String]) -> Value {
    let params: Vec<&str> = ["replay"].into_iter().chain(words.iter().map(String::as_str)).collect();
    stage.call("revenue-strategy", json!(params)).await
}

/// Replays all calls of a cycle, on both engines: the strategies that were asked.
async fn identical(stage: &Stage, cycle: u64) -> Vec<String> {
    let mut asked = Vec::new();
    for engine in ["native", "pulley"] {
        let answer = replay(stage, &[format!("cycle={cycle}"), format!("engine={engine}")]).await;
        assert_eq!((&answer["status"], &answer["identical"]), (&json!("success"), &json!(true)), "{answer}");
        assert_eq!((&answer["cycle"], &answer["engine"]), (&json!(cycle), &json!(engine)));
        let calls = answer["calls"].as_array().unwrap();
        for call in calls {
            assert_eq!(call["identical"], true, "{call}");
            assert!(call["fuel"]["then"].as_u64() > Some(0), "{call}");
            assert_eq!(call["fuel"]["then"], call["fuel"]["now"], "{call}");
            assert_eq!(call["decision_sha256"]["then"], call["decision_sha256"]["now"], "{call}");
            assert_eq!(call["differences"], json!([]), "{call}");
        }
        asked = calls.iter().map(|call| call["strategy"].as_str().unwrap().to_owned()).collect();
    }
    asked
}

fn db(stage: &Stage) -> Connection {
    let db = Connection::open(stage.db_path()).unwrap();
    db.busy_timeout(DEADLINE).unwrap();
    db
}

/// The file of a kept module.
fn kept(stage: &Stage, digest: &str) -> PathBuf {
    stage.data_dir().join("modules").join(format!("{digest}.wasm"))
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_cycles_come_to_the_same_whatever_happened_since() {
    let mut stage = node().await;
    let (first, second) = (decided(&stage).await, decided(&stage).await);
    for cycle in [first, second] {
        assert_eq!(identical(&stage, cycle).await, ["dynamic", "guest", "hive", "static"]);
    }
    let kept = stage.status().await["journal"].clone();
    assert!(kept["calls"].as_u64() >= Some(8) && kept["bytes"].as_u64() > Some(1_000), "{kept}");
    assert!(kept["oldest"].is_u64() && kept["max_bytes"] == 256_000_000, "{kept}");
    // Another module under the same name, one that fails, and another life of the plugin.
    install(&stage, "guest", &guest("panic"));
    let failed = decided(&stage).await;
    stage.restart().await;
    for cycle in [first, second] {
        assert_eq!(identical(&stage, cycle).await.len(), 4);
    }
    let words = [format!("cycle={failed}"), "strategy=guest".to_owned()];
    let answer = replay(&stage, &words).await;
    assert_eq!(answer["identical"], true, "{answer}");
    let call = &answer["calls"][0];
    assert_eq!(call["fault"], json!({ "then": "trap", "now": "trap" }), "{call}");
    assert_eq!(call["fuel"]["then"], call["fuel"]["now"], "{call}");

    let last = fee_debug(&stage, 1).await["last_decision"].clone();
    let told = format!("revenue-strategy replay cycle={} kind=fee strategy=static", last["cycle"]);
    assert_eq!(last["replay"], told, "{last}");
    let words: Vec<String> = told.split(' ').skip(2).map(str::to_owned).collect();
    assert_eq!(replay(&stage, &words).await["identical"], true);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_record_says_where_it_differs() {
    let stage = node().await;
    let cycle = decided(&stage).await;
    let mut conn = db(&stage);
    // A cycle of the same call with one rate one ppm higher, and another call with more fuel.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let name = "guest".parse().unwrap();
    let mut call = journal::calls(&tx, CycleKind::Fee, cycle, Some(&name)).unwrap().remove(0);
    let Answer::Decided { decision, .. } = &mut call.transcript.answer else { panic!("{call:?}") };
    let mut changed: StrategyDecision = postcard::from_bytes(decision).unwrap();
    let then = changed.proposals[0].fee.0 + 1;
    changed.proposals[0].fee.0 = then;
    *decision = postcard::to_allocvec(&changed).unwrap();
    let ready = Ready::new(Arc::new(call.transcript), None).unwrap();
    journal::record(&tx, TAMPERED as i64, call.at, &ready).unwrap();
    let more = "UPDATE journal SET fuel = fuel + 1 WHERE cycle_id = ?1 AND strategy = 'static'";
    tx.execute(more, [cycle as i64]).unwrap();
    tx.commit().unwrap();

    let answer = replay(&stage, &[format!("cycle={TAMPERED}")]).await;
    assert_eq!(answer["identical"], false, "{answer}");
    let place =
        json!([{ "row": 0, "channel": stage.scid(3), "field": "fee_ppm", "then": then, "now": then - 1 }]);
    assert_eq!(answer["calls"][0]["differences"], place, "{answer}");
    let answer = replay(&stage, &[format!("cycle={cycle}")]).await;
    assert_eq!(answer["identical"], false, "{answer}");
    let of = |strategy: &str| {
        let calls = answer["calls"].as_array().unwrap();
        calls.iter().find(|call| call["strategy"] == strategy).unwrap().clone()
    };
    let fuel = &of("static")["differences"][0];
    assert_eq!(
        (&fuel["field"], &fuel["row"], &fuel["channel"]),
        (&json!("fuel"), &json!(null), &json!(null))
    );
    assert_eq!((&of("dynamic")["identical"], &of("hive")["identical"]), (&json!(true), &json!(true)));

    conn.execute("UPDATE journal SET input_digest = zeroblob(32) WHERE strategy = 'hive'", []).unwrap();
    let why = stage.refusal("revenue-strategy", json!(["replay", cycle, "fee", "hive"])).await;
    assert!(why.contains("digest differs"), "{why}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_kept_is_told() {
    let stage = node().await;
    let cycle = decided(&stage).await;
    let answer = replay(&stage, &[format!("cycle={cycle}"), "strategy=guest".to_owned()]).await;
    let digest = answer["calls"][0]["digest"].as_str().unwrap().to_owned();
    let refusal = async |words: Value| {
        let mut params = vec![json!("replay")];
        params.extend(words.as_array().unwrap().iter().cloned());
        stage.refusal("revenue-strategy", json!(params)).await
    };
    for (words, part) in [
        (json!([999_999]), "there is no fee cycle 999999: the latest is "),
        (json!([999_999, "rebalance"]), "there is no rebalance cycle 999999: "),
        (json!([cycle, "weather"]), "'weather' is not allowed: use fee or rebalance"),
        (json!([cycle, "fee", "other"]), "it has calls of: dynamic, guest, hive, static"),
        (json!([cycle, "fee", "guest", "jit"]), "'jit' is not allowed: use native or pulley"),
        (json!([]), "cycle"),
    ] {
        let why = refusal(words.clone()).await;
        assert!(why.contains(part), "{words}: {why}");
    }
    // Another module takes its place, so that upkeep may forget this one.
    install(&stage, "guest", &guest("error-text"));
    std::fs::write(kept(&stage, &digest), b"other bytes").unwrap();
    let why = refusal(json!([cycle, "fee", "guest"])).await;
    assert!(why.contains("not those that were kept"), "{why}");
    std::fs::remove_file(kept(&stage, &digest)).unwrap();
    let why = refusal(json!([cycle, "fee", "guest"])).await;
    assert!(why.contains("no longer kept") && why.contains(&digest), "{why}");
    // What else the cycle holds can be replayed all the same.
    let answer = replay(&stage, &[format!("cycle={cycle}")]).await;
    assert_eq!((&answer["status"], &answer["identical"]), (&json!("success"), &json!(null)), "{answer}");

    // As upkeep does: those against a base before the base.
    let forget = "BEGIN IMMEDIATE; DELETE FROM journal WHERE base_id > 0; DELETE FROM journal; COMMIT";
    db(&stage).execute_batch(forget).unwrap();
    let why = refusal(json!([cycle])).await;
    assert!(why.contains("no longer kept") && why.contains("revenue-ops-journal-days (30)"), "{why}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_forgets_calls_and_the_modules_that_only_they_need() {
    let mut stage = node().await;
    decided(&stage).await;
    let modules = async |stage: &Stage| std::fs::read_dir(stage.data_dir().join("modules")).unwrap().count();
    // The four that decided.
    assert!(modules(&stage).await >= 4);
    // Only what this life of the plugin has loaded may decide.
    install(&stage, "guest", &guest("panic"));
    stage.restart().await;
    stage.success("revenue-config", json!(["set", "journal_mb", 0])).await;
    let cycle = decided(&stage).await;
    let honest = super::digest(&guest("honest"));
    wait_until(DEADLINE, async || {
        let rows: i64 = db(&stage).query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
        let gone = rows == 0 && !kept(&stage, &honest).exists();
        if gone { Ok(()) } else { Err(json!(format!("{rows} calls are kept"))) }
    })
    .await;
    let panics = super::digest(&guest("panic"));
    assert!(kept(&stage, &panics).exists(), "it may decide at any time");
    let why = stage.refusal("revenue-strategy", json!(["replay", cycle])).await;
    assert!(why.contains("revenue-ops-journal-mb is 0"), "{why}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rebalance_cycles_replay_too() {
    let stage = rebalances::start(rebalances::node()).await;
    // Whether it wants to or not: it is asked.
    stage.call("revenue-rebalance", json!([stage.scid(0)])).await;
    let last = wait_until(DEADLINE, async || {
        let last = rebalances::debug(&stage).await["last_cycle"].clone();
        if last["replay"][0].is_string() { Ok(last) } else { Err(last) }
    })
    .await;
    let told = format!("revenue-strategy replay cycle={} kind=rebalance strategy=rebalance-ev", last["id"]);
    assert_eq!(last["replay"], json!([told]), "{last}");
    for engine in ["native", "pulley"] {
        let words =
            [format!("cycle={}", last["id"]), "kind=rebalance".to_owned(), format!("engine={engine}")];
        let answer = replay(&stage, &words).await;
        assert_eq!(answer["identical"], true, "{answer}");
        assert_eq!(answer["calls"][0]["strategy"], "rebalance-ev", "{answer}");
    }
    stage.end().await;
}
