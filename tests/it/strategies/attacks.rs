//! Whatever a module does, fees and states stay, and the operator learns of it.

use super::{digest, faults_of, market, stage, states};
use crate::acts::{cycle, install, set_policy};
use crate::engine::place::guest;
use crate::support::Stage;
use lab::Flavour;
use serde_json::json;

/// Mode, fault, and a part of what the operator is told.
const ATTACKS: [(&str, &str, &str); 15] = [
    ("panic", "trap", "unreachable"),
    ("wild-read", "trap", "out of bounds"),
    ("loop", "out_of_fuel", "fuel"),
    ("recurse", "stack", "stack"),
    ("error-text", "guest_error", "cannot decide"),
    ("row-unknown", "bad_output", "row 4294967295 of 40"),
    ("row-twice", "bad_output", "row 0 after one for row 0"),
    ("factor-nan", "bad_output", "factor 'share' is NaN"),
    ("factor-unknown", "bad_output", "factor 9 of 2"),
    ("reason-unknown", "bad_output", "reason 2 of 2"),
    ("fee-huge", "bad_output", "18446744073709551615 ppm"),
    ("fee-beyond-u32", "bad_output", "4294967296 ppm"),
    ("fee-absurd", "bad_output", "1000001 ppm"),
    ("state-long", "bad_output", "1025 bytes; 1024"),
    ("node-state-long", "bad_output", "65537 bytes; 65536"),
];

/// Gives all channels to the strategy `guest`, and lets it decide.
async fn let_guest_decide(stage: &Stage) {
    let peers = (0..stage.fees().len()).map(|channel| stage.peer(channel));
    let updates: Vec<_> = peers.map(|peer| json!({"peer_id": peer, "strategy": "guest"})).collect();
    let answer = stage.call("revenue-policy", json!({"action": "batch", "updates": updates})).await;
    assert_eq!(answer["status"], "success", "{answer}");
    cycle(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_changes_nothing_and_is_told() {
    let stage = stage(&[250; 40]).await;
    install(&stage, "guest", &guest("honest"));
    let_guest_decide(&stage).await;
    let kept = states(&stage, "guest");
    assert!(kept.0.len() == 40 && kept.0.iter().all(|state| state[0] > 0), "{kept:?}");
    for (count, (mode, code, told)) in ATTACKS.into_iter().enumerate() {
        let wasm = guest(mode);
        // The new file is used from the next cycle on.
        install(&stage, "guest", &wasm);
        cycle(&stage).await;
        let status = stage.status().await;
        let digest = digest(&wasm);
        let record =
            faults_of(&status, &digest).unwrap_or_else(|| panic!("{mode}: {}", status["strategies"]));
        assert_eq!((&record["strategy"], &record["faults_in_row"]), (&json!("guest"), &json!(1)), "{mode}");
        assert_eq!(record["last_fault"]["code"], code, "{mode}: {record}");
        assert!(record["last_fault"]["text"].as_str().unwrap().contains(told), "{mode}: {record}");
        assert_eq!(status["strategies"]["faults_total"], count + 1, "{mode}");
        // The log names strategy, digest, fault and cause.
        stage.until_logged(&["'guest'", &digest, code, told]).await;
        assert_eq!(states(&stage, "guest"), kept, "{mode}");
        assert!(stage.fees().iter().all(|fee| *fee == 250), "{mode}: {:?}", stage.fees());
    }
    assert_eq!(stage.count("setchannel"), 0);
    // What they left behind still serves an honest module.
    install(&stage, "guest", &guest("honest"));
    cycle(&stage).await;
    let next = states(&stage, "guest");
    let counted = kept.0.iter().zip(&next.0).all(|(old, new)| new[0] == old[0] + 1);
    assert!(counted, "{kept:?} {next:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_room_has_its_walls_too() {
    // In the ordinary class the fuel of so few channels ends before the memory does.
    for (interpreted, mode, code, told) in [
        ("", "memory", "out_of_fuel", "fuel"),
        ("other, guest", "memory", "memory", "67108864 bytes of memory"),
        ("guest", "states-bomb", "output_too_large", "too much data"),
    ] {
        let wasm = guest(mode);
        let setup = Stage::on(Flavour::V26_06).spec(market(&[250; 40]));
        let stage = setup.unhurried().option("interpreted-modules", interpreted).start().await;
        install(&stage, "guest", &wasm);
        let_guest_decide(&stage).await;
        let record = faults_of(&stage.status().await, &digest(&wasm)).unwrap();
        assert_eq!(record["last_fault"]["code"], code, "{record}");
        assert!(record["last_fault"]["text"].as_str().unwrap().contains(told), "{record}");
        assert_eq!(stage.count("setchannel"), 0);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_modules_fault_is_no_others() {
    let stage = stage(&[50, 50, 3, 70]).await;
    install(&stage, "guest", &guest("honest"));
    install(&stage, "stepper", &guest("honest"));
    install(&stage, "guest", &guest("panic"));
    set_policy(&stage, 0, &["strategy=guest"]).await;
    set_policy(&stage, 1, &["strategy=stepper"]).await;
    set_policy(&stage, 3, &["static", "fee_ppm=71"]).await;
    stage.until_fee(1, 55).await;
    // Honest, dynamic and static channels of the very cycle in which the guest fails.
    cycle(&stage).await;
    assert_eq!(stage.fees(), [50, 60, 10, 71]);
    stage.end().await;
}
