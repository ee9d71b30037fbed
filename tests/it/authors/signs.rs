//! `sign`, `verify` and `push`, on a simulated node and its plugin.

use super::{Desk, Done};
use crate::support::Stage;
use cl_revenue_ops::engine::built_in_component;
use lab::Flavour;
use lab::keys::NodeKey;
use serde_json::{Value, json};

/// A desk beside a node.
struct Signing {
    desk: Desk,
    stage: Stage,
}

impl Signing {
    async fn new() -> Signing {
        Signing { desk: Desk::new(), stage: Stage::on(Flavour::V26_06).channels(1).start().await }
    }

    /// Runs a tool in the time of the node.
    fn run(&self, arguments: &[&str]) -> Done {
        let mut command = self.desk.command(arguments);
        command.env("CL_REVENUE_OPS_SIM_CLOCK", self.stage.lab.clock().to_env());
        Done(command.output().unwrap())
    }

    /// Runs a tool that calls the node.
    fn call(&self, arguments: &[&str]) -> Done {
        let socket = self.stage.lab.rpc_path();
        self.run(&[arguments, &["--rpc-file", socket.to_str().unwrap()]].concat())
    }

    fn node_id(&self) -> String {
        self.stage.lab.with_node(|node| node.id.clone())
    }

    fn signatures(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.desk.path("mine.wasm.sig.json")).unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_signed_twice_verified_and_pushed() {
    let signing = Signing::new().await;
    let wasm = signing.desk.file("mine.wasm", built_in_component("dynamic").unwrap());
    let own = signing.call(&["sign", &wasm]).sentence();
    assert!(own.contains("'dynamic' is built in: use --name"), "{own}");
    let signed = signing.call(&["sign", &wasm, "--name", "mine", "--network", "regtest"]).good();
    let text = signed.lines().next().unwrap().to_owned();
    assert!(text.starts_with("cl-revenue-ops strategy 1; network regtest; name mine; version "), "{text}");
    assert!(text.contains("; abi revenue-ops:strategy/fee@1.0.0; sha256 "), "{text}");
    let file = signing.signatures();
    assert_eq!(
        (&file["manifest"], &file["signatures"][0]["signer"]),
        (&json!(text), &json!(signing.node_id()))
    );
    let node = |method: &str, params: Value| {
        signing.stage.lab.with_node(|node| node.call_now(method, &params).unwrap())
    };
    let zbase = &file["signatures"][0]["signature"];
    let checked = node("checkmessage", json!({"message": text, "zbase": zbase, "pubkey": signing.node_id()}));
    assert_eq!(checked["verified"], true);

    // Signing again changes nothing; what another node signed is added to it.
    assert!(signing.call(&["sign", &wasm]).good().contains("has 1 signature\n"));
    let other = NodeKey::of_seed(1);
    let added = format!("{}={}", other.id(), other.sign(&text).zbase);
    assert!(signing.run(&["sign", &wasm, "--add", &added]).good().contains("has 2 signatures\n"));

    let good = signing.run(&["verify", &wasm, "--signer", &other.id()]).good();
    assert!(good.contains(&format!("good    {}\n", other.id())), "{good}");
    assert!(good.contains(&format!("good    {} (does not count)\n", signing.node_id())), "{good}");
    assert!(good.ends_with(&format!("ok      it may come in, signed by {}\n", other.id())), "{good}");
    let both = ["--signer", &other.id(), "--signer", &signing.node_id(), "--signatures", "2"];
    assert!(signing.run(&[&["verify", &wasm][..], &both].concat()).good().contains("ok      it may come in"));

    let stranger = signing.call(&["push", &wasm]).sentence();
    assert!(stranger.contains("is not trusted"), "{stranger}");
    signing.stage.success("revenue-strategy", json!(["trust", "add", other.id(), "the other"])).await;
    let pushed = signing.call(&["push", &wasm]).json();
    assert_eq!(
        (&pushed["state"], &pushed["signers"]),
        (&json!("received"), &json!([other.id()])),
        "{pushed}"
    );
    let shown = signing.stage.success("revenue-strategy", json!(["show", "mine"])).await;
    assert!(shown.to_string().contains(&other.id()), "{shown}");
    assert_eq!(signing.call(&["push", &wasm]).json()["status"], "noop");
    signing.stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_broke_off_goes_on() {
    let signing = Signing::new().await;
    let bytes = built_in_component("dynamic").unwrap();
    let wasm = signing.desk.file("mine.wasm", bytes);
    signing.call(&["sign", &wasm, "--name", "mine"]).good();
    signing.stage.success("revenue-strategy", json!(["trust", "add", signing.node_id()])).await;
    let file = signing.signatures();
    let begun = signing
        .stage
        .success("revenue-strategy", json!(["push", "begin", file["manifest"], file["signatures"]]))
        .await;
    // By another client, in other pieces.
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(&bytes[..1_000]);
    signing.stage.success("revenue-strategy", json!(["push", "chunk", begun["upload"], 0, data])).await;
    assert_eq!(signing.call(&["push", &wasm]).json()["state"], "received");
    signing.stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_signed_is_told() {
    let signing = Signing::new().await;
    let bytes = built_in_component("static").unwrap();
    let wasm = signing.desk.file("mine.wasm", bytes);
    assert!(signing.run(&["verify", &wasm]).sentence().contains("strategy sign makes it"));
    assert!(signing.run(&["sign", &wasm, "--name", "mine", "--print"]).sentence().contains("use --network"));
    let elsewhere = signing.call(&["sign", &wasm, "--name", "mine", "--network", "bitcoin"]).sentence();
    assert!(elsewhere.contains("the node is on regtest, and the manifest is for bitcoin"), "{elsewhere}");
    assert_eq!(signing.desk.files(), ["mine.wasm"]);

    let print = ["sign", &wasm, "--name", "mine", "--network", "regtest", "--print"];
    let text = signing.run(&print).good();
    assert!(
        text.contains(&format!("; version {}; ", env!("CARGO_PKG_VERSION"))) && text.lines().count() == 1,
        "{text}"
    );
    assert!(
        signing.run(&["verify", &wasm]).bad().contains("FAULT   signatures of 1 trusted signer are needed")
    );
    assert_eq!(signing.run(&["sign", &wasm, "--print"]).good(), text, "the text stays");
    let otherwise = signing.run(&["sign", &wasm, "--name", "yours", "--print"]).sentence();
    assert!(otherwise.contains("use --anew"), "{otherwise}");

    let key = NodeKey::of_seed(1);
    let foreign = format!("{}={}", key.id(), key.sign("another text").zbase);
    assert!(
        signing
            .run(&["sign", &wasm, "--add", &foreign])
            .sentence()
            .contains("by another key, or of another text")
    );
    let own = format!("{}={}", key.id(), key.sign(text.trim_end()).zbase);
    signing.run(&["sign", &wasm, "--add", &own]).good();
    signing.run(&["verify", &wasm]).good();
    assert!(
        signing
            .run(&["verify", &wasm, "--network", "bitcoin"])
            .bad()
            .contains("FAULT   the manifest is for network regtest")
    );
    assert!(signing.run(&["verify", &wasm, "--signatures", "2"]).bad().contains("and there are 1"));

    // A manifest that lies about the version, well signed.
    let lie = text.trim_end().replace(&format!("version {}", env!("CARGO_PKG_VERSION")), "version 9.9.9");
    let signatures = json!([{ "signer": key.id(), "signature": key.sign(&lie).zbase }]);
    let file = json!({ "manifest": lie, "signatures": signatures }).to_string();
    signing.desk.file("mine.wasm.sig.json", file.as_bytes());
    let told = signing.run(&["verify", &wasm]).bad();
    assert!(
        told.contains("FAULT   the manifest says version 9.9.9, and the module says of itself"),
        "{told}"
    );

    // One bit of the module.
    let mut changed = bytes.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    signing.desk.file("mine.wasm", &changed);
    assert!(signing.run(&["verify", &wasm]).bad().contains("FAULT   the module's sha256 is "));
    for done in [signing.call(&["sign", &wasm]), signing.call(&["push", &wasm])] {
        assert!(done.sentence().contains("is for other bytes"));
    }
    signing.stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_too_large_for_a_push_comes_in_from_a_file() {
    let signing = Signing::new().await;
    // A custom section of 5 MiB says nothing.
    let mut bytes = built_in_component("static").unwrap().to_vec();
    let size = 5 << 20;
    let mut length = size;
    bytes.push(0);
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend([1, b'x']);
    bytes.resize(bytes.len() + size - 2, 0);
    let wasm = signing.desk.file("mine.wasm", &bytes);
    let sign = ["sign", &wasm, "--name", "mine", "--network", "regtest", "--interpreted"];
    signing.call(&sign).good();
    let good = signing.run(&["verify", &wasm, "--interpreted"]).good();
    assert!(good.contains("ok      it may come in from a file, signed by "), "{good}");
    assert!(good.contains("a push takes at most 4194304 bytes"), "{good}");
    signing.run(&["verify", &wasm]).bad();
    signing.stage.end().await;
}
