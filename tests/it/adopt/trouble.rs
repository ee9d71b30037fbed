//! Files that are damaged, in use or huge, and plugins that die on the way.

#![allow(clippy::unwrap_used)]

use super::python::{DAY, PythonDb, channels, files, node, number, old_default, part, start_s};
use crate::support::{Backstage, Stage, why_degraded};
use lab::Fault;
use rusqlite::{Connection, params};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A file of the node that has pages enough to damage one.
fn python(backstage: &Backstage, path: &Path) -> PythonDb {
    let python = PythonDb::of_node(backstage, path);
    python.policy(&channels(backstage)[1].1, "passive", 1_790_000_000);
    python
}

/// Ends the Python plugin and overwrites a page in the middle of its file.
fn damage(python: PythonDb) {
    let root: u32 = python
        .conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'peer_policies'", [], |row| row.get(0))
        .unwrap();
    let path = python.path.clone();
    drop(python);
    let mut bytes = fs::read(&path).unwrap();
    let page = (root as usize - 1) * 4096;
    bytes[page..page + 4096].fill(0xff);
    fs::write(&path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_file_that_is_damaged_holds_the_start_until_it_is_mended() {
    let backstage = node(|setup| setup.option("db-path", "python.db")).await;
    let path = backstage.lab.lightning_dir().join("python.db");
    let sound = {
        drop(python(&backstage, &path));
        fs::read(&path).unwrap()
    };
    fs::remove_file(&path).unwrap();
    damage(python(&backstage, &path));
    let damaged = files(&path);
    let stage = backstage.start().await;
    // Without its policies fees of passive peers would be set.
    let status = stage
        .until_status(|status| why_degraded(status, "start").is_some_and(|why| why.contains("damaged")))
        .await;
    assert_eq!(status["ready"], false);
    assert_eq!(files(&path), damaged);
    assert_eq!(stage.fees(), [200; 4]);
    fs::write(&path, sound).unwrap();
    stage.until_ready().await;
    assert_eq!(part(&stage.status().await, "policies"), (1, 0, 0));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_whole_history_takes_longer_than_a_call_may_is_waited_for() {
    let backstage = node(|setup| setup.option("db-path", "python.db").option("rpc-timeout-seconds", 1)).await;
    let path = backstage.lab.lightning_dir().join("python.db");
    drop(python(&backstage, &path));
    for method in ["listforwards", "listsendpays"] {
        let late = Fault::Late(Duration::from_millis(1_500));
        backstage.lab.with_mischief(|mischief| mischief.add(method, late, None));
    }
    let stage = backstage.start().await;
    stage.until_ready().await;
    assert_eq!(part(&stage.status().await, "policies"), (1, 0, 0));
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_at_the_old_default_is_told_and_left_alone() {
    let backstage = node(|setup| setup).await;
    let path = old_default(&backstage);
    damage(python(&backstage, &path));
    let before = files(&path);
    let stage = backstage.start().await;
    stage.until_ready().await;
    let why = stage.degraded("import").await.expect("it is told");
    assert!(why.contains("is damaged") && why.contains("restore a copy"), "{why}");
    assert_eq!(files(&path), before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_program_locks_is_read_as_it_was_last_committed() {
    for mode in ["WAL", "DELETE"] {
        let backstage = node(|setup| setup).await;
        let path = old_default(&backstage);
        let python = python(&backstage, &path);
        python.conn.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(())).unwrap();
        // Under way, not committed, and too much to be held in memory.
        python.conn.pragma_update(None, "cache_size", 2).unwrap();
        python.conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
        python.put("DELETE FROM peer_policies", []);
        for n in 0..2_000 {
            python.setting(&format!("key{n}"), "a value of some length, so that pages are written early");
        }
        let before = files(&path);
        let stage = backstage.start().await;
        stage.until_ready().await;
        assert_eq!(part(&stage.status().await, "policies"), (1, 0, 0), "{mode}");
        assert_eq!(part(&stage.status().await, "config_overrides"), (0, 0, 0), "{mode}");
        assert_eq!(files(&path), before, "{mode}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_made_is_told() {
    let backstage = node(|setup| setup).await;
    let path = old_default(&backstage);
    drop(python(&backstage, &path));
    // A directory where the copy would be.
    let blocked = backstage.lab.lightning_dir().join("revenue-ops").join("importing.db");
    fs::create_dir_all(&blocked).unwrap();
    let stage = backstage.start().await;
    stage.until_ready().await;
    let why = stage.degraded("import").await.expect("it is told");
    assert!(why.contains("cannot be read"), "{why}");
    stage.end().await;
}

/// A million forwards over 20 days, as a busy node's file holds them, and sums of a year.
fn huge(backstage: &Backstage) -> PythonDb {
    let python = python(backstage, &old_default(backstage));
    let channels = channels(backstage);
    let begin = (start_s() - 20 * DAY) as i64;
    python.conn.execute_batch("PRAGMA synchronous = OFF; DROP INDEX idx_forwards_unique; BEGIN").unwrap();
    python.put(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
         INSERT INTO forwards (in_channel, out_channel, in_msat, out_msat, fee_msat, timestamp)
         SELECT iif(i % 2, ?1, ?2), iif(i % 3, ?3, ?4), 101000, 100000, 1000, ?5 + i FROM n",
        params![channels[0].0, channels[1].0, channels[2].0, channels[3].0, begin],
    );
    for day in 0..365 {
        for (scid, _) in &channels {
            python.day(scid, start_s() - (400 + day) * DAY, 100_000, 50, 1);
        }
    }
    python.conn.execute_batch("COMMIT").unwrap();
    python
}

const HUGE_FEES: i64 = 1_000_000 * 1_000 + 365 * 4 * 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_million_forwards_come_over_whole_whenever_the_plugin_is_killed() {
    let backstage = node(|setup| setup).await;
    let python = huge(&backstage);
    let before = files(&python.path);
    let mut stage = backstage.start().await;
    let mut kills = 0;
    // Later each time, until it is ready before it is killed.
    loop {
        tokio::time::sleep(Duration::from_millis(20 << kills)).await;
        if stage.status().await["ready"] == true {
            break;
        }
        stage.plugin.kill().await.unwrap();
        kills += 1;
        stage.plugin = stage.lab.attach(stage.command.clone()).await.unwrap();
    }
    assert!(kills >= 2, "{kills} kills");
    let status = stage.status().await;
    assert_eq!(part(&status, "policies"), (1, 0, 0));
    assert_eq!(files(&python.path), before);
    stage.plugin.stop().await.unwrap();
    let db = stage.db_path();
    assert_eq!(number(&db, "SELECT sum(earned_msat) FROM flow_totals"), HUGE_FEES);
    assert_eq!(number(&db, "SELECT sum(earned_msat) FROM flow_days"), HUGE_FEES);
    assert_eq!(number(&db, "SELECT sum(sourced_msat) FROM flow_days"), 1_000_000_000);
    assert_eq!(number(&db, "SELECT count(*) FROM imports"), 1);
    let word: String =
        Connection::open(&db).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
    assert!(
        fs::read_dir(stage.data_dir())
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_str().unwrap().starts_with("importing") })
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: prints how long a million forwards take"]
async fn how_long_a_million_forwards_take() {
    let backstage = node(|setup| setup).await;
    let python = huge(&backstage);
    let begin = Instant::now();
    let stage = backstage.start().await;
    stage.until_ready().await;
    let bytes = fs::metadata(&python.path).unwrap().len();
    println!("ready after {:?}, with a file of {} MB", begin.elapsed(), bytes / 1_000_000);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_cannot_be_asked_is_asked_again() {
    let backstage = node(|setup| setup).await;
    let path = old_default(&backstage);
    drop(python(&backstage, &path));
    let refusal = lab::Fault::Error { code: -1, message: "not today".to_owned() };
    backstage.lab.with_mischief(|mischief| mischief.add("listclosedchannels", refusal, Some(1)));
    let stage: Stage = backstage.start().await;
    stage
        .until_status(|status| why_degraded(status, "start").is_some_and(|why| why.contains("not today")))
        .await;
    stage.until_ready().await;
    assert_eq!(part(&stage.status().await, "policies"), (1, 0, 0));
    assert!(home_is_untouched(&stage, &path));
    let policy = stage.success("revenue-policy", json!(["get", stage.peer(1)])).await;
    assert_eq!(policy["policy"]["strategy"], "passive");
    stage.end().await;
}

/// Nothing but the file itself is where it was found.
fn home_is_untouched(stage: &Stage, path: &Path) -> bool {
    let dir = stage.lab.lightning_dir().parent().unwrap().join("home/.lightning");
    fs::read_dir(dir).unwrap().count() == 1 && path.is_file()
}
