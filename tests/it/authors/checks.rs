//! `check`: a verdict, and why.

use super::Desk;
use crate::engine::place::guest;
use serde_json::Value;
use std::fs;

#[test]
fn every_built_in_passes() {
    let desk = Desk::new();
    for name in ["dynamic", "static", "passive", "hive", "rebalance-ev"] {
        let report = desk.run(&["check", name, "--cases", "60", "--json"]).json();
        assert_eq!(report["ok"], true, "{report}");
        let channels: Vec<u64> = report["costs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["channels"].as_u64().unwrap())
            .collect();
        assert_eq!(channels, [1, 100, 1_000], "{name}");
        for line in report["costs"].as_array().unwrap() {
            assert!(line["fuel"].as_u64() < line["fuel_allowed"].as_u64(), "{name}: {line}");
            assert!(
                line["memory_bytes"].as_u64().unwrap() > 0 && line["us_per_channel"].as_f64().unwrap() > 0.0
            );
        }
    }
}

#[test]
fn each_kind_of_misbehaviour_is_found_and_named() {
    let desk = Desk::new();
    for (mode, check, says) in [
        ("loop", "snapshots", "out_of_fuel"),
        ("panic", "snapshots", "trap"),
        ("error-text", "snapshots", "guest_error"),
    ] {
        let wasm = desk.file(&format!("{mode}.wasm"), &guest(mode));
        let shown = desk.run(&["check", &wasm, "--cases", "3", "--json"]).bad();
        let report: Value = serde_json::from_str(&shown).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let fault = findings.iter().find(|finding| finding["ok"] == false && finding["check"] == check);
        let detail = fault.unwrap_or_else(|| panic!("{mode}: {report}"))["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{mode}: {detail}");
    }
}

#[test]
fn what_may_not_be_loaded_is_a_finding_too() {
    let desk = Desk::new();
    let shown = desk.run(&["check", &desk.file("a.wasm", b"#!/bin/sh")]).bad();
    assert!(shown.starts_with("FAULT  load         not_a_component: the file is not WebAssembly"), "{shown}");
}

#[test]
fn the_snapshot_of_a_fault_can_be_run_again() {
    let desk = Desk::new();
    let wasm = desk.file("guest.wasm", &guest("panic"));
    desk.run(&["check", &wasm, "--cases", "1", "--save-fault", "fault.json"]).bad();
    let snapshot = fs::read_to_string(desk.path("fault.json")).unwrap();
    let answer = desk.feed(&["run", &wasm, "--world", "rebalance"], &snapshot).bad();
    assert!(answer.contains("\"kind\": \"trap\""), "{answer}");
}

#[test]
fn recorded_decisions_are_compared_byte_for_byte() {
    let desk = Desk::new();
    let lines =
        "{\"channels\":[{\"local_msat\":1,\"target_ppm\":300}]}\n{\"channels\":[{\"target_ppm\":400}]}\n";
    desk.feed(&["run", "static", "--lines", "--record", "golden"], lines).good();
    let same = desk.run(&["check", "static", "--cases", "5", "--golden", "golden"]).good();
    assert!(same.contains("ok     golden       2 decisions are as recorded\n"), "{same}");
    // Another strategy decides otherwise about the same.
    let other = desk.run(&["check", "passive", "--cases", "5", "--golden", "golden"]).bad();
    assert!(other.contains("FAULT  golden       0001: recorded ..."), "{other}");
    let again = desk.feed(&["run", "static", "--record", "golden"], "{}").sentence();
    assert_eq!(again, "golden holds golden vectors already");
    let none = desk.run(&["check", "static", "--cases", "5", "--golden", "."]).bad();
    assert!(none.contains("holds no NAME.snapshot.json"), "{none}");
}

#[test]
fn golden_vectors_of_a_module_for_both_worlds_are_of_one() {
    let desk = Desk::new();
    let wasm = desk.file("guest.wasm", &guest("honest"));
    desk.feed(&["run", &wasm, "--world", "fee", "--record", "golden"], "{\"channels\":[{}]}").good();
    let check = ["check", &wasm, "--cases", "1", "--golden", "golden"];
    let which = desk.run(&check).sentence();
    assert!(which.contains("is for both worlds: choose with --world fee or --world rebalance"), "{which}");
    let same = desk.run(&[&check[..], &["--world", "fee"]].concat()).good();
    assert!(same.contains("ok     golden       1 decision is as recorded\n"), "{same}");
    assert!(!same.contains("rebalance-strategy"), "{same}");
    desk.run(&[&check[..], &["--world", "rebalance"]].concat()).bad();
}

#[test]
fn a_module_that_names_more_than_rates_is_noted() {
    let desk = Desk::new();
    let wasm = desk.file("guest.wasm", &guest("terms-tight"));
    let shown = desk.run(&["check", &wasm, "--cases", "1", "--world", "fee"]).good();
    for part in
        ["proposals name a base fee: the host sets at most max-base-fee-msat, 1000", "name a largest HTLC"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
