//! sling as it can be: without a route, too dear, silent, restarted, paying late.

use super::place::{
    ARRIVES, ask, configure, debug, next_fate, node, payments, routes, settled, sling_is_clean, spent_msat,
    start, until_job,
};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Extra;
use lab::node::{Fate, PaymentEnd, RouteCost};
use serde_json::{Value, json};

/// A job from 1 to 0 in four payments of 50,000 sat at 1,500 ppm at most. Eleven may settle: one more
/// than wanted is left in the source, five may hang there, and one more goes out unseen.
pub(super) async fn four_payments(stage: &Stage) -> Value {
    configure(stage, "sling_chunk_size_sats", json!(50_000)).await;
    let answer = ask(stage, 1, 0, 200_000, json!({"max_fee_sats": 300, "force": true})).await;
    assert_eq!(
        (&answer["status"], &answer["reserved_msat"]),
        (&json!("pending"), &json!(825_000)),
        "{answer}"
    );
    answer
}

/// The books say what the node says.
async fn books_agree(stage: &Stage) {
    let spent = debug(stage).await["capital_controls"]["daily_spent_msat"].clone();
    assert_eq!(spent, json!(spent_msat(stage)));
    sling_is_clean(stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_a_cheap_route_ends_in_time_with_nothing_spent() {
    for (cost, word) in
        [(RouteCost::Fixed { base_msat: 0, ppm: 1_501 }, "NoCheapRoute"), (RouteCost::None, "NoRoutes")]
    {
        let stage = start(node()).await;
        routes(&stage, cost);
        configure(&stage, "sling_job_timeout_seconds", json!(60)).await;
        four_payments(&stage).await;
        let job = settled(&stage).await;
        assert_eq!((&job["status"], &job["fee_msat"]), (&json!("timeout"), &json!(0)), "{job}");
        let why = job["error_message"].as_str().expect("it says why");
        assert!(why.starts_with("deadline") && why.contains(word), "{why}");
        // Within the ten minutes after it.
        let again = ask(&stage, 1, 0, 1_000, json!({})).await;
        assert!(again["error"].as_str().unwrap().contains("1 failures in a row"), "{again}");
        assert_eq!(debug(&stage).await["capital_controls"]["budget_remaining_sats"], 5_000);
        books_agree(&stage).await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_arrived_is_booked_and_the_rest_is_free() {
    let stage = start(node()).await;
    stage.lab.with_node(|node| {
        let routes = &mut node.sling_mut().routes;
        routes.fates.extend([
            Fate::Settle { after_s: 3.0 },
            Fate::Fail { after_s: 3.0 },
            Fate::Settle { after_s: 3.0 },
        ]);
        routes.fates.extend(std::iter::repeat_n(Fate::Fail { after_s: 3.0 }, 1_000));
    });
    configure(&stage, "sling_job_timeout_seconds", json!(300)).await;
    four_payments(&stage).await;
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["moved_msat"]), (&json!("partial"), &json!(100_000_000)), "{job}");
    assert_eq!(job["fee_msat"], 120_030);
    books_agree(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_outlasts_sling_keeps_its_money_until_it_ends() {
    for settles in [true, false] {
        let stage = start(node()).await;
        let fate = if settles { ARRIVES } else { Fate::Hang };
        next_fate(&stage, fate);
        four_payments(&stage).await;
        let stopped = until_job(&stage, |job| job["state"] == "stopped").await;
        assert_eq!(stopped["stop_reason"], "late_payment", "{stopped}");
        assert!(stage.lab.with_node(|node| node.sling().tasks()).is_empty(), "sling has forgotten it");
        // Whoever asks, and however long it takes: a payment is under way.
        let kept = stage.success("revenue-clear-reservations", json!({})).await;
        assert_eq!((&kept["cleared_count"], &kept["kept_count"]), (&json!(0), &json!(1)), "{kept}");
        let held = debug(&stage).await["capital_controls"]["daily_reserved_msat"].clone();
        assert_eq!(held, 825_000, "nothing of it is free");
        let hash = payments(&stage)[0].payment_hash.clone();
        stage.lab.with_node(|node| node.end_sling_payment(&hash, settles)).expect("it was under way");
        let job = settled(&stage).await;
        let (status, fee) = if settles { ("partial", 60_015) } else { ("timeout", 0) };
        assert_eq!((&job["status"], &job["fee_msat"]), (&json!(status), &json!(fee)), "{job}");
        assert_eq!(payments(&stage).len(), 1, "sling sent no other in its place");
        assert!(!payments(&stage)[0].in_stats, "sling's own account does not know of it");
        books_agree(&stage).await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_sling_has_forgotten_its_jobs() {
    let stage = start(node()).await;
    routes(&stage, RouteCost::None);
    four_payments(&stage).await;
    until_job(&stage, |job| job["state"] == "running").await;
    stage.lab.with_node(|node| node.restart_sling());
    let job = settled(&stage).await;
    assert_eq!(job["status"], "interrupted", "{job}");
    assert_eq!(job["error_message"], "sling_restarted");
    assert_eq!(stage.count("sling-deletejob"), 0, "whatever it had would not be ours");
    books_agree(&stage).await;
    // It was nobody's failure: there is no pause.
    routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 100 });
    let again = ask(&stage, 1, 0, 50_000, json!({})).await;
    assert_eq!(again["status"], "pending", "{again}");
    assert_eq!(settled(&stage).await["status"], "success");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_option_of_slings_ends_what_it_may_make_dearer() {
    let stage = start(node()).await;
    routes(&stage, RouteCost::None);
    four_payments(&stage).await;
    until_job(&stage, |job| job["state"] == "running").await;
    stage.lab.with_node(|node| node.sling_mut().options.max_htlc_count = 6);
    let job = settled(&stage).await;
    assert_eq!(job["status"], "interrupted", "{job}");
    let why = job["error_message"].as_str().expect("it says why");
    assert!(why.starts_with("sling_option_changed"), "{why}");
    books_agree(&stage).await;
    // It was nobody's failure, and one more payment may settle of the next.
    routes(&stage, RouteCost::Fixed { base_msat: 0, ppm: 100 });
    let again = ask(&stage, 1, 0, 200_000, json!({"max_fee_sats": 300})).await;
    assert_eq!((&again["status"], &again["reserved_msat"]), (&json!("pending"), &json!(900_000)), "{again}");
    assert_eq!(settled(&stage).await["status"], "success");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sling_that_goes_away_takes_its_jobs_with_it() {
    let stage = start(node()).await;
    routes(&stage, RouteCost::None);
    four_payments(&stage).await;
    until_job(&stage, |job| job["state"] == "running").await;
    stage.lab.with_node(|node| node.set_extra(Extra::Sling, false));
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("interrupted"), &json!(0)), "{job}");
    stage.until_status(|status| status["rebalancer"]["state"] == "absent").await;
    stage.lab.with_node(|node| node.set_extra(Extra::Sling, true));
    let status = stage.until_status(|status| status["companions"]["sling"] == "present").await;
    assert_ne!(status["rebalancer"]["state"], "absent", "{status}");
    stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sling_is_silent_people_are_answered_and_money_stays_reserved() {
    let stage = start(node()).await;
    // Whoever waited for it would wait until this is over.
    stage.lab.with_node(|node| node.stall_sling(1e9));
    four_payments(&stage).await;
    debug(&stage).await;
    stage.status().await;
    wait_until(DEADLINE, async || {
        let waiting = stage.lab.with_node(|node| node.sling().waiting_calls());
        if waiting > 0 { Ok(()) } else { Err(json!("nobody waits for sling")) }
    })
    .await;
    let held = debug(&stage).await["capital_controls"]["daily_reserved_msat"].clone();
    assert_eq!(held, 825_000);
    stage.lab.with_node(|node| node.stall_sling(0.0));
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("success"), &json!(240_060)), "{job}");
    books_agree(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_end_and_their_money_is_free_though_sling_never_tells_what_it_has() {
    let stage = start(node()).await;
    // As sling before 4.1.3, once the channel of a once-job closes.
    stage.lab.with_mischief(|mischief| mischief.add("sling-stats", lab::Fault::Dead, None));
    routes(&stage, RouteCost::None);
    configure(&stage, "sling_job_timeout_seconds", json!(60)).await;
    four_payments(&stage).await;
    let other = ask(&stage, 2, 3, 10_000, json!({"max_fee_sats": 15})).await;
    assert_eq!(other["status"], "pending", "{other}");
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("timeout"), &json!(0)), "{job}");
    assert_eq!(job["error_message"], "deadline", "{job}");
    assert!(stage.count("sling-stats") > 0, "it was asked");
    assert_eq!(debug(&stage).await["capital_controls"]["daily_reserved_msat"], 0);
    // What is silent alone says nothing of the rest.
    stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    books_agree(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_is_settled_while_sling_is_silent() {
    let stage = start(node()).await;
    next_fate(&stage, Fate::Hang);
    four_payments(&stage).await;
    until_job(&stage, |job| job["state"] == "stopped").await;
    // From here on sling is dead for 120 s and more, and somebody waits for it.
    stage.lab.with_node(|node| node.stall_sling(1e9));
    wait_until(DEADLINE, async || match stage.lab.with_node(|node| node.sling().waiting_calls()) {
        0 => Err(json!("nobody waits for sling")),
        _ => Ok(()),
    })
    .await;
    let hash = payments(&stage)[0].payment_hash.clone();
    stage.lab.with_node(|node| node.end_sling_payment(&hash, false)).expect("it was under way");
    let asked = sling_rounds(&stage).await;
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("timeout"), &json!(0)), "{job}");
    assert_eq!(sling_rounds(&stage).await, asked, "the round that waits for sling is not over");
    assert_eq!(debug(&stage).await["capital_controls"]["daily_reserved_msat"], 0);
    stage.lab.with_node(|node| node.stall_sling(0.0));
    stage.end().await;
}

/// How many rounds with sling are over, and that one is not.
async fn sling_rounds(stage: &Stage) -> u64 {
    let round = stage.until_status(|status| status["jobs"]["sling"]["running"] == true).await;
    round["jobs"]["sling"]["runs"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sling_refuses_costs_nothing() {
    let stage = start(node()).await;
    let text = "Channel 1x1x1 has not enough capacity to pull 200000000msat";
    let refusal = lab::Fault::Error { code: -32700, message: text.to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("sling-once", refusal, Some(1)));
    four_payments(&stage).await;
    let job = settled(&stage).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["error_message"].as_str().unwrap().contains(text), "{job}");
    assert!(payments(&stage).is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_answer_is_lost_is_taken_back() {
    let stage = start(node().option("rpc-circuit-breaker-seconds", 1)).await;
    stage.lab.with_mischief(|mischief| mischief.add("sling-once", lab::Fault::ApplyThenDrop, Some(1)));
    four_payments(&stage).await;
    let job = settled(&stage).await;
    let paid = payments(&stage).iter().filter(|payment| payment.end == PaymentEnd::Settled).count();
    assert_eq!(job["moved_msat"], json!(50_000_000 * paid), "{job}");
    assert!(job["error_message"].as_str().is_none_or(|why| why.starts_with("no_answer")), "{job}");
    books_agree(&stage).await;
    stage.end().await;
}
