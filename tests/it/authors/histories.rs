//! `backtest --history`: strategies on what a plugin's own database remembers.

use super::Desk;
use crate::acts::cycle;
use crate::engine::place::guest;
use crate::support::Stage;
use lab::Flavour;
use serde_json::{Value, json};

/// The database of a plugin that lived through some hours of the demo's market.
async fn lived(hours: u32) -> (Desk, String) {
    let stage = Stage::on(Flavour::V26_06).unhurried().start().await;
    for _ in 0..hours {
        stage.lab.advance_by(3_600.0).unwrap();
        cycle(&stage).await;
    }
    stage.until_fees_rest().await;
    let desk = Desk::new();
    stage.plugin.stop().await.unwrap();
    let database = desk.file("revenue_ops.db", &std::fs::read(stage.db_path()).unwrap());
    (desk, database)
}

fn player<'a>(report: &'a Value, name: &str) -> &'a Value {
    let players = report["players"].as_array().unwrap();
    players.iter().find(|player| player["player"] == name).unwrap_or_else(|| panic!("{report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_played_with_other_strategies_and_its_revenue_told_as_a_range() {
    let (desk, database) = lived(12).await;
    let jump = desk.file("jump.wasm", &guest("fee-jump"));
    let arguments = ["backtest", "passive", &jump, "--history", &database, "--json", "--svg", "past.svg"];
    let report = desk.run(&arguments).json();
    assert_eq!(report["strategy"], "dynamic", "{report}");
    assert!(report["cycles"].as_u64().unwrap() >= 12, "{report}");
    assert!(report["assumption"].as_str().unwrap().contains("e between 0 and 2"), "{report}");

    // Hands off: no change, no refusal; its rates are those of the beginning.
    let passive = player(&report, "passive");
    assert_eq!((&passive["changes"], &passive["proposals"]), (&json!(0), &json!(0)), "{passive}");
    for channel in report["channels"].as_array().unwrap() {
        assert_eq!(channel["rates_of"]["passive"].as_array().unwrap().len(), 1, "{channel}");
        assert_eq!(channel["rates_of"]["passive"][0][1], channel["rates"][0][1], "{channel}");
    }
    // The guard holds in the replay too.
    let jump = player(&report, "jump");
    assert!(jump["limited"]["step_up"].as_u64().unwrap() > 0, "{jump}");
    for one in [passive, jump] {
        let [low, high] = ["low", "high"].map(|end| one["revenue_msat"][end].as_f64().unwrap());
        assert!(0.0 <= low && low <= high, "{one}");
    }
    let svg = std::fs::read_to_string(desk.path("past.svg")).unwrap();
    let panels = report["channels"].as_array().unwrap().len().min(12);
    assert_eq!(svg.matches("<polyline").count(), 3 * panels);
    let told = desk.run(&arguments[..5]).good();
    assert!(told.contains("revenue is a range") && told.contains("(as it was)"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strategy_that_decided_then_decides_the_same_again() {
    let (desk, database) = lived(10).await;
    let report = desk.run(&["backtest", "dynamic", "--history", &database, "--json"]).json();
    for channel in report["channels"].as_array().unwrap() {
        let ppms = |rates: &Value| -> Vec<u64> {
            rates.as_array().unwrap().iter().map(|rate| rate[1].as_u64().unwrap()).collect()
        };
        // The last cycle's decision is in force after the last look.
        let (was, again) = (ppms(&channel["rates"]), ppms(&channel["rates_of"]["dynamic"]));
        assert!(again.starts_with(&was) && again.len() <= was.len() + 1, "{was:?} then, {again:?} now");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_past_is_refused_in_one_sentence() {
    let (desk, database) = lived(1).await;
    let text = desk.file("text.db", b"not a database");
    for (arguments, part) in [
        (vec!["--history", &text], "is not an SQLite file"),
        (vec!["--history", "missing.db"], "cannot be opened"),
        (vec!["--history", &database, "--strategy", "night"], "has no call of 'night'"),
    ] {
        let all: Vec<&str> = ["backtest", "passive"].into_iter().chain(arguments).collect();
        let why = desk.run(&all).sentence();
        assert!(why.contains(part), "{why}");
    }
}
