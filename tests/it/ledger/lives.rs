//! Random lives of a node, and a plugin that is killed in the middle of them.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage, wait_until};
use lab::market::{ChannelSpec, DemandSpec};
use lab::{Extra, Flavour, MarketSpec};
use rusqlite::Connection;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ten minutes, after which accounts are read again, pass in two seconds.
pub(super) const RATE: f64 = 300.0;

/// Msat that each channel earned and cost by kind; sums of what was earned, and what rebalances cost, for
/// the whole node: a rebalance may be put on either of two channels.
pub(super) type Books = BTreeMap<String, i64>;

pub(super) fn of_node(stage: &Stage) -> Books {
    stage.lab.with_node(|node| {
        let mut books = Books::new();
        for (channel, truth) in node.channels().iter().zip(node.true_books()) {
            let id = &channel.channel_id;
            for (kind, msat) in [
                ("earned", truth.earned_msat as i64),
                ("open", truth.open_msat as i64),
                ("close", truth.close_msat as i64),
                ("sweep", truth.sweep_msat as i64),
                ("splice", truth.splice_msat as i64),
                ("lease", truth.lease_msat),
                ("penalty", -truth.penalty_msat),
            ] {
                books.insert(format!("{id} {kind}"), msat);
            }
        }
        for sum in ["earned", "earned totals", "earned rows"] {
            books.insert(sum.to_owned(), node.true_total().earned_msat as i64);
        }
        books.insert("rebalances".to_owned(), node.true_total().rebalance_msat as i64);
        books.retain(|_, msat| *msat != 0);
        books
    })
}

pub(super) fn of_store(stage: &Stage) -> Books {
    let db = Connection::open(stage.db_path()).unwrap();
    let mut books = Books::new();
    let mut add = |sql: &str| {
        let mut select = db.prepare(sql).unwrap();
        let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
        for row in rows {
            let (key, msat) = row.unwrap();
            *books.entry(key).or_default() += msat;
        }
    };
    add("SELECT lower(hex(channel_id)) || ' ' || kind, msat FROM costs");
    add(
        "SELECT lower(hex(channel_id)) || ' earned', earned_msat FROM flow_totals JOIN channel_names USING (scid)",
    );
    add("SELECT 'earned', earned_msat FROM flow_days");
    add("SELECT 'earned totals', earned_msat FROM flow_totals");
    add("SELECT 'earned rows', fee_msat FROM forwards WHERE status = 3");
    add("SELECT 'rebalances', fee_msat FROM rebalances");
    books.retain(|_, msat| *msat != 0);
    books
}

pub(super) async fn until_equal(stage: &Stage, when: &str) {
    wait_until(2 * DEADLINE, async || {
        let (stored, listed) = (of_store(stage), of_node(stage));
        if stored == listed {
            Ok(())
        } else {
            Err(json!(format!("{when}: {stored:?} stored, {listed:?} on the node")))
        }
    })
    .await;
}

/// Lives, with the plugin killed again and again; then the books must be the node's own.
async fn killed(flavour: Flavour, kills: u64, steps: usize) {
    let mut stage = Stage::on(flavour).channels(5).rate(RATE).start().await;
    for kill in 0..kills {
        stage.lab.with_node(|node| node.live(kill, steps));
        // Sometimes in the middle of a round, sometimes after it.
        tokio::time::sleep(Duration::from_millis(kill * 37 % 400)).await;
        stage.plugin.kill().await.unwrap();
        stage.lab.with_node(|node| node.live(1_000 + kill, steps));
        stage.start_again().await;
    }
    // Closes find their end.
    stage.lab.with_node(|node| node.mine(300));
    until_equal(&stage, &format!("{flavour:?} after {kills} kills")).await;
    stage.plugin.stop().await.unwrap();
    assert_whole(&stage);
}

/// SQLite finds no fault in the file.
pub(super) fn assert_whole(stage: &Stage) {
    let db = Connection::open(stage.db_path()).unwrap();
    let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_killed_keeps_the_books_of_the_node() {
    for flavour in Flavour::ALL {
        killed(flavour, 4, 25).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn two_hundred_kills_leave_the_books_whole() {
    killed(Flavour::V26_06, 200, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_stand_in_for_bookkeeper_until_it_is_there() {
    let stage = Stage::on(Flavour::V26_06).channels(4).rate(RATE).extras(&[Extra::Sling]).start().await;
    let estimated = || {
        let db = Connection::open(stage.db_path()).unwrap();
        let count = "SELECT count(*) FROM costs WHERE source = 'estimate'";
        db.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let ours =
        stage.lab.with_node(|node| node.true_books().iter().filter(|truth| truth.open_msat > 0).count());
    assert!(ours > 0, "the node opened channels");
    wait_until(DEADLINE, async || match estimated() {
        count if count == ours as i64 => Ok(()),
        count => Err(json!(format!("{count} estimates for {ours} openings"))),
    })
    .await;
    assert!(stage.degraded("bookkeeper").await.is_some());
    let status = stage.status().await;
    assert_eq!(status["ledger"]["estimated_share"], 1.0, "{}", status["ledger"]);
    stage.lab.with_node(|node| node.set_extra(Extra::Bookkeeper, true));
    until_equal(&stage, "with bookkeeper").await;
    assert_eq!(estimated(), 0);
    stage.until_status(|status| status["degraded"].as_array().unwrap().is_empty()).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_splice_of_a_channel_that_the_peer_opened_alone_is_booked_while_it_lives() {
    let theirs = ChannelSpec { our_share: 0.0, ..ChannelSpec::new("theirs", 0).remote(90.0) };
    let spec = MarketSpec::new(vec![theirs, ChannelSpec::new("ours", 1)], Vec::<DemandSpec>::new());
    let stage = Stage::on(Flavour::V26_06).spec(spec).rate(RATE).start().await;
    wait_until(DEADLINE, async || {
        let db = Connection::open(stage.db_path()).unwrap();
        let read = "SELECT count(*) FROM channel_lives WHERE books = 'open'";
        match db.query_row(read, [], |row| row.get::<_, i64>(0)).unwrap() {
            2 => Ok(()),
            read => Err(json!(format!("the books of {read} channels are read"))),
        }
    })
    .await;
    stage.lab.with_node(|node| node.splice(0, 100_000_000));
    until_equal(&stage, "after the splice").await;
    stage.end().await;
}
