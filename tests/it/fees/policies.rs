//! A policy's fee is on the node within seconds.

use crate::acts::{cycle, fee_debug, meddle, set_policy, writes_to};
use crate::support::Stage;
use lab::{Fault, Flavour};
use serde_json::{Value, json};

/// "old-router" has two channels.
const TWINS: [usize; 2] = [2, 12];

#[tokio::test(flavor = "multi_thread")]
async fn each_strategy_rules_on_every_lightningd() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).unhurried().start().await;
        set_policy(&stage, TWINS[0], &["static", "enabled", "123"]).await;
        set_policy(&stage, 0, &["strategy=hive", "rebalance=enabled"]).await;
        set_policy(&stage, 3, &["passive"]).await;
        for twin in TWINS {
            stage.until_fee(twin, 123).await;
        }
        stage.until_fee(0, 0).await;
        for channel in TWINS.into_iter().chain([0]) {
            for params in writes_to(&stage, channel) {
                assert_eq!(params["id"], stage.scid(channel), "{flavour:?}: one channel, by its scid");
                assert_eq!(params["feebase"], 0, "{flavour:?}");
            }
        }
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_the_command_reaches_the_node() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    let peer = stage.peer(1);
    for (fee, params) in [
        (101, json!(["set", peer, "static", "enabled", 101])),
        (102, json!(["set", peer, "static", "enabled", "102"])),
        (103, json!(["set", peer, "strategy=static", "fee_ppm=103"])),
        (104, json!(["set", peer, "static", "fee_ppm=104", "rebalance=disabled"])),
        (105, json!({"action": "set", "peer_id": peer, "strategy": "static", "fee_ppm": 105})),
        (106, json!({"action": "set", "peer_id": peer.to_uppercase(), "fee_ppm_target": "106"})),
        (107, json!({"action": "batch", "updates": [{"peer_id": peer, "fee_ppm_target": 107}]})),
        (108, json!(["batch", json!([{"peer_id": peer, "fee_ppm": "108"}]).to_string()])),
    ] {
        let answer = stage.call("revenue-policy", params.clone()).await;
        assert_eq!(answer["status"], "success", "{params}: {answer}");
        stage.until_fee(1, fee).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn static_and_hive_are_exact_whatever_the_bounds() {
    let stage = Stage::on(Flavour::V26_06)
        .unhurried()
        .option("min-fee-ppm", 50)
        .option("max-fee-ppm", 500)
        .start()
        .await;
    for fee in [7, 100_000, 0, 49] {
        set_policy(&stage, 1, &["static", &format!("fee_ppm={fee}")]).await;
        stage.until_fee(1, fee).await;
    }
    set_policy(&stage, 1, &["hive", "fee_multiplier_min=2"]).await;
    stage.until_fee(1, 0).await;
    for fee in ["33", "9000", "0"] {
        stage.call("revenue-config", json!(["set", "hive_fee_ppm", fee])).await;
        stage.until_fee(1, fee.parse().unwrap()).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passive_is_never_written_to_and_dynamic_stays_within_bounds() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    let (own_hands, out_low, out_high) = (0, 1, 6);
    set_policy(&stage, own_hands, &["passive"]).await;
    for (channel, fee) in [(own_hands, 3), (out_low, 3), (out_high, 9_000)] {
        meddle(&stage, channel, fee);
    }
    for _ in 0..3 {
        cycle(&stage).await;
    }
    assert_eq!(stage.fee(own_hands), 3);
    assert!(writes_to(&stage, own_hands).is_empty(), "{:?}", writes_to(&stage, own_hands));
    assert!(!writes_to(&stage, out_low).is_empty() && !writes_to(&stage, out_high).is_empty());
    for (channel, fee) in stage.fees().into_iter().enumerate() {
        assert!(channel == own_hands || (10..=5_000).contains(&fee), "channel {channel} has {fee} ppm");
    }
    let debug = fee_debug(&stage, own_hands).await;
    assert_eq!((&debug["status"], &debug["last_decision"]), (&json!("hold"), &json!(null)), "{debug}");
    // Its policy gone, the channel is one of the rest.
    stage.call("revenue-policy", json!(["delete", stage.peer(own_hands)])).await;
    stage.until_within(own_hands, 10, 5_000).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policys_own_bounds_hold() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    meddle(&stage, 1, 40);
    meddle(&stage, 6, 900);
    // 50 to 5,000 ppm, and 10 to 500 ppm.
    set_policy(&stage, 1, &["dynamic", "fee_multiplier_min=5"]).await;
    set_policy(&stage, 6, &["dynamic", "fee_multiplier_max=0.1"]).await;
    stage.until_fee(1, 50).await;
    stage.until_fee(6, 500).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_policy_returns_to_dynamic_soon() {
    // An hour is two minutes here: time enough to see the fee.
    let mut stage = Stage::on(Flavour::V26_06).rate(30.0).start().await;
    set_policy(&stage, 1, &["static", "fee_ppm=9000", "expires_in_hours=1"]).await;
    stage.until_fee(1, 9_000).await;
    stage.plugin.stop().await.unwrap();
    stage.lab.advance_by(3_600.0).unwrap();
    stage.start_again().await;
    stage.until_within(1, 10, 5_000).await;
    assert_eq!(fee_debug(&stage, 1).await["strategy"], "dynamic");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_cycle_failed_is_followed_as_soon_as_the_node_answers() {
    let setup = Stage::on(Flavour::V26_06).channels(3).rate(60.0).option("rpc-circuit-breaker-seconds", 0);
    let stage = setup.option("fee-interval", 86_400).start().await;
    let far = |status: &Value| {
        let time = |field: &str| status["jobs"]["fees"][field].as_u64().unwrap_or(0);
        time("last_ended") > 0 && time("next") > time("last_ended") + 40_000
    };
    let status = stage.until_status(far).await;
    let failures = |status: &Value| status["jobs"]["fees"]["failures"].as_u64().unwrap();
    let refused = Fault::Error { code: -1, message: "out of ink".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listpeerchannels", refused, None));
    set_policy(&stage, 0, &["static", "fee_ppm=345"]).await;
    stage.until_status(|later| failures(later) > failures(&status)).await;
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    // Nobody asks for it again.
    stage.until_fee(0, 345).await;
    stage.until_status(far).await;
    stage.end().await;
}
