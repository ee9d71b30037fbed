//! `revenue-rebalance`, `revenue-rebalance-debug` and `revenue-clear-reservations`.

use super::place::{
    ask, configure, debug, node, node_on, payments, routes, settled, sling_is_clean, spent_msat, start,
};
use crate::acts::set_policy;
use crate::support::{DEADLINE, fields, wait_until};
use lab::node::{RouteCost, SlingVersion};
use lab::{Extra, Fault, Flavour};
use serde_json::json;

/// The fields of what is to be moved.
const CANDIDATE: [&str; 22] = [
    "amount_msat",
    "amount_sats",
    "dest_flow_state",
    "dest_turnover_rate",
    "expected_profit_sats",
    "from_channel",
    "from_peer_id",
    "inbound_fee_ppm",
    "liquidity_ratio",
    "max_budget_msat",
    "max_budget_sats",
    "max_fee_ppm",
    "num_source_candidates",
    "outbound_fee_ppm",
    "payment_sats",
    "source_candidates",
    "source_fee_ppm",
    "source_turnover_rate",
    "spread_ppm",
    "to_channel",
    "to_peer_id",
    "weighted_opp_cost_ppm",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_is_pending_at_once_and_booked_to_the_msat() {
    let stage = start(node()).await;
    // sling answers nobody until this is over.
    stage.lab.with_node(|node| node.stall_sling(1e9));
    // As cl-hive calls it.
    let answer = ask(&stage, 1, 0, 100_000, json!({})).await;
    stage.lab.with_node(|node| node.stall_sling(0.0));
    assert_eq!((&answer["status"], &answer["success"]), (&json!("pending"), &json!(true)), "{answer}");
    let candidate = &answer["candidate"];
    assert_eq!(fields(candidate), CANDIDATE);
    // 2,500 ppm here, less the peer's 100 and 500 assumed; all that it is worth may be paid.
    assert_eq!((&candidate["spread_ppm"], &candidate["max_fee_ppm"]), (&json!(1_900), &json!(2_500)));
    assert_eq!((&candidate["max_budget_sats"], &answer["warning"]), (&json!(250), &json!(null)), "{answer}");
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["id"]), (&json!("success"), &answer["job_id"]), "{job}");
    let paid = payments(&stage);
    assert_eq!(
        paid.iter().map(|payment| (payment.amount_msat, payment.fee_msat)).collect::<Vec<_>>(),
        [(100_000_000, 120_015)]
    );
    assert_eq!((&job["fee_msat"], &job["moved_msat"]), (&json!(120_015), &json!(100_000_000)));
    // It sells for 250 sat, and was expected to cost 60.
    assert_eq!(
        (&job["expected_profit_sats"], &job["actual_profit_sats"]),
        (&json!(190), &json!(129)),
        "{job}"
    );
    assert_eq!((&job["actual_profit_msat"], &job["max_fee_sats"]), (&json!(250_000 - 120_015), &json!(250)));
    let money = debug(&stage).await["capital_controls"].clone();
    assert_eq!(
        (&money["daily_spent_msat"], &money["daily_reserved_msat"]),
        (&json!(120_015), &json!(0)),
        "{money}"
    );
    sling_is_clean(&stage);
    // What was bought a moment ago has had no time to sell.
    let advice = stage.success("revenue-policy", json!(["suggest"])).await;
    assert_eq!(advice["suggestions"], json!([]), "{advice}");

    let again = ask(&stage, 1, 0, 100_000, json!({})).await;
    let why = again["error"].as_str().expect("it rests after a success");
    assert!(why.contains("rests for another") && why.contains("force=true"), "{why}");
    let forced = ask(&stage, 1, 0, 100_000, json!({"force": "true"})).await;
    assert_eq!(forced["status"], "pending", "{forced}");
    assert!(
        forced["message"].as_str().unwrap().contains("not budget, reserve, caps or policies"),
        "{forced}"
    );
    settled(&stage).await;
    assert_eq!(spent_msat(&stage), 240_030);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_one_sentence_and_moves_nothing() {
    let stage = start(node()).await;
    let (empty, full) = (stage.scid(0), stage.scid(1));
    for (params, expect) in [
        (json!({"from_channel": "9x9x9", "to_channel": empty, "amount_sats": 1}), "not one of this node's"),
        (json!({"from_channel": full, "to_channel": "9x9x9", "amount_sats": 1}), "not one of this node's"),
        (json!({"from_channel": full, "to_channel": full, "amount_sats": 1000}), "from itself"),
        (json!({"from_channel": full, "to_channel": empty}), "together"),
        (json!({"from_channel": full, "to_channel": empty, "amount_sats": 0}), "1 to"),
        (
            json!({"from_channel": full, "to_channel": empty, "amount_sats": 5_000_000}),
            "sat, and 5000000 sat are wanted",
        ),
        (
            json!({"from_channel": full, "to_channel": empty, "amount_sats": 1000, "max_fee_sats": 900}),
            "rebalance-max-ppm",
        ),
        (
            json!({"from_channel": full, "to_channel": empty, "amount_sats": 4_000_000, "max_fee_sats": 6000}),
            "6000 sat are needed if all goes well; ",
        ),
        (json!({"force": true}), "force one of the first two"),
        (json!({"max_fee_sats": 5}), "together"),
        // To take from a channel is not to fill it, in whatever form its name comes.
        (json!({"from_channel": empty}), "together"),
        (json!([{"from_channel": empty, "force": true}]), "together"),
        (json!([format!("from={empty}")]), "together"),
        // An empty variable of a script is no leave to spend more.
        (
            json!({"from_channel": full, "to_channel": empty, "amount_sats": 1000, "max_fee_sats": ""}),
            "max_fee_sats: '' is not allowed",
        ),
        (json!({"from_channel": "", "scid": empty}), "from_channel: '' is not allowed"),
        (json!([empty]), "does not want to fill it"),
        (json!(["9x9x9"]), "not one of this node's"),
    ] {
        let why = stage.refusal("revenue-rebalance", params.clone()).await;
        assert!(why.contains(expect) && why.ends_with("nothing is moved"), "{params}: {why}");
        assert!(!why.contains(": channel"), "it says twice which channel it is about: {why}");
    }
    set_policy(&stage, 0, &["rebalance=source_only"]).await;
    set_policy(&stage, 2, &["rebalance=sink_only"]).await;
    for (from, to, expect) in [(1, 0, "rebalance=source_only"), (2, 3, "rebalance=sink_only")] {
        let answer = ask(&stage, from, to, 1_000, json!({"force": true})).await;
        let why = answer["error"].as_str().expect("policies are no matter of force");
        assert!(why.contains(expect) && why.contains("force does not skip"), "{why}");
        assert_eq!(why.matches("channel ").count(), 1, "{why}");
    }
    assert!(payments(&stage).is_empty());
    assert_eq!(stage.status().await["rebalance_jobs"], json!([]));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_share_no_channel_and_the_budget_holds_them_all() {
    let stage = start(node().option("daily-budget-sats", 1_000)).await;
    routes(&stage, RouteCost::None);
    configure(&stage, "rebalance_channel_share", json!(1)).await;
    configure(&stage, "sling_chunk_size_sats", json!(50_000)).await;
    // 1,000 ppm of 11 x 50,000 sat are 550 sat at worst.
    let first = ask(&stage, 1, 0, 200_000, json!({"max_fee_sats": 200})).await;
    assert_eq!((&first["status"], &first["reserved_msat"]), (&json!("pending"), &json!(550_000)), "{first}");
    let cap = &first["candidate"];
    assert_eq!(
        (&cap["max_budget_sats"], &cap["max_budget_msat"]),
        (&json!(200), &json!(200_000)),
        "as asked"
    );
    for (from, to, amount, fee, expect) in [
        (2, 0, 1_000, 1, "is used by job"),
        (1, 3, 1_000, 1, "is used by job"),
        (2, 3, 100_000, 100, ""),
        (2, 3, 1_000, 1, "is used by job"),
    ] {
        let answer = ask(&stage, from, to, amount, json!({"max_fee_sats": fee, "force": true})).await;
        let why = answer["error"].as_str().unwrap_or_default();
        assert!(why.contains(expect) && why.is_empty() == expect.is_empty(), "{from} -> {to}: {answer}");
    }
    let debug = debug(&stage).await;
    let rows = &debug["channels"];
    assert_eq!((&rows["depleted"], &rows["source"]), (&json!([]), &json!([])), "all are at work: {rows}");
    assert_eq!(rows["active_jobs"].as_array().map(Vec::len), Some(4), "{rows}");
    assert_eq!(
        (&debug["rejections"][0]["code"], &debug["rejections"][1]["code"]),
        (&json!("none_depleted"), &json!("no_sources"))
    );
    assert_eq!(
        debug["rejection_reasons"][0],
        "no depleted channels: none without a job is below low_liquidity_threshold, 20 % on our side"
    );
    let money = &debug["capital_controls"];
    assert_eq!((&money["daily_reserved_sats"], &money["budget_remaining_sats"]), (&json!(950), &json!(50)));
    let kept = stage.success("revenue-clear-reservations", json!({})).await;
    assert_eq!((&kept["cleared_count"], &kept["kept_count"]), (&json!(0), &json!(2)), "{kept}");
    assert_eq!(kept["budget_available"], 50);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_expected_to_lose_says_so() {
    let stage = start(node()).await;
    for (from, to, end) in [(2, 3, "3 (to fill) can take"), (0, 3, "0 (to take from) can give")] {
        let why = ask(&stage, from, to, 4_000_000, json!({"max_fee_sats": 40})).await["error"].to_string();
        let (channel, rest) = end.split_once(' ').unwrap();
        let expect = format!("\"channel {} {rest} ", stage.scid(channel.parse().unwrap()));
        assert!(why.starts_with(&expect), "{expect}: {why}");
    }
    // 100 more than that of the peer's last hop, and it sells at 2,500.
    configure(&stage, "inbound_fee_estimate_ppm", json!(3_000)).await;
    let answer = ask(&stage, 1, 0, 100_000, json!({})).await;
    assert_eq!(answer["candidate"]["max_fee_ppm"], 2_500, "{answer}");
    let warning = answer["warning"].as_str().expect("it warns");
    assert!(
        warning.contains("a loss of 60 sat is expected") && warning.contains("may find none"),
        "{warning}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reserves_nothing_and_sling_hears_nothing() {
    let stage = start(node().option("dry-run", true)).await;
    let answer = ask(&stage, 1, 0, 100_000, json!({})).await;
    assert_eq!((&answer["status"], &answer["dry_run"]), (&json!("success"), &json!(true)), "{answer}");
    assert!(answer["message"].as_str().unwrap().starts_with("Dry run"), "{answer}");
    assert_eq!(debug(&stage).await["capital_controls"]["daily_reserved_msat"], 0);
    // A cycle by the clock may come between the two.
    let last = wait_until(DEADLINE, async || {
        ask(&stage, 1, 0, 100_000, json!({})).await;
        let last = debug(&stage).await["last_cycle"].clone();
        if last["trigger"] == "operator" { Ok(last) } else { Err(last) }
    })
    .await;
    assert_eq!(last["candidates"][0]["verdict"], "dry_run", "{last}");
    assert_eq!(stage.status().await["recent_rebalances"], json!([]));
    assert_eq!((stage.count("sling-once"), stage.count("sling-job")), (0, 0));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sling_that_can_be_trusted_nothing_is_moved() {
    let stage = start(node().extras(&[Extra::Bookkeeper])).await;
    let why = ask(&stage, 1, 0, 1_000, json!({})).await["error"].as_str().unwrap().to_owned();
    assert!(why.contains("sling is not there"), "{why}");
    let money = debug(&stage).await;
    assert_eq!(
        (&money["sling_available"], &money["blocked"]["code"]),
        (&json!(false), &json!("no_rebalancer"))
    );
    stage.end().await;

    let backstage = node().build().await;
    backstage.lab.with_node(|node| node.sling_mut().set_version(SlingVersion::V3_0));
    let stage = backstage.start().await;
    stage.until_ready().await;
    stage.until_status(|status| status["rebalancer"]["state"] == "unsupported").await;
    let why = ask(&stage, 1, 0, 1_000, json!({})).await["error"].as_str().unwrap().to_owned();
    assert!(why.contains("sling v3.0.6 is too old, and v4.0 or later is needed"), "{why}");
    assert!(stage.degraded("rebalancing").await.expect("degraded").contains("cannot be reserved"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_funnel_tells_of_sling_as_it_was_when_it_was_judged() {
    let stage = start(node().extras(&[Extra::Bookkeeper])).await;
    stage.until_status(|status| status["rebalancer"]["state"] == "absent").await;
    // It is judged before the wallet is read, and told after.
    stage.lab.with_mischief(|mischief| mischief.add("listfunds", Fault::Dead, None));
    let asked = stage.count("listfunds");
    let comes = async {
        stage.until_count("listfunds", asked + 1).await;
        stage.lab.with_node(|node| node.set_extra(Extra::Sling, true));
        stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    };
    let (told, ()) = tokio::join!(debug(&stage), comes);
    assert_eq!(
        (&told["blocked"]["code"], &told["sling_available"]),
        (&json!("no_rebalancer"), &json!(false)),
        "{told}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_own_sling_job_keeps_its_channels() {
    let stage = start(node()).await;
    let job = json!({"scid": stage.scid(0), "direction": "pull", "amount": 10_000, "maxppm": 100,
        "candidates": [stage.scid(2)], "target": 0.5});
    stage.lab.call("sling-job", job).await.unwrap().unwrap();
    let held = |channel: usize| stage.scid(channel);
    stage
        .until_status(|status| {
            status["rebalancer"]["operators_channels"].as_array().is_some_and(|c| c.contains(&json!(held(2))))
        })
        .await;
    for (from, to) in [(1, 0), (2, 3)] {
        let answer = ask(&stage, from, to, 1_000, json!({"force": true})).await;
        assert!(answer["error"].as_str().unwrap().contains("the operator's own sling job"), "{answer}");
    }
    let free = ask(&stage, 1, 3, 1_000, json!({"force": true, "max_fee_sats": 2})).await;
    assert_eq!(free["status"], "pending", "{free}");
    settled(&stage).await;
    let jobs = stage.lab.with_node(|node| node.sling().jobs());
    assert_eq!(jobs.len(), 1, "the operator's job is as it was: {jobs:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_is_not_spent() {
    let stage = start(node()).await;
    let broken = Fault::Error { code: -1, message: "the wallet is busy".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listfunds", broken, None));
    let answer = ask(&stage, 1, 0, 1_000, json!({"force": true})).await;
    let why = answer["error"].as_str().expect("closed");
    assert!(why.contains("could not be checked") && why.contains("the wallet is busy"), "{why}");
    let debug = debug(&stage).await;
    assert_eq!(debug["capital_controls"]["reserve_ok"], false, "{debug}");
    stage.lab.with_mischief(|mischief| mischief.clear("listfunds"));
    assert_eq!(ask(&stage, 1, 0, 1_000, json!({"force": true})).await["status"], "pending");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_spent_while_a_list_of_payments_that_began_anew_is_unread() {
    let mut stage = start(node()).await;
    ask(&stage, 1, 0, 50_000, json!({})).await;
    assert_eq!(settled(&stage).await["status"], "success");
    stage.plugin.stop().await.unwrap();
    stage.lab.with_node(|node| node.begin_lists_anew());
    let broken = Fault::Error { code: -1, message: "the list is busy".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listsendpays", broken, None));
    stage.start_again().await;
    stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    let answer = ask(&stage, 2, 0, 1_000, json!({"force": true})).await;
    let why = answer["error"].as_str().expect("closed");
    assert!(why.contains("could not be checked") && why.contains("the list is busy"), "{why}");
    stage.lab.with_mischief(|mischief| mischief.clear("listsendpays"));
    wait_until(DEADLINE, async || match ask(&stage, 2, 0, 1_000, json!({"force": true})).await {
        answer if answer["status"] == "pending" => Ok(()),
        answer => Err(answer),
    })
    .await;
    settled(&stage).await;
    assert_eq!(debug(&stage).await["capital_controls"]["daily_spent_msat"], json!(spent_msat(&stage)));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_node_is_served_alike() {
    let stage = start(node_on(Flavour::V24_11, Vec::new())).await;
    let answer = ask(&stage, 1, 0, 50_000, json!({})).await;
    assert_eq!(answer["status"], "pending", "{answer}");
    let job = settled(&stage).await;
    assert_eq!((&job["status"], &job["fee_msat"]), (&json!("success"), &json!(60_015)), "{job}");
    stage.end().await;
}
