//! What modules are called, and the places they stand in.

use super::life::{refusal, show, strategy, take_in};
use super::{digest, stage};
use crate::acts::{cycle, set_policy};
use crate::engine::place::guest;
use crate::support::Stage;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_cannot_name_what_is_installed_but_not_in_force() {
    let stage = stage(&[50, 50]).await;
    let peer = stage.peer(0);
    let named =
        |name: &str| stage.refusal("revenue-policy", json!(["set", peer, format!("strategy={name}")]));
    take_in(&stage, "honest").await;
    let why = named("guest").await;
    assert!(why.contains("'guest' is installed (verified) but not in force"), "{why}");
    // The steps that it names lead there.
    assert!(why.contains("revenue-strategy shadow guest for=guest"), "{why}");
    strategy(&stage, &["shadow", "guest", "for=guest"]).await;
    strategy(&stage, &["rollback", "guest"]).await;
    strategy(&stage, &["activate", "guest", "for=dynamic", "force=true"]).await;
    let why = named("guest").await;
    assert!(why.contains("it is in force for 'dynamic': name that, or roll it back first"), "{why}");
    // It is told of the rate that a policy names, and no other is.
    let aim = |ppm: u32| {
        stage.success("revenue-policy", json!(["set", peer, "strategy=dynamic", format!("fee_ppm={ppm}")]))
    };
    assert_eq!(aim(70).await["warning"], Value::Null);
    strategy(&stage, &["rollback", "guest"]).await;
    let warned = aim(71).await;
    assert!(warned["warning"].as_str().unwrap().contains("no effect"), "{warned}");
    let why = named("statik").await;
    let says = "there is no strategy 'statik': use dynamic, static, passive, hive, or put statik.wasm into";
    assert!(why.contains(says), "{why}");

    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    let why = named("statik").await;
    assert!(why.contains("use dynamic, static, passive, hive, guest, or put"), "{why}");
    let answer = strategy(&stage, &["rollback", "guest"]).await;
    let told = answer["message"].as_str().unwrap();
    assert!(told.contains("where 'guest' is named, the built-in 'dynamic' decides"), "{answer}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_in_force_does_not_leave_its_place_for_another() {
    let stage = stage(&[50, 60]).await;
    take_in(&stage, "honest").await;
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_within(0, 55, 100).await;
    cycle(&stage).await;
    let before = super::states(&stage, "guest");
    let why = refusal(&stage, &["activate", "guest", "for=hive"]).await;
    assert!(why.contains("is in force for 'guest': roll it back before it decides for 'hive'"), "{why}");
    assert_eq!(super::states(&stage, "guest"), before, "its memory stays where it is");
    assert_eq!(show(&stage, &digest(&guest("honest"))).await["stands_for"], "guest");

    // Taken back it may go elsewhere, and leaves nothing behind.
    strategy(&stage, &["rollback", "guest"]).await;
    cycle(&stage).await;
    strategy(&stage, &["activate", "guest", "for=hive", "force=true"]).await;
    assert_eq!(memories(&stage, "guest"), 0);
    assert!(memories(&stage, "hive") > 0, "it took what it remembers along");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_under_two_names_remembers_apart() {
    let stage = stage(&[50, 60]).await;
    set_policy(&stage, 1, &["strategy=hive"]).await;
    let digest = take_in(&stage, "honest").await;
    let file = stage.lab.lightning_dir().join("honest.wasm");
    let path = file.to_str().unwrap();
    strategy(&stage, &["install", path, "name=second", "unsigned=true", "world=fee"]).await;
    strategy(&stage, &["shadow", "guest"]).await;
    strategy(&stage, &["shadow", "second", "for=hive"]).await;
    cycle(&stage).await;
    let of = |name: &str| memories(&stage, &format!("module:{digest}:{name}"));
    assert!(of("guest") > 0 && of("second") > 0, "{} and {}", of("guest"), of("second"));
    strategy(&stage, &["rollback", "second"]).await;
    cycle(&stage).await;
    strategy(&stage, &["remove", "second"]).await;
    assert_eq!(of("second"), 0);
    assert!(of("guest") > 0, "the other name keeps its memory");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_did_under_one_name_proves_nothing_of_another() {
    let stage = stage(&[50, 60]).await;
    take_in(&stage, "honest").await;
    let file = stage.lab.lightning_dir().join("honest.wasm");
    let path = file.to_str().unwrap();
    strategy(&stage, &["install", path, "name=second", "unsigned=true", "world=fee"]).await;
    strategy(&stage, &["shadow", "guest"]).await;
    cycle(&stage).await;
    let trial = async |name: &str| strategy(&stage, &["show", name]).await["modules"][0]["trial"].clone();
    let (guest, second) = (trial("guest").await, trial("second").await);
    assert!(
        guest["decisions"].as_u64().is_some_and(|count| count > 0) && second.is_null(),
        "{guest} {second}"
    );
    assert!(refusal(&stage, &["activate", "second"]).await.contains("never decided on trial"));
    strategy(&stage, &["activate", "guest"]).await;
    stage.end().await;
}

/// Channels of which a strategy remembers something.
fn memories(stage: &Stage, strategy: &str) -> u32 {
    let db = rusqlite::Connection::open(stage.db_path()).unwrap();
    let count = "SELECT count(*) FROM strategy_states WHERE strategy = ?1";
    db.query_row(count, [strategy], |row| row.get(0)).unwrap()
}
