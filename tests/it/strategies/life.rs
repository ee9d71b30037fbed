//! A module's life: installed, beside the one in force, for some channels, for all, and back.

use super::{digest, stage};
use crate::acts::{channel_id, cycle, fee_debug, install as put_file, set_policy};
use crate::engine::place::guest;
use crate::support::{DEADLINE, Stage, wait_until};
use lab::{Fault, Flavour};
use serde_json::{Value, json};

/// `revenue-strategy` as words of a command line.
pub(super) async fn strategy(stage: &Stage, words: &[&str]) -> Value {
    stage.success("revenue-strategy", json!(words)).await
}

pub(super) async fn refusal(stage: &Stage, words: &[&str]) -> String {
    let why = stage.refusal("revenue-strategy", json!(words)).await;
    assert!(why.contains("nothing was changed"), "{words:?}: {why}");
    why
}

/// Installs the guest in this mode, unsigned, and gives its digest.
pub(super) async fn take_in(stage: &Stage, mode: &str) -> String {
    let wasm = guest(mode);
    let path = stage.lab.lightning_dir().join(format!("{mode}.wasm"));
    std::fs::write(&path, &wasm).unwrap();
    let path = path.to_str().unwrap();
    let answer = strategy(stage, &["install", path, "name=guest", "unsigned=true", "world=fee"]).await;
    assert_eq!((&answer["status"], &answer["stage"]), (&json!("success"), &json!("verified")), "{answer}");
    assert_eq!(answer["module"]["digest"], json!(digest(&wasm)), "{answer}");
    digest(&wasm)
}

pub(super) async fn show(stage: &Stage, digest: &str) -> Value {
    let page = strategy(stage, &["show", "guest"]).await;
    let modules = page["modules"].as_array().unwrap();
    modules.iter().find(|module| module["digest"] == digest).unwrap_or_else(|| panic!("{page}")).clone()
}

async fn actions(stage: &Stage) -> Vec<String> {
    let page = strategy(stage, &["show", "guest"]).await;
    let events = page["events"].as_array().unwrap().iter().rev();
    events.map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

/// Who decided about a channel last.
async fn decided_by(stage: &Stage, channel: usize) -> Value {
    stage.until_fees_rest().await;
    fee_debug(stage, channel).await["last_decision"]["digest"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_goes_from_shadow_to_canary_to_active_and_back() {
    let mut stage = stage(&[50, 50, 50, 50]).await;
    for channel in 0..4 {
        set_policy(&stage, channel, &["strategy=static", "fee_ppm=50"]).await;
        set_policy(&stage, channel, &["strategy=dynamic"]).await;
    }
    let new = take_in(&stage, "honest").await;
    assert!(refusal(&stage, &["activate", "guest"]).await.contains("never decided on trial"));
    assert!(refusal(&stage, &["canary", "guest"]).await.contains("is verified: shadow it first"));

    // A shadow changes nothing, and is seen to want something else.
    let answer = strategy(&stage, &["shadow", "guest"]).await;
    assert_eq!((&answer["stage"], &answer["stands_for"]), (&json!("shadow"), &json!("dynamic")), "{answer}");
    cycle(&stage).await;
    let shadow = show(&stage, &new).await;
    assert!(shadow["trial"]["decisions"].as_u64().unwrap() >= 1, "{shadow}");
    assert_eq!(
        (&shadow["trial"]["unit"], &shadow["trial"]["faults"]),
        (&json!("ppm"), &json!(0)),
        "{shadow}"
    );
    let built_in = decided_by(&stage, 0).await;
    assert_ne!(built_in, json!(new));

    // A canary decides for its own channel only.
    let own = stage.scid(2);
    let answer = strategy(&stage, &["canary", "guest", &format!("channels={own}")]).await;
    assert_eq!(answer["channels"], json!([own]), "{answer}");
    let shown = show(&stage, &new).await["canary"].clone();
    for told in [&answer, &shown] {
        let names = (&told["channels"], &told["full_channel_ids"]);
        assert_eq!(names, (&json!([own]), &json!([channel_id(&stage, 2)])), "{told}");
    }
    stage.lab.with_node(|node| node.set_fee_ppm(2, 50));
    cycle(&stage).await;
    stage.until_within(2, 55, 100).await;
    assert_eq!(decided_by(&stage, 2).await, json!(new));
    assert_ne!(decided_by(&stage, 0).await, json!(new));

    let booked = show(&stage, &new).await["performance"][0].clone();
    assert_eq!(
        (&booked["strategy"], &booked["channels_in_force"]),
        (&json!("dynamic"), &json!(1)),
        "{booked}"
    );
    let (verdict, other) = (&booked["compared"]["verdict"], &booked["compared"]["with"]);
    assert_eq!((verdict, &other["module"]), (&json!("not enough data"), &Value::Null), "{booked}");

    // In force, also after a restart.
    let answer = strategy(&stage, &["activate", "guest"]).await;
    assert_eq!((&answer["stage"], &answer["stands_for"]), (&json!("active"), &json!("dynamic")), "{answer}");
    stage.restart().await;
    stage.lab.with_node(|node| node.set_fee_ppm(0, 50));
    cycle(&stage).await;
    stage.until_within(0, 55, 100).await;
    assert_eq!(decided_by(&stage, 0).await, json!(new));
    let booked = strategy(&stage, &["performance", "guest"]).await["modules"][0].clone();
    assert_eq!((&booked["module"], &booked["channels_in_force"]), (&json!("guest"), &json!(4)), "{booked}");
    assert!(refusal(&stage, &["remove", "guest"]).await.contains("decides for 'dynamic'"));
    assert!(refusal(&stage, &["shadow", "guest"]).await.contains("its own shadow"));

    // One command, and the built-in strategy decides again.
    let answer = strategy(&stage, &["rollback", "guest"]).await;
    assert_eq!(answer["in_force"], Value::Null, "{answer}");
    stage.lab.with_node(|node| node.set_fee_ppm(0, 3));
    cycle(&stage).await;
    assert_eq!(stage.fee(0), 10, "the built-in strategy brings it to the lowest fee");
    strategy(&stage, &["remove", "guest"]).await;
    let wanted = ["install", "shadow", "canary", "activate", "rollback", "remove"];
    assert_eq!(actions(&stage).await, wanted);
    assert!(refusal(&stage, &["shadow", "guest"]).await.contains("no module 'guest' is installed"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_takes_over_the_memory_and_gives_it_back() {
    let stage = stage(&[50, 1_000]).await;
    let old = take_in(&stage, "honest").await;
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_within(0, 55, 100).await;
    cycle(&stage).await;
    let calls = |stage: &Stage| super::states(stage, "guest").0[0][0];
    let before = calls(&stage);
    assert!(before >= 2, "{before} calls");

    let new = take_in(&stage, "honest-2").await;
    strategy(&stage, &["activate", "guest", &format!("module={new}"), "force=true"]).await;
    cycle(&stage).await;
    assert!(calls(&stage) > before, "the new one goes on counting");
    assert_eq!(show(&stage, &old).await["stage"], "superseded");
    // The cycle that a rollback wakes is to change nothing yet.
    let closed = Fault::Error { code: -1, message: "not now".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listpeerchannels", closed, None));
    let answer = strategy(&stage, &["rollback", "guest"]).await;
    assert_eq!(answer["in_force"]["digest"], json!(old), "{answer}");
    // The old one has the memory that it had.
    assert_eq!(calls(&stage), before);
    assert_eq!(show(&stage, &old).await["stage"], "active");
    assert_eq!(show(&stage, &new).await["stage"], "verified");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_is_taken_back_at_once() {
    let stage = stage(&[50, 60, 70]).await;
    let bad = take_in(&stage, "honest").await;
    strategy(&stage, &["shadow", "guest"]).await;
    strategy(&stage, &["canary", "guest", &format!("channels={}", stage.scid(0))]).await;
    cycle(&stage).await;
    assert_eq!(show(&stage, &bad).await["stage"], "canary");
    strategy(&stage, &["rollback", "guest"]).await;

    // Installing tries it once, so what fails must fail later: by a parameter out of its mind.
    let failing = take_in(&stage, "step-fails").await;
    strategy(&stage, &["shadow", "guest", &format!("module={failing}")]).await;
    strategy(
        &stage,
        &["canary", "guest", &format!("channels={}", stage.scid(0)), &format!("module={failing}")],
    )
    .await;
    cycle(&stage).await;
    let fees = stage.fees();
    strategy(&stage, &["set-param", "guest", "step", "999", &format!("module={failing}")]).await;
    cycle(&stage).await;
    let shown = show(&stage, &failing).await;
    assert_eq!((&shown["stage"], &shown["canary"]), (&json!("shadow"), &Value::Null), "{shown}");
    assert_eq!(stage.fee(0), fees[0], "a fault changes no fee");
    assert_eq!(actions(&stage).await.last().unwrap(), "return");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_refused_too_often_is_taken_back_with_the_figures() {
    let stage = stage(&[50, 60, 70]).await;
    let digest = take_in(&stage, "honest").await;
    strategy(&stage, &["shadow", "guest"]).await;
    strategy(&stage, &["canary", "guest", &format!("channels={}", stage.scid(0)), "max_refusals=20"]).await;
    // So long a step passes the gossip gate each time, until the day's changes are used up.
    strategy(&stage, &["set-param", "guest", "step", "300"]).await;
    cycle(&stage).await;
    let canary = show(&stage, &digest).await["canary"].clone();
    assert_eq!(canary["judged"]["verdict"], "goes on", "{canary}");
    assert!(canary["judged"]["revenue_not_judged_before"].as_str().unwrap().contains("24 hours"), "{canary}");
    for _ in 0..30 {
        if show(&stage, &digest).await["stage"] == "shadow" {
            break;
        }
        cycle(&stage).await;
    }
    let page = strategy(&stage, &["show", "guest"]).await;
    let last = &page["events"][0];
    assert_eq!((&last["action"], &last["by"]), (&json!("return"), &json!("host")), "{page}");
    assert!(last["detail"].as_str().unwrap().contains("the guard refused"), "{last}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleets_module_decides_for_hive_peers_within_the_limits_until_it_fails() {
    let stage = stage(&[50, 60]).await;
    set_policy(&stage, 0, &["strategy=hive"]).await;
    stage.until_fee(0, 0).await;
    let fleet = take_in(&stage, "honest").await;
    for place in ["static", "passive", "rebalance-ev"] {
        let why = refusal(&stage, &["activate", "guest", &format!("for={place}"), "force=true"]).await;
        assert!(why.contains("cannot stand for"), "{why}");
    }
    strategy(&stage, &["activate", "guest", "for=hive", "force=true"]).await;
    // From 0 ppm the lowest fee is the first that the limits allow.
    stage.until_fee(0, 10).await;
    assert_eq!(decided_by(&stage, 0).await, json!(fleet));
    strategy(&stage, &["rollback", "hive"]).await;
    stage.until_fee(0, 0).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_the_checks_is_not_taken_in() {
    let stage = stage(&[50]).await;
    let dir = stage.lab.lightning_dir().to_owned();
    let path = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.join(name), bytes).unwrap();
        dir.join(name).to_str().unwrap().to_owned()
    };
    let good = path("good.wasm", &guest("honest"));
    let wasi =
        r#"(component (import "wasi:cli/environment@0.2.3" (instance (export "get-arguments" (func)))))"#;
    for (words, part) in [
        (vec!["install", &good], "unsigned=true"),
        (
            vec!["install", &good, "name=dynamic", "unsigned=true", "world=fee"],
            "the name of a built-in strategy",
        ),
        (
            vec!["install", &path("panic.wasm", &guest("panic")), "unsigned=true", "world=fee"],
            "failed on the present snapshot",
        ),
        (vec!["verify", &path("text.wasm", b"#!/bin/sh")], "not WebAssembly"),
        (vec!["verify", &path("wasi.wasm", &wat::parse_str(wasi).unwrap())], "wasi:cli/environment"),
        (vec!["verify", "missing.wasm"], "No such file"),
        (vec!["verify", "/dev/zero"], "not a regular file"),
    ] {
        let why = refusal(&stage, &words).await;
        assert!(why.contains(part), "{words:?}: {why}");
    }
    let kept = stage.data_dir().join("modules");
    let verified = strategy(&stage, &["verify", &good, "world=fee"]).await;
    assert_eq!(verified["module"]["self_test"]["channels"], 1, "{verified}");
    assert!(verified["module"]["self_test"]["fuel"].as_u64().unwrap() > 0);
    let of_good = kept.join(format!("{}.wasm", digest(&guest("honest"))));
    assert!(!of_good.exists(), "verify keeps nothing");
    let listed = strategy(&stage, &["list"]).await;
    assert_eq!(listed["installed"], json!([]), "{listed}");
    put_file(&stage, "relative", &guest("honest"));
    let relative = ["install", "relative.wasm", "name=guest", "unsigned=true", "world=fee"];
    strategy(&stage, &relative).await;
    let again = strategy(&stage, &relative).await;
    assert_eq!(again["status"], "noop", "{again}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluator_is_tried_beside_the_one_in_force_too() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let wasm = cl_revenue_ops::engine::built_in_component("rebalance-ev").unwrap().to_vec();
    let path = stage.lab.lightning_dir().join("ev.wasm");
    std::fs::write(&path, &wasm).unwrap();
    let path = path.to_str().unwrap();
    let answer = strategy(&stage, &["install", path, "name=guest", "unsigned=true"]).await;
    assert_eq!(answer["module"]["decides"], "rebalance", "{answer}");
    let answer = strategy(&stage, &["shadow", "guest"]).await;
    assert_eq!(answer["stands_for"], "rebalance-ev", "{answer}");
    stage.until_status(|status| status["rebalancer"]["state"] == "usable").await;
    stage.success("revenue-rebalance", json!({})).await;
    let shown = wait_until(DEADLINE, async || {
        let shown = show(&stage, &digest(&wasm)).await;
        if shown["trial"]["decisions"].as_u64().is_some_and(|count| count >= 1) {
            Ok(shown)
        } else {
            Err(shown)
        }
    })
    .await;
    // It is the same evaluator: they agree on everything.
    assert_eq!(
        (&shown["trial"]["differing"], &shown["trial"]["unit"]),
        (&json!(0), &json!("msat")),
        "{shown}"
    );
    strategy(&stage, &["activate", "guest"]).await;
    stage.success("revenue-rebalance", json!({})).await;
    strategy(&stage, &["rollback", "rebalance-ev"]).await;
    stage.end().await;
}
