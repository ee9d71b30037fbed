//! A whole life of a node, made of everything that can happen to it, and what its reports say.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage, wait_until};
use lab::Flavour;
use lab::node::TrueBooks;
use serde_json::{Value, json};

fn msat(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no amount"))
}

/// Net profit and fees of all channels and of what is unattributed; none when a name was placed meanwhile.
///
/// Forwards of before a splice may name a channel that nothing places yet, or ever, since the plugin came
/// late; they are unattributed then, and nothing is counted twice or lost.
async fn sum_of_parts(stage: &Stage, channels: &[(String, TrueBooks)]) -> Option<(i64, i64)> {
    let unattributed = async || stage.success("revenue-history", json!({})).await["unattributed"].clone();
    let rest = unattributed().await;
    let (mut net, mut earned) = (msat(&rest["net_profit_msat"]), msat(&rest["revenue_msat"]));
    for (channel, books) in channels {
        let answer = stage.call("revenue-profitability", json!([channel])).await;
        // A channel that was given up before it opened never was one.
        if answer.get("error").is_some() {
            assert_eq!(*books, TrueBooks::default(), "{channel}: {answer}");
            continue;
        }
        let found = &answer["profitability"];
        assert!(msat(&found["total_revenue_msat"]) <= books.earned_msat as i64, "{channel}: {answer}");
        net += msat(&found["net_profit_msat"]);
        earned += msat(&found["total_revenue_msat"]);
    }
    (unattributed().await == rest).then_some((net, earned))
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_say_what_really_happened() {
    let backstage = Stage::on(Flavour::V26_06).channels(6).build().await;
    backstage.lab.with_node(|node| {
        node.live(11, 150);
        // What closed is resolved.
        node.mine(200);
    });
    let (total, channels) = backstage.lab.with_node(|node| {
        let names: Vec<String> = node.channels().iter().map(|channel| channel.channel_id.clone()).collect();
        (node.true_total(), names.into_iter().zip(node.true_books()).collect::<Vec<_>>())
    });
    let stage = backstage.start().await;
    stage.until_ready().await;
    let history = wait_until(DEADLINE, async || {
        let history = stage.success("revenue-history", json!({})).await;
        let parts = &history["closure_parts"];
        let found = [
            msat(&history["lifetime_revenue_msat"]),
            msat(&history["lifetime_opening_costs_msat"]),
            msat(&history["lifetime_splice_costs_msat"]),
            msat(&history["lifetime_lease_costs_msat"]),
            msat(&history["lifetime_rebalance_costs_msat"]),
            msat(&parts["close_fees_msat"]),
            msat(&parts["sweep_fees_msat"]),
            -msat(&parts["penalties_msat"]),
        ];
        let expected = [
            total.earned_msat as i64,
            total.open_msat as i64,
            total.splice_msat as i64,
            total.lease_msat,
            total.rebalance_msat as i64,
            total.close_msat as i64,
            total.sweep_msat as i64,
            total.penalty_msat,
        ];
        if found == expected { Ok(history) } else { Err(json!(format!("{found:?}, not {expected:?}"))) }
    })
    .await;
    assert_eq!(msat(&history["lifetime_net_profit_msat"]), total.net_msat());
    assert_eq!(msat(&history["pushed_at_opening_msat"]), total.pushed_msat);

    wait_until(DEADLINE, async || {
        let found = sum_of_parts(&stage, &channels).await;
        if found == Some((total.net_msat(), total.earned_msat as i64)) { Ok(()) } else { Err(json!(found)) }
    })
    .await;
    stage.end().await;
}
