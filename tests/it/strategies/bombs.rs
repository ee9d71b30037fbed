//! Modules that are dear to compile: they are settled within their limits, and the plugin answers
//! meanwhile as ever.

use super::market;
use crate::acts::install;
use crate::engine::bombs::shapes::{CORPUS, Shape};
use crate::engine::place::guest;
use crate::support::Stage;
use lab::Flavour;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The longest that one bomb may take: two tries of a compiler, each as long as it may.
const SETTLED: Duration = Duration::from_secs(25);
/// The longest that an answer may take on a machine that compiles: many times what it takes else.
const ANSWER: Duration = Duration::from_secs(5);

fn cycle_id(status: &Value) -> u64 {
    status["last_fee_cycle"]["id"].as_u64().unwrap_or(0)
}

/// Waits for the end of a cycle after the one with this id; how long that took, and the slowest
/// answer meanwhile.
async fn ask_until_after(stage: &Stage, before: u64, patience: Duration) -> (Duration, Duration) {
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    loop {
        let asked = Instant::now();
        let status = stage.status().await;
        slowest = slowest.max(asked.elapsed());
        if cycle_id(&status) > before && status["jobs"]["fees"]["running"] == false {
            return (start.elapsed(), slowest);
        }
        assert!(start.elapsed() < patience, "not settled after {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn survive(bombs: &[Shape]) {
    let honest = guest("honest");
    let mut fees = vec![50; bombs.len()];
    // The last channel is dynamic's, and below the lowest fee.
    fees.push(3);
    let stage = Stage::on(Flavour::V26_06).spec(market(&fees)).start().await;
    for (channel, bomb) in bombs.iter().enumerate() {
        install(&stage, &format!("bomb-{channel}"), &bomb.around(&honest));
    }
    let policies: Vec<_> = (0..bombs.len())
        .map(|channel| json!({"peer_id": stage.peer(channel), "strategy": format!("bomb-{channel}")}))
        .collect();
    let before = cycle_id(&stage.status().await);
    stage.success("revenue-policy", json!({"action": "batch", "updates": policies})).await;
    let patience = SETTLED * u32::try_from(bombs.len()).unwrap();
    let (took, slowest) = ask_until_after(&stage, before, patience).await;
    println!("{} bombs were settled in {took:?}; the slowest answer took {slowest:?}", bombs.len());
    assert!(slowest < ANSWER, "an answer took {slowest:?}");

    let before = cycle_id(&stage.status().await);
    stage.success("revenue-wake-all", json!({})).await;
    let (took, _) = ask_until_after(&stage, before, patience).await;
    assert!(took < SETTLED, "what was settled is not settled again: {took:?}");
    assert_eq!(stage.fee(bombs.len()), 10, "dynamic's channel is served like any other");
    let raised = stage.fees().iter().filter(|fee| **fee > 50).count();
    assert!(raised > 0, "what was compiled in time decides");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_settled_while_the_plugin_answers() {
    survive(&[
        Shape::Loops(200, 500),
        Shape::Tables(200, 200),
        Shape::Ranges(300, 500),
        Shape::Steps(60_000),
        Shape::Blocks(1_000),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn fifty_bombs_are_settled_while_the_plugin_answers() {
    survive(&CORPUS).await;
}
