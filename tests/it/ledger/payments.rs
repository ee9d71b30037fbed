//! The channels of payments to ourselves.

#![allow(clippy::unwrap_used)]

use super::lives::RATE;
use crate::support::{Backstage, DEADLINE, Stage, wait_until};
use lab::node::{Part, Paying};
use lab::{Extra, Fault, Flavour};
use rusqlite::Connection;
use serde_json::json;

/// Waits until the database says yes.
pub(super) async fn until(stage: &Stage, question: &str) {
    wait_until(DEADLINE, async || {
        let db = Connection::open(stage.db_path()).unwrap();
        match db.query_row(question, [], |row| row.get::<_, bool>(0)).unwrap() {
            true => Ok(()),
            false => Err(json!(format!("not yet: {question}"))),
        }
    })
    .await;
}

pub(super) const TRIED: &str = "SELECT coalesce(min(tries), 0) > 0 FROM rebalances";
pub(super) const FOUND: &str =
    "SELECT count(*) = 0 FROM rebalances WHERE out_channel IS NULL OR in_channel IS NULL";

pub(super) fn fault(backstage: &Backstage, method: &str, fault: Fault) {
    backstage.lab.with_mischief(|mischief| mischief.add(method, fault, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn bookkeeper_tells_the_channels_of_payments_as_soon_as_it_is_there() {
    let backstage = Stage::on(Flavour::V26_06).channels(4).rate(RATE).extras(&[Extra::Sling]).build().await;
    backstage.lab.with_node(|node| assert!(node.rebalance(0, 1, 1_000_000, 500)));
    fault(&backstage, "listhtlcs", Fault::Error { code: -1, message: "too many".to_owned() });
    let stage = backstage.start().await;
    stage.until_ready().await;
    until(&stage, TRIED).await;
    stage.lab.with_node(|node| node.set_extra(Extra::Bookkeeper, true));
    until(&stage, FOUND).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_one_payment_that_come_in_by_one_channel_are_all_found() {
    for flavour in Flavour::ALL {
        let stage = Stage::on(flavour).channels(4).rate(RATE).start().await;
        let part = |from, amount_msat| Part { from, to: Some(2), amount_msat, fee_msat: 500 };
        let paying = Paying { parts: vec![part(0, 1_000_000), part(1, 600_000)], ..Paying::default() };
        stage.lab.with_node(|node| assert!(node.pay(&paying, true)));
        until(&stage, "SELECT count(*) = 2 FROM rebalances").await;
        until(&stage, FOUND).await;
        stage.end().await;
    }
}
