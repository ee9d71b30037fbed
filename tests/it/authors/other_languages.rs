//! A strategy in C, as it is shipped: `examples/c-balance`. No toolchain for C is needed.

use super::Desk;
use crate::acts::digest;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/c-balance");
const WASM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/c-balance/c-balance.wasm");

/// A channel of 1,000,000 sat with `local` sat on our side, now at `fee_ppm`.
fn channel(pseudonym: u32, local: u64, fee_ppm: u32) -> Value {
    let local_msat = local * 1_000;
    json!({
        "pseudonym": pseudonym, "capacity_msat": 1_000_000_000, "local_msat": local_msat, "fee_ppm": fee_ppm,
    })
}

fn proposal(row: u32, fee_ppm: u32, reason: &str, middle_ppm: f64, share: f64) -> Value {
    json!({
        "channel": row, "fee_ppm": fee_ppm, "base_fee_msat": null, "htlc_max_msat": null, "reason": reason,
        "factors": [{ "name": "middle-ppm", "value": middle_ppm }, { "name": "share", "value": share }],
    })
}

/// A state: the share in millionths, the lowest byte first.
fn state(share: u32) -> String {
    share.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn it_may_be_loaded_and_stands_any_node() {
    let desk = Desk::new();
    let report = desk.run(&["check", WASM, "--json"]).json();
    assert_eq!(report["ok"], true, "{report}");
    let findings = report["findings"].as_array().unwrap();
    let made: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    assert_eq!(made, ["load", "determinism", "snapshots", "cost"], "{report}");

    let shown = desk.run(&["inspect", WASM, "--json"]).json();
    assert_eq!(shown["imports"], json!(["revenue-ops:strategy/types@1.0.0"]), "types alone: nothing to call");
    assert_eq!(shown["exports"], json!(["revenue-ops:strategy/fee@1.0.0"]));
}

#[test]
fn the_rate_follows_a_share_that_is_remembered() {
    let desk = Desk::new();
    let lines = [
        // Seen for the first time at a tenth: 200 ppm * 2 * 0.9. At half: the middle rate, which it has.
        json!({ "channels": [channel(7, 100_000, 200), channel(8, 500_000, 200)] }),
        // Filled to nine tenths, of which a quarter of the way counts: 0.1 + 0.8 / 4. The other: its policy's rate.
        json!({ "channels": [
            { "pseudonym": 8, "local_msat": 2_500_000_000_u64, "fee_ppm": 200, "target_ppm": 900 },
            channel(7, 900_000, 360),
        ] }),
        // 0.3 + 0.6 / 4, about a middle rate that the operator set: 400 ppm * 2 * 0.55.
        json!({ "params": { "middle-ppm": 400 }, "channels": [channel(7, 900_000, 280)] }),
        // 0.45 + 0.45 / 4 = 0.5625, 175 ppm: 2.8 % off 180 ppm, within the gate of 5 %.
        json!({ "params": { "host.gossip-gate": 0.05 }, "channels": [channel(7, 900_000, 180)] }),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let answers = desk.feed(&["run", WASM, "--lines"], &lines).good();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    assert_eq!(answers[0]["proposals"], json!([proposal(0, 360, "scarce", 200.0, 0.1)]));
    assert_eq!(answers[0]["states"], json!([state(100_000), state(500_000)]));
    let policy = proposal(0, 900, "plentiful", 900.0, 0.5);
    assert_eq!(answers[1]["proposals"], json!([policy, proposal(1, 280, "scarce", 200.0, 0.3)]));
    assert_eq!(answers[1]["states"], json!([state(500_000), state(300_000)]));
    assert_eq!(answers[2]["proposals"], json!([proposal(0, 440, "scarce", 400.0, 0.45)]));
    assert_eq!(answers[3]["proposals"], json!([]));
    assert_eq!(answers[3]["states"], json!([state(562_500)]));
}

#[test]
fn the_ends_of_the_range_and_a_strange_state_are_stood() {
    let desk = Desk::new();
    let mut rows = [channel(1, 0, 200), channel(2, 1_000_000, 200), channel(3, 250_000, 200)];
    rows[0]["max_fee_ppm"] = json!(390);
    rows[1]["min_fee_ppm"] = json!(25);
    rows[2]["state"] = json!("ffffffff");
    let decided = desk.feed(&["run", WASM], &json!({ "channels": rows }).to_string()).json();
    let low = proposal(1, 25, "plentiful", 200.0, 1.0);
    let expected = [proposal(0, 390, "scarce", 200.0, 0.0), low, proposal(2, 300, "scarce", 200.0, 0.25)];
    assert_eq!(decided["proposals"], json!(expected));
}

/// `build.sh` writes the digests of what it read and made: a source that was changed without a build shows.
#[test]
fn the_component_belongs_to_its_source() {
    let read = |name: &str| fs::read(Path::new(EXAMPLE).join(name)).unwrap();
    let sums = String::from_utf8(read("SHA256SUMS")).unwrap();
    let mut names = Vec::new();
    for line in sums.lines() {
        let (shipped, name) = line.split_once("  ").unwrap();
        let now = digest(&read(name));
        assert_eq!(now, shipped, "{name} is not what build.sh saw: run examples/c-balance/build.sh");
        names.push(name);
    }
    assert_eq!(names, ["balance.c", "strategy.h", "build.sh", "requirements.txt", "c-balance.wasm"]);

    let shown = Desk::new().run(&["inspect", WASM, "--json"]).json();
    let version = format!("#define VERSION {}", shown["worlds"][0]["version"]);
    assert!(String::from_utf8(read("balance.c")).unwrap().contains(&version), "no {version} in balance.c");
}
