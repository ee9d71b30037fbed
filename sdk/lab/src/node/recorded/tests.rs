#![allow(clippy::unwrap_used)]
use super::derived::{balances, funds};
use super::*;

fn load(flavour: Flavour) -> Recorded {
    let dir = match flavour {
        Flavour::V23_05 => "v23.05",
        Flavour::V24_11 => "v24.11",
        Flavour::V26_06 => "v26.06",
    };
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recordings");
    Recorded::load(recordings.join(dir), flavour).unwrap()
}

fn phase<'a>(recorded: &'a Recorded, name: &str) -> &'a Phase {
    recorded.phases.iter().find(|phase| phase.name == name).unwrap()
}

/// Rows by their identity, each with the fields that the other side has too.
fn by(rows: &Value, key: &[&str]) -> BTreeMap<String, Value> {
    let name = |row: &Value| key.iter().map(|field| row[*field].to_string()).collect::<String>();
    rows.as_array().unwrap().iter().map(|row| (name(row), row.clone())).collect()
}

#[test]
fn what_is_worked_out_is_what_was_recorded() {
    for (flavour, names) in [
        (Flavour::V23_05, &["start", "after-close"][..]),
        (Flavour::V24_11, &["start", "after-sling", "after-close"]),
        (Flavour::V26_06, &["start", "after-close"]),
    ] {
        let recorded = load(flavour);
        for name in names {
            let phase = phase(&recorded, name);
            let (ours, theirs) = (balances(phase, &recorded.phases), &phase.results["bkpr-listbalances"]);
            assert_eq!(by(&ours["accounts"], &["account"]), by(&theirs["accounts"], &["account"]), "{name}");
        }
    }
    for (flavour, names) in [
        (Flavour::V23_05, &["start", "after-close"][..]),
        (Flavour::V24_11, &["start", "after-sling", "after-close"]),
    ] {
        let recorded = load(flavour);
        for name in names {
            let phase = phase(&recorded, name);
            let (ours, theirs) = (funds(phase, &recorded.phases), &phase.results["listfunds"]);
            let output = ["txid", "output", "amount_msat"];
            assert_eq!(by(&ours["outputs"], &output), by(&theirs["outputs"], &output), "{name}");
            assert_eq!(ours["channels"], theirs["channels"], "{name}");
        }
    }
}

#[test]
fn a_phase_is_one_moment_of_the_run() {
    let recorded = load(Flavour::V26_06);
    assert_eq!(recorded.phases(), ["start", "after-sling", "after-splice", "onchain", "after-close"]);
    let tags = |name: &str| -> Vec<Value> {
        let rows = phase(&recorded, name).rows("bkpr-listaccountevents").iter();
        rows.filter(|row| row["type"] != "onchain_fee").map(|row| row["tag"].clone()).collect()
    };
    // The commitment is there, its output not swept yet.
    assert!(tags("onchain").contains(&json!("anchor")) && !tags("onchain").contains(&json!("delayed_to_us")));
    assert!(!tags("after-splice").contains(&json!("anchor")));
    let accounts =
        |name: &str| by(&phase(&recorded, name).results["bkpr-listbalances"]["accounts"], &["account"]);
    let count = |name: &str, field: &str| accounts(name).values().filter(|row| row[field] == true).count();
    for (name, closed, resolved) in
        [("after-sling", 0, 0), ("after-splice", 0, 0), ("onchain", 2, 1), ("after-close", 2, 2)]
    {
        assert_eq!(
            (count(name, "account_closed"), count(name, "account_resolved")),
            (closed, resolved),
            "{name}"
        );
    }
    let rows = |name: &str, method: &str| phase(&recorded, name).rows(method).len();
    assert_eq!((rows("start", "listsendpays"), rows("after-close", "listsendpays")), (0, 15));
    assert_eq!((rows("onchain", "listpeerchannels"), rows("after-close", "listpeerchannels")), (3, 1));
    assert_eq!((rows("onchain", "listclosedchannels"), rows("after-close", "listclosedchannels")), (0, 2));
    let heights: Vec<u32> = recorded.phases.iter().map(Phase::block_height).collect();
    assert_eq!(heights, [127, 127, 139, 151, 272]);
}

#[test]
fn nonsense_is_refused() {
    let recorded = load(Flavour::V23_05);
    let error = recorded.clone().at("after-sling").unwrap_err().to_string();
    assert_eq!(error, "there is no phase after-sling: start, onchain, after-close");
    let error = Recorded::load("/nowhere", Flavour::V23_05).unwrap_err().to_string();
    assert_eq!(error, "can't read /nowhere");
    assert_eq!(recorded.after_end_s(), 1_795_413_089 + 60);
}
