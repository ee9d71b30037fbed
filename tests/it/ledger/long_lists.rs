//! Lists that may be too long to be answered in time, and what is known without them.

#![allow(clippy::unwrap_used)]

use super::lives::{RATE, until_equal};
use super::names::splice_twice;
use super::payments::{FOUND, TRIED, fault, until};
use crate::support::Stage;
use lab::{Fault, Flavour};
use serde_json::Value;

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
    let lost = |status: &Value, group: &str| status["rpc"]["groups"][group]["lost"] == 1;
    let status = stage.until_status(|status| lost(status, "htlcs") && lost(status, "transactions")).await;
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
