//! `revenue-strategy trust`, and the options.

use super::{METHOD, author, trusting};
use crate::support::{Stage, fields};
use lab::Flavour;
use serde_json::{Value, json};

async fn listed(stage: &Stage) -> Vec<Value> {
    let list = stage.success(METHOD, json!(["trust", "list"])).await;
    assert_eq!(fields(&list), ["history", "signatures_needed", "signers"]);
    list["signers"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_trusts_and_distrusts_across_restarts() {
    let mut stage = Stage::on(Flavour::V26_06).channels(1).start().await;
    let id = |n| author(n).id();
    for (n, params) in [
        (1, json!(["trust", "add", id(1), "the first"])),
        (2, json!(["trust", "action=add", format!("signer={}", id(2)), "label=the second"])),
        (3, json!({ "action": "trust", "subcommand": "add", "signer": id(3).to_uppercase() })),
    ] {
        let answer = stage.success(METHOD, params).await;
        assert_eq!((&answer["status"], &answer["signer"]), (&json!("success"), &json!(id(n))), "{answer}");
        assert_eq!(fields(&answer), ["label", "message", "signer", "status"]);
    }
    let again = stage.success(METHOD, json!(["trust", "add", id(1), "renamed"])).await;
    assert_eq!(again["status"], "noop");
    stage.restart().await;
    let signers = listed(&stage).await;
    assert_eq!(fields(&signers[0]), ["added_at", "label", "signer", "source"]);
    let labels: Vec<_> = ["renamed", "the second", ""].map(Value::from).into();
    let mut found: Vec<_> = signers.iter().map(|one| one["label"].clone()).collect();
    found.sort_by_key(|label| labels.iter().position(|known| known == label));
    assert_eq!(found, labels);
    assert!(signers.iter().all(|one| one["source"] == "command" && one["added_at"].is_u64()));

    let removed = stage.success(METHOD, json!(["trust", "remove", id(2)])).await;
    assert_eq!(removed["status"], "success");
    assert_eq!(stage.success(METHOD, json!(["trust", "remove", id(2)])).await["status"], "noop");
    assert_eq!(listed(&stage).await.len(), 2);
    let list = stage.success(METHOD, json!(["trust"])).await;
    let steps = list["history"].as_array().unwrap();
    let words: Vec<_> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(words, ["remove", "label", "add", "add", "add"]);
    assert_eq!((&steps[0]["signer"], &steps[0]["label"]), (&json!(id(2)), &json!("the second")));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_signer_is_refused() {
    let stage = trusting(&[7]).start().await;
    let pinned = author(7).id();
    let off_curve = format!("02{:064x}", 5);
    for (params, part) in [
        (json!(["trust", "add"]), "signer is missing"),
        (json!(["trust", "add", "02ab"]), "66 hexadecimal digits"),
        (json!(["trust", "add", off_curve]), "is no public key"),
        (json!(["trust", "add", author(1).id(), "x".repeat(65)]), "at most 64 characters"),
        (json!(["trust", "remove", pinned]), "is pinned by revenue-ops-strategy-signers"),
        (json!(["trust", "give"]), "use list, add, remove"),
    ] {
        let why = stage.refusal(METHOD, params.clone()).await;
        assert!(why.contains(part) && why.ends_with("nothing was changed"), "{params}: {why}");
    }
    // A key that is pinned needs no command, and stays when one is given and taken.
    assert_eq!(stage.success(METHOD, json!(["trust", "add", pinned])).await["status"], "noop");
    let expect = json!({ "signer": pinned, "label": null, "source": "option", "added_at": null });
    assert_eq!(listed(&stage).await, [expect]);
    // Neither option follows a command.
    for key in ["strategy_signers", "strategy_signatures"] {
        let why = stage.refusal("revenue-config", json!(["set", key, "1"])).await;
        assert!(why.contains("can only be set when the plugin starts"), "{why}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_does_not_start_with_pins_that_are_none() {
    let twice = format!("{0}, {0}", author(1).id());
    for (value, part) in [
        ("02ab", "'02ab' is no node id"),
        (twice.as_str(), "is there twice"),
        (&format!("02{:064x}", 5), "is no public key"),
    ] {
        let why = Stage::on(Flavour::V26_06).option("strategy-signers", value).refusal().await;
        assert!(why.contains("revenue-ops-strategy-signers") && why.contains(part), "{why}");
    }
    let why = Stage::on(Flavour::V26_06).option("strategy-signatures", "0").refusal().await;
    assert!(why.contains("from 1 to 9"), "{why}");
}
