//! Three faults in a row, and what follows.

use super::life::{refusal, strategy, take_in};
use super::{digest, faults_of, stage, states};
use crate::acts::{cycle, fee_debug, install, set_policy};
use crate::engine::place::guest;
use crate::support::why_degraded;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_module_rests_until_an_operator_clears_it() {
    let mut stage = stage(&[50, 3]).await;
    let wasm = guest("panic");
    let digest = digest(&wasm);
    install(&stage, "guest", &guest("honest"));
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=guest"]).await;
    }
    stage.until_fee(0, 55).await;
    cycle(&stage).await;
    let (fees, kept) = (stage.fees(), states(&stage, "guest"));
    install(&stage, "guest", &wasm);
    for count in 1..=3 {
        assert_eq!(why_degraded(&stage.status().await, "strategy_guest"), None);
        cycle(&stage).await;
        let record = faults_of(&stage.status().await, &digest).unwrap();
        assert_eq!(
            (&record["faults_in_row"], &record["quarantined"]),
            (&json!(count), &json!(count == 3)),
            "{record}"
        );
        assert_eq!(stage.fees(), fees, "the fault itself changes no fee");
    }
    let status = stage.status().await;
    assert!(
        why_degraded(&status, "strategy_guest").unwrap().contains("unreachable"),
        "{}",
        status["degraded"]
    );
    stage.until_logged(&["quarantine", &digest, "'dynamic'"]).await;

    // Its peers use dynamic: the channel below the lowest fee comes up.
    stage.lab.with_node(|node| node.set_fee_ppm(1, 3));
    cycle(&stage).await;
    assert_eq!(stage.fee(1), 10);
    let debug = fee_debug(&stage, 1).await;
    assert_eq!(debug["last_decision"]["strategy"], "dynamic", "{debug}");

    stage.restart().await;
    cycle(&stage).await;
    let status = stage.status().await;
    let record = faults_of(&status, &digest).unwrap();
    assert_eq!(
        (&record["quarantined"], &record["faults_total"]),
        (&json!(true), &json!(3)),
        "it is not even asked"
    );
    assert_eq!(states(&stage, "guest"), kept);

    let cleared = stage.call("revenue-strategy", json!(["clear-quarantine", "guest"])).await;
    assert_eq!(cleared["status"], "success", "{cleared}");
    stage.call("revenue-strategy", json!(["list"])).await;
    // Asked again, it fails again.
    cycle(&stage).await;
    let record = faults_of(&stage.status().await, &digest).unwrap();
    assert!(record["faults_total"].as_u64() > Some(3), "{record}");
    let nothing = stage.call("revenue-strategy", json!(["clear-quarantine", "other"])).await;
    assert_eq!(nothing["status"], "noop", "{nothing}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_module_is_taken_at_once_and_faults_must_be_in_a_row() {
    let stage = stage(&[50, 250]).await;
    let bad = guest("panic");
    install(&stage, "guest", &bad);
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=guest"]).await;
    }
    let faults = |status: &Value| {
        faults_of(status, &digest(&bad)).map_or(0, |record| record["faults_in_row"].as_u64().unwrap())
    };
    while faults(&stage.status().await) < 3 {
        cycle(&stage).await;
    }
    install(&stage, "guest", &guest("honest"));
    cycle(&stage).await;
    assert_eq!(stage.fee(0), 55);
    let listed = stage.call("revenue-strategy", json!({})).await;
    assert_eq!(listed["modules"][0]["name"], "guest", "{listed}");
    assert!(listed["faults"].as_array().unwrap().iter().any(|record| record["digest"] == digest(&bad)));
    // The bad file is still the bad file.
    install(&stage, "guest", &bad);
    cycle(&stage).await;
    assert_eq!(fee_debug(&stage, 0).await["strategy"], "dynamic");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_rests_or_cannot_be_loaded_gets_nothing_to_decide() {
    let mut stage = stage(&[50, 60]).await;
    let digest = take_in(&stage, "step-fails").await;
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    strategy(&stage, &["set-param", "guest", "step", "999"]).await;
    let rests =
        |status: &Value| faults_of(status, &digest).is_some_and(|faults| faults["quarantined"] == true);
    while !rests(&stage.status().await) {
        cycle(&stage).await;
    }
    strategy(&stage, &["rollback", "guest"]).await;
    for words in [&["activate", "guest", "for=guest", "force=true"][..], &["shadow", "guest"]] {
        let why = refusal(&stage, words).await;
        assert!(why.contains("rests: clear it first, with revenue-strategy clear-quarantine guest"), "{why}");
    }
    strategy(&stage, &["clear-quarantine", "guest"]).await;
    std::fs::remove_file(stage.data_dir().join("modules").join(format!("{digest}.wasm"))).unwrap();
    stage.restart().await;
    let why = refusal(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    assert!(why.contains("cannot be loaded now: no module with the digest"), "{why}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_set_by_hand_lasts_by_the_word_of_whoever_decides_for_a_hive_peer() {
    let stage = stage(&[50, 60]).await;
    set_policy(&stage, 0, &["strategy=hive"]).await;
    stage.until_fee(0, 0).await;
    let digest = take_in(&stage, "step-fails").await;
    let by_hand = async |fee: u32| {
        let answer = stage.success("revenue-set-fee", json!([stage.scid(0), fee, true])).await;
        answer["warning"].as_str().unwrap_or_default().to_owned()
    };
    assert!(by_hand(20).await.contains("'hive' sets 0 ppm again"));
    strategy(&stage, &["shadow", "guest", "for=hive"]).await;
    assert!(by_hand(30).await.contains("'hive' sets 0 ppm again"));
    // On its channel a canary decides, and then the module in force.
    strategy(&stage, &["canary", "guest", &format!("channels={}", stage.scid(0))]).await;
    assert_eq!(by_hand(40).await, "");
    strategy(&stage, &["activate", "guest", "for=hive", "force=true"]).await;
    assert_eq!(by_hand(50).await, "");
    strategy(&stage, &["set-param", "guest", "step", "999"]).await;
    let rests =
        |status: &Value| faults_of(status, &digest).is_some_and(|faults| faults["quarantined"] == true);
    while !rests(&stage.status().await) {
        cycle(&stage).await;
    }
    let warning = by_hand(60).await;
    assert!(warning.contains("'hive' sets 0 ppm again"), "{warning}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn states_outlive_the_plugin() {
    let mut stage = stage(&[250, 250]).await;
    install(&stage, "guest", &guest("honest"));
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=guest"]).await;
    }
    cycle(&stage).await;
    let before = states(&stage, "guest");
    stage.restart().await;
    assert_eq!(states(&stage, "guest"), before);
    cycle(&stage).await;
    let after = states(&stage, "guest");
    for (old, new) in before.0.iter().zip(&after.0) {
        assert_eq!(new[0], old[0] + 1);
    }
    stage.end().await;
}
