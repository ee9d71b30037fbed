//! A database that is locked, full or damaged while the plugin works on it, and a clock that jumps.

#![allow(clippy::unwrap_used)]

use super::lives::{Books, RATE, assert_whole, of_node, of_store, until_equal};
use crate::clock::{self, after_shell};
use crate::support::{DEADLINE, Setup, Stage, wait_until, why_degraded};
use lab::{Flavour, SimClock};
use rlimit::{INFINITY, Resource};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

const STEPS: usize = 25;
const YEAR_S: f64 = 365.0 * 86_400.0;

fn setup() -> Setup {
    Stage::on(Flavour::V26_06).channels(5).rate(RATE)
}

/// What the status says of the database, once it says something.
async fn trouble(stage: &Stage) -> String {
    let status = stage.until_status(|status| why_degraded(status, "store").is_some()).await;
    why_degraded(&status, "store").unwrap()
}

/// The books are the node's again, the status has nothing to complain of, and the file is whole.
async fn assert_recovered(stage: Stage, when: &str) {
    // Closes find their end.
    stage.lab.with_node(|node| node.mine(300));
    until_equal(&stage, when).await;
    // The node's clock runs ahead of the plugin's while it lives.
    let is_well =
        |status: &Value| status["degraded"].as_array().unwrap().iter().all(|entry| entry["part"] == "clock");
    stage.until_status(is_well).await;
    stage.plugin.stop().await.unwrap();
    assert_whole(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_another_process_holds_the_database_is_booked_afterwards() {
    let stage = setup().start().await;
    stage.lab.with_node(|node| node.live(1, STEPS));
    until_equal(&stage, "before the lock").await;
    let other = Connection::open(stage.db_path()).unwrap();
    other.busy_timeout(DEADLINE).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    stage.lab.with_node(|node| node.live(2, STEPS));
    let why = trouble(&stage).await;
    assert!(why.contains("another process holds the database"), "{why}");
    // Reports are read as before; a change is refused in a sentence, and soon.
    stage.success("revenue-history", json!({})).await;
    let why = stage.refusal("revenue-ignore", json!([stage.peer(0)])).await;
    assert!(why.contains("cannot be written") && why.contains("locked"), "{why}");
    stage.lab.with_node(|node| node.live(3, STEPS));
    other.execute_batch("ROLLBACK").unwrap();
    assert_recovered(stage, "after the lock").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_disk_is_full_is_booked_afterwards() {
    let mut backstage = setup().build().await;
    // A process that ignores the signal has its writes refused, as on a full disk.
    after_shell(&mut backstage.command, "trap '' XFSZ");
    let stage = backstage.start().await;
    stage.until_ready().await;
    stage.lab.with_node(|node| node.live(1, STEPS));
    until_equal(&stage, "before the disk is full").await;
    let limit = |bytes: u64| {
        let pid = stage.plugin.pid().try_into().unwrap();
        rlimit::prlimit(pid, Resource::FSIZE, Some((bytes, INFINITY)), None).unwrap();
    };
    // Room for the first pages of a transaction, not for all of them.
    let log = fs::metadata(stage.db_path().with_extension("db-wal")).unwrap().len();
    limit(log + 9_000);
    stage.lab.with_node(|node| node.live(2, STEPS));
    let why = trouble(&stage).await;
    assert!(why.contains("the disk of the database") && why.contains("nothing is stored"), "{why}");
    stage.success("revenue-history", json!({})).await;
    stage.refusal("revenue-ignore", json!([stage.peer(0)])).await;
    stage.lab.with_node(|node| node.live(3, STEPS));
    limit(INFINITY);
    assert_recovered(stage, "with room again").await;
}

/// Spoils the page at the root of a table behind the plugin's back.
fn spoil(stage: &Stage, table: &str) {
    let db = Connection::open(stage.db_path()).unwrap();
    db.busy_timeout(DEADLINE).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let root: u64 = db.query_row(root, [table], |row| row.get::<_, u32>(0)).unwrap().into();
    // All that was written is in the file, and nothing of it in the log.
    let is_busy =
        || db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0)).unwrap();
    while is_busy() {}
    let file = OpenOptions::new().write(true).open(stage.db_path()).unwrap();
    file.write_all_at(&[0xff; 4096], (root - 1) * 4096).unwrap();
    // A change by somebody else has the plugin read the file anew.
    db.execute("UPDATE meta SET value = value", []).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_written_no_more_and_a_new_one_has_the_same_books() {
    let mut stage = setup().start().await;
    stage.lab.with_node(|node| node.live(1, STEPS));
    until_equal(&stage, "before the damage").await;
    spoil(&stage, "forwards");
    stage.lab.with_node(|node| node.live(2, STEPS));
    let why = trouble(&stage).await;
    assert!(why.contains("damaged") && why.contains("nothing more is stored"), "{why}");
    let why = stage.refusal("revenue-ignore", json!([stage.peer(0)])).await;
    assert!(why.contains("damaged"), "{why}");
    stage.plugin.stop().await.unwrap();
    // The next start does not take it.
    stage.plugin = stage.lab.attach(stage.command.clone()).await.unwrap();
    let refused = |status: &Value| {
        why_degraded(status, "start").is_some_and(|why| why.contains("is not a usable database"))
    };
    stage.until_status(refused).await;
    // It waits for the operator to make room, and then has the node tell it all again.
    // The file goes last: one that is new must not find the log of the old one beside it.
    for extension in ["db-wal", "db-shm", "db"] {
        let file = stage.db_path().with_extension(extension);
        if file.exists() {
            fs::rename(&file, file.with_extension(format!("{extension}.damaged"))).unwrap();
        }
    }
    stage.until_ready().await;
    assert_recovered(stage, "in a new file").await;
}

/// Makes the next start's clock show another time than the node's.
fn jump(stage: &mut Stage, by_s: f64) {
    let now_s = stage.lab.with_node(|node| node.now_unix_s()) + by_s;
    let clock = SimClock::starting_at((now_s * 1000.0) as u64, RATE).to_env();
    after_shell(&mut stage.command, &format!("export CL_REVENUE_OPS_SIM_CLOCK={clock}"));
}

/// Without single forwards, which an old enough clock says may be forgotten.
async fn until_sums_are_equal(stage: &Stage, when: &str) {
    let sums = |mut books: Books| {
        books.remove("earned rows");
        books
    };
    wait_until(2 * DEADLINE, async || {
        let (stored, listed) = (sums(of_store(stage)), sums(of_node(stage)));
        if stored == listed { Ok(()) } else { Err(json!(format!("{when}: {stored:?}, not {listed:?}"))) }
    })
    .await;
}

/// The day of the last snapshot, relative to the node's day.
fn last_snapshot(stage: &Stage) -> i64 {
    let db = Connection::open(stage.db_path()).unwrap();
    let last = "SELECT coalesce(max(day_s), 0) / 86400 FROM financial_snapshots";
    let last: i64 = db.query_row(last, [], |row| row.get(0)).unwrap();
    last - (stage.lab.with_node(|node| node.now_unix_s()) / 86_400.0) as i64
}

async fn until_snapshots_end(stage: &Stage, wanted: std::ops::RangeInclusive<i64>) {
    wait_until(DEADLINE, async || match last_snapshot(stage) {
        day if wanted.contains(&day) => Ok(()),
        day => Err(json!(format!("the last snapshot is {day} days ahead, not {wanted:?}"))),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_year_ahead_for_a_while_leaves_no_trace_in_the_books() {
    let mut stage = setup().start().await;
    stage.lab.with_node(|node| node.live(1, STEPS));
    until_equal(&stage, "before the jump").await;
    let went_back = "the clock jumped back by 3";
    for (seed, ahead_s, days, why) in [
        (2, YEAR_S, 360..=370, None),
        (3, 0.0, -1..=3, Some(went_back)),
        (4, -YEAR_S, -1..=3, Some(went_back)),
    ] {
        stage.plugin.stop().await.unwrap();
        jump(&mut stage, ahead_s);
        stage.start_again().await;
        let says = |status: &Value| match (why_degraded(status, "clock"), why) {
            (said, None) => said.is_none(),
            (said, Some(why)) => said.is_some_and(|said| said.contains(why)),
        };
        stage.until_status(says).await;
        stage.lab.with_node(|node| node.live(seed, STEPS));
        until_sums_are_equal(&stage, &format!("{ahead_s} s ahead")).await;
        until_snapshots_end(&stage, days).await;
    }
    stage.plugin.stop().await.unwrap();
    jump(&mut stage, 0.0);
    stage.start_again().await;
    stage.lab.with_node(|node| node.mine(300));
    until_sums_are_equal(&stage, "at the right time again").await;
    stage.plugin.stop().await.unwrap();
    assert_whole(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_that_was_set_by_a_clock_a_year_ahead_is_dated_to_when_it_went_back() {
    let mut stage = setup().start().await;
    let ledger_ran = |status: &Value| status["jobs"]["ledger"]["runs"].as_u64() > Some(0);
    stage.until_status(ledger_ran).await;
    let half_a_year_on = stage.lab.with_node(|node| node.now_unix_s()) + YEAR_S / 2.0;
    let latest = |status: &Value| status["recent_fee_changes"][0]["timestamp"].as_f64();
    stage.plugin.stop().await.unwrap();
    jump(&mut stage, YEAR_S);
    stage.start_again().await;
    stage.success("revenue-set-fee", json!([stage.scid(0), 777])).await;
    let is_ahead = |status: &Value| latest(status) > Some(half_a_year_on);
    stage.until_status(|status| ledger_ran(status) && is_ahead(status)).await;
    stage.plugin.stop().await.unwrap();
    jump(&mut stage, 0.0);
    stage.start_again().await;
    stage.until_status(|status| ledger_ran(status) && !is_ahead(status)).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_while_the_plugin_runs_is_named_and_nothing_is_forgotten() {
    let mut stage = clock::start(setup()).await;
    stage.lab.with_node(|node| node.live(1, STEPS));
    until_equal(&stage, "before the jump").await;
    for (seed, way, by_days) in [(2, "forward", 365), (3, "back", -10)] {
        stage.plugin.stop().await.unwrap();
        clock::set(&stage, 0);
        stage.start_again().await;
        clock::set(&stage, by_days * 86_400);
        let named = |status: &Value| {
            let by_s = status["clock"]["last_jump"]["by_s"].as_i64().unwrap_or(0);
            (by_s - by_days * 86_400).abs() < 43_200
                && why_degraded(status, "clock").is_some_and(|why| why.contains(&format!("jumped {way} by ")))
        };
        stage.until_status(named).await;
        stage.lab.with_node(|node| node.live(seed, STEPS));
        // Single forwards too: a year ahead all of them look old.
        until_equal(&stage, &format!("after a jump {way}")).await;
    }
    stage.plugin.stop().await.unwrap();
    assert_whole(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_behind_the_nodes_records_is_named() {
    let mut backstage = setup().build().await;
    let clock = SimClock::starting_at(1_000_000_000_000, RATE).to_env();
    after_shell(&mut backstage.command, &format!("export CL_REVENUE_OPS_SIM_CLOCK={clock}"));
    let stage = backstage.start().await;
    stage.lab.with_node(|node| node.live(1, STEPS));
    let is_named = |status: &Value| {
        why_degraded(status, "clock").is_some_and(|why| why.contains("newest record is from"))
            && status["clock"]["records_ahead_s"].as_u64() > Some(365 * 86_400)
    };
    stage.until_status(is_named).await;
    stage.end().await;
}
