//! Lists that may be too long to be answered in time, and what is known without them.

#![allow(clippy::unwrap_used)]

use super::lives::{RATE, until_equal};
use super::names::splice_twice;
use crate::support::{Backstage, DEADLINE, Stage, wait_until};
use lab::{Extra, Fault, Flavour};
use rusqlite::Connection;
use serde_json::json;

/// Waits until the database says yes.
async fn until(stage: &Stage, question: &str) {
    wait_until(DEADLINE, async || {
        let db = Connection::open(stage.db_path()).unwrap();
        match db.query_row(question, [], |row| row.get::<_, bool>(0)).unwrap() {
            true => Ok(()),
            false => Err(json!(format!("not yet: {question}"))),
        }
    })
    .await;
}

const TRIED: &str = "SELECT coalesce(min(tries), 0) > 0 FROM rebalances";
const FOUND: &str = "SELECT count(*) = 0 FROM rebalances WHERE out_channel IS NULL OR in_channel IS NULL";

fn fault(backstage: &Backstage, method: &str, fault: Fault) {
    backstage.lab.with_mischief(|mischief| mischief.add(method, fault, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_never_answered_keep_nothing_else_waiting() {
    let setup = Stage::on(Flavour::V23_05).channels(4).rate(RATE);
    let backstage = setup.option("rpc-circuit-breaker-seconds", 3_600).build().await;
    splice_twice(&backstage.lab);
    backstage.lab.with_node(|node| assert!(node.rebalance(0, 1, 1_000_000, 500)));
    for method in ["listhtlcs", "listtransactions"] {
        fault(&backstage, method, Fault::Drop);
    }
    let mut stage = backstage.start().await;
    stage.until_ready().await;
    until(&stage, "SELECT count(*) > 0 FROM financial_snapshots").await;
    until(&stage, TRIED).await;
    stage.until_count("listtransactions", 1).await;
    let lost = |status: &serde_json::Value, group: &str| status["rpc"]["groups"][group]["lost"] == 1;
    let status =
        stage.until_status(|status| lost(status, "htlcs") && lost(status, "transactions")).await;
    for group in ["read", "payments"] {
        assert_eq!(status["rpc"]["groups"][group]["state"], "closed", "{group}");
    }
    assert!(status["jobs"]["accounts"]["last_error"].is_null(), "{}", status["jobs"]["accounts"]);
    stage.plugin.stop().await.unwrap();
    stage.lab.with_mischief(|mischief| mischief.clear("*"));
    stage.start_again().await;
    until_equal(&stage, "with all lists").await;
    until(&stage, FOUND).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookkeeper_tells_the_channels_of_payments_as_soon_as_it_is_there() {
    let backstage =
        Stage::on(Flavour::V26_06).channels(4).rate(RATE).extras(&[Extra::Sling]).build().await;
    backstage.lab.with_node(|node| assert!(node.rebalance(0, 1, 1_000_000, 500)));
    fault(&backstage, "listhtlcs", Fault::Error { code: -1, message: "too many".to_owned() });
    let stage = backstage.start().await;
    stage.until_ready().await;
    until(&stage, TRIED).await;
    stage.lab.with_node(|node| node.set_extra(Extra::Bookkeeper, true));
    until(&stage, FOUND).await;
    stage.end().await;
}
