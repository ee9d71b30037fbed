//! What the host lets through: steps, gates, days, dry runs, and the word on each.

use crate::acts::{cycle, fee_debug, install, last_decision, meddle, set_policy, writes_to};
use crate::engine::place::guest;
use crate::support::Stage;
use lab::Flavour;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_acts_on_nothing_and_says_so() {
    let stage = Stage::on(Flavour::V26_06).unhurried().option("dry-run", true).start().await;
    let before = stage.fees();
    meddle(&stage, 6, 9_000);
    set_policy(&stage, 1, &["static", "fee_ppm=777"]).await;
    set_policy(&stage, 0, &["hive"]).await;
    cycle(&stage).await;
    let by_hand = stage.call("revenue-set-fee", json!([stage.scid(3), 55])).await;
    assert_eq!((&by_hand["outcome"], &by_hand["status"]), (&json!("dry_run"), &json!("success")));
    assert!(by_hand["message"].as_str().unwrap().starts_with("Dry run"), "{by_hand}");
    let debug = fee_debug(&stage, 1).await;
    assert_eq!((&debug["status"], &debug["next_fee_ppm"]), (&json!("would_set"), &json!(777)));
    assert_eq!(debug["last_decision"]["outcome"], "dry_run", "{debug}");
    let status = stage.status().await;
    assert_eq!((&status["dry_run"], &status["recent_fee_changes"]), (&json!(true), &json!([])));
    // The log names what would be done.
    stage.until_logged(&["dry run", "777"]).await;
    assert_eq!(stage.count("setchannel"), 0);
    let now = stage.fees();
    assert_eq!((now[6], &now[..6], &now[7..]), (9_000, &before[..6], &before[7..]));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fee_debug_explains_without_acting() {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    set_policy(&stage, 1, &["static", "fee_ppm=321"]).await;
    stage.until_fee(1, 321).await;
    set_policy(&stage, 3, &["passive"]).await;
    let last = last_decision(&stage, 1).await;
    for (field, value) in [
        ("strategy", json!("static")),
        ("proposed_ppm", json!(321)),
        ("approved_ppm", json!(321)),
        ("reason", json!("target")),
        ("factors", json!({"target-ppm": 321.0})),
        ("verdict", json!("approved")),
        ("outcome", json!("applied")),
    ] {
        assert_eq!(last[field], value, "{field} of {last}");
    }
    assert_eq!(last["digest"].as_str().map(str::len), Some(64), "{last}");

    meddle(&stage, 1, 999);
    meddle(&stage, 6, 4);
    let writes = stage.count("setchannel");
    let answer = stage.call("revenue-fee-debug", json!({})).await;
    let of = |channel: usize| -> Value {
        let rows = answer["channels"].as_array().unwrap();
        rows.iter().find(|row| row["channel_id"] == stage.scid(channel)).unwrap().clone()
    };
    let exact = of(1);
    assert_eq!(
        (&exact["status"], &exact["next_fee_ppm"], &exact["fee_ppm"]),
        (&json!("would_set"), &json!(321), &json!(999))
    );
    assert_eq!(exact["skip_reason"], json!(null));
    let low = of(6);
    assert_eq!(
        (&low["strategy"], &low["status"], &low["next_fee_ppm"]),
        (&json!("dynamic"), &json!("would_set"), &json!(10)),
        "{low}"
    );
    assert!(
        low["factors"]["base"].is_number() || low["factors"].as_object().is_some_and(|all| !all.is_empty()),
        "{low}"
    );
    let at_rest = of(0);
    assert_eq!((&at_rest["strategy"], &at_rest["status"]), (&json!("dynamic"), &json!("hold")), "{at_rest}");
    for factor in ["base-ppm", "scarcity", "hold-hours-left"] {
        assert!(at_rest["factors"][factor].is_number(), "{factor}: {at_rest}");
    }
    let wanted = at_rest["wanted_ppm"].as_u64().expect("the fee that it has in mind");
    let why = at_rest["skip_reason"].as_str().unwrap();
    let word = if at_rest["fee_ppm"] == wanted { "in force".to_owned() } else { format!("{wanted} ppm") };
    assert!(why.contains(&word), "{at_rest}");
    assert_eq!(at_rest["forwards_since_update"], 0, "{at_rest}");
    assert!(at_rest["hours_since_update"].is_number(), "{at_rest}");
    let known = ["source", "sink", "balanced", "unknown"];
    assert!(known.contains(&at_rest["flow_state"].as_str().unwrap()), "{at_rest}");
    assert_eq!(exact["last_broadcast_fee_ppm"], 321, "999 is somebody else's: {exact}");
    let hands_off = of(3);
    assert_eq!((&hands_off["status"], &hands_off["strategy"]), (&json!("hold"), &json!("passive")));
    assert!(hands_off["skip_reason"].as_str().is_some_and(|why| !why.is_empty()), "{hands_off}");
    assert_eq!(answer["summary"]["total"], 13, "{}", answer["summary"]);
    assert!(answer["strategies"].as_array().unwrap().iter().any(|call| call["fuel"].as_u64() > Some(0)));
    assert_eq!((stage.count("setchannel"), stage.fee(1), stage.fee(6)), (writes, 999, 4));
    let why = stage.refusal("revenue-fee-debug", json!(["1x2x3"])).await;
    assert!(why.contains("1x2x3"), "{why}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_changes_wait_and_a_day_has_its_limit() {
    // Each time it is asked it adds 5 ppm: 10 % of 50 ppm, 2 % of 250 ppm.
    let stepper = guest("honest");
    let stage = Stage::on(Flavour::V26_06).unhurried().option("max-updates-per-day", 2).start().await;
    install(&stage, "stepper", &stepper);
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=stepper"]).await;
    }
    stage.until_fee(0, 55).await;
    cycle(&stage).await;
    assert_eq!((stage.fee(0), stage.fee(1)), (60, 250));
    let small = last_decision(&stage, 1).await;
    assert_eq!((&small["verdict"], &small["proposed_ppm"]), (&json!("suppressed"), &json!(255)), "{small}");
    assert!(
        small["verdict_text"].as_str().unwrap().contains("2.0 % is not above the gossip gate of 5 %"),
        "{small}"
    );
    cycle(&stage).await;
    assert_eq!(stage.fee(0), 60);
    let third = fee_debug(&stage, 0).await;
    assert_eq!(
        (&third["status"], &third["last_decision"]["verdict"]),
        (&json!("rate_limited"), &json!("rate_limited"))
    );
    assert!(
        third["skip_reason"].as_str().unwrap().contains("2 changes in the last 24 hours; the limit is 2"),
        "{third}"
    );
    assert_eq!((writes_to(&stage, 0).len(), writes_to(&stage, 1).len()), (2, 0));
    // The operator's word is not counted, nor held back.
    let by_hand = stage.call("revenue-set-fee", json!([stage.scid(0), 200])).await;
    assert_eq!(by_hand["status"], "success", "{by_hand}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_step_goes_no_further_than_its_factor() {
    // It asks for a hundred times the fee and more.
    let jumper = guest("fee-jump");
    let stage = Stage::on(Flavour::V26_06)
        .unhurried()
        .option("max-step-factor", "2")
        .option("max-fee-ppm", 700)
        .start()
        .await;
    install(&stage, "jumper", &jumper);
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=jumper"]).await;
    }
    stage.until_fee(1, 500).await;
    let step = last_decision(&stage, 1).await;
    assert_eq!((&step["proposed_ppm"], &step["approved_ppm"]), (&json!(25_500), &json!(500)), "{step}");
    assert_eq!(step["limits"], json!([{"limit": "step_up", "ppm": 500}]));
    cycle(&stage).await;
    assert_eq!(stage.fee(1), 700);
    let capped = last_decision(&stage, 1).await;
    assert_eq!(
        capped["limits"],
        json!([{"limit": "step_up", "ppm": 1000}, {"limit": "max_fee", "ppm": 700}])
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategys_word_for_congestion_opens_no_way_down() {
    // It asks for a fifth more and calls that congestion, then for 1 ppm.
    let plunger = guest("fee-plunge");
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    install(&stage, "plunger", &plunger);
    set_policy(&stage, 1, &["strategy=plunger"]).await;
    stage.until_fee(1, 300).await;
    let up = last_decision(&stage, 1).await;
    assert_eq!((&up["reason"], &up["approved_ppm"]), (&json!("congestion"), &json!(300)), "{up}");
    cycle(&stage).await;
    let down = last_decision(&stage, 1).await;
    assert_eq!((&down["proposed_ppm"], &down["approved_ppm"]), (&json!(1), &json!(75)), "{down}");
    assert_eq!(down["limits"], json!([{"limit": "step_down", "ppm": 75}]));
    assert_eq!(stage.fee(1), 75);
    stage.end().await;
}
