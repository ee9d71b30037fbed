//! Losses towards fleet members: allowed, and bounded for each job and for each day.

use super::place::{
    ask, configure, debug, node, payments, routes, settled, sling_is_clean, spent_msat, start,
};
use crate::acts::set_policy;
use crate::support::Stage;
use lab::node::RouteCost;
use serde_json::{Value, json};

/// Channel 0 is a fleet member's, nearly empty, and sells nothing; routes cost 100 ppm. The plugin's own
/// cycle has been, and comes again in a day.
async fn with_member() -> Stage {
    let stage = start(node().option("rebalance-interval", 86_400)).await;
    stage.until_status(|status| status["jobs"]["rebalance"]["runs"].as_u64() > Some(0)).await;
    routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 100 });
    configure(&stage, "inbound_fee_estimate_ppm", json!(50)).await;
    configure(&stage, "rebalance_cooldown_hours", json!(0)).await;
    set_policy(&stage, 0, &["strategy=hive"]).await;
    stage
}

async fn fill(stage: &Stage) -> Value {
    stage.call("revenue-rebalance", json!([stage.scid(0)])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_filled_at_a_loss_no_larger_than_the_tolerance() {
    let stage = with_member().await;
    configure(&stage, "hive_rebalance_tolerance", json!(0)).await;
    let why = fill(&stage).await["error"].as_str().expect("nothing may be lost").to_owned();
    assert!(why.contains("does not want to fill it: no-gain"), "{why}");
    for tolerance in [50, 40] {
        configure(&stage, "hive_rebalance_tolerance", json!(tolerance)).await;
        let before = spent_msat(&stage);
        let answer = fill(&stage).await;
        assert_eq!(answer["status"], "pending", "{answer}");
        let candidate = &answer["candidate"];
        let gain = candidate["expected_profit_sats"].as_i64().unwrap();
        assert!((-tolerance..0).contains(&gain), "{candidate}");
        let figure = |name: &str| candidate[name].as_u64().unwrap();
        let most = figure("amount_msat") * figure("max_fee_ppm") / 1_000_000;
        assert!(most <= tolerance.unsigned_abs() * 1_000, "{most} msat if all of it arrives");
        let job = settled(&stage).await;
        assert_eq!(job["status"], "success", "{job}");
        let paid = spent_msat(&stage) - before;
        assert_eq!(job["fee_msat"], json!(paid), "{job}");
        assert!(paid > 0 && paid <= most, "{paid} of {most} msat");
    }
    sling_is_clean(&stage);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_of_a_day_end_at_the_fleets_budget_and_others_go_on() {
    const FLEET_SATS: u64 = 94;
    let stage = with_member().await;
    configure(&stage, "hive_rebalance_budget_sats", json!(FLEET_SATS)).await;
    let mut jobs = 0;
    // Each reserves what its losses may come to at worst, so that not even all of them together exceed it.
    let why = loop {
        // What this one pays may be booked before the answer is here.
        let spent = spent_msat(&stage);
        let answer = fill(&stage).await;
        if let Some(why) = answer["error"].as_str() {
            break why.to_owned();
        }
        let reserved = answer["reserved_msat"].as_u64().unwrap();
        assert!(spent + reserved <= FLEET_SATS * 1_000, "{answer}");
        jobs += 1;
        assert!(jobs < 12, "they go on for ever");
        settled(&stage).await;
    };
    assert!(
        why.contains("the fleet's daily budget for losses") && why.contains("force does not skip"),
        "{why}"
    );
    assert!(jobs > 0 && spent_msat(&stage) > 0, "some were made before: {jobs}");
    assert!(payments(&stage).iter().all(|payment| payment.job.to_string() == stage.scid(0)));
    let left = debug(&stage).await["capital_controls"]["budget_remaining_sats"].as_u64().unwrap();
    assert!(left > 4_900, "the budget itself is hardly touched: {left}");
    let other = ask(&stage, 1, 3, 50_000, json!({ "max_fee_sats": 10, "force": true })).await;
    assert_eq!(other["status"], "pending", "{other}");
    settled(&stage).await;
    sling_is_clean(&stage);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn force_has_the_evaluator_fill_a_channel_that_rests_within_every_limit_on_money() {
    let stage = with_member().await;
    configure(&stage, "rebalance_cooldown_hours", json!(24)).await;
    let forced = json!({ "scid": stage.scid(0), "force": true });
    assert_eq!(fill(&stage).await["status"], "pending");
    settled(&stage).await;
    let why = fill(&stage).await["error"].as_str().expect("it rests").to_owned();
    assert!(why.contains("rests for another") && why.contains("force=true skips this limit"), "{why}");
    let answer = stage.call("revenue-rebalance", forced.clone()).await;
    assert_eq!(answer["status"], "pending", "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("force skipped expected gain and pauses"), "{message}");
    assert_eq!(answer["candidate"]["dest_flow_state"], "rebalance-ev", "{answer}");
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["id"]), (&json!("success"), &answer["job_id"]), "{job}");

    // No budget is a matter of force: the guard refuses, and the evaluator wants nothing that none allows.
    let paid = spent_msat(&stage);
    for (key, expect) in [
        ("hive_rebalance_budget_sats", "the fleet's daily budget for losses"),
        ("daily_budget_sats", "no-budget"),
    ] {
        configure(&stage, key, json!(0)).await;
        let refused = stage.call("revenue-rebalance", forced.clone()).await;
        let why = refused["error"].as_str().expect("money is no matter of force");
        assert!(why.contains(expect) && !why.contains("force=true skips"), "{why}");
    }
    assert_eq!(spent_msat(&stage), paid);
    stage.end().await;
}
