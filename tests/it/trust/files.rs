//! Signed modules from files on the node's machine.

use super::{Claim, DAY, METHOD, VERSION, author, begin, component, digest, trusting};
use crate::acts::install as put_file;
use crate::engine::place::guest;
use crate::support::Stage;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Puts a file into the strategies directory.
fn put(stage: &Stage, name: &str, text: &str) -> PathBuf {
    let path = stage.data_dir().join("strategies").join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What `strategy sign` writes for this claim.
fn signatures(claim: &Claim, authors: &[u64]) -> String {
    let call = begin(&claim.text(), authors);
    json!({ "manifest": call["manifest"], "signatures": call["signatures"] }).to_string()
}

async fn strategy(stage: &Stage, words: &[&str]) -> Value {
    stage.success(METHOD, json!(words)).await
}

async fn refusal(stage: &Stage, words: &[&str]) -> String {
    let why = stage.refusal(METHOD, json!(words)).await;
    assert!(why.ends_with("nothing was changed"), "{words:?}: {why}");
    why
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_file_has_its_signers_and_raises_the_mark() {
    let stage = trusting(&[1]).start().await;
    let wasm = component("static");
    put_file(&stage, "mine", wasm);
    assert!(refusal(&stage, &["install", "mine.wasm"]).await.contains("unsigned=true"));
    let claim = Claim::of(&stage, "mine", VERSION, wasm);
    put(&stage, "mine.wasm.sig.json", &signatures(&claim, &[1, 2]));
    let verified = strategy(&stage, &["verify", "mine.wasm"]).await;
    assert_eq!(verified["module"]["signers"], json!([author(1).id()]), "{verified}");
    assert_eq!(strategy(&stage, &["list"]).await["installed"], json!([]), "verify keeps nothing");

    let done = strategy(&stage, &["install", "mine.wasm"]).await;
    assert_eq!((&done["status"], &done["stage"]), (&json!("success"), &json!("verified")), "{done}");
    assert_eq!(done["module"]["signers"], json!([author(1).id()]), "{done}");
    let shown = strategy(&stage, &["show", "mine"]).await["modules"][0].clone();
    assert_eq!((&shown["manifest"], &shown["signers"]), (&json!(claim.text()), &done["module"]["signers"]));
    assert_eq!(strategy(&stage, &["install", "mine.wasm"]).await["status"], "noop");

    // Whichever way a version comes in, no older one follows it.
    let old = guest("version-1.0.0");
    put_file(&stage, "old", &old);
    let sig = put(&stage, "elsewhere.json", &signatures(&Claim::of(&stage, "mine", "1.0.0", &old), &[1]));
    let named = format!("signatures={}", sig.display());
    let why = refusal(&stage, &["install", "old.wasm", &named]).await;
    assert!(why.contains(&format!("is not above {VERSION}")), "{why}");
    // An operator's own hand is free to.
    let by_hand = strategy(&stage, &["install", "old.wasm", "name=mine", "unsigned=true", "world=fee"]).await;
    assert_eq!(by_hand["module"]["signers"], json!([]), "{by_hand}");
    // Removed, the very same may come again.
    strategy(&stage, &["remove", "mine", &format!("version={VERSION}")]).await;
    assert_eq!(strategy(&stage, &["install", "mine.wasm"]).await["status"], "success");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_signatures_do_not_let_it_in_stays_out() {
    let stage = trusting(&[1]).start().await;
    let wasm = component("static");
    put_file(&stage, "mine", wasm);
    let good = Claim::of(&stage, "mine", VERSION, wasm);
    let other_bytes = Claim { digest: digest(b"x"), ..good.clone() };
    let lying = Claim { version: "9.0.0".into(), ..good.clone() };
    let late = Claim { not_after: good.not_after - DAY - 60, ..good.clone() };
    let signed_else = signatures(&good, &[1]).replace("version 2", "version 3");
    for (text, part) in [
        (signatures(&good, &[2]), "is not trusted"),
        (signatures(&good, &[]), "there are 0"),
        (signed_else, "by another key, or of another text"),
        (signatures(&other_bytes, &[1]), "the manifest is for"),
        (signatures(&lying, &[1]), "says version 9.0.0, and the module says of itself"),
        (signatures(&late, &[1]), "it must be signed anew"),
        ("{}".to_owned(), "no manifest with signatures"),
        ("x".repeat(70_000), "more than 65536 bytes"),
    ] {
        put(&stage, "mine.wasm.sig.json", &text);
        for action in ["verify", "install"] {
            let why = refusal(&stage, &[action, "mine.wasm"]).await;
            assert!(why.contains(part), "{action}: {part}: {why}");
        }
    }
    put(&stage, "mine.wasm.sig.json", &signatures(&good, &[1]));
    for (words, part) in [
        (vec!["install", "mine.wasm", "name=yours"], "'yours' was asked for"),
        (vec!["install", "mine.wasm", "signatures=missing.json"], "missing.json: No such file"),
        (vec!["install", "mine.wasm", "signatures=mine.wasm.sig.json", "unsigned=true"], "contradict"),
        (vec!["install", "mine.wasm", "world=fee"], "a manifest says it by its abi"),
    ] {
        let why = refusal(&stage, &words).await;
        assert!(why.contains(part), "{words:?}: {why}");
    }
    assert_eq!(strategy(&stage, &["list"]).await["installed"], json!([]));
    assert!(!stage.data_dir().join(format!("modules/{}.wasm", digest(wasm))).exists());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_for_both_worlds_is_installed_once_for_each() {
    let stage = trusting(&[1]).start().await;
    let wasm = guest("honest");
    put_file(&stage, "both", &wasm);
    let why = refusal(&stage, &["install", "both.wasm", "unsigned=true"]).await;
    assert!(why.contains("say world=fee or world=rebalance"), "{why}");
    assert!(refusal(&stage, &["verify", "both.wasm"]).await.contains("world=rebalance"));
    let unknown = refusal(&stage, &["install", "both.wasm", "unsigned=true", "world=fees"]).await;
    assert!(unknown.contains("use fee or rebalance"), "{unknown}");
    let fee = strategy(&stage, &["install", "both.wasm", "name=rates", "unsigned=true", "world=fee"]).await;
    assert_eq!(fee["module"]["decides"], "fee", "{fee}");
    let again = ["install", "both.wasm", "name=rates", "unsigned=true", "world=rebalance"];
    assert!(refusal(&stage, &again).await.contains("'rates' is installed with world=fee"));
    // A manifest says which by its abi.
    let claim = Claim {
        abi: "revenue-ops:strategy/rebalance@1.0.0".into(),
        ..Claim::of(&stage, "jobs", "1.0.0", &wasm)
    };
    put(&stage, "both.wasm.sig.json", &signatures(&claim, &[1]));
    let jobs = strategy(&stage, &["install", "both.wasm"]).await;
    assert_eq!(
        (&jobs["module"]["name"], &jobs["module"]["decides"]),
        (&json!("jobs"), &json!("rebalance")),
        "{jobs}"
    );
    for (name, place) in [("rates", "dynamic"), ("jobs", "rebalance-ev")] {
        let shadow = strategy(&stage, &["shadow", name]).await;
        assert_eq!((&shadow["stage"], &shadow["stands_for"]), (&json!("shadow"), &json!(place)), "{shadow}");
    }
    let pushed = super::push(&stage, &Claim { name: "pushed".into(), ..claim }, &wasm, &[1]).await;
    assert_eq!(pushed["state"], "received", "{pushed}");
    let shown = strategy(&stage, &["show", "pushed"]).await;
    assert_eq!(shown["modules"][0]["decides"], "rebalance", "{shown}");
    stage.end().await;
}
