//! What happens to a module while something else is done with it.

use super::life::{show, strategy, take_in};
use super::{stage, states};
use crate::acts::{cycle, fee_debug, set_policy};
use crate::engine::place::guest;
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Fault;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the node lets somebody wait, so that others come between. What is tested holds however long
/// it is.
const WAIT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_module_while_it_is_installed_takes_nothing_away() {
    let stage = stage(&[50]).await;
    stage.until_fees_rest().await;
    let file = stage.lab.lightning_dir().join("guest.wasm");
    std::fs::write(&file, guest("honest")).unwrap();
    let path = file.to_str().unwrap();
    let before = stage.count("listpeerchannels");
    stage.lab.with_mischief(|mischief| mischief.add("listpeerchannels", Fault::Late(WAIT), Some(1)));
    let words = ["verify", path, "world=fee"];
    let verify = strategy(&stage, &words);
    let install = async {
        stage.until_count("listpeerchannels", before + 1).await;
        take_in(&stage, "honest").await
    };
    let (verified, digest) = tokio::join!(verify, install);
    assert_eq!(verified["verified"], true, "{verified}");
    let kept = stage.data_dir().join("modules").join(format!("{digest}.wasm"));
    assert!(kept.exists(), "what was installed is there");
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_within(0, 55, 100).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_after_an_operator_ended_it_stays_as_that_left_it() {
    // The second channel is dynamic's, and below the lowest fee: the cycle sets it.
    let stage = stage(&[50, 3, 70]).await;
    let failing = take_in(&stage, "step-fails").await;
    strategy(&stage, &["shadow", "guest"]).await;
    strategy(&stage, &["canary", "guest", &format!("channels={}", stage.scid(0))]).await;
    cycle(&stage).await;
    let writes = stage.count("setchannel");
    stage.lab.with_node(|node| node.set_fee_ppm(1, 3));
    stage.lab.with_mischief(|mischief| mischief.add("setchannel", Fault::Late(WAIT), Some(1)));
    strategy(&stage, &["set-param", "guest", "step", "999"]).await;
    // The canary has failed by then, and the cycle is not over.
    stage.until_count("setchannel", writes + 1).await;
    strategy(&stage, &["rollback", "guest"]).await;
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    let failed = wait_until(DEADLINE, async || {
        let page = show(&stage, &failing).await;
        if page["trial"]["faults"].as_u64() >= Some(1) { Ok(page) } else { Err(page) }
    })
    .await;
    assert_eq!((&failed["stage"], &failed["stands_for"]), (&json!("active"), &json!("guest")), "{failed}");
    stage.end().await;
}

/// Has a cycle wait for the node when all strategies have decided: the second channel's fee is below the
/// lowest one, and is set. The cycles that steps wake meanwhile see nothing. Gives the last cycle before.
async fn decided_and_not_over(stage: &Stage) -> u64 {
    let before = last_cycle(&stage.until_fees_rest().await);
    let writes = stage.count("setchannel");
    stage.lab.with_node(|node| node.set_fee_ppm(1, 3));
    stage.lab.with_mischief(|mischief| mischief.add("setchannel", Fault::Late(WAIT), Some(1)));
    stage.success("revenue-wake-all", json!({})).await;
    stage.until_count("setchannel", writes + 1).await;
    let closed = Fault::Error { code: -1, message: "not now".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listpeerchannels", closed, None));
    before
}

fn last_cycle(status: &Value) -> u64 {
    status["last_fee_cycle"]["id"].as_u64().unwrap()
}

/// What the honest guest remembers after one more call.
fn counted(before: &(Vec<Vec<u8>>, Vec<u8>)) -> (Vec<Vec<u8>>, Vec<u8>) {
    (before.0.iter().map(|state| vec![state[0] + 1]).collect(), vec![1])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_put_in_force_in_the_middle_of_a_cycle_keeps_what_it_learned_on_trial() {
    let stage = stage(&[50, 3, 70]).await;
    let digest = take_in(&stage, "honest").await;
    strategy(&stage, &["shadow", "guest"]).await;
    cycle(&stage).await;
    let built_in = fee_debug(&stage, 1).await["last_decision"]["digest"].as_str().unwrap().to_owned();
    let tried = states(&stage, &format!("module:{digest}:guest"));
    let format = |(states, _): &(Vec<Vec<u8>>, Vec<u8>)| states.iter().map(Vec::len).collect::<Vec<_>>();
    let dynamics = format(&states(&stage, "dynamic"));
    assert!(dynamics.iter().all(|len| *len > 1), "no guest's memory looks like it: {dynamics:?}");
    let before = decided_and_not_over(&stage).await;
    strategy(&stage, &["activate", "guest", "for=dynamic", "force=true"]).await;
    stage.until_status(|status| last_cycle(status) > before).await;
    assert_eq!(states(&stage, "dynamic"), counted(&tried));
    assert_eq!(format(&states(&stage, &format!("module:{built_in}:dynamic"))), dynamics);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollback_in_the_middle_of_a_cycle_puts_back_has_its_own_memory() {
    let stage = stage(&[50, 3, 70]).await;
    cycle(&stage).await;
    let digest = take_in(&stage, "honest").await;
    let built_in = fee_debug(&stage, 1).await["last_decision"]["digest"].as_str().unwrap().to_owned();
    strategy(&stage, &["activate", "guest", "for=dynamic", "force=true"]).await;
    cycle(&stage).await;
    let (guests, aside) = (states(&stage, "dynamic"), states(&stage, &format!("module:{built_in}:dynamic")));
    let before = decided_and_not_over(&stage).await;
    strategy(&stage, &["rollback", "guest"]).await;
    stage.until_status(|status| last_cycle(status) > before).await;
    assert_eq!(states(&stage, "dynamic"), aside);
    assert_eq!(states(&stage, &format!("module:{digest}:guest")), counted(&guests));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_damaged_on_disk_is_no_fault_of_its_own_and_is_mended_by_its_bytes() {
    let mut stage = stage(&[50, 60]).await;
    let digest = take_in(&stage, "honest").await;
    strategy(&stage, &["activate", "guest", "for=guest", "force=true"]).await;
    set_policy(&stage, 0, &["strategy=guest"]).await;
    stage.until_within(0, 55, 100).await;
    stage.until_fees_rest().await;
    let kept = stage.data_dir().join("modules").join(format!("{digest}.wasm"));
    std::fs::write(&kept, vec![0; guest("honest").len()]).unwrap();
    stage.restart().await;
    for _ in 0..4 {
        cycle(&stage).await;
    }
    let status = stage.status().await;
    assert_eq!(super::faults_of(&status, &digest), None, "{}", status["strategies"]);
    assert_eq!(fee_debug(&stage, 0).await["strategy"], "dynamic");
    stage.until_logged(&["'guest' could not be asked (unreadable)"]).await;
    let why = stage.degraded("strategy_guest").await.unwrap();
    assert!(why.contains("could not be asked: unreadable"), "{why}");

    let path = stage.lab.lightning_dir().join("honest.wasm");
    let words = ["install", path.to_str().unwrap(), "name=guest", "unsigned=true", "world=fee"];
    let again: Value = strategy(&stage, &words).await;
    assert_eq!(again["status"], "noop", "{again}");
    cycle(&stage).await;
    assert_eq!(fee_debug(&stage, 0).await["strategy"], "guest");
    assert_eq!(stage.degraded("strategy_guest").await, None);
    stage.end().await;
}
