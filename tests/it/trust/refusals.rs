//! Pushes that do not arrive.

use super::{
    Claim, DAY, METHOD, VERSION, author, begin, chunk, commit, component, digest, error, send, trusting,
};
use crate::engine::place::guest;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_claim_is_refused_before_there_is_a_byte() {
    let stage = trusting(&[1]).start().await;
    let wasm = component("static");
    let good = Claim::of(&stage, "mine", VERSION, wasm);
    let now = good.not_after - DAY;
    for (claim, code, part) in [
        (
            Claim { network: "bitcoin".into(), ..good.clone() },
            "network",
            "for network bitcoin, and this node is on regtest",
        ),
        (Claim { name: "dynamic".into(), ..good.clone() }, "built_in", "'dynamic' is built in"),
        (Claim { abi: "revenue-ops:strategy/fee@2.0.0".into(), ..good.clone() }, "unknown_abi", "fee@1.0.0"),
        (Claim { size: (4 << 20) + 1, ..good.clone() }, "too_large", "4194305 bytes, and at most 4194304"),
        (Claim { not_after: now - 60, ..good.clone() }, "expired", "ended at"),
        (Claim { not_after: now + 367 * DAY, ..good.clone() }, "not_after_too_far", "latest allowed"),
        (Claim { version: "1.0".into(), ..good.clone() }, "bad_manifest", "three numbers"),
        (Claim { digest: good.digest.to_uppercase(), ..good.clone() }, "bad_manifest", "another spelling"),
    ] {
        let (found, sentence) = error(&stage, claim.signed_by(&[1])).await;
        assert!(found == code && sentence.contains(part), "{code}: {found}: {sentence}");
        assert!(sentence.ends_with("nothing was changed"), "{sentence}");
    }
    let text = good.text();
    let mut borrowed = begin(&text, &[2]);
    borrowed["signatures"][0]["signer"] = json!(author(1).id());
    let mut other_text = begin(&text, &[1]);
    other_text["manifest"] = json!(Claim { version: "9.0.0".into(), ..good.clone() }.text());
    let mut nonsense = begin(&text, &[1]);
    nonsense["signatures"][0]["signature"] = json!("not zbase32");
    for (params, code) in [
        (begin(&text, &[]), "too_few_signers"),
        (begin(&text, &[2]), "too_few_signers"),
        (borrowed, "bad_signature"),
        (other_text, "bad_signature"),
        (nonsense, "bad_signature"),
        (json!(["push", "begin", text, [{ "signer": author(1).id() }]]), "bad_signature"),
        (json!(["push", "begin", text, ["x"]]), "bad_signature"),
        (json!(["push", "begin", text]), "bad_call"),
        (json!(["push", "chunk", "00", 0, "AAAA"]), "bad_call"),
        (json!(["push", "chunk", "0".repeat(32), 0, "AAA"]), "bad_base64"),
        (json!(["push", "chunk", "0".repeat(32), 0, "A".repeat(100_000)]), "chunk_too_large"),
        (json!(["push", "commit", "0".repeat(32)]), "unknown_upload"),
        (json!(["push", "send"]), "bad_call"),
    ] {
        let (found, sentence) = error(&stage, params.clone()).await;
        assert!(found == code && sentence.ends_with("nothing was changed"), "{params}: {found}: {sentence}");
    }
    for words in [json!(["push"]), json!(["Push"]), json!(["PUSH", "list"]), json!({ "Action": "Push" })] {
        let list = stage.success(METHOD, words).await;
        assert_eq!(list, json!({ "uploads": [] }), "nothing was begun");
    }
    let why = stage.refusal(METHOD, json!([null, "action=push"])).await;
    assert!(why.contains("say push first"), "{why}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_was_not_signed_is_dropped() {
    let stage = trusting(&[1]).start().await;
    let wasm = component("static");
    let mut changed = wasm.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let text = b"no component at all".to_vec();
    for (claim, bytes, code) in [
        (Claim::of(&stage, "mine", VERSION, wasm), &changed, "digest"),
        (Claim::of(&stage, "text", VERSION, &text), &text, "abi"),
    ] {
        let begun = stage.success(METHOD, claim.signed_by(&[1])).await;
        send(&stage, &begun["upload"], bytes, 0).await;
        let answer = commit(&stage, &begun["upload"]).await;
        assert_eq!((&answer["status"], &answer["code"]), (&json!("error"), &json!(code)), "{answer}");
        assert_eq!((&answer["state"], &answer["next"]), (&json!("aborted"), &json!("begin")), "{answer}");
        assert!(answer["error"].as_str().unwrap().ends_with("the upload was dropped, begin it again"));
        assert!(!stage.data_dir().join(format!("modules/{}.wasm", digest(bytes))).exists());
        assert_eq!(error(&stage, json!(["push", "commit", begun["upload"]])).await.0, "aborted");
    }
    // What was signed and is not fit is not dropped: the node may be to blame.
    let unfit = guest("describe-panic");
    let claim = Claim::of(&stage, "shy", "1.0.0", &unfit);
    let answer = super::push(&stage, &claim, &unfit, &[1]).await;
    assert_eq!(
        (&answer["code"], &answer["state"], &answer["next"]),
        (&json!("not_installed"), &json!("open"), &json!("commit")),
        "{answer}"
    );
    assert!(answer["error"].as_str().unwrap().contains("when asked to describe itself"), "{answer}");
    // The right bytes, and a manifest that lies about their version.
    let claim = Claim::of(&stage, "mine", "9.0.0", wasm);
    let answer = super::push(&stage, &claim, wasm, &[1]).await;
    assert_eq!((&answer["code"], &answer["state"]), (&json!("version"), &json!("aborted")), "{answer}");
    let why = answer["error"].as_str().unwrap();
    assert!(
        why.contains(&format!("says version 9.0.0, and the module says of itself that it is {VERSION}")),
        "{why}"
    );
    assert!(!stage.data_dir().join(format!("modules/{}.wasm", digest(wasm))).exists());
    // The right bytes may still come.
    let claim = Claim::of(&stage, "mine", VERSION, wasm);
    assert_eq!(super::push(&stage, &claim, wasm, &[1]).await["state"], "received");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_has_its_limits() {
    let stage = trusting(&[1]).start().await;
    let wasm = component("dynamic");
    let begun = stage.success(METHOD, Claim::of(&stage, "mine", VERSION, wasm).signed_by(&[1])).await;
    let upload = &begun["upload"];
    for (params, code, part) in [
        (chunk(upload, 0, &[0; 32_769]), "chunk_too_large", "at most 32768"),
        (chunk(upload, 0, &[0; 40_000]), "chunk_too_large", "at most 32768 bytes in base64"),
        (chunk(upload, 0, &[]), "empty_chunk", "1 to 32768 bytes"),
        (json!(["push", "chunk", upload, 0, "no base64!"]), "bad_base64", "no base64"),
        (json!(["push", "chunk", upload, -1, "AAAA"]), "bad_call", "seq"),
        (json!(["push", "chunk", upload, 1_024, "AAAA"]), "bad_call", "0 to 1023"),
    ] {
        let (found, sentence) = error(&stage, params).await;
        assert!(found == code && sentence.contains(part), "{code}: {found}: {sentence}");
    }
    assert_eq!(stage.success(METHOD, chunk(upload, 0, &wasm[..32_768])).await["next_seq"], 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_uploads_are_open_at_most() {
    let stage = trusting(&[1]).start().await;
    let wasm = component("static");
    let claim = |n: u32| Claim::of(&stage, &format!("mine-{n}"), VERSION, wasm).signed_by(&[1]);
    let mut uploads = Vec::new();
    let claims: Vec<_> = (0..5).map(claim).collect();
    for claim in &claims[..4] {
        uploads.push(stage.success(METHOD, claim.clone()).await["upload"].clone());
    }
    assert_eq!(error(&stage, claims[4].clone()).await.0, "too_many_open");
    assert_eq!(stage.success(METHOD, claims[0].clone()).await["state"], "open", "one that is open goes on");
    let aborted = stage.success(METHOD, json!(["push", "abort", uploads[0]])).await;
    assert_eq!((&aborted["status"], &aborted["state"]), (&json!("success"), &json!("aborted")));
    assert_eq!(stage.success(METHOD, json!(["push", "abort", uploads[0]])).await["status"], "noop");
    assert_eq!(stage.success(METHOD, claims[4].clone()).await["state"], "open");
    assert_eq!(error(&stage, claims[0].clone()).await.0, "too_many_open");
    let list = stage.success(METHOD, json!(["push", "list"])).await;
    let count =
        |state: &str| list["uploads"].as_array().unwrap().iter().filter(|one| one["state"] == state).count();
    assert_eq!((count("open"), count("aborted")), (4, 1), "{list}");
    stage.end().await;
}
