//! Between the books and sling: what cannot be written down, what sling never hears of.

use super::faults::four_payments;
use super::place::{
    ask, configure, debug, node, payments, routes, settled, sling_is_clean, sling_rests, spent_msat, start,
    until_job,
};
use crate::acts::{refuse_writes, take_writes};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Fault;
use lab::node::RouteCost;
use serde_json::{Value, json};

fn error(code: i64, message: &str) -> Fault {
    Fault::Error { code, message: message.to_owned() }
}

fn sling_failures(status: &Value) -> u64 {
    status["jobs"]["sling"]["failures"].as_u64().unwrap()
}

async fn nothing_is_held(stage: &Stage) {
    let money = debug(stage).await["capital_controls"].clone();
    assert_eq!(money["daily_spent_msat"], json!(spent_msat(stage)), "{money}");
    assert_eq!(money["daily_reserved_msat"], 0, "{money}");
    sling_is_clean(stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_start_could_not_be_written_down_is_ended() {
    let stage = start(node()).await;
    // sling goes on with it for ever.
    routes(&stage, RouteCost::None);
    refuse_writes(&stage, "UPDATE ON rebalance_jobs WHEN new.state = 'running'");
    four_payments(&stage).await;
    let job = settled(&stage).await;
    assert!(sling_failures(&stage.status().await) > 0, "it could be written down");
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("interrupted"), &json!(0)), "{job}");
    assert_eq!(job["error_message"], "not_recorded", "{job}");
    nothing_is_held(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_no_job_in_sling_of_which_the_books_do_not_know() {
    let mut stage = start(node()).await;
    routes(&stage, RouteCost::None);
    refuse_writes(&stage, "UPDATE ON rebalance_jobs");
    four_payments(&stage).await;
    stage.until_status(|status| sling_failures(status) > 0).await;
    assert!(!stage.lab.with_node(|node| node.sling().tasks()).is_empty(), "sling took it");
    assert!(stage.plugin.stop().await.unwrap().by_itself);
    sling_rests(&stage).await;
    take_writes(&stage);
    stage.start_again().await;
    assert_eq!(settled(&stage).await["status"], "interrupted");
    nothing_is_held(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_that_cannot_be_recorded_is_answered_as_it_went() {
    let stage = start(node()).await;
    refuse_writes(&stage, "INSERT ON rebalance_cycles");
    let answer = ask(&stage, 1, 0, 100_000, json!({})).await;
    assert_eq!(answer["status"], "pending", "{answer}");
    let warning = answer["warning"].as_str().expect("it says so");
    assert!(warning.contains("could not be recorded") && warning.contains("out of ink"), "{warning}");
    let job = settled(&stage).await;
    assert_eq!((&job["id"], &job["status"]), (&answer["job_id"], &json!("success")), "{job}");
    // A refusal stays one.
    let why = ask(&stage, 1, 0, 100_000, json!({})).await["error"].clone();
    assert!(why.as_str().is_some_and(|why| why.contains("rests for another")), "{why}");
    take_writes(&stage);
    let answer = ask(&stage, 1, 0, 100_000, json!({ "force": true })).await;
    assert_eq!((&answer["status"], answer.get("warning")), (&json!("pending"), None), "{answer}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sling_never_heard_of_is_no_failure_of_the_channel() {
    let stage = start(node()).await;
    let gone = error(-32601, "Unknown command 'sling-once'");
    stage.lab.with_mischief(|mischief| mischief.add("sling-once", gone, Some(1)));
    four_payments(&stage).await;
    let job = settled(&stage).await;
    assert_eq!(job["status"], "interrupted", "{job}");
    let why = job["error_message"].as_str().expect("it says why");
    assert!(why.starts_with("not_offered: Unknown command"), "{why}");
    stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    // There is no pause.
    let again = ask(&stage, 1, 0, 50_000, json!({})).await;
    assert_eq!(again["status"], "pending", "{again}");
    stage.end().await;
}

/// sling is silent, and a round waits for what it says.
async fn sling_keeps_a_round_waiting(stage: &Stage) {
    stage.lab.with_node(|node| node.stall_sling(1e9));
    wait_until(DEADLINE, async || match stage.lab.with_node(|node| node.sling().waiting_calls()) {
        0 => Err(json!("nobody waits for sling")),
        _ => Ok(()),
    })
    .await;
}

/// Waits until sling was looked at from here on.
async fn another_look(stage: &Stage) {
    let runs = |status: &Value| status["jobs"]["sling"]["runs"].as_u64().unwrap();
    let before = runs(&stage.status().await);
    stage.until_status(|status| runs(status) > before + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reserved_before_sling_has_told_all_of_it() {
    let backstage = node().build().await;
    backstage.lab.with_node(|node| node.stall_sling(1e9));
    let stage = backstage.start().await;
    stage.until_ready().await;
    routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 2_500 });
    sling_keeps_a_round_waiting(&stage).await;
    assert!(stage.count("sling-version") > 0, "it has told its version");
    // One payment of 500 sat at most, of which seven may settle: more than half of the budget.
    let dear = async || ask(&stage, 1, 0, 200_000, json!({"max_fee_sats": 500, "force": true})).await;
    let why = |answer: &Value| answer["error"].as_str().map(str::to_owned).unwrap_or_default();
    let early = dear().await;
    assert!(why(&early).contains("sling has not been looked at yet"), "{early}");
    stage.lab.with_mischief(|mischief| mischief.add("listconfigs", error(-1, "in a bad mood"), None));
    stage.lab.with_node(|node| node.stall_sling(0.0));
    stage.until_status(|status| status["rebalancer"]["state"] == "silent").await;
    let early = dear().await;
    assert!(why(&early).contains("sling does not answer: in a bad mood"), "{early}");
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    let late = dear().await;
    assert!(why(&late).contains("3500 sat would be reserved"), "{late}");
    nothing_is_held(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sling_gets_no_job_of_which_more_could_settle_than_was_reserved_for() {
    let stage = start(node()).await;
    sling_keeps_a_round_waiting(&stage).await;
    four_payments(&stage).await;
    stage.lab.with_node(|node| node.sling_mut().options.max_htlc_count = 6);
    stage.lab.with_node(|node| node.stall_sling(0.0));
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("interrupted"), &json!(0)), "{job}");
    assert_eq!(
        job["error_message"], "not_offered: sling-max-htlc-count is 6, and 5 were reserved for",
        "{job}"
    );
    assert_eq!(stage.count("sling-once"), 0);
    nothing_is_held(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_that_was_raised_earlier_ends_no_job() {
    let stage = start(node()).await;
    stage.lab.with_node(|node| node.sling_mut().options.max_htlc_count = 6);
    another_look(&stage).await;
    routes(&stage, RouteCost::None);
    configure(&stage, "sling_chunk_size_sats", json!(50_000)).await;
    let answer = ask(&stage, 1, 0, 200_000, json!({"max_fee_sats": 300})).await;
    assert_eq!(answer["reserved_msat"], 900_000, "{answer}");
    until_job(&stage, |job| job["state"] == "running").await;
    another_look(&stage).await;
    routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 100 });
    let job = settled(&stage).await;
    assert_eq!((&job["id"], &job["status"]), (&answer["job_id"], &json!("success")), "{job}");
    nothing_is_held(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sling_is_silent_what_is_reserved_waits() {
    let stage = start(node()).await;
    // A round begins to look at sling, and sees what comes of that when more is reserved.
    sling_keeps_a_round_waiting(&stage).await;
    stage.lab.with_mischief(|mischief| mischief.add("listconfigs", error(-1, "in a bad mood"), None));
    four_payments(&stage).await;
    stage.lab.with_node(|node| node.stall_sling(0.0));
    let runs = |status: &Value| status["jobs"]["sling"]["runs"].as_u64().unwrap();
    let before = runs(&stage.status().await);
    let status = stage.until_status(|status| runs(status) > before + 2).await;
    assert_eq!(status["rebalance_jobs"][0]["state"], "reserved", "{status}");
    assert_eq!(stage.count("sling-once"), 0);
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    assert_eq!(settled(&stage).await["status"], "success");
    assert!(!payments(&stage).is_empty());
    nothing_is_held(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_just_ended_is_not_cleared() {
    // Half a minute of the plugin's is a minute of ours.
    let stage = start(node().rate(0.5)).await;
    stage.lab.with_mischief(|mischief| mischief.add("sling-once", error(-1, "not now"), Some(1)));
    let reserved = four_payments(&stage).await["reserved_msat"].clone();
    until_job(&stage, |job| job["state"] == "stopped").await;
    let kept = stage.success("revenue-clear-reservations", json!({})).await;
    assert_eq!((&kept["cleared_count"], &kept["kept_count"]), (&json!(0), &json!(1)), "{kept}");
    assert_eq!(debug(&stage).await["capital_controls"]["daily_reserved_msat"], reserved);
    stage.end().await;
}
