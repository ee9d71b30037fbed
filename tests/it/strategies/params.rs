//! Parameters of strategies: whose they are, and who gets them.

use super::life::{refusal, show, strategy, take_in};
use super::stage;
use crate::acts::{install as put_file, set_policy};
use crate::engine::place::guest;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_set_within_their_bounds_and_used() {
    let stage = stage(&[50, 60]).await;
    take_in(&stage, "honest").await;
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    for (words, part) in [
        (["set-param", "guest", "pace", "1"], "it has: step"),
        (["set-param", "guest", "step", "1001"], "0 to 1000 is allowed"),
        (["set-param", "guest", "step", "much"], "not a whole number"),
        (["set-param", "other", "step", "1"], "no module 'other' is installed"),
    ] {
        let why = refusal(&stage, &words).await;
        assert!(why.contains(part), "{words:?}: {why}");
    }
    strategy(&stage, &["set-param", "guest", "step", "20"]).await;
    // So that one cycle decides, the one that the policy wakes.
    stage.until_fees_rest().await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_fee(0, 70).await;
    let page = strategy(&stage, &["show", "guest"]).await;
    let param = &page["modules"][0]["params"][0];
    assert_eq!(
        (&param["value"], &param["set"], &param["default"]),
        (&json!(20), &json!(true), &json!(5)),
        "{page}"
    );
    let reset = strategy(&stage, &["set-param", "guest", "step"]).await;
    assert_eq!((&reset["value"], &reset["default"]), (&json!(5), &json!(true)), "{reset}");
    assert!(refusal(&stage, &["remove", "guest"]).await.contains("1 policies name"), "a policy uses it");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_not_told_what_it_does_not_take() {
    let stage = stage(&[50, 60]).await;
    let old = take_in(&stage, "honest").await;
    let new = take_in(&stage, "wide-step").await;
    let (of_old, of_new) = (format!("module={old}"), format!("module={new}"));
    strategy(&stage, &["activate", "guest", &of_old, "for=guest", "force=true"]).await;
    let why = refusal(&stage, &["set-param", "guest", "step", "1800", &of_new]).await;
    assert!(why.contains("'guest' 1.0.0, which is active, does not take that: 'step' is 1800"), "{why}");
    assert_eq!(show(&stage, &new).await["params"][0]["set"], false);

    // Set while it decides nothing, its default holds once it does.
    strategy(&stage, &["rollback", "guest"]).await;
    strategy(&stage, &["set-param", "guest", "step", "1800", &of_new]).await;
    strategy(&stage, &["activate", "guest", &of_old, "for=guest", "force=true"]).await;
    stage.until_fees_rest().await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_fee(0, 55).await;
    stage.until_logged(&["module 'guest' 1.0.0 has a parameter's default: 'step' is 1800"]).await;
    let param = show(&stage, &old).await["params"][0].clone();
    assert_eq!((&param["value"], &param["set"]), (&json!(5), &json!(true)), "{param}");
    assert!(param["not_taken"].as_str().unwrap().contains("0 to 1000 is allowed"), "{param}");
    let param = show(&stage, &new).await["params"][0].clone();
    assert_eq!((&param["value"], &param["not_taken"]), (&json!(1800), &json!(null)), "{param}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn built_in_strategies_and_files_have_parameters_too() {
    let stage = stage(&[50, 60]).await;
    let set = strategy(&stage, &["set-param", "dynamic", "explore", "0.1"]).await;
    assert_eq!((&set["value"], &set["default"]), (&json!(0.1), &json!(false)), "{set}");
    let why = refusal(&stage, &["set-param", "dynamic", "explore", "2"]).await;
    assert!(why.contains("'explore' is 2; 0 to 1 is allowed"), "{why}");
    let page = strategy(&stage, &["show", "dynamic"]).await;
    let module = &page["modules"][0];
    assert_eq!((&module["built_in"], &module["decides"]), (&json!(true), &json!("fee")), "{page}");
    let params = module["params"].as_array().unwrap();
    let explore = params.iter().find(|param| param["name"] == "explore").unwrap();
    assert_eq!((&explore["value"], &explore["set"]), (&json!(0.1), &json!(true)), "{page}");
    let event = &page["events"][0];
    assert_eq!(
        (&event["action"], &event["detail"]),
        (&json!("set-param"), &json!("explore = 0.1")),
        "{page}"
    );
    let page = strategy(&stage, &["show", "rebalance-ev"]).await;
    assert_eq!(page["modules"][0]["decides"], "rebalance", "{page}");

    put_file(&stage, "guest", &guest("honest"));
    strategy(&stage, &["set-param", "guest", "step", "20"]).await;
    stage.until_fees_rest().await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_fee(0, 70).await;
    let page = strategy(&stage, &["show", "guest"]).await;
    let told = page["modules"].as_array().unwrap().iter().map(|one| one["params"][0]["value"].clone());
    // It serves both worlds.
    assert_eq!(told.collect::<Vec<_>>(), [20, 20], "{page}");
    strategy(&stage, &["set-param", "guest", "step"]).await;
    // With 20 more it would be 90 at least.
    stage.until_within(0, 75, 89).await;
    stage.end().await;
}
