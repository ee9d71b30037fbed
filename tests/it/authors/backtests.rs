//! `backtest`: strategies on simulated markets, under the plugin's limits.

use super::Desk;
use crate::engine::place::guest;
use serde_json::Value;
use std::fs;

fn total<'a>(report: &'a Value, player: &str) -> &'a Value {
    let totals = report["totals"].as_array().unwrap();
    totals.iter().find(|total| total["player"] == player).unwrap_or_else(|| panic!("{player}: {report}"))
}

#[test]
fn a_strategy_that_learns_beats_the_first_rates() {
    let desk = Desk::new();
    let arguments = ["backtest", "dynamic", "passive", "--days", "40", "--json", "--svg", "out.svg"];
    let report = desk.run(&arguments).json();
    assert_eq!(total(&report, "best constant")["share_of_best_constant"], 1.0);
    let share = |player: &str| total(&report, player)["share_of_best_constant"].as_f64().unwrap();
    assert!(share("dynamic") > 2.0 * share("first rates"), "{report}");
    // Same senders, same rates: the same to the msat.
    assert_eq!(total(&report, "passive")["earned_msat"], total(&report, "first rates")["earned_msat"]);
    assert_eq!(total(&report, "passive")["proposals"], 0);
    assert!(total(&report, "dynamic")["changes"].as_u64().unwrap() > 6);
    let svg = fs::read_to_string(desk.path("out.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<polyline").count(), 4 * 7, "four players, six channels and the earnings");
    let again = desk.run(&arguments).json();
    assert_eq!(again, report, "the same seed plays the same");
}

#[test]
fn the_limits_of_the_plugin_hold_and_are_counted() {
    let desk = Desk::new();
    // Wants a hundred times the rate in every cycle.
    let wasm = desk.file("jump.wasm", &guest("fee-jump"));
    let report = desk.run(&["backtest", &wasm, "--days", "5", "--json"]).json();
    let jump = total(&report, "jump");
    assert!(jump["limited"]["step_up"].as_u64().unwrap() > 0, "{jump}");
    for channel in report["channels"].as_array().unwrap().iter().filter(|row| row["player"] == "jump") {
        let rates: Vec<u64> =
            channel["rates"].as_array().unwrap().iter().map(|rate| rate[1].as_u64().unwrap()).collect();
        assert!(rates.iter().all(|ppm| *ppm <= 5_000), "{rates:?}");
        assert!(rates.windows(2).all(|pair| pair[1] <= 4 * pair[0]), "{rates:?}");
        assert!(channel["changes_per_day"].as_f64().unwrap() <= 12.0);
    }
}

#[test]
fn faults_are_told_and_the_end_is_bad() {
    let desk = Desk::new();
    let wasm = desk.file("broken.wasm", &guest("error-text"));
    let shown = desk.run(&["backtest", &wasm, "--days", "1"]).bad();
    assert!(shown.contains("fault: guest_error: cannot decide"), "{shown}");
    assert!(shown.contains("best constant"), "{shown}");
}

#[test]
fn a_parameter_changes_what_a_strategy_does() {
    let desk = Desk::new();
    let sentence = desk.run(&["backtest", "dynamic", "--param", "no-such=1"]).sentence();
    assert!(sentence.contains("none of the strategies has a parameter 'no-such'"), "{sentence}");
    let earned = |param: &str| {
        let report = desk.run(&["backtest", "dynamic", "--days", "20", "--json", "--param", param]).json();
        total(&report, "dynamic")["earned_msat"].clone()
    };
    assert_ne!(earned("hold-hours=6"), earned("hold-hours=200"));
    // Both of two, whichever comes first.
    let two = ["hold-hours=200", "explore=0"];
    let both = |one: usize, other: usize| {
        let report = desk.run(&[
            "backtest", "dynamic", "--days", "20", "--json", "--param", two[one], "--param", two[other],
        ]);
        total(&report.json(), "dynamic")["earned_msat"].clone()
    };
    assert_eq!(both(0, 1), both(1, 0));
    assert_ne!(both(0, 1), earned(two[0]));
    assert_ne!(both(0, 1), earned(two[1]));
}

#[test]
fn an_evaluator_is_not_taken() {
    let desk = Desk::new();
    let sentence = desk.run(&["backtest", "rebalance-ev"]).sentence();
    assert!(sentence.contains("does not set fees"), "{sentence}");
}
