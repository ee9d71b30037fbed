//! Which files a policy may name.

use super::stage;
use crate::acts::{cycle, install, set_policy};
use crate::engine::place::guest;
use crate::support::Stage;
use serde_json::json;
use std::os::unix::fs::symlink;

async fn refusal(stage: &Stage, name: &str) -> String {
    let params = json!(["set", stage.peer(0), format!("strategy={name}")]);
    let why = stage.refusal("revenue-policy", params).await;
    assert!(why.contains("nothing was changed"), "{why}");
    let kept = stage.call("revenue-policy", json!(["get", stage.peer(0)])).await;
    assert_eq!(kept["policy"]["strategy"], "dynamic", "{name}");
    why
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_decide_is_refused_when_it_is_named() {
    let stage = stage(&[50, 50]).await;
    let wasi =
        r#"(component (import "wasi:cli/environment@0.2.3" (instance (export "get-arguments" (func)))))"#;
    install(&stage, "wasi", &wat::parse_str(wasi).unwrap());
    install(&stage, "core", &wat::parse_str("(module)").unwrap());
    install(&stage, "text", b"#!/bin/sh\n");
    install(&stage, "empty", &wat::parse_str("(component)").unwrap());
    let mut large = guest("honest");
    large.resize(64 << 20, 0);
    install(&stage, "large", &large);
    install(&stage, "shy", &guest("describe-panic"));
    for (name, part) in [
        ("wasi", "imports the function 'wasi:cli/environment@0.2.3#get-arguments'"),
        ("core", "a core module"),
        ("text", "not WebAssembly"),
        ("empty", "exports nothing"),
        ("large", "67108864 bytes"),
        ("shy", "when asked to describe itself"),
        (
            "missing",
            "there is no strategy 'missing': use dynamic, static, passive, hive, or put missing.wasm into",
        ),
        ("../wasi", "strategy"),
        ("/etc/passwd", "strategy"),
    ] {
        let why = refusal(&stage, name).await;
        assert!(why.contains(part), "{name}: {why}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_out_of_the_directory() {
    let stage = stage(&[50, 50]).await;
    let strategies = stage.lab.lightning_dir().join("revenue-ops/strategies");
    let outside = stage.lab.lightning_dir().join("outside.wasm");
    std::fs::write(&outside, guest("honest")).unwrap();
    symlink(&outside, strategies.join("absolute.wasm")).unwrap();
    symlink("../../outside.wasm", strategies.join("relative.wasm")).unwrap();
    for name in ["absolute", "relative"] {
        let why = refusal(&stage, name).await;
        assert!(why.contains("cannot be read"), "{name}: {why}");
    }
    let listed = stage.call("revenue-strategy", json!(["list"])).await;
    assert_eq!(listed["modules"], json!([]), "{listed}");
    // A link within the directory is one of the operator's own names for a file.
    install(&stage, "real", &guest("honest"));
    symlink("real.wasm", strategies.join("nick.wasm")).unwrap();
    set_policy(&stage, 0, &["strategy=nick"]).await;
    stage.until_fee(0, 55).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_leaves_its_peers_to_dynamic() {
    let stage = stage(&[50, 250]).await;
    install(&stage, "guest", &guest("honest"));
    for channel in [0, 1] {
        set_policy(&stage, channel, &["strategy=guest"]).await;
    }
    stage.until_fee(0, 55).await;
    std::fs::remove_file(stage.lab.lightning_dir().join("revenue-ops/strategies/guest.wasm")).unwrap();
    stage.lab.with_node(|node| node.set_fee_ppm(0, 3));
    cycle(&stage).await;
    assert_eq!(stage.fee(0), 10);
    stage.until_logged(&["no module 'guest' is in force, and there is no guest.wasm"]).await;
    stage.end().await;
}
