//! Pushes that arrive.

use super::{
    Claim, METHOD, VERSION, author, begin, chunk, commit, component, digest, error, push, send, trusting,
};
use crate::engine::place::guest;
use crate::support::{DEADLINE, Stage, fields, wait_until};
use lab::Flavour;
use serde_json::{Value, json};

fn kept(stage: &Stage, wasm: &[u8]) -> bool {
    let file = stage.data_dir().join(format!("modules/{}.wasm", digest(wasm)));
    std::fs::read(file).is_ok_and(|bytes| bytes == wasm)
}

/// The fields of an upload that was begun.
const OPEN: [&str; 13] = [
    "abi",
    "bytes",
    "expires_at",
    "max_chunk_bytes",
    "name",
    "next",
    "next_seq",
    "sha256",
    "size",
    "state",
    "status",
    "upload",
    "version",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_push_survives_repetitions_disorder_and_a_restart() {
    let mut stage = trusting(&[1]).start().await;
    let wasm = component("dynamic");
    let chunks: Vec<&[u8]> = wasm.chunks(20_000).collect();
    assert!(chunks.len() > 3, "{} bytes", wasm.len());
    let claim = Claim::of(&stage, "mine", VERSION, wasm);
    let begun = stage.success(METHOD, claim.signed_by(&[1])).await;
    assert_eq!(fields(&begun), OPEN);
    assert_eq!(
        (&begun["next_seq"], &begun["next"], &begun["state"]),
        (&json!(0), &json!("chunk"), &json!("open"))
    );
    let upload = begun["upload"].clone();

    stage.success(METHOD, chunk(&upload, 0, chunks[0])).await;
    let early = stage.call(METHOD, chunk(&upload, 2, chunks[2])).await;
    assert_eq!((&early["status"], &early["code"]), (&json!("error"), &json!("out_of_order")), "{early}");
    assert_eq!((&early["next_seq"], &early["bytes"]), (&json!(1), &json!(20_000)), "{early}");
    let again = stage.success(METHOD, chunk(&upload, 0, chunks[0])).await;
    assert_eq!((&again["next_seq"], &again["bytes"]), (&json!(1), &json!(20_000)));
    let (code, _) = error(&stage, chunk(&upload, 0, chunks[1])).await;
    assert_eq!(code, "chunk_differs");
    let (code, sentence) = error(&stage, json!(["push", "commit", upload])).await;
    assert_eq!(code, "unfinished");
    assert!(
        sentence.contains(&format!("20000 of {} bytes are there: chunk 1 is next", wasm.len())),
        "{sentence}"
    );

    stage.restart().await;
    // Whoever lost the answer begins again, and goes on.
    let resumed = stage.success(METHOD, claim.signed_by(&[1])).await;
    assert_eq!((&resumed["upload"], &resumed["next_seq"]), (&upload, &json!(1)), "{resumed}");
    for (seq, bytes) in chunks.iter().enumerate().skip(1) {
        let answer = stage.success(METHOD, chunk(&upload, seq, bytes)).await;
        let is_last = seq + 1 == chunks.len();
        assert_eq!(answer["next"], if is_last { "commit" } else { "chunk" }, "{answer}");
    }
    let (code, _) = error(&stage, chunk(&upload, chunks.len(), b"x")).await;
    assert_eq!(code, "too_many_bytes");
    assert!(!kept(&stage, wasm));

    let done = commit(&stage, &upload).await;
    let received =
        ["abi", "name", "received_at", "sha256", "signers", "size", "state", "status", "upload", "version"];
    assert_eq!(fields(&done), received);
    assert_eq!((&done["status"], &done["state"]), (&json!("success"), &json!("received")), "{done}");
    assert_eq!((&done["sha256"], &done["signers"]), (&json!(digest(wasm)), &json!([author(1).id()])));
    assert!(kept(&stage, wasm));
    assert_eq!(commit(&stage, &upload).await, done);
    stage.restart().await;
    assert_eq!(commit(&stage, &upload).await, done);
    let (code, _) = error(&stage, chunk(&upload, 0, chunks[0])).await;
    assert_eq!(code, "received");
    let (code, _) = error(&stage, json!(["push", "abort", upload])).await;
    assert_eq!(code, "received");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_never_comes_back() {
    let stage = trusting(&[1]).start().await;
    let (old, new) = (&guest("version-1.0.0")[..], &guest("version-1.1.0")[..]);
    let first = Claim::of(&stage, "mine", "1.0.0", old);
    let second = Claim::of(&stage, "mine", "1.1.0", new);
    assert_eq!(push(&stage, &first, old, &[1]).await["state"], "received");
    let noop = stage.success(METHOD, first.signed_by(&[1])).await;
    assert_eq!((&noop["status"], &noop["state"]), (&json!("noop"), &json!("received")), "{noop}");
    assert_eq!(push(&stage, &second, new, &[1]).await["state"], "received");
    let other = Claim { digest: digest(old), size: old.len(), ..second.clone() };
    for claim in [first, other] {
        let (code, sentence) = error(&stage, claim.signed_by(&[1])).await;
        assert_eq!(code, "not_newer");
        assert!(sentence.contains("is not above 1.1.0"), "{sentence}");
    }
    assert_eq!(stage.success(METHOD, second.signed_by(&[1])).await["status"], "noop");
    // Each name has versions of its own.
    let oldest = &guest("version-0.0.1")[..];
    let elsewhere = Claim::of(&stage, "yours", "0.0.1", oldest);
    assert_eq!(push(&stage, &elsewhere, oldest, &[1]).await["state"], "received");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removed_a_module_may_have_the_very_same_again() {
    let stage = trusting(&[1]).start().await;
    let (old, new) = (&guest("version-1.0.0")[..], &guest("version-1.1.0")[..]);
    let (first, second) = (Claim::of(&stage, "mine", "1.0.0", old), Claim::of(&stage, "mine", "1.1.0", new));
    for (claim, wasm) in [(&first, old), (&second, new)] {
        assert_eq!(push(&stage, claim, wasm, &[1]).await["state"], "received");
    }
    stage.success(METHOD, json!(["remove", "mine", "version=1.1.0"])).await;
    // Other bytes under that version, and an older version, are kept out as before.
    let forged = Claim::of(&stage, "mine", "1.1.0", old);
    for claim in [&forged, &first] {
        assert_eq!(error(&stage, claim.signed_by(&[1])).await.0, "not_newer");
    }
    let again = push(&stage, &second, new, &[1]).await;
    assert_eq!((&again["status"], &again["state"]), (&json!("success"), &json!("received")), "{again}");
    let shown = stage.success(METHOD, json!(["show", "mine"])).await;
    let versions: Vec<_> =
        shown["modules"].as_array().unwrap().iter().map(|module| module["version"].clone()).collect();
    assert!(versions.contains(&json!("1.1.0")), "{shown}");
    assert_eq!(stage.success(METHOD, second.signed_by(&[1])).await["status"], "noop");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_signers_are_two_of_three() {
    let stage = trusting(&[1, 2]).option("strategy-signatures", 2).start().await;
    let wasm = component("static");
    let claim = Claim::of(&stage, "mine", VERSION, wasm);
    for (signers, code, part) in [
        (&[1][..], "too_few_signers", "of 2 trusted signers are needed, and there are 1"),
        (&[1, 3], "too_few_signers", "is not trusted"),
        (&[1, 1], "duplicate_signer", "has signed twice"),
        (&[], "too_few_signers", "there are 0"),
    ] {
        let (found, sentence) = error(&stage, claim.signed_by(signers)).await;
        assert!(found == code && sentence.contains(part), "{signers:?}: {sentence}");
    }
    stage.success(METHOD, json!(["trust", "add", author(3).id()])).await;
    let done = push(&stage, &claim, wasm, &[3, 1]).await;
    let mut expect = [author(1).id(), author(3).id()];
    expect.sort();
    assert_eq!(done["signers"], json!(expect), "{done}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_true_at_the_beginning_is_asked_again_at_the_end() {
    let stage = Stage::on(Flavour::V26_06).channels(1).start().await;
    let (wasm, id) = (component("static"), author(1).id());
    stage.success(METHOD, json!(["trust", "add", id])).await;
    let claim = Claim::of(&stage, "mine", VERSION, wasm);
    let begun = stage.success(METHOD, claim.signed_by(&[1])).await;
    send(&stage, &begun["upload"], wasm, 0).await;
    stage.success(METHOD, json!(["trust", "remove", id])).await;
    let (code, _) = error(&stage, json!(["push", "commit", begun["upload"]])).await;
    assert_eq!(code, "too_few_signers");
    assert!(!kept(&stage, wasm));
    stage.success(METHOD, json!(["trust", "add", id])).await;
    assert_eq!(commit(&stage, &begun["upload"]).await["state"], "received");
    assert!(kept(&stage, wasm));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_own_signature_is_one() {
    let mut stage = Stage::on(Flavour::V26_06).channels(1).start().await;
    let wasm = component("static");
    let text = Claim::of(&stage, "mine", VERSION, wasm).text();
    let call =
        |method: &str, params: Value| stage.lab.with_node(|node| node.call_now(method, &params).unwrap());
    let (id, zbase) =
        (call("getinfo", json!({}))["id"].clone(), call("signmessage", json!([text]))["zbase"].clone());
    stage.command = stage.command.clone().option("revenue-ops-strategy-signers", id.clone());
    stage.restart().await;
    let signatures = json!([{ "signer": id, "signature": zbase }]);
    let begun = stage.success(METHOD, json!(["push", "begin", text, signatures])).await;
    assert_eq!(begun["state"], "open");
    assert_eq!(error(&stage, begin(&text, &[1])).await.0, "too_few_signers");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_upload_expires() {
    let mut stage = trusting(&[1]).start().await;
    let wasm = component("static");
    let claim = Claim::of(&stage, "mine", VERSION, wasm);
    let begun = stage.success(METHOD, claim.signed_by(&[1])).await;
    let upload = &begun["upload"];
    for (wait_s, seq) in [(3_000, 0), (3_000, 1)] {
        later(&mut stage, wait_s).await;
        let answer = stage.success(METHOD, chunk(upload, seq, &wasm[..1_000])).await;
        assert_eq!(answer["next_seq"], seq + 1, "each chunk gives it another hour: {answer}");
    }
    later(&mut stage, 3_700).await;
    for params in [chunk(upload, 2, &wasm[..1_000]), json!(["push", "commit", upload])] {
        let (code, sentence) = error(&stage, params).await;
        assert_eq!(code, "expired");
        assert!(sentence.contains("no chunk came for 60 minutes: begin it again"), "{sentence}");
    }
    // Its chunks go with the next round of upkeep.
    wait_until(DEADLINE, async || {
        let rows = rusqlite::Connection::open(stage.db_path()).unwrap();
        let left: u32 = rows.query_row("SELECT count(*) FROM upload_chunks", [], |row| row.get(0)).unwrap();
        if left == 0 { Ok(()) } else { Err(json!(left)) }
    })
    .await;
    assert_eq!(error(&stage, json!(["push", "commit", upload])).await.0, "expired");
    let list = stage.success(METHOD, json!(["push", "list"])).await;
    assert_eq!(
        (&list["uploads"][0]["state"], &list["uploads"][0]["next"]),
        (&json!("expired"), &json!("begin"))
    );
    let anew = stage.success(METHOD, claim.signed_by(&[1])).await;
    assert_eq!((&anew["upload"], &anew["next_seq"]), (upload, &json!(0)));
    stage.end().await;
}

/// Lets time pass while the plugin is down.
async fn later(stage: &mut Stage, seconds: u32) {
    stage.plugin.stop().await.unwrap();
    stage.lab.advance_by(seconds.into()).unwrap();
    stage.start_again().await;
}
