//! `run`: snapshots as JSON.

use super::Desk;
use crate::engine::place::guest;
use serde_json::{Value, json};

/// A channel without anything on our side, and a full one.
fn snapshot() -> String {
    let empty = json!({ "capacity_msat": 1_000_000_000, "local_msat": 0, "target_ppm": 77 });
    json!({ "channels": [empty, { "local_msat": 5_000_000_000_u64 }] }).to_string()
}

#[test]
fn one_snapshot_gives_one_decision() {
    let desk = Desk::new();
    let decided = desk.feed(&["run", "static"], &snapshot()).json();
    let target = json!({
        "channel": 0, "fee_ppm": 77, "base_fee_msat": null, "htlc_max_msat": null, "reason": "target",
        "factors": [{ "name": "target-ppm", "value": 77.0 }],
    });
    assert_eq!(decided["proposals"], json!([target]));
    assert_eq!(decided["states"], json!(["", ""]));
    assert!(decided["cost"]["fuel"].as_u64().unwrap() > 0);
}

#[test]
fn an_evaluator_is_run_by_the_same_command() {
    let desk = Desk::new();
    let sells = json!({
        "local_msat": 250_000_000, "fee_ppm": 1_500, "peer_fee_ppm": 50, "peer_base_fee_msat": 0,
        "out_week_msat": 3_500_000_000_u64, "out_month_msat": 15_000_000_000_u64, "forwards_out_month": 300,
        "earned_week_msat": 5_250_000, "earned_month_msat": 22_500_000, "flow": "source",
    });
    let full = json!({ "local_msat": 4_800_000_000_u64 });
    let input = json!({ "budget_left_msat": 50_000_000, "channels": [sells, full] }).to_string();
    let decided = desk.feed(&["run", "rebalance-ev"], &input).json();
    let rows = decided["proposals"].as_array().unwrap().len() + decided["refusals"].as_array().unwrap().len();
    assert_eq!(rows, 2, "{decided}");
}

#[test]
fn a_snapshot_that_is_none_is_refused_by_the_name_of_what_is_wrong() {
    let desk = Desk::new();
    for (snapshot, says) in [
        ("{\"channels\":[{\"fee\":7}]}", "unknown field `fee`"),
        ("{\"params\":{\"speed\":7}}", "there is no 'speed'; the strategy's own are: none"),
        ("[", "the snapshot on stdin: EOF while parsing"),
    ] {
        let sentence = desk.feed(&["run", "static"], snapshot).sentence();
        assert!(sentence.contains(says), "{sentence}, expected {says}");
    }
}

#[test]
fn lines_carry_states_and_stay_in_step() {
    let desk = Desk::new();
    let wasm = desk.file("guest.wasm", &guest("honest"));
    // The guest's states count its calls; rows are known by their pseudonym.
    let lines = [
        "{\"channels\":[{\"pseudonym\":7},{\"pseudonym\":8}]}",
        "{\"channels\":[{\"pseudonym\":8},{\"pseudonym\":9}]}",
        "{\"chanels\":[]}",
        "{\"channels\":[{\"pseudonym\":8,\"state\":\"09\"}]}",
    ];
    let done = desk.feed(&["run", &wasm, "--lines", "--world", "fee"], &(lines.join("\n") + "\n"));
    let answers: Vec<Value> = done.bad().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 4);
    let first = |answer: &Value, row: usize| answer["states"][row].as_str().unwrap()[..2].to_owned();
    assert_eq!([first(&answers[0], 0), first(&answers[0], 1)], ["01", "01"]);
    assert_eq!([first(&answers[1], 0), first(&answers[1], 1)], ["02", "01"]);
    assert!(answers[2]["error"].as_str().unwrap().starts_with("line 3: unknown field `chanels`"));
    assert_eq!(first(&answers[3], 0), "0a");
}

#[test]
fn a_fault_is_an_answer_and_a_bad_end() {
    let desk = Desk::new();
    let wasm = desk.file("guest.wasm", &guest("loop"));
    let shown = desk.feed(&["run", &wasm, "--world", "fee"], "{\"channels\":[{}]}").bad();
    let answer: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(answer["fault"]["kind"], "out_of_fuel", "{answer}");
    assert!(answer["cost"]["fuel"].as_u64().unwrap() >= 5_000_000);
    let both = desk.feed(&["run", &wasm], "{}").sentence();
    assert!(both.ends_with("choose with --world fee or --world rebalance"), "{both}");
}
