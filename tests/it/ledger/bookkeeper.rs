//! bookkeeper, which comes and goes.

#![allow(clippy::unwrap_used)]

use crate::support::{Stage, why_degraded};
use lab::{Extra, Fault, Flavour};
use serde_json::Value;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_before_bookkeeper_came_is_not_held_against_it() {
    const BALANCES: &str = "bkpr-listbalances";
    const LATE: Duration = Duration::from_secs(2);
    let stage = Stage::on(Flavour::V26_06).rate(60.0).extras(&[]).start().await;
    stage.until_status(|status| status["companions"]["bookkeeper"] == "absent").await;
    stage.lab.with_mischief(|mischief| mischief.add(BALANCES, Fault::LateAnswer(LATE), Some(2)));
    // The first answer will be that nobody knows the method; the second comes late too, from bookkeeper.
    let asked = stage.count(BALANCES);
    stage.until_count(BALANCES, asked + 1).await;
    stage.lab.with_node(|node| node.set_extra(Extra::Bookkeeper, true));
    let is_present = |status: &Value| status["companions"]["bookkeeper"] == "present";
    let runs = stage.until_status(is_present).await["jobs"]["accounts"]["runs"].as_u64().unwrap();
    loop {
        let status = stage.status().await;
        assert_eq!(why_degraded(&status, "bookkeeper"), None, "{status}");
        if status["jobs"]["accounts"]["runs"].as_u64() > Some(runs) {
            break;
        }
    }
    stage.end().await;
}
