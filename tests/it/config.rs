//! Settings on every path: options, `revenue-config`, `setconfig`, the database.

#![allow(clippy::unwrap_used)]

use crate::support::{Setup, Stage, fields};
use lab::Flavour;
use rusqlite::Connection;
use serde_json::{Value, json};

const CONFIG: &str = "revenue-config";

/// What is in force.
async fn value(stage: &Stage, key: &str) -> Value {
    stage.success(CONFIG, json!(["get", key])).await["value"].clone()
}

fn on(flavour: Flavour) -> Setup {
    Stage::on(flavour)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_recorded_shapes() {
    let stage = on(Flavour::V26_06).start().await;
    let all = stage.success(CONFIG, json!({"action": "get"})).await;
    assert_eq!(fields(&all), ["config", "version"]);
    assert_eq!((&all["version"], &all["config"]["version"]), (&json!(0), &json!(0)));
    // What nothing can change is told all the same, and is no setting.
    let fact = stage.success(CONFIG, json!(["get", "enable_peer_sync"])).await;
    assert_eq!(fact, json!({"key": "enable_peer_sync", "value": false, "version": 0}));
    let refused = stage.refusal(CONFIG, json!(["set", "sling_available", false])).await;
    assert!(
        refused.contains("sling_available can only be read") && refused.contains("nothing was changed"),
        "{refused}"
    );
    for (key, wanted) in
        [("min_fee_ppm", json!(10)), ("vegas_decay_rate", json!(0.85)), ("dry_run", json!(false))]
    {
        assert_eq!(all["config"][key], wanted);
        let one = stage.success(CONFIG, json!({"action": "get", "key": key})).await;
        assert_eq!(one, json!({"key": key, "value": wanted, "version": 0}));
    }
    // The file that is open, for whoever makes a copy of it.
    let path = json!(stage.db_path());
    assert_eq!((&value(&stage, "db_path").await, &all["config"]["db_path"]), (&path, &path));
    assert_eq!(stage.status().await["db_path"], path);
    let set = stage.success(CONFIG, json!({"action": "set", "key": "min_fee_ppm", "value": "20"})).await;
    let recorded =
        json!({"status": "success", "key": "min_fee_ppm", "old_value": 10, "new_value": 20, "version": 1});
    assert_eq!(set, recorded);
    let unknown = stage.refusal(CONFIG, json!(["get", "nope"])).await;
    assert!(unknown.starts_with("Unknown config key: nope"), "{unknown}");
    let list = stage.success(CONFIG, json!(["list-mutable"])).await;
    assert_eq!(fields(&list), ["count", "mutable_keys"]);
    let keys = list["mutable_keys"].as_array().unwrap();
    assert_eq!(list["count"], keys.len());
    assert!(keys.contains(&json!("max_fee_ppm")));
    assert!(!keys.contains(&json!("dry_run")) && !keys.contains(&json!("db_path")));
    let reset = stage.success(CONFIG, json!(["reset", "min_fee_ppm"])).await;
    assert_eq!((&reset["old_value"], &reset["new_value"]), (&json!(20), &json!(10)));
    assert!(reset["version"].as_u64() > Some(1), "{reset}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_serves_all_actions() {
    let stage = on(Flavour::V26_06).start().await;
    let all = stage.success(CONFIG, json!(["get"])).await;
    for params in [json!({"action": "get", "key": ""}), json!({"key": ""}), json!([{"action": "get"}])] {
        assert_eq!(stage.success(CONFIG, params.clone()).await, all, "{params}");
    }
    // Whoever gives a value and does not say `set` learns that nothing was set.
    let why = stage.refusal(CONFIG, json!({"key": "min_fee_ppm", "value": 20})).await;
    assert!(why.contains("there is no parameter 'value'"), "{why}");
    let one = json!({"action": "get", "key": "min_fee_ppm", "value": 5});
    assert_eq!(stage.success(CONFIG, one).await["value"], 10);
    let list = stage.success(CONFIG, json!(["list-mutable"])).await;
    assert_eq!(stage.success(CONFIG, json!({"action": "list-mutable", "key": "x"})).await, list);
    stage.success(CONFIG, json!(["set", "min_fee_ppm", 20])).await;
    let reset = stage.success(CONFIG, json!({"action": "reset", "key": "min_fee_ppm", "value": 5})).await;
    assert_eq!(
        (&reset["new_value"], &reset["warning"]),
        (&json!(10), &json!("this action has no use for value: it takes key"))
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_names_mean_the_same_setting() {
    let stage = on(Flavour::V26_06).start().await;
    for (number, name) in
        ["vegas_decay_rate", "vegas-decay", "revenue-ops-vegas-decay", "VEGAS_DECAY"].into_iter().enumerate()
    {
        let wanted = json!(0.5 + number as f64 / 10.0);
        let set = stage.success(CONFIG, json!(["set", name, wanted])).await;
        assert_eq!((&set["key"], &set["new_value"]), (&json!("vegas_decay_rate"), &wanted));
        assert_eq!(value(&stage, name).await, wanted);
        assert_eq!(value(&stage, "vegas_decay_rate").await, wanted);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_outlives_restarts_and_goes_at_once_when_reset() {
    let mut stage = on(Flavour::V26_06).option("min-fee-ppm", "30").start().await;
    assert_eq!(value(&stage, "min_fee_ppm").await, 30, "the option rules over the default");
    stage.success(CONFIG, json!(["set", "min_fee_ppm", 40])).await;
    assert_eq!(value(&stage, "min_fee_ppm").await, 40);
    stage.restart().await;
    assert_eq!(value(&stage, "min_fee_ppm").await, 40, "the override rules over the option");
    stage.plugin.kill().await.unwrap();
    stage.start_again().await;
    let all = stage.success(CONFIG, json!([])).await;
    assert_eq!((&all["config"]["min_fee_ppm"], &all["version"]), (&json!(40), &json!(1)));
    stage.success(CONFIG, json!(["reset", "revenue-ops-min-fee-ppm"])).await;
    assert_eq!(value(&stage, "min_fee_ppm").await, 30);
    let again = stage.refusal(CONFIG, json!(["reset", "min_fee_ppm"])).await;
    assert!(again.contains("min_fee_ppm has no override"), "{again}");
    stage.restart().await;
    assert_eq!(value(&stage, "min_fee_ppm").await, 30);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_what_is_allowed_and_change_nothing() {
    let stage = on(Flavour::V26_06).start().await;
    let before = stage.success(CONFIG, json!([])).await;
    for (params, parts) in [
        (json!(["set", "max_fee_ppm", 100_001]), ["max_fee_ppm", "100001", "1 to 100000"]),
        (json!(["set", "fee-interval", "-5"]), ["fee-interval", "-5", "60 to 86400"]),
        (json!(["set", "scarcity_threshold", "NaN"]), ["scarcity_threshold", "NaN", "0 to 1"]),
        (json!(["set", "vegas_reflex", "ture"]), ["vegas_reflex", "ture", "true or false"]),
        (json!(["set", "min_fee_ppm", 6000]), ["min_fee_ppm (6000)", "not be above", "max_fee_ppm (5000)"]),
        (json!(["set", "max_fee_ppm", 9]), ["min_fee_ppm (10)", "not be above", "max_fee_ppm (9)"]),
        (json!(["set", "low_liquidity_threshold", 0.9]), ["0.9", "not be above", "high_liquidity_threshold"]),
        (json!(["set", "dry_run", true]), ["dry_run", "when the plugin starts", "nothing was changed"]),
        (
            json!(["set", "revenue-ops-db-path", "/x"]),
            ["db_path", "when the plugin starts", "nothing was changed"],
        ),
        (json!(["set", "nope", 1]), ["Unknown config key: nope", "list-mutable", "nope"]),
        (
            json!(["set", "min_fee_ppm"]),
            ["min_fee_ppm: value is missing", "use a whole number", "0 to 100000"],
        ),
        (json!({"action": "set", "key": "dry-run", "value": null}), ["dry-run", "missing", "true or false"]),
        (json!(["set", "min_fee_ppm", [1]]), ["min_fee_ppm: '[1]'", "not allowed", "use a whole number"]),
        (json!(["set", "rebalancer", {"a": 1}]), ["rebalancer: '{\"a\":1}'", "not allowed", "use sling"]),
        (json!(["set"]), ["set", "key is missing", "a text"]),
        (json!(["reset"]), ["reset", "key is missing", "a text"]),
        (json!(["reset", "nope"]), ["Unknown config key: nope", "list-mutable", "nope"]),
        (json!(["set", "min_fee_ppm", 5, 6]), ["'6'", "too many", "key, value"]),
        (json!(["frobnicate"]), ["get", "set", "reset"]),
    ] {
        let why = stage.refusal(CONFIG, params.clone()).await;
        assert!(parts.iter().all(|part| why.contains(part)), "{params}: {why}");
        assert_eq!(why.matches("nothing was changed").count(), 1, "{params}: {why}");
        assert!(why.ends_with("; nothing was changed"), "{params}: {why}");
    }
    let pair = stage.refusal(CONFIG, json!(["set", "min_fee_ppm", 90_000])).await;
    assert_eq!(pair, "min_fee_ppm (90000) must not be above max_fee_ppm (5000); nothing was changed");
    for reading in
        [json!(["get", "nope"]), json!(["get", "min_fee_ppm", 1, 2]), json!({"action": "get", "kye": 1})]
    {
        let why = stage.refusal(CONFIG, reading.clone()).await;
        assert!(!why.contains("changed"), "{reading}: {why}");
    }
    assert_eq!(stage.success(CONFIG, json!([])).await, before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setconfig_counts_here_and_at_lightningd() {
    for flavour in [Flavour::V24_11, Flavour::V26_06] {
        let stage = on(flavour).option("max-fee-ppm", 4000).start().await;
        stage.success(CONFIG, json!(["set", "max_fee_ppm", 3500])).await;
        let name = "revenue-ops-max-fee-ppm";
        let set = stage.lab.call("setconfig", json!([name, 3000])).await.unwrap().unwrap();
        assert_eq!(set["config"]["config"], name);
        // The latest word of the operator counts, so that the override is gone.
        assert_eq!(value(&stage, "max_fee_ppm").await, 3000);
        for (bad, parts) in
            [("200000", ["200000", "1 to 100000"]), ("5", ["min_fee_ppm (10)", "max_fee_ppm (5)"])]
        {
            let error = stage.lab.call("setconfig", json!([name, bad])).await.unwrap().unwrap_err();
            assert_eq!(error.code, -32602, "{error}");
            let names = [name].iter().chain(&parts).all(|part| error.message.contains(part));
            assert!(names, "{error}");
            assert_eq!(value(&stage, "max_fee_ppm").await, 3000);
            assert_eq!(stage.plugin.option_values()[name], "3000", "lightningd keeps the old value");
        }
        let fixed = stage.lab.call("setconfig", json!(["revenue-ops-dry-run", "true"])).await.unwrap();
        assert_eq!(fixed.unwrap_err().code, -32602);
        assert_eq!(value(&stage, "dry_run").await, false);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_value_out_of_range_is_left_out_with_a_warning() {
    let mut stage = on(Flavour::V26_06).start().await;
    stage.success(CONFIG, json!(["set", "fee_interval", 900])).await;
    stage.success(CONFIG, json!(["set", "max_fee_ppm", 900])).await;
    stage.plugin.stop().await.unwrap();
    let changed = Connection::open(stage.db_path())
        .unwrap()
        .execute("UPDATE config_overrides SET value = '100001' WHERE key = 'max_fee_ppm'", [])
        .unwrap();
    assert_eq!(changed, 1);
    stage.start_again().await;
    assert_eq!(value(&stage, "max_fee_ppm").await, 5000);
    assert_eq!(value(&stage, "fee_interval").await, 900, "the others stay");
    stage.until_logged(&["max_fee_ppm: '100001'", "1 to 100000"]).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_values_that_contradict_the_options_are_left_out() {
    let mut stage = on(Flavour::V26_06).start().await;
    stage.success(CONFIG, json!(["set", "min_fee_ppm", 3000])).await;
    stage.success(CONFIG, json!(["set", "daily_budget_sats", 0])).await;
    stage.plugin.stop().await.unwrap();
    stage.command = stage.command.clone().option("revenue-ops-max-fee-ppm", "2000");
    stage.start_again().await;
    assert_eq!(
        (value(&stage, "min_fee_ppm").await, value(&stage, "max_fee_ppm").await),
        (json!(10), json!(2000))
    );
    assert_eq!(value(&stage, "daily_budget_sats").await, 0, "what contradicts nothing stays in force");
    let why = "min_fee_ppm (3000) must not be above max_fee_ppm (2000)";
    stage.until_logged(&[why]).await;
    let left_out = |status: &Value| {
        let degraded = status["degraded"].as_array().unwrap();
        degraded.iter().any(|one| one["part"] == "settings" && one["why"].as_str().unwrap().contains(why))
    };
    assert!(left_out(&stage.status().await), "{}", stage.status().await);
    stage.success(CONFIG, json!(["set", "min_fee_ppm", 1500])).await;
    assert!(!left_out(&stage.status().await), "{}", stage.status().await);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_bounds_are_followed_within_seconds() {
    for flavour in [Flavour::V24_11, Flavour::V26_06] {
        let stage = on(flavour).channels(4).unhurried().start().await;
        assert_eq!(stage.fees(), [200; 4]);
        // One step multiplies by 4 at most, but a bound rules over that.
        stage.success(CONFIG, json!(["set", "min_fee_ppm", 900])).await;
        for channel in 0..4 {
            stage.until_within(channel, 900, 5000).await;
        }
        stage.success(CONFIG, json!(["reset", "min_fee_ppm"])).await;
        stage.lab.call("setconfig", json!(["revenue-ops-max-fee-ppm", "150"])).await.unwrap().unwrap();
        for channel in 0..4 {
            stage.until_within(channel, 10, 150).await;
        }
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_options_stop_the_start_with_one_sentence() {
    for (name, bad, allowed) in [
        ("max-fee-ppm", "0", "1 to 100000"),
        ("fee-interval", "5", "60 to 86400"),
        ("scarcity-threshold", "1.5", "0 to 1"),
        ("vegas-reflex", "ture", "true or false"),
        ("rebalancer", "circular", "sling"),
        ("min-fee-ppm", "ten", "0 to 100000"),
    ] {
        let why = on(Flavour::V26_06).option(name, bad).refusal().await;
        let (said, sentence) =
            why.split_once(": the plugin disabled itself: ").unwrap_or_else(|| panic!("{name}={bad}: {why}"));
        // lightningd itself keeps a plugin's reason for those who debug.
        assert!(said.ends_with(&format!("error: cl-revenue-ops does not start: {sentence}")), "{why}");
        assert!(sentence.starts_with(&format!("revenue-ops-{name}: '{bad}'")), "{sentence}");
        assert!(sentence.contains(allowed), "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictory_options_stop_the_start() {
    let refused = on(Flavour::V23_05).option("min-fee-ppm", 600).option("max-fee-ppm", 500).refusal().await;
    let pair = "revenue-ops-min-fee-ppm (600) must not be above revenue-ops-max-fee-ppm (500)";
    assert!(refused.contains(pair), "{refused}");
    // In whatever order they are read, a pair that agrees is taken.
    let stage = on(Flavour::V23_05).option("min-fee-ppm", 6000).option("max-fee-ppm", 7000).start().await;
    assert_eq!(value(&stage, "min_fee_ppm").await, 6000);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_config_file_is_read_as_it_is() {
    for flavour in Flavour::ALL {
        let given = [
            ("dry-run", "True", "dry_run", json!(true)),
            ("min-fee-ppm", " 25 ", "min_fee_ppm", json!(25)),
            ("proportional-budget-pct", "0.30", "proportional_budget_pct", json!(0.3)),
            ("proportional-budget", "False", "enable_proportional_budget", json!(false)),
            ("vegas-decay", ".9", "vegas_decay_rate", json!(0.9)),
            ("enable-kelly", "1", "enable_kelly", json!(true)),
            ("rebalancer", "Sling", "rebalancer_plugin", json!("sling")),
            ("flow-interval", "7200", "flow_interval", json!(7200)),
        ];
        let setup = given.iter().fold(on(flavour), |setup, (name, text, ..)| setup.option(name, *text));
        let stage = setup.start().await;
        for (_, _, key, wanted) in &given {
            assert_eq!(&value(&stage, key).await, wanted, "{key} on {flavour:?}");
        }
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_path_is_taken_from_the_lightning_dir() {
    let stage = on(Flavour::V26_06).option("db-path", "books/own.db").start().await;
    assert!(stage.lab.lightning_dir().join("books/own.db").is_file());
    assert!(!stage.db_path().exists());
    stage.end().await;
}
