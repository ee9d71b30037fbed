//! A canary that evaluates rebalances.

use crate::acts::{cycle, install as put_file, set_policy};
use crate::engine::place::guest;
use crate::rebalance::place::{node, start};
use crate::support::{DEADLINE, Stage, is_at_rest, wait_until};
use cl_revenue_ops::engine::built_in_component;
use serde_json::{Value, json};

async fn strategy(stage: &Stage, words: &[&str]) -> Value {
    stage.success("revenue-strategy", json!(words)).await
}

/// Has all channels looked at, and waits until that is over.
async fn evaluate(stage: &Stage) {
    let runs = |status: &Value| status["jobs"]["rebalance"]["runs"].as_u64().unwrap();
    let before = runs(&stage.status().await);
    stage.success("revenue-rebalance", json!({})).await;
    stage.until_status(|status| runs(status) > before && is_at_rest(status, "rebalance")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluators_canary_that_wants_what_it_may_not_have_is_taken_back() {
    let stage = start(node()).await;
    put_file(&stage, "guest", &guest("honest"));
    strategy(&stage, &["install", "guest.wasm", "name=guest", "unsigned=true", "world=rebalance"]).await;
    strategy(&stage, &["shadow", "guest"]).await;
    let foreign = json!(["canary", "guest", "min_hours=2"]);
    let why = stage.refusal("revenue-strategy", foreign).await;
    assert!(why.contains("min_hours is no bound of 'guest'") && why.contains("max_cost_rise"), "{why}");
    // It wants to fill the first channel, at a loss.
    let own = format!("channels={},{}", stage.scid(0), stage.scid(3));
    let canary = strategy(&stage, &["canary", "guest", &own, "max_refusals=20"]).await;
    assert_eq!((&canary["decides"], &canary["stage"]), (&json!("rebalance"), &json!("canary")), "{canary}");
    evaluate(&stage).await;
    let shown = strategy(&stage, &["show", "guest"]).await["modules"][0]["canary"].clone();
    let judged = &shown["judged"];
    assert_eq!((&judged["verdict"], &judged["refusals_pct"]), (&json!("goes on"), &json!(100.0)), "{shown}");
    assert!(judged["cost_not_judged_before"].as_str().unwrap().starts_with("7 jobs that moved"), "{shown}");
    assert_eq!((&shown["max_refusals_pct"], &shown["max_cost_rise_pct"]), (&json!(20.0), &json!(50.0)));
    let back = wait_until(DEADLINE, async || {
        evaluate(&stage).await;
        let page = strategy(&stage, &["show", "guest"]).await;
        if page["modules"][0]["stage"] == "shadow" { Ok(page) } else { Err(page) }
    })
    .await;
    let last = &back["events"][0];
    assert_eq!((&last["action"], &last["by"]), (&json!("return"), &json!("host")), "{last}");
    assert!(last["detail"].as_str().unwrap().contains("the guard refused"), "{last}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluator_that_a_policy_names_and_is_not_there_leaves_the_one_in_force_where_it_is() {
    let stage = start(node()).await;
    put_file(&stage, "guest", &guest("honest"));
    strategy(&stage, &["install", "guest.wasm", "name=guest", "unsigned=true", "world=rebalance"]).await;
    strategy(&stage, &["activate", "guest", "for=rebalance-ev", "force=true"]).await;
    for name in ["abc", "zzz"] {
        put_file(&stage, name, &guest("honest"));
        set_policy(&stage, 0, &[&format!("rebalance_strategy={name}")]).await;
        let file = stage.lab.lightning_dir().join(format!("revenue-ops/strategies/{name}.wasm"));
        std::fs::remove_file(file).unwrap();
        let debug = stage.success("revenue-rebalance-debug", json!({})).await;
        let calls = debug["evaluators"].as_array().unwrap();
        let of = |name: &str| calls.iter().find(|call| call["evaluator"] == name).unwrap();
        assert_eq!(of(name)["fallback"], "rebalance-ev", "{debug}");
        assert_eq!(of("rebalance-ev")["digest"], crate::acts::digest(&guest("honest")), "{name}: {debug}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authors_words_are_quoted_where_the_built_in_ones_are_explained() {
    let stage = start(node()).await;
    let skipped = async || {
        let debug = stage.success("revenue-rebalance-debug", json!({})).await;
        let row = &debug["channels"]["depleted"][0];
        assert_eq!(row["skip_code"], "no-demand", "{debug}");
        row["skip_reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(skipped().await, "nothing leaves that does not come back by itself");
    // An author may take over the words with the code, and mean something else by them.
    put_file(&stage, "mine", built_in_component("rebalance-ev").unwrap());
    strategy(&stage, &["install", "mine.wasm", "name=mine", "unsigned=true", "world=rebalance"]).await;
    strategy(&stage, &["activate", "mine", "for=rebalance-ev", "force=true"]).await;
    assert_eq!(skipped().await, "evaluator 'rebalance-ev' says 'no-demand'");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_in_one_world_rests_there_however_well_it_does_in_the_other() {
    let stage = start(node()).await;
    put_file(&stage, "guest", &guest("step-fails"));
    set_policy(&stage, 0, &["strategy=guest", "rebalance_strategy=guest"]).await;
    strategy(&stage, &["set-param", "guest", "step", "999"]).await;
    let found = |status: &Value| {
        let all = status["strategies"]["faults"].as_array().unwrap().iter();
        all.filter(|faults| faults["strategy"] == "guest").cloned().collect::<Vec<_>>()
    };
    for _ in 0..3 {
        cycle(&stage).await;
        evaluate(&stage).await;
    }
    let debug = stage.success("revenue-rebalance-debug", json!({})).await;
    let calls = debug["evaluators"].as_array().unwrap();
    let does_well = |call: &Value| call["evaluator"] == "guest" && call["fault"].is_null();
    assert!(calls.iter().any(does_well), "{debug}");
    let faults = found(&stage.status().await);
    let [faults] = faults.as_slice() else { panic!("{faults:?}") };
    assert_eq!((&faults["decides"], &faults["quarantined"]), (&json!("fee"), &json!(true)), "{faults}");
    stage.end().await;
}
