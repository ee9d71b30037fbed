//! Kills in the middle: nothing is forgotten, nothing is spent that was not reserved, and nothing
//! is left behind in sling.

use super::place::{
    ARRIVES, ask, configure, debug, next_fate, node, payments, settled, sling_is_clean, sling_rests,
    spent_msat, start, until_job,
};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Fault;
use lab::node::{Fate, PaymentEnd, RouteCost};
use serde_json::{Value, json};
use std::time::Duration;

async fn kill_and_start(stage: &mut Stage) {
    stage.plugin.kill().await.unwrap();
    stage.start_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_under_way_is_ended_and_settled_after_a_kill() {
    let mut stage = start(node()).await;
    // All of it takes a minute of ours.
    configure(&stage, "sling_chunk_size_sats", json!(5_000)).await;
    stage.lab.with_node(|node| node.sling_mut().routes.attempt_s = 45.0);
    let answer = ask(&stage, 1, 0, 400_000, json!({})).await;
    assert_eq!(answer["status"], "pending", "{answer}");
    wait_until(DEADLINE, async || match payments(&stage).len() {
        0 | 1 => Err(json!("no payment yet")),
        _ => Ok(()),
    })
    .await;
    kill_and_start(&mut stage).await;
    let job = settled(&stage).await;
    assert_eq!(job["id"], answer["job_id"], "{job}");
    assert!(["partial", "interrupted"].contains(&job["status"].as_str().unwrap()), "{job}");
    assert_eq!(job["fee_msat"], json!(spent_msat(&stage)), "booked once, to the msat");
    assert!(payments(&stage).len() < 80, "it was ended, not finished");
    assert!(payments(&stage).iter().all(|payment| payment.end != PaymentEnd::InFlight));
    sling_is_clean(&stage);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_sling_never_heard_of_is_released_after_a_kill() {
    let mut stage = start(node()).await;
    stage.lab.with_node(|node| node.stall_sling(1e9));
    let answer = ask(&stage, 1, 0, 100_000, json!({})).await;
    assert_eq!(answer["status"], "pending", "{answer}");
    kill_and_start(&mut stage).await;
    let held = debug(&stage).await["capital_controls"]["daily_reserved_msat"].clone();
    assert_eq!(held, answer["reserved_msat"], "a crash releases nothing");
    stage.lab.with_node(|node| node.stall_sling(0.0));
    let job = settled(&stage).await;
    assert_eq!(job["fee_msat"], json!(spent_msat(&stage)), "{job}");
    sling_is_clean(&stage);
    assert_eq!(debug(&stage).await["capital_controls"]["daily_reserved_msat"], 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_settled_while_nobody_watched_is_booked() {
    let mut stage = start(node()).await;
    next_fate(&stage, ARRIVES);
    ask(&stage, 1, 0, 100_000, json!({})).await;
    until_job(&stage, |job| job["state"] == "stopped").await;
    stage.plugin.kill().await.unwrap();
    let hash = payments(&stage)[0].payment_hash.clone();
    let end = stage.lab.with_node(|node| node.end_sling_payment(&hash, true));
    assert_eq!(end, Some(PaymentEnd::Settled));
    stage.start_again().await;
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("success"), &json!(120_015)), "{job}");
    stage.end().await;
}

/// The fates of a job's next payments: this many reach us, and complete long after sling gave up on them.
fn late(stage: &Stage, count: usize) {
    let late = std::iter::repeat_n(Fate::Settle { after_s: 1_000.0 }, count);
    stage.lab.with_node(|node| node.sling_mut().routes.fates.extend(late));
}

/// Starts a job of four payments at 1,500 ppm, of which so many will be late, and kills the plugin over
/// the first.
async fn dead_over_late_payments(count: usize) -> (Stage, Value) {
    let stage = start(node().standing().rate(2.0)).await;
    super::place::routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 1_500 });
    late(&stage, count);
    let answer = super::faults::four_payments(&stage).await;
    wait_until(DEADLINE, async || match payments(&stage).len() {
        0 => Err(json!("no payment yet")),
        _ => Ok(()),
    })
    .await;
    stage.plugin.kill().await.unwrap();
    (stage, answer)
}

/// After the restart of a plugin that was dead: nothing of the job is left, and what it spent was
/// reserved.
async fn settled_within(stage: &mut Stage, reserved: &Value, spent: u64) -> Value {
    assert_eq!(spent_msat(stage), spent);
    stage.start_again().await;
    within_budget(stage, 5_000_000).await;
    until_job(stage, |job| job["state"] == "stopped").await;
    within_budget(stage, 5_000_000).await;
    let job = settled(stage).await;
    let money = within_budget(stage, 5_000_000).await;
    assert_eq!((&money["daily_spent_msat"], &money["daily_reserved_msat"]), (&json!(spent), &json!(0)));
    assert!(spent <= reserved.as_u64().unwrap(), "{spent} of {reserved}");
    sling_is_clean(stage);
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_settle_late_while_the_plugin_is_dead_were_reserved_for() {
    let (mut stage, answer) = dead_over_late_payments(2).await;
    // sling gives up on two payments after 120 s each, sends four more that it sees settle, and is done.
    stage.lab.advance_by(300.0).unwrap();
    let seen: Vec<bool> = payments(&stage).iter().map(|payment| payment.in_stats).collect();
    assert_eq!(seen, [false, false, true, true, true, true]);
    assert_eq!(spent_msat(&stage), 4 * 75_000, "two are still under way");
    stage.lab.advance_by(1_000.0).unwrap();
    let job = settled_within(&mut stage, &answer["reserved_msat"], 6 * 75_000).await;
    assert_eq!((&job["status"], &job["moved_msat"]), (&json!("success"), &json!(300_000_000)), "{job}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sling_whose_payments_are_all_late_stops_within_the_reservation() {
    let (mut stage, answer) = dead_over_late_payments(1_000).await;
    stage.lab.advance_by(10.0 * 3_600.0).unwrap();
    let count = payments(&stage).len();
    assert!((9..=11).contains(&count), "{count} payments");
    assert!(payments(&stage).iter().all(|payment| payment.end == PaymentEnd::Settled && !payment.in_stats));
    let tasks = stage.lab.with_node(|node| node.sling().tasks());
    assert!(tasks.iter().all(|task| task.active), "it goes on for ever, and pays nothing: {tasks:?}");
    settled_within(&mut stage, &answer["reserved_msat"], 75_000 * count as u64).await;
    stage.end().await;
}

/// Ten lives of the plugin, each killed at another moment, with people asking for more all the
/// time.
#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_spend_no_more_than_the_budget_and_lose_no_msat() {
    const BUDGET_MSAT: u64 = 1_000_000;
    let mut stage = start(node().option("daily-budget-sats", 1_000)).await;
    configure(&stage, "rebalance_channel_share", json!(1)).await;
    configure(&stage, "rebalance_peer_share", json!(1)).await;
    configure(&stage, "sling_chunk_size_sats", json!(20_000)).await;
    for life in 0..10u64 {
        for (from, to) in [(1, 0), (2, 3), (1, 3)] {
            let amount = 20_000 * (1 + life % 4);
            let most = json!({"max_fee_sats": amount * 15 / 10_000, "force": true});
            let answer = ask(&stage, from, to, amount, most).await;
            assert!(answer["status"] == "pending" || answer["error"].is_string(), "{answer}");
        }
        within_budget(&stage, BUDGET_MSAT).await;
        tokio::time::sleep(Duration::from_millis(120 * (life % 5))).await;
        within_budget(&stage, BUDGET_MSAT).await;
        if life % 3 == 2 {
            stage.lab.with_node(|node| node.restart_sling());
        }
        kill_and_start(&mut stage).await;
        within_budget(&stage, BUDGET_MSAT).await;
    }
    settled(&stage).await;
    let money = within_budget(&stage, BUDGET_MSAT).await;
    assert_eq!(money["daily_spent_msat"], json!(spent_msat(&stage)), "the books are the node's payments");
    assert_eq!(money["daily_reserved_msat"], 0);
    sling_is_clean(&stage);
    stage.end().await;
}

/// What is booked and what is held never exceed the budget, nor does what the node really paid.
async fn within_budget(stage: &Stage, budget: u64) -> Value {
    let money = debug(stage).await["capital_controls"].clone();
    let amount = |field: &str| money[field].as_u64().unwrap();
    assert!(amount("daily_spent_msat") + amount("daily_reserved_msat") <= budget, "{money}");
    assert!(spent_msat(stage) <= budget, "{} of {budget}", spent_msat(stage));
    money
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_stopped_leaves_no_job_that_nobody_watches() {
    let mut stage = start(node()).await;
    super::place::routes(&stage, lab::node::RouteCost::None);
    ask(&stage, 1, 0, 100_000, json!({})).await;
    until_job(&stage, |job| job["state"] == "running").await;
    assert!(stage.plugin.stop().await.unwrap().by_itself);
    sling_rests(&stage).await;
    stage.start_again().await;
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("interrupted"), &json!(0)), "{job}");
    sling_is_clean(&stage);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_deletes_no_job_that_the_operator_has_just_stored() {
    let mut stage = start(node()).await;
    super::place::routes(&stage, RouteCost::None);
    ask(&stage, 1, 0, 100_000, json!({})).await;
    until_job(&stage, |job| job["state"] == "running").await;
    // The plugin sees nothing of what follows.
    let blind = Fault::Error { code: -1, message: "not now".to_owned() };
    for method in ["sling-jobsettings", "sling-stats"] {
        stage.lab.with_mischief(|mischief| mischief.add(method, blind.clone(), None));
    }
    stage.until_status(|status| status["rebalancer"]["state"] == "silent").await;
    stage.lab.with_node(|node| node.restart_sling());
    let own = json!({"scid": stage.scid(0), "direction": "pull", "amount": 10_000, "maxppm": 100,
        "candidates": [stage.scid(2)], "target": 0.5});
    stage.lab.call("sling-job", own).await.unwrap().unwrap();
    assert!(stage.plugin.stop().await.unwrap().by_itself);
    let told = || stage.count("sling-stop") + stage.count("sling-deletejob");
    wait_until(DEADLINE, async || if told() > 0 { Ok(()) } else { Err(json!("sling heard nothing")) }).await;
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    stage.start_again().await;
    assert_eq!(settled(&stage).await["status"], "interrupted");
    assert_eq!(stage.lab.with_node(|node| node.sling().jobs()).len(), 1, "the operator's own");
    assert_eq!(stage.count("sling-deletejob"), 0);
    stage.end().await;
}
