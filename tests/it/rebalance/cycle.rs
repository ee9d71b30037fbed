//! The cycle by itself: what sells is filled, what does not is left, and all of it is told.

use super::place::{configure, debug, node, node_with, payments, routes, settled, start};
use crate::acts::set_policy;
use crate::support::{DEADLINE, Stage, wait_until};
use lab::market::{Acceptance, DemandSpec};
use lab::node::RouteCost;
use serde_json::{Value, json};

/// Much is sold out of channel 0, at any price asked here.
fn demand() -> Vec<DemandSpec> {
    vec![DemandSpec::new(0, &[(3, 1.0)], 400.0, Acceptance::Capped { cap: 5_000.0 }).median_sat(20_000.0)]
}

fn passed(debug: &Value, scid: &str) -> Value {
    let all = debug["passed_over"].as_array().unwrap();
    all.iter().find(|one| one["channel"] == scid).cloned().unwrap_or_else(|| panic!("{scid} in {debug}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_sells_nothing_is_never_filled_and_every_channel_has_its_reason() {
    let stage = start(node()).await;
    let before = stage.status().await["jobs"]["rebalance"]["runs"].as_u64().unwrap();
    let answer = stage.success("revenue-rebalance", json!({})).await;
    assert_eq!(answer["status"], "pending", "{answer}");
    stage.until_status(|status| status["jobs"]["rebalance"]["runs"].as_u64().unwrap() > before).await;
    let debug = debug(&stage).await;
    assert_eq!(debug["candidates"], json!([]));
    assert_eq!(debug["passed_over"].as_array().unwrap().len(), 4, "{debug}");
    let cycle = &debug["last_cycle"];
    assert_eq!((&cycle["considered"], &cycle["started"]), (&json!(4), &json!(0)), "{cycle}");
    assert!(cycle["candidates"].as_array().unwrap().iter().all(|one| one["reason"].is_string()));
    let depleted = &debug["channels"]["depleted"];
    assert_eq!(
        (&depleted[0]["scid"], &depleted[0]["local_pct"]),
        (&json!(stage.scid(0)), &json!(5.0)),
        "{depleted}"
    );
    assert_eq!(depleted[0]["skip_code"], "no-demand", "{depleted}");
    assert_eq!(depleted[0]["skip_reason"], "nothing leaves that does not come back by itself");
    assert_eq!(depleted[0]["peer_id"].as_str().map(str::len), Some(66), "{depleted}");
    let state = |status: &Value| status["channel_states"][0]["state"].clone();
    let flow = state(&stage.until_status(|status| state(status).is_string()).await);
    for (list, count, reason) in [("depleted", 1, "low local balance"), ("source", 2, "high local balance")] {
        let rows = self::debug(&stage).await["channels"][list].clone();
        assert_eq!(rows.as_array().map(Vec::len), Some(count), "{rows}");
        assert_eq!((&rows[0]["reason"], &rows[0]["flow_state"]), (&json!(reason), &flow), "{rows}");
    }
    // The others hold enough, which is no rejection.
    let reason = format!("channel {}: nothing leaves that does not come back by itself", stage.scid(0));
    assert_eq!(debug["rejection_reasons"], json!([reason]));
    assert_eq!(debug["rejections"][0]["code"], "no-demand");
    let other = stage.success("revenue-rebalance-debug", json!({ "channel_id": stage.scid(1) })).await;
    assert_eq!((&other["rejection_reasons"], &other["rejections"]), (&json!([]), &json!([])), "{other}");
    assert!(payments(&stage).is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_sells_is_filled_when_the_route_is_cheap() {
    let stage = start(node_with(demand()).rate(2_000.0)).await;
    routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 100 });
    configure(&stage, "fee_interval", json!(86_400)).await;
    configure(&stage, "rebalance_interval", json!(600)).await;
    // At this speed a job may be over before sling has begun with it; then it is tried again.
    let job = wait_until(DEADLINE, async || {
        let job = settled(&stage).await;
        if job["moved_msat"].as_u64() > Some(0) { Ok(job) } else { Err(debug(&stage).await) }
    })
    .await;
    assert_eq!(job["rebalance_type"], "normal", "{job}");
    assert_eq!(job["to_channel"], json!(stage.scid(0)), "{job}");
    let paid = payments(&stage);
    assert!(
        !paid.is_empty() && paid.iter().all(|payment| payment.job.to_string() == stage.scid(0)),
        "{paid:?}"
    );
    booked_to_its_evaluator(&stage).await;
    stage.end().await;
}

/// What the payments moved and cost stands with the module that proposed them, and on the channel's.
async fn booked_to_its_evaluator(stage: &Stage) {
    wait_until(DEADLINE, async || {
        let found = stage.success("revenue-strategy", json!(["performance"])).await;
        let evaluator = &found["evaluators"][0];
        let spent = json!(super::place::spent_msat(stage));
        let is_booked =
            evaluator["rebalance_cost_msat"] == spent && found["total"]["rebalance_cost_msat"] == spent;
        let is_named = evaluator["evaluator"] == "rebalance-ev"
            && evaluator["digest"].as_str().is_some_and(|digest| digest.len() == 64)
            && evaluator["version"].is_string();
        if is_booked && is_named { Ok(()) } else { Err(json!([spent, found])) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_keep_the_evaluator_away_and_name_another() {
    let stage = start(node()).await;
    set_policy(&stage, 0, &["rebalance=source_only"]).await;
    let one = passed(&debug(&stage).await, &stage.scid(0));
    assert_eq!(one["refusal"], "policy", "{one}");
    let peer = stage.peer(0);
    let why = stage
        .refusal("revenue-policy", json!({"action": "set", "peer_id": peer, "rebalance_strategy": "nobody"}))
        .await;
    assert!(why.contains("evaluator 'nobody'") && why.ends_with("nothing was changed"), "{why}");
    let why = stage
        .refusal("revenue-policy", json!({"action": "set", "peer_id": peer, "rebalance_strategy": "dynamic"}))
        .await;
    assert!(why.contains("evaluator 'dynamic'"), "{why}");
    let set = json!({"action": "set", "peer_id": peer, "rebalance": "enabled", "rebalance_strategy": "rebalance-ev"});
    let answer = stage.success("revenue-policy", set).await;
    assert_eq!(answer["policy"]["rebalance_strategy"], "rebalance-ev", "{answer}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluator_that_is_not_there_is_replaced_and_told() {
    let stage = start(node().option("rebalance-strategy", "mine")).await;
    let calls = debug(&stage).await["evaluators"].clone();
    assert_eq!(calls[0]["evaluator"], "mine", "{calls}");
    assert_eq!(
        (&calls[0]["fallback"], calls[0]["fault"]["code"].is_string()),
        (&json!("rebalance-ev"), true),
        "{calls}"
    );
    assert_eq!(
        (&calls[1]["evaluator"], &calls[1]["fault"]),
        (&json!("rebalance-ev"), &json!(null)),
        "{calls}"
    );
    let why = stage.degraded("evaluator").await.expect("the status says so");
    assert!(why.contains("'mine'") && why.contains("rebalance-ev answers"), "{why}");
    for (value, expect) in [
        ("nobody", "evaluator 'nobody'"),
        ("dynamic", "evaluator 'dynamic'"),
        ("a/b c", "a name of letters"),
        ("", "a name of letters"),
    ] {
        let why = stage.refusal("revenue-config", json!(["set", "rebalance_strategy", value])).await;
        assert!(why.contains(expect) && why.ends_with("nothing was changed"), "{value}: {why}");
    }
    configure(&stage, "rebalance-strategy", json!("rebalance-ev")).await;
    assert_eq!(stage.degraded("evaluator").await, None);
    stage.end().await;
}
