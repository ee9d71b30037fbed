//! A node whose answers come late, wrong or not at all.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Setup, Stage, is_at_rest, wait_until, why_degraded};
use lab::{Extra, Fault, Flavour, Notification};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;

/// Three like channels of 200 ppm, and a plugin of which only the fees' job runs.
fn quiet(flavour: Flavour) -> Setup {
    Stage::on(flavour).channels(3).unhurried()
}

/// The same, and calls are given up after seconds.
fn impatient(flavour: Flavour) -> Setup {
    quiet(flavour).option("rpc-timeout-seconds", 3)
}

fn fault(stage: &Stage, method: &str, fault: Fault, calls: Option<u32>) {
    stage.lab.with_mischief(|mischief| mischief.add(method, fault, calls));
}

fn good_again(stage: &Stage) {
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
}

fn refused() -> Fault {
    Fault::Error { code: -1, message: "out of ink".to_owned() }
}

/// Gives a channel's peer a policy with a fixed fee, which the next cycle sets.
async fn fix(stage: &Stage, channel: usize, ppm: u32) {
    let params = json!(["set", stage.peer(channel), "static", format!("fee_ppm={ppm}")]);
    stage.success("revenue-policy", params).await;
}

/// The last decision about a channel that is recorded.
async fn last_decision(stage: &Stage, channel: usize) -> Value {
    let answer = stage.success("revenue-fee-debug", json!([stage.scid(channel)])).await;
    assert_eq!(answer["channels"].as_array().map(Vec::len), Some(1), "{answer}");
    answer["channels"][0]["last_decision"].clone()
}

/// The fees that were recorded as set on a channel, ppm, in order.
fn recorded_changes(stage: &Stage, channel: usize) -> Vec<u32> {
    let id = stage.lab.with_node(|node| node.channels()[channel].channel_id.clone());
    let conn = Connection::open(stage.db_path()).unwrap();
    let mut select = conn
        .prepare("SELECT new_ppm FROM fee_changes WHERE hex(channel_id) = upper(?1) ORDER BY id")
        .unwrap();
    select.query_map([id], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn breaker(status: &Value, group: &str) -> String {
    status["rpc"]["groups"][group]["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_whose_confirmation_was_lost_is_looked_up() {
    for flavour in Flavour::ALL {
        let stage = quiet(flavour).option("rpc-circuit-breaker-seconds", 0).start().await;
        fault(&stage, "setchannel", Fault::ApplyThenDrop, Some(1));
        fix(&stage, 0, 345).await;
        stage.until_fees_rest().await;
        assert_eq!((stage.fee(0), stage.count("setchannel")), (345, 1));
        let decision = last_decision(&stage, 0).await;
        assert_eq!((&decision["outcome"], &decision["approved_ppm"]), (&json!("reconciled"), &json!(345)));
        assert_eq!(recorded_changes(&stage, 0), [345]);
        let status = stage.status().await;
        assert_eq!(status["recent_fee_changes"][0]["new_fee_ppm"], 345, "{status}");
        assert_eq!(status["last_fee_cycle"]["applied"], 1);
        // By hand it is the same.
        fault(&stage, "setchannel", Fault::ApplyThenDrop, Some(1));
        let set = stage.success("revenue-set-fee", json!([stage.scid(1), 250])).await;
        assert_eq!((&set["outcome"], stage.fee(1)), (&json!("reconciled"), 250));
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_that_was_never_set_is_not_taken_for_set() {
    for (lost, seen) in [
        (Fault::Dead, "the answer was lost, and 200 ppm is in force"),
        (Fault::Drop, "the answer was lost, and 200 ppm is in force"),
        (refused(), "out of ink"),
    ] {
        let stage = impatient(Flavour::V26_06).option("rpc-circuit-breaker-seconds", 0).start().await;
        fault(&stage, "setchannel", lost.clone(), Some(1));
        fix(&stage, 0, 345).await;
        stage.until_fees_rest().await;
        let decision = last_decision(&stage, 0).await;
        assert_eq!(decision["outcome"], "failed", "{lost:?}: {decision}");
        assert!(decision["outcome_text"].as_str().unwrap().contains(seen), "{lost:?}: {decision}");
        assert_eq!((stage.fee(0), recorded_changes(&stage, 0)), (200, vec![]));
        fault(&stage, "setchannel", lost, Some(1));
        let why = stage.refusal("revenue-set-fee", json!([stage.scid(1), 250])).await;
        assert!(why.contains(seen), "{why}");
        stage.fee_cycle().await;
        assert_eq!((stage.fee(0), recorded_changes(&stage, 0)), (345, vec![345]));
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_channels_confirmation_confirms_nothing() {
    let stage = quiet(Flavour::V26_06).option("rpc-circuit-breaker-seconds", 0).start().await;
    // The first call is answered rightly and remembered, the next gets that answer again.
    fault(&stage, "setchannel", Fault::Stale, None);
    stage.success("revenue-set-fee", json!([stage.scid(0), 345])).await;
    let why = stage.refusal("revenue-set-fee", json!([stage.scid(1), 345])).await;
    assert!(why.contains("did not confirm"), "{why}");
    assert_eq!((stage.fee(0), stage.fee(1)), (345, 200));
    assert_eq!(recorded_changes(&stage, 1), Vec::<u32>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_that_cannot_read_the_node_sets_nothing_and_the_next_one_does() {
    // Its other jobs run too: nothing is degraded when they have.
    let setup = impatient(Flavour::V26_06).rate(1.0).option("rpc-circuit-breaker-seconds", 0);
    let stage = setup.start().await;
    for (number, method) in ["getinfo", "listpeerchannels", "feerates"].into_iter().enumerate() {
        for (offset, bad) in [Fault::Dead, Fault::Drop, refused()].into_iter().enumerate() {
            let wanted = (1000 + 100 * number + offset) as u32;
            let writes = stage.count("setchannel");
            fault(&stage, method, bad.clone(), None);
            let before = stage.status().await["jobs"]["fees"]["failures"].as_u64().unwrap();
            fix(&stage, 0, wanted).await;
            let failed = |status: &Value| status["jobs"]["fees"]["failures"].as_u64().unwrap() > before;
            let status = stage.until_status(failed).await;
            assert!(why_degraded(&status, "job_fees").is_some(), "{method} {bad:?}: {status}");
            assert_eq!(stage.count("setchannel"), writes, "{method} {bad:?}");
            good_again(&stage);
            let job = stage.fee_cycle().await["jobs"]["fees"].clone();
            assert!(job["last_error"].is_null(), "{method} {bad:?}: {job}");
            assert_eq!(stage.fee(0), wanted, "{method} {bad:?}");
        }
    }
    // The books could not be kept meanwhile either; news of a channel has them looked at again.
    stage.lab.notify(&Notification { topic: "channel_opened", params: json!({ "channel_opened": {} }) });
    stage.until_status(|status| status["degraded"].as_array().unwrap().is_empty()).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_old_answers_are_lived_with() {
    let stage = quiet(Flavour::V26_06).start().await;
    for method in ["getinfo", "listpeerchannels", "feerates", "listforwards", "setchannel"] {
        fault(&stage, method, Fault::Late(Duration::from_millis(400)), Some(3));
    }
    fix(&stage, 0, 345).await;
    stage.until_fee(0, 345).await;
    good_again(&stage);
    // From the second call on the list is the one of 345 ppm.
    fault(&stage, "listpeerchannels", Fault::Stale, None);
    stage.fee_cycle().await;
    for ppm in [400, 410, 420] {
        fix(&stage, 0, ppm).await;
        stage.until_fee(0, ppm).await;
    }
    good_again(&stage);
    let job = stage.fee_cycle().await["jobs"]["fees"].clone();
    assert!(job["last_error"].is_null(), "{job}");
    assert_eq!(stage.fee(0), 420);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_rests_its_own_group_only() {
    let stage = impatient(Flavour::V26_06).option("rpc-circuit-breaker-seconds", 600).start().await;
    fault(&stage, "setchannel", Fault::Dead, None);
    let why = stage.refusal("revenue-set-fee", json!([stage.scid(0), 300])).await;
    assert!(why.contains("in force"), "{why}");
    let status = stage.status().await;
    assert_eq!(breaker(&status, "write"), "open");
    for group in ["read", "forwards", "bookkeeper", "sling", "clboss"] {
        assert_eq!(breaker(&status, group), "closed", "{group}");
    }
    assert!(
        why_degraded(&status, "rpc_write").is_some_and(|why| why.contains("no answer within 3 s")),
        "{status}"
    );
    assert_eq!(status["rpc"]["groups"]["write"]["lost"], 1);
    // While it rests nothing is sent; reads go on.
    let why = stage.refusal("revenue-set-fee", json!([stage.scid(0), 301])).await;
    assert!(why.contains("write calls rest"), "{why}");
    assert_eq!(stage.count("setchannel"), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_decides_whether_calls_rest_again() {
    let stage = impatient(Flavour::V26_06).option("rpc-circuit-breaker-seconds", 1).start().await;
    fault(&stage, "setchannel", Fault::Dead, None);
    stage.refusal("revenue-set-fee", json!([stage.scid(0), 300])).await;
    // The probe fails, and the group rests again; the next one finds the node well.
    wait_until(DEADLINE, async || {
        let why = stage.refusal("revenue-set-fee", json!([stage.scid(0), 302])).await;
        if why.contains("write calls rest") { Err(json!(why)) } else { Ok(()) }
    })
    .await;
    assert_eq!((stage.count("setchannel"), breaker(&stage.status().await, "write")), (2, "open".to_owned()));
    good_again(&stage);
    wait_until(DEADLINE, async || {
        let answer = stage.call("revenue-set-fee", json!([stage.scid(0), 303])).await;
        if answer["status"] == "success" { Ok(()) } else { Err(answer) }
    })
    .await;
    let status = stage.status().await;
    assert_eq!((stage.fee(0), breaker(&status, "write")), (303, "closed".to_owned()));
    assert_eq!(why_degraded(&status, "rpc_write"), None);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_are_set_while_the_list_of_forwards_hangs() {
    for flavour in [Flavour::V23_05, Flavour::V26_06] {
        let stage = impatient(flavour).start().await;
        fault(&stage, "listforwards", Fault::Dead, None);
        fix(&stage, 0, 345).await;
        stage.until_fee(0, 345).await;
        let status = stage.until_status(|status| breaker(status, "forwards") == "open").await;
        assert_eq!((breaker(&status, "read"), breaker(&status, "write")), ("closed".into(), "closed".into()));
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_waits_for_nobody() {
    let stage = Stage::on(Flavour::V26_06).option("rpc-timeout-seconds", 300).start().await;
    fault(&stage, "*", Fault::Dead, None);
    let caller = stage.plugin.clone();
    let scid = stage.scid(0);
    let hangs = tokio::spawn(async move { caller.call("revenue-set-fee", json!([scid, 300])).await });
    stage.until_count("getinfo", 2).await;
    let statuses = (0..20).map(|_| stage.status());
    let answers = tokio::time::timeout(DEADLINE, futures_util::future::join_all(statuses)).await.unwrap();
    assert!(answers.iter().all(|status| status["ready"] == true));
    assert_eq!(stage.success("revenue-config", json!(["get", "min_fee_ppm"])).await["value"], 10);
    assert!(!hangs.is_finished(), "the node does hang");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_companions_hold_up_neither_status_nor_fees() {
    let setup = Stage::on(Flavour::V26_06).rate(60.0).channels(3).option("rpc-timeout-seconds", 300);
    let stage = setup.extras(&[Extra::Sling, Extra::Bookkeeper, Extra::Clboss]).start().await;
    for method in
        ["sling-version", "sling-stats", "sling-jobsettings", "bkpr-listaccountevents", "bkpr-listincome"]
    {
        fault(&stage, method, Fault::Dead, None);
    }
    // Upkeep asks CLBoss too, and waits for it from its next round on.
    let looked = |status: &Value| {
        let companions = &status["companions"];
        companions["sling"] == "present"
            && companions["clboss"] == "present"
            && status["jobs"]["upkeep"]["runs"].as_u64() > Some(0)
    };
    stage.until_status(looked).await;
    fault(&stage, "clboss-status", Fault::Dead, None);
    fix(&stage, 0, 345).await;
    stage.until_fee(0, 345).await;
    stage.success("revenue-set-fee", json!([stage.scid(1), 300])).await;
    assert_eq!(stage.fee(1), 300);
    // These two ask the companions themselves.
    const ASKERS: [&str; 2] = ["accounts", "sling"];
    let runs = |status: &Value| {
        let others =
            status["jobs"].as_object().unwrap().iter().filter(|(name, _)| !ASKERS.contains(&name.as_str()));
        others.map(|(_, job)| job["runs"].as_u64().unwrap()).min()
    };
    stage.until_status(|status| runs(status) > Some(0)).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_missing_fields_do_not_matter() {
    for flavour in Flavour::ALL {
        let backstage = quiet(flavour).build().await;
        backstage.lab.with_mischief(|mischief| mischief.add("*", Fault::UnknownFields, None));
        let stage = backstage.start().await;
        stage.until_ready().await;
        fix(&stage, 0, 345).await;
        stage.until_fee(0, 345).await;
        let job = stage.fee_cycle().await["jobs"]["fees"].clone();
        assert!(job["last_error"].is_null(), "{job}");
        good_again(&stage);
        // Without the optional fields no channel can be told from another: none is touched.
        fault(&stage, "*", Fault::MissingFields, None);
        let writes = stage.count("setchannel");
        fix(&stage, 1, 456).await;
        let job = stage.fee_cycle().await["jobs"]["fees"].clone();
        assert!(job["last_error"].is_null(), "{job}");
        assert_eq!(stage.count("setchannel"), writes);
        good_again(&stage);
        fault(&stage, "feerates", Fault::MissingFields, None);
        stage.fee_cycle().await;
        stage.until_fee(1, 456).await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_answers_are_read() {
    for flavour in [Flavour::V23_05, Flavour::V26_06] {
        let stage = quiet(flavour).option("rpc-timeout-seconds", 60).start().await;
        stage.lab.with_node(|node| {
            let now = node.now_unix_s();
            node.inject_forwards(50, now - 86_400.0, now);
        });
        fault(&stage, "listforwards", Fault::Huge(20_000), Some(1));
        fault(&stage, "listpeerchannels", Fault::Huge(1_000), None);
        fix(&stage, 0, 345).await;
        stage.until_fee(0, 345).await;
        let runs = |status: &Value| status["jobs"]["fees"]["runs"].as_u64() > Some(0);
        let status = stage.until_status(runs).await;
        assert!(status["jobs"]["fees"]["last_error"].is_null(), "{status}");
        stage.end().await;
    }
}

/// Reads of the node in one fee cycle over all its channels.
async fn reads_of_a_cycle(flavour: Flavour, channels: usize) -> Vec<String> {
    // In ten seconds per second the first runs of all jobs are soon over, the next ones far away.
    let stage = Stage::on(flavour).rate(10.0).channels(channels).start().await;
    let first_runs_over = |status: &Value| {
        ["forwards", "flow", "fees"]
            .iter()
            .all(|job| status["jobs"][job]["runs"].as_u64() > Some(0) && is_at_rest(status, job))
    };
    stage.until_status(first_runs_over).await;
    let mut least: Option<Vec<String>> = None;
    // Another job may read something at the same time: that is not the cycle's, and not there every time.
    for target in 1..=8 {
        let reads = reads_of_one(&stage, channels, target).await;
        if least.as_ref().is_none_or(|least| reads.len() < least.len()) {
            least = Some(reads);
        }
    }
    stage.end().await;
    least.unwrap()
}

/// The calls on the node while a changed setting has all fees looked at; it reads nothing itself.
async fn reads_of_one(stage: &Stage, channels: usize, target: u32) -> Vec<String> {
    let id = |status: &Value| status["last_fee_cycle"]["id"].as_u64();
    let before = id(&stage.until_fees_rest().await);
    stage.lab.with_mischief(|mischief| mischief.forget_calls());
    stage.success("revenue-config", json!(["set", "target_flow", target])).await;
    let over = |status: &Value| id(status) > before && is_at_rest(status, "fees");
    let status = stage.until_status(over).await;
    assert_eq!(status["last_fee_cycle"]["channels"], channels);
    // `help` is how the minutely upkeep looks for companions; sling and its options are asked for every
    // half minute.
    let others = |method: &str| ["help", "listconfigs"].contains(&method) || method.starts_with("sling-");
    let reads = stage.lab.calls().into_iter().map(|call| call.method);
    reads.filter(|method| method != "setchannel" && !others(method)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_reads_as_often_for_a_thousand_channels_as_for_twenty() {
    for flavour in [Flavour::V23_05, Flavour::V26_06] {
        let few = reads_of_a_cycle(flavour, 20).await;
        let many = reads_of_a_cycle(flavour, 1_000).await;
        assert_eq!(few, many, "{flavour:?}");
        assert!((3..=8).contains(&few.len()), "{flavour:?}: {few:?}");
    }
}
