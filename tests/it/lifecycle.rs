//! From the first message to the last: start, readiness, degradation, stop, crash.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage, wait_until, why_degraded};
use lab::node::SyncWarning;
use lab::{Extra, Fault, Flavour};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// A stop may take this long, with room for a busy machine; the node is given far longer to answer.
const STOP: Duration = Duration::from_secs(20);

/// The options that the Python program had, and those that cl-hive and the budget need, without
/// `revenue-ops-`.
const OPTIONS: [&str; 33] = [
    "db-path",
    "dry-run",
    "flow-interval",
    "fee-interval",
    "rebalance-interval",
    "flow-window-days",
    "min-fee-ppm",
    "max-fee-ppm",
    "target-flow",
    "rebalancer",
    "rebalance-min-profit",
    "daily-budget-sats",
    "min-wallet-reserve",
    "proportional-budget",
    "proportional-budget-pct",
    "htlc-congestion-threshold",
    "vegas-reflex",
    "vegas-decay",
    "scarcity-pricing",
    "scarcity-threshold",
    "enable-reputation",
    "reputation-decay",
    "enable-kelly",
    "kelly-fraction",
    "hive-fee-ppm",
    "hive-rebalance-tolerance",
    "hive-enabled",
    "clboss-enabled",
    "rpc-timeout-seconds",
    "rpc-circuit-breaker-seconds",
    "reservation-timeout-hours",
    "max-updates-per-day",
    "max-step-factor",
];

/// Whether the file is whole, and left as a stopped plugin leaves it.
fn assert_whole(db: &Path) {
    let conn = Connection::open(db).unwrap();
    let word: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
}

fn wal(db: &Path) -> std::path::PathBuf {
    db.with_extension("db-wal")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lightningd_starts_it() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).start().await;
        let manifest = stage.plugin.manifest();
        let options: Vec<&str> = manifest["options"]
            .as_array()
            .unwrap()
            .iter()
            .map(|option| option["name"].as_str().unwrap())
            .collect();
        for option in OPTIONS {
            let name = format!("revenue-ops-{option}");
            assert!(options.contains(&name.as_str()), "{name} is not in {options:?}");
        }
        let hooks = manifest["hooks"].as_array().map(Vec::len).unwrap_or_default();
        assert_eq!(hooks, 0, "payments must never wait for this plugin: {}", manifest["hooks"]);
        assert!(stage.plugin.subscribes("shutdown") && stage.plugin.subscribes("forward_event"));
        assert_ne!(manifest["dynamic"], false);
        let status = stage.status().await;
        let version = status["version"].as_str().unwrap();
        let major: u32 = version.split('.').next().unwrap().parse().unwrap();
        assert!(major >= 2, "{version}");
        assert_eq!(status["node"]["version"], flavour.version());
        assert_eq!(status["node"]["network"], "regtest");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_ready_status_answers_and_commands_say_why_they_cannot() {
    for flavour in Flavour::ALL {
        let backstage = Stage::on(flavour).option("rpc-timeout-seconds", 4).build().await;
        // While this lasts no call that the start waits for comes back.
        backstage.lab.with_mischief(|mischief| mischief.add("getinfo", Fault::Dead, None));
        let stage = backstage.start().await;
        stage.until_count("getinfo", 1).await;
        let status = stage.status().await;
        assert_eq!((&status["status"], &status["ready"]), (&json!("starting"), &json!(false)));
        assert!(!status["version"].is_null() && why_degraded(&status, "start").is_some(), "{status}");
        // cl-hive reads the limits of fees here, whenever it asks.
        assert_eq!(status["config"]["fee_range_ppm"], json!([10, 5000]));
        let why = stage.refusal("revenue-config", json!(["get"])).await;
        assert!(why.contains("still starting"), "{why}");
        stage.lab.with_mischief(|mischief| mischief.clear("*"));
        stage.until_ready().await;
        assert_eq!(stage.success("revenue-config", json!(["get", "min_fee_ppm"])).await["value"], 10);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_answer_yet_is_asked_again() {
    let backstage = Stage::on(Flavour::V26_06).build().await;
    backstage.lab.with_mischief(|mischief| {
        mischief.add("getinfo", Fault::Error { code: -28, message: "still warming up".to_owned() }, Some(1));
    });
    let stage = backstage.start().await;
    let status = stage
        .until_status(|status| why_degraded(status, "start").is_some_and(|why| why.contains("warming up")))
        .await;
    assert_eq!(status["status"], "starting");
    stage.until_ready().await;
    assert_eq!(why_degraded(&stage.status().await, "start"), None);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn companions_are_seen_as_they_come_and_go() {
    for flavour in Flavour::ALL {
        // A minute of the plugin's passes in a second.
        let stage = Stage::on(flavour).rate(60.0).extras(&[]).start().await;
        let word = |word: &'static str| move |status: &Value| status["companions"]["sling"] == word;
        let status = stage.until_status(word("absent")).await;
        for part in ["sling", "bookkeeper"] {
            assert!(why_degraded(&status, part).is_some_and(|why| why.contains("not there")), "{status}");
        }
        // Their absence is no loss unless the operator wants them.
        assert_eq!((why_degraded(&status, "hive"), why_degraded(&status, "clboss")), (None, None));
        stage.lab.with_node(|node| {
            node.set_extra(Extra::Sling, true);
            node.set_extra(Extra::Bookkeeper, true);
        });
        let status = stage.until_status(word("present")).await;
        assert_eq!((why_degraded(&status, "sling"), why_degraded(&status, "bookkeeper")), (None, None));
        stage.lab.with_node(|node| node.set_extra(Extra::Sling, false));
        let status = stage.until_status(word("absent")).await;
        assert!(why_degraded(&status, "sling").is_some());
        assert_eq!(why_degraded(&status, "bookkeeper"), None);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fee_is_set_while_the_node_is_syncing() {
    for (flavour, warning) in
        [(Flavour::V23_05, SyncWarning::Bitcoind), (Flavour::V26_06, SyncWarning::Lightningd)]
    {
        let stage = Stage::on(flavour).channels(2).start().await;
        stage.lab.with_node(|node| node.set_sync_warning(Some(warning)));
        let set = json!(["set", stage.peer(0), "static", "fee_ppm=777"]);
        stage.success("revenue-policy", set).await;
        stage.fee_cycle().await;
        let status = stage.status().await;
        let why = why_degraded(&status, "node_sync").expect("the status says so");
        assert!(why.contains("no fee is set meanwhile"), "{why}");
        assert_eq!(status["node"]["synced"], false);
        let by_hand = stage.refusal("revenue-set-fee", json!([stage.scid(1), 300])).await;
        assert!(by_hand.contains("nothing was changed"), "{by_hand}");
        assert_eq!((stage.count("setchannel"), stage.fees()), (0, vec![200, 200]));
        stage.lab.with_node(|node| node.set_sync_warning(None));
        stage.fee_cycle().await;
        stage.until_fee(0, 777).await;
        let status = stage.status().await;
        assert_eq!((why_degraded(&status, "node_sync"), &status["node"]["synced"]), (None, &json!(true)));
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_show_when_they_ran_and_how_they_ended() {
    let stage = Stage::on(Flavour::V26_06).rate(60.0).start().await;
    let all_ran = |status: &Value| {
        let jobs = status["jobs"].as_object().unwrap();
        jobs.len() == 10 && jobs.values().all(|job| job["runs"].as_u64() > Some(0) && job["running"] == false)
    };
    let status = stage.until_status(all_ran).await;
    for (name, job) in status["jobs"].as_object().unwrap() {
        let time = |field: &str| job[field].as_u64().unwrap_or_else(|| panic!("{name}.{field}: {job}"));
        assert!(
            time("last_started") <= time("last_ended") && time("last_ended") <= time("next"),
            "{name}: {job}"
        );
        assert!(job["last_result"].is_string() && job["last_error"].is_null(), "{name}: {job}");
        assert_eq!(job["failures"], 0, "{name}: {job}");
    }
    // A run that fails says why, and the next good one takes that back.
    let error = Fault::Error { code: -1, message: "out of ink".to_owned() };
    stage.lab.with_mischief(|mischief| mischief.add("listpeerchannels", error, None));
    stage
        .until_status(|status| {
            status["jobs"]["fees"]["last_error"].as_str().is_some_and(|why| why.contains("out of ink"))
        })
        .await;
    assert!(stage.degraded("job_fees").await.is_some_and(|why| why.contains("out of ink")));
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    let job = stage.fee_cycle().await["jobs"]["fees"].clone();
    assert!(job["last_error"].is_null() && job["failures"].as_u64() > Some(0), "{job}");
    assert_eq!(stage.degraded("job_fees").await, None);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_quick_and_closes_the_database() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).start().await;
        stage.fee_cycle().await;
        let db = stage.db_path();
        let stopped = stage.plugin.stop().await.unwrap();
        assert!(stopped.by_itself && stopped.took < STOP, "{stopped:?}");
        assert!(stopped.status.success(), "{stopped:?}");
        assert!(!wal(&db).exists(), "the log is still there");
        assert_whole(&db);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_neither_for_the_node_nor_for_being_ready() {
    // In the middle of a cycle whose answer does not come.
    let patient = |flavour| Stage::on(flavour).option("rpc-timeout-seconds", 300);
    let stage = patient(Flavour::V26_06).start().await;
    stage.lab.with_mischief(|mischief| mischief.add("feerates", Fault::Dead, None));
    stage.success("revenue-wake-all", json!({})).await;
    stage.until_status(|status| status["jobs"]["fees"]["running"] == true).await;
    let stopped = stage.plugin.stop().await.unwrap();
    assert!(stopped.by_itself && stopped.took < STOP, "{stopped:?}");
    assert_whole(&stage.db_path());
    // Before the node ever said who it is.
    let backstage = patient(Flavour::V24_11).build().await;
    backstage.lab.with_mischief(|mischief| mischief.add("getinfo", Fault::Dead, None));
    let stage = backstage.start().await;
    stage.until_count("getinfo", 1).await;
    let stopped = stage.plugin.stop().await.unwrap();
    assert!(stopped.by_itself && stopped.took < STOP, "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_cycle_does_no_harm() {
    let mut stage = Stage::on(Flavour::V26_06).channels(30).start().await;
    stage.success("revenue-policy", json!(["set", stage.peer(0), "static", "fee_ppm=432"])).await;
    stage.until_fee(0, 432).await;
    for round in 0..3 {
        // Every write takes a while, so that the cycle is under way when the end comes.
        let late = Fault::Late(Duration::from_millis(300));
        stage.lab.with_mischief(|mischief| mischief.add("setchannel", late, None));
        let writes = stage.count("setchannel");
        stage.success("revenue-config", json!(["set", "min_fee_ppm", 1000 * (round + 1)])).await;
        stage.until_count("setchannel", writes + 1).await;
        stage.plugin.kill().await.unwrap();
        stage.lab.with_mischief(|mischief| mischief.clear("*"));
        assert_whole(&stage.db_path());
        stage.start_again().await;
        stage.fee_cycle().await;
        for channel in 1..30 {
            stage.until_within(channel, 1000 * (round + 1), 5000).await;
        }
        assert_eq!(stage.fee(0), 432, "a static fee is the operator's word");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_it_started_ends_with_it() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let plugin = stage.plugin.pid();
    // The first use of an operator's strategy has it compiled, in a process of its own.
    let strategies = stage.data_dir().join("strategies");
    std::fs::create_dir_all(&strategies).unwrap();
    std::fs::copy(component("dynamic"), strategies.join("mine.wasm")).unwrap();
    let (peer, caller) = (stage.peer(0), stage.plugin.clone());
    tokio::spawn(async move { caller.call("revenue-policy", json!(["set", peer, "mine"])).await });
    let began = Instant::now();
    let child = loop {
        if let Some(child) = children(plugin).first() {
            break *child;
        }
        assert!(began.elapsed() < DEADLINE, "no process was started");
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    stage.plugin.kill().await.unwrap();
    wait_until(DEADLINE, async || match field(child, 0).as_deref() {
        None | Some("Z") => Ok(()),
        Some(state) => Err(json!(format!("process {child} is in state {state}"))),
    })
    .await;
}

/// A strategy that the binary carries, as the build left it.
fn component(name: &str) -> std::path::PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_cl-revenue-ops")).ancestors().nth(2).unwrap();
    target.join(format!("components/wasm32-unknown-unknown/component/strategy_{name}.wasm"))
}

/// The processes that this one started and that have not been waited for.
fn children(pid: u32) -> Vec<u32> {
    let names =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let processes = names.filter_map(|name| name.parse().ok());
    processes.filter(|process| field(*process, 1) == Some(pid.to_string())).collect()
}

/// A field of /proc's `stat`, counted from behind the process's name; none when it is gone.
fn field(pid: u32, number: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(number).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_lightningd_is_gone() {
    use std::process::Stdio;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let backstage = Stage::on(Flavour::V26_06).build().await;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_cl-revenue-ops"))
        .env("LIGHTNINGD_PLUGIN", "1")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout).lines();
    let configuration = json!({
        "lightning-dir": backstage.lab.lightning_dir(), "rpc-file": "lightning-rpc", "network": "regtest",
        "startup": true, "feature_set": {"init": "", "node": "", "channel": "", "invoice": ""},
        "always_use_proxy": false,
    });
    for request in [
        json!({"jsonrpc": "2.0", "id": "m", "method": "getmanifest", "params": {}}),
        json!({"jsonrpc": "2.0", "id": "i", "method": "init", "params": {"options": {}, "configuration": configuration}}),
    ] {
        stdin.write_all(format!("{request}\n\n").as_bytes()).await.unwrap();
        let answer = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("\"result\"") {
                    return line;
                }
            }
            panic!("the plugin ended before it answered {request}");
        };
        tokio::time::timeout(DEADLINE, answer).await.expect("an answer");
    }
    drop(stdin);
    let status = tokio::time::timeout(DEADLINE, child.wait()).await.expect("it ends by itself").unwrap();
    assert!(status.code().is_some(), "it was not killed: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_stopped_and_started_while_lightningd_runs() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let path = env!("CARGO_BIN_EXE_cl-revenue-ops");
    let stopped = stage.lab.call("plugin", json!(["stop", path])).await.unwrap().unwrap();
    assert_eq!(stopped["command"], "stop");
    let params = json!({"subcommand": "start", "plugin": path, "revenue-ops-min-fee-ppm": 33});
    stage.lab.call("plugin", params).await.unwrap().unwrap();
    let started = async || {
        let got = stage.lab.call("revenue-config", json!(["get", "min-fee-ppm"])).await.unwrap().unwrap();
        if got["error"].is_null() { Ok(got) } else { Err(got) }
    };
    assert_eq!(wait_until(DEADLINE, started).await["value"], 33);
    stage.lab.call("plugin", json!(["stop", path])).await.unwrap().unwrap();
}
