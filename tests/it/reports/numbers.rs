//! The numbers of reports agree with the node's own records, and with each other.

#![allow(clippy::unwrap_used)]

use crate::acts::cycle;
use crate::support::{DEADLINE, Stage, wait_until};
use lab::market::Status;
use lab::{Flavour, Lab};
use serde_json::{Value, json};
use std::collections::HashMap;

const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 24.0 * HOUR_S;

/// What the node's records say of one channel's settled forwards.
#[derive(Default, Debug, PartialEq, Eq, Clone, Copy)]
struct Sums {
    earned: u64,
    sourced: u64,
    forwards_in: u64,
    forwards_out: u64,
}

/// The node's own records of forwards received from `since_s` on, by channel.
fn of_node(lab: &Lab, since_s: f64) -> HashMap<usize, Sums> {
    lab.with_node(|node| {
        let mut sums: HashMap<usize, Sums> = HashMap::new();
        for forward in node.forwards() {
            if forward.status != Status::Settled || (forward.received_us as f64) < since_s * 1e6 {
                continue;
            }
            let incoming = sums.entry(forward.in_channel).or_default();
            incoming.sourced += forward.fee_msat();
            incoming.forwards_in += 1;
            let outgoing = sums.entry(forward.out_channel).or_default();
            outgoing.earned += forward.fee_msat();
            outgoing.forwards_out += 1;
        }
        sums
    })
}

fn earned(sums: &HashMap<usize, Sums>) -> u64 {
    sums.values().map(|sums| sums.earned).sum()
}

fn msat(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no amount"))
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_agrees_with_the_node_over_any_window() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let now = stage.lab.now_unix_s();
    // Forty days of history, and what came while the plugin watched.
    stage.lab.with_node(|node| node.inject_forwards(3_000, now - 40.0 * DAY_S, now - DAY_S));
    stage.lab.advance_by(6.0 * HOUR_S).unwrap();
    stage.success("revenue-analyze", json!({})).await;
    stage.until_forwards_are_stored().await;

    for days in [1, 3, 8, 30, 40, 365] {
        let dashboard = stage.success("revenue-dashboard", json!([days])).await;
        let period = &dashboard["period"];
        let expected = of_node(&stage.lab, msat(&period["start"]) as f64);
        assert_eq!(msat(&period["gross_revenue_msat"]), earned(&expected), "{days} days");
        assert_eq!(msat(&period["gross_revenue_sats"]), earned(&expected) / 1000, "{days} days");
        let count: u64 = expected.values().map(|sums| sums.forwards_out).sum();
        assert_eq!(msat(&period["total_forwards"]), count, "{days} days");
    }
    let all = of_node(&stage.lab, 0.0);
    let history = stage.success("revenue-history", json!({})).await;
    assert_eq!(msat(&history["lifetime_revenue_msat"]), earned(&all));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_has_what_it_earned_and_what_it_brought_in() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    stage.lab.advance_by(12.0 * HOUR_S).unwrap();
    cycle(&stage).await;
    stage.until_forwards_are_stored().await;
    let expected = of_node(&stage.lab, 0.0);
    let count = stage.lab.with_node(|node| node.channels().len());
    for channel in 0..count {
        let answer = stage.success("revenue-profitability", json!([stage.scid(channel)])).await;
        let found = &answer["profitability"];
        let sums = Sums {
            earned: msat(&found["total_revenue_msat"]),
            sourced: msat(&found["inbound_flow"]["contribution_to_other_channels_msat"]),
            forwards_in: msat(&found["inbound_flow"]["payment_count"]),
            forwards_out: msat(&found["outbound_flow"]["payment_count"]),
        };
        assert_eq!(sums, expected.get(&channel).copied().unwrap_or_default(), "{channel}: {answer}");
        assert_eq!(msat(&found["total_contribution_msat"]), sums.earned + sums.sourced);
    }

    let ranking = stage.success("revenue-profitability", json!({})).await;
    let summary = &ranking["summary"];
    // No fee is counted for two channels.
    assert_eq!(msat(&summary["total_revenue_msat"]), earned(&expected));
    assert_eq!(summary["total_contribution_msat"], summary["total_revenue_msat"]);
    let rows = ranking["channels_by_class"].as_object().unwrap().values();
    let rows: Vec<&Value> = rows.flat_map(|rows| rows.as_array().unwrap()).collect();
    assert_eq!(rows.len() as u64, summary["total_channels"].as_u64().unwrap());
    let nets: i64 = rows.iter().map(|row| row["net_profit_msat"].as_i64().unwrap()).sum();
    assert_eq!(nets, summary["total_profit_msat"].as_i64().unwrap());
    let others =
        ["other_channels", "unattributed"].map(|part| ranking[part]["net_profit_msat"].as_i64().unwrap());
    assert_eq!(nets + others.iter().sum::<i64>(), ranking["node"]["net_profit_msat"].as_i64().unwrap());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spliced_channel_answers_to_all_its_names() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    stage.lab.advance_by(6.0 * HOUR_S).unwrap();
    cycle(&stage).await;
    stage.until_forwards_are_stored().await;
    let old = stage.scid(1);
    let new = stage.lab.with_node(|node| node.splice(1, 1_000_000_000)).to_string();
    cycle(&stage).await;
    // The costs of opening and splicing come from bookkeeper, in a job of their own.
    let before = wait_until(DEADLINE, async || {
        let answer = stage.success("revenue-profitability", json!([old])).await;
        let costs = &answer["profitability"]["costs"];
        let are_booked = ["opening_cost_msat", "splice_cost_msat"].iter().all(|cost| costs[cost] != 0);
        if are_booked { Ok(answer) } else { Err(answer) }
    })
    .await;
    let after = stage.success("revenue-profitability", json!([new])).await;
    assert_eq!((before["channel_id"].as_str(), after["channel_id"].as_str()), (Some(&*old), Some(&*new)));
    assert_eq!(before["full_channel_id"], after["full_channel_id"]);
    assert_eq!(before["profitability"], after["profitability"]);
    let names: Vec<&str> =
        after["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&&*old) && names.contains(&&*new), "{names:?}");
    stage.end().await;
}
