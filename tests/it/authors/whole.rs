//! A stranger's strategy from the first line to the last fee: made, built, checked, signed, pushed in chunks,
//! shadowed, made a canary, put in force, failing, and rolled back.

use super::makes::clean;
use super::{Desk, Done};
use crate::acts::{cycle, set_policy};
use crate::support::Stage;
use lab::market::ChannelSpec;
use lab::{Flavour, MarketSpec};
use serde_json::{Value, json};

/// An author at work beside an operator's node.
struct Scene {
    desk: Desk,
    stage: Stage,
}

impl Scene {
    async fn open() -> Scene {
        let channel = |n| ChannelSpec::new(&format!("peer-{n}"), n).size(5_000_000, 1.0).ppm(400);
        let market = MarketSpec::new((0..4).map(channel).collect(), Vec::new());
        Scene { desk: Desk::new(), stage: Stage::on(Flavour::V26_06).spec(market).start().await }
    }

    /// Runs a tool of the author's, which may call the node, in the node's time.
    fn tool(&self, arguments: &[&str], calls_node: bool) -> Done {
        let socket = self.stage.lab.rpc_path();
        let node: &[&str] = if calls_node { &["--rpc-file", socket.to_str().unwrap()] } else { &[] };
        let mut command = self.desk.command(&[arguments, node].concat());
        command.env("CL_REVENUE_OPS_SIM_CLOCK", self.stage.lab.clock().to_env());
        Done(clean(&mut command).output().unwrap())
    }

    async fn strategy(&self, words: &[&str]) -> Value {
        self.stage.success("revenue-strategy", json!(words)).await
    }

    /// The one module of that name.
    async fn show(&self) -> Value {
        self.strategy(&["show", "evening"]).await["modules"][0].clone()
    }

    /// Has the fees of these channels looked at, and waits until they are as wanted.
    async fn until_fees(&self, wanted: [u32; 4]) {
        cycle(&self.stage).await;
        for (channel, ppm) in wanted.into_iter().enumerate() {
            self.stage.until_fee(channel, ppm).await;
        }
    }
}

/// The template of `strategy new`, which also fails where an operator asks for the rate 4,321.
fn write_the_strategy(desk: &Desk) {
    desk.run(&["new", "evening"]).good();
    let path = desk.path("evening/src/lib.rs");
    let code = std::fs::read_to_string(&path).unwrap();
    let failing =
        "let mut decision = Decision::new(input);\n        assert!(base != 4321.0, \"out of its depth\");";
    let changed = code.replace("let mut decision = Decision::new(input);", failing);
    assert_ne!(code, changed);
    std::fs::write(path, changed).unwrap();
}

/// What was done with a module, oldest first.
fn steps(page: &Value) -> Vec<&str> {
    let events = page["events"].as_array().unwrap();
    events.iter().rev().map(|event| event["action"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_empty_directory_to_a_rollback() {
    let scene = Scene::open().await;
    // Four channels that nobody's market moves, at the operator's own rate to begin with.
    for channel in 0..4 {
        set_policy(&scene.stage, channel, &["strategy=hive"]).await;
    }
    scene.until_fees([0; 4]).await;

    write_the_strategy(&scene.desk);
    let wasm = scene.desk.path("evening/evening.wasm");
    scene.tool(&["build", &scene.desk.path("evening"), "--offline"], false).good();
    scene.tool(&["check", &wasm], false).good();
    scene.tool(&["sign", &wasm], true).good();
    let stranger = scene.tool(&["push", &wasm], true).sentence();
    assert!(stranger.contains("is not trusted"), "{stranger}");
    let author = scene.stage.lab.with_node(|node| node.id.clone());
    scene.strategy(&["trust", "add", &author]).await;
    let pushed = scene.tool(&["push", &wasm], true).json();
    assert_eq!(pushed["state"], "received", "{pushed}");

    // A fleet's strategy: full channels cost its base rate, 200 ppm.
    scene.strategy(&["shadow", "evening", "for=hive"]).await;
    scene.until_fees([0; 4]).await;
    let shown = scene.show().await;
    assert_eq!((&shown["stage"], &shown["signers"]), (&json!("shadow"), &json!([author])), "{shown}");
    assert_eq!(
        shown["trial"]["latest_differences"][0]["on_trial"], 40,
        "one step from the lowest fee: {shown}"
    );

    let second = scene.stage.scid(1);
    scene.strategy(&["canary", "evening", &format!("channels={second}")]).await;
    scene.stage.until_within(1, 40, 200).await;
    assert_eq!([0, 2, 3].map(|channel| scene.stage.fee(channel)), [0; 3]);

    scene.strategy(&["activate", "evening"]).await;
    for _ in 0..6 {
        cycle(&scene.stage).await;
    }
    scene.until_fees([200; 4]).await;
    assert_eq!(scene.show().await["stage"], "active");

    // It fails: no fee moves, and after three faults the built-in strategy stands in for it.
    scene.strategy(&["set-param", "evening", "base-ppm", "4321"]).await;
    for _ in 0..3 {
        cycle(&scene.stage).await;
    }
    let shown = scene.show().await;
    assert_eq!(shown["faults"]["quarantined"], true, "{shown}");
    scene.until_fees([0; 4]).await;

    // Mended by its parameter and cleared it decides again, until it is taken back.
    scene.strategy(&["set-param", "evening", "base-ppm", "300"]).await;
    scene.strategy(&["clear-quarantine", "evening"]).await;
    scene.stage.until_within(0, 40, 300).await;
    scene.strategy(&["rollback", "evening"]).await;
    scene.until_fees([0; 4]).await;
    scene.strategy(&["remove", "evening"]).await;
    let page = scene.strategy(&["show", "evening"]).await;
    assert_eq!(page["modules"], json!([]));
    assert_eq!(
        steps(&page),
        ["install", "shadow", "canary", "activate", "set-param", "set-param", "rollback", "remove"]
    );
    scene.stage.end().await;
}
