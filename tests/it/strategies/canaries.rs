//! A canary that earns too little is taken back by itself.

use super::performance::{DAY_S, busy};
use crate::acts::cycle;
use crate::engine::place::guest;
use crate::support::Stage;
use lab::Flavour;
use serde_json::{Value, json};

async fn strategy(stage: &Stage, words: &[&str]) -> Value {
    stage.success("revenue-strategy", json!(words)).await
}

async fn shown(stage: &Stage) -> Value {
    strategy(stage, &["show", "guest"]).await["modules"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_prices_its_channel_out_is_taken_back() {
    let wasm = guest("honest");
    // Nobody pays more than 500 ppm.
    let mut stage = Stage::on(Flavour::V26_06).spec(busy(500.0)).start().await;
    stage.lab.advance_by(14.0 * DAY_S).unwrap();
    stage.restart().await;
    stage.until_forwards_are_stored().await;

    let path = stage.lab.lightning_dir().join("honest.wasm");
    std::fs::write(&path, wasm).unwrap();
    strategy(&stage, &["install", path.to_str().unwrap(), "name=guest", "unsigned=true", "world=fee"]).await;
    strategy(&stage, &["set-param", "guest", "step", "600"]).await;
    strategy(&stage, &["shadow", "guest"]).await;
    cycle(&stage).await;
    strategy(&stage, &["canary", "guest", &format!("channels={}", stage.scid(0))]).await;
    cycle(&stage).await;
    stage.until_within(0, 501, 5_000).await;
    let young = shown(&stage).await;
    let judged = &young["canary"]["judged"];
    assert_eq!((&judged["verdict"], &young["stage"]), (&json!("goes on"), &json!("canary")), "{young}");
    assert!(judged["revenue_not_judged_before"].as_str().unwrap().contains("24 hours"), "{judged}");

    stage.lab.advance_by(2.0 * DAY_S).unwrap();
    stage.restart().await;
    stage.until_forwards_are_stored().await;
    let old = shown(&stage).await;
    let judged = &old["canary"]["judged"];
    // The cycle after the start may have been there before.
    if old["stage"] == "canary" {
        assert!(judged["verdict"].as_str().unwrap().starts_with("is taken back: "), "{judged}");
        assert!(judged["revenue_fall_pct"].as_f64() > Some(90.0), "{judged}");
        assert!(judged["others_msat_per_day"]["factor"].as_f64() > Some(0.5), "{judged}");
    }
    // It is judged after a cycle, and the next one is without it.
    cycle(&stage).await;
    cycle(&stage).await;
    let back = strategy(&stage, &["show", "guest"]).await;
    assert_eq!(back["modules"][0]["stage"], "shadow", "{back}");
    let last = &back["events"][0];
    assert_eq!((&last["action"], &last["by"]), (&json!("return"), &json!("host")), "{last}");
    assert!(last["detail"].as_str().unwrap().contains("% less"), "{last}");
    // The module in force has the channel from that cycle on.
    let found = strategy(&stage, &["performance", "guest"]).await;
    assert_eq!(found["modules"][0]["channels_in_force"], 0, "{found}");
    stage.end().await;
}
