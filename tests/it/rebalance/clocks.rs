//! Whoever sets the clock, or has the node number its payments anew, makes no payment cheaper and no day
//! shorter.

#![allow(clippy::unwrap_used)]

use super::faults::four_payments;
use super::place::{
    ARRIVES, ask, configure, debug, next_fate, node, payments, prepared, routes, settled, sling_is_clean,
    spent_msat, until_job,
};
use crate::clock;
use crate::support::{DEADLINE, Setup, Stage, wait_until};
use lab::Fault;
use lab::node::{Part, Paying, RouteCost};
use serde_json::json;

const DAY_S: i64 = 86_400;

async fn start(setup: Setup) -> Stage {
    let stage = clock::start(setup).await;
    prepared(&stage).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_a_job_are_its_own_though_the_clock_was_set_back_under_it() {
    let stage = start(node()).await;
    clock::set_and_seen(&stage, 2 * DAY_S, 2 * DAY_S).await;
    next_fate(&stage, ARRIVES);
    four_payments(&stage).await;
    wait_until(DEADLINE, async || match payments(&stage).len() {
        0 => Err(json!("no payment yet")),
        _ => Ok(()),
    })
    .await;
    // From here on all of the job's payments look older than the job.
    clock::set_and_seen(&stage, DAY_S, -DAY_S).await;
    until_job(&stage, |job| job["state"] == "stopped").await;
    // Notes that jump: two that nobody noted are told as one.
    debug(&stage).await;
    clock::set_and_seen(&stage, 0, -DAY_S).await;
    let kept = stage.success("revenue-clear-reservations", json!({})).await;
    assert_eq!(kept["kept_count"], 1, "a payment is under way: {kept}");
    let hash = payments(&stage)[0].payment_hash.clone();
    stage.lab.with_node(|node| node.end_sling_payment(&hash, true)).expect("it was under way");
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("partial"), &json!(60_015)), "{job}");
    let money = debug(&stage).await["capital_controls"].clone();
    assert_eq!(money["daily_spent_msat"], json!(spent_msat(&stage)), "{money}");
    sling_is_clean(&stage);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_opens_no_second_days_budget() {
    let stage = start(node().option("daily-budget-sats", 1_000)).await;
    for share in ["rebalance_channel_share", "rebalance_peer_share"] {
        configure(&stage, share, json!(1)).await;
    }
    four_payments(&stage).await;
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("success"), &json!(240_060)), "{job}");
    // Two days forward, back to the right time, two days back, and right again.
    for (by_s, jump_s) in [(2, 2), (0, -2), (-2, -2), (0, 2)] {
        clock::set_and_seen(&stage, by_s * DAY_S, jump_s * DAY_S).await;
        let more = json!({"max_fee_sats": 300, "force": true});
        let why = ask(&stage, 2, 3, 200_000, more).await["error"].as_str().unwrap_or_default().to_owned();
        assert!(why.contains("budget"), "{by_s} days ahead: {why}");
        let money = debug(&stage).await["capital_controls"].clone();
        assert_eq!(money["daily_spent_msat"], 240_060, "{by_s} days ahead: {money}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reserved_while_payments_of_the_past_cannot_be_read() {
    let stage = start(node()).await;
    let refusal = Fault::Error { code: -1, message: "not now".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listsendpays", refusal, None));
    let answer = ask(&stage, 1, 0, 50_000, json!({})).await;
    let why = answer["error"].as_str().expect("it is refused");
    assert!(why.contains("nothing was reserved") && why.contains("not now"), "{why}");
    assert!(payments(&stage).is_empty());
    stage.lab.with_mischief(|mischief| mischief.clear("listsendpays"));
    assert_eq!(ask(&stage, 1, 0, 50_000, json!({})).await["status"], "pending");
    assert_eq!(settled(&stage).await["status"], "success");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_a_job_are_its_own_though_the_node_numbers_them_anew() {
    let mut stage = start(node()).await;
    // Others, so that the numbers of the job's own are below what was told when it began.
    stage.lab.with_node(|node| {
        assert!((0..5).all(|n| node.rebalance(2, 3, 1_000_000 + n, 300)), "a channel is empty");
    });
    routes(&stage, RouteCost::None);
    assert_eq!(ask(&stage, 1, 0, 50_000, json!({})).await["status"], "pending");
    until_job(&stage, |job| job["state"] == "running").await;
    stage.plugin.stop().await.unwrap();
    let one = |fee_msat| {
        let part = Part { from: 1, to: Some(0), amount_msat: 50_000_000, fee_msat };
        Paying { parts: vec![part], ..Paying::default() }
    };
    let under_way = stage.lab.with_node(|node| {
        node.begin_lists_anew();
        assert!(node.pay(&one(20_000), true), "a channel is empty");
        node.begin_payment(&one(30_000)).unwrap()
    });
    stage.start_again().await;
    until_job(&stage, |job| job["state"] == "stopped").await;
    let kept = stage.success("revenue-clear-reservations", json!({})).await;
    assert_eq!(kept["kept_count"], 1, "a payment is under way: {kept}");
    stage.lab.with_node(|node| node.end_payment(&under_way, true));
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("success"), &json!(50_000)), "{job}");
    let money = debug(&stage).await["capital_controls"].clone();
    assert_eq!(money["daily_spent_msat"], 50_000, "{money}");
    stage.end().await;
}
