//! Reports on real nodes, replayed from what they recorded.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, Stage, wait_until};
use lab::Flavour;
use serde_json::{Value, json};

/// A recorded node at the end of its history, with all of it booked.
async fn at_the_end(flavour: Flavour, net_msat: i64) -> Stage {
    let stage = Stage::on(flavour).recorded("after-close").start().await;
    wait_until(DEADLINE, async || {
        let history = stage.success("revenue-history", json!({})).await;
        let booked = history["lifetime_net_profit_msat"] == net_msat && history["as_of"].is_u64();
        // Names from before a splice, and the channels of rebalances, are learnt after the costs.
        let elsewhere = &history["unattributed"];
        let placed = elsewhere["forward_count"] == 0 && elsewhere["costs_msat"] == 0;
        if booked && placed && history["unsettled_closes"] == json!([]) { Ok(()) } else { Err(history) }
    })
    .await;
    stage
}

/// Fields of an object by name.
fn picked(object: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| object[name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worked_example_of_the_docs_comes_out() {
    let stage = at_the_end(Flavour::V26_06, -1_772_695).await;
    let history = stage.success("revenue-history", json!({})).await;
    for (name, msat) in [
        ("lifetime_revenue", 47_508),
        ("lifetime_opening_costs", 332_000),
        ("lifetime_closure_costs", 329_978),
        ("lifetime_splice_costs", 258_000),
        ("lifetime_rebalance_costs", 900_225),
        ("lifetime_total_costs", 1_820_203),
        ("lifetime_net_profit", -1_772_695),
        ("estimated_costs", 0),
        ("pushed_at_opening", 1_000_000_000),
    ] {
        assert_eq!(history[format!("{name}_msat")], json!(msat), "{name}: {history}");
        assert_eq!(history[format!("{name}_sats")], json!(msat / 1000), "{name}: {history}");
    }
    assert_eq!(
        picked(&history, &["lifetime_roi_percent", "lifetime_forward_count"]),
        [json!(-97.39), json!(33)]
    );
    assert_eq!(
        picked(&history["closure_parts"], &["close_fees_msat", "sweep_fees_msat", "penalties_msat"]),
        [json!(195_978), json!(134_000), json!(0)]
    );
    assert_eq!(history["closed_channels_summary"]["channel_count"], 2);

    let dashboard = stage.success("revenue-dashboard", json!([3650])).await;
    assert_eq!(
        picked(
            &dashboard["financial_health"],
            &["net_profit_msat", "net_profit_after_opening_msat", "operating_margin_pct"]
        ),
        [json!(-1_440_695), json!(-1_772_695), json!(-3032.53)]
    );
    assert_eq!(
        picked(
            &dashboard["period"],
            &[
                "gross_revenue_msat",
                "opex_msat",
                "opening_cost_msat",
                "total_forwards",
                "rebalance_cost_sats"
            ]
        ),
        [json!(47_508), json!(1_488_203), json!(332_000), json!(33), json!(900)]
    );

    let costs = stage.success("revenue-report", json!(["costs"])).await;
    for (kind, msat) in [("opening_costs", 332_000), ("closure_costs", 329_978), ("rebalance_costs", 900_225)]
    {
        assert_eq!(costs[kind]["total_msat"], json!(msat), "{kind}");
    }
    assert_eq!(costs["splice_costs"]["total_msat"], 258_000);
    assert_eq!(costs["splice_costs"]["summary"]["splice_count"], 1);
    assert_eq!(costs["sources"]["recorded_msat"], costs["total_costs"]["total_msat"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_of_a_recorded_node_keep_their_accounts() {
    let stage = at_the_end(Flavour::V26_06, -1_772_695).await;
    let [spliced, renamed] = [
        stage.success("revenue-profitability", json!(["109x1x0"])).await,
        stage.success("revenue-profitability", json!(["139x1x1"])).await,
    ];
    assert_eq!(spliced["full_channel_id"], renamed["full_channel_id"]);
    assert_eq!(spliced["profitability"], renamed["profitability"]);
    assert_eq!(spliced["profitability"]["costs"]["splice_cost_msat"], 258_000);

    // What all channels have is what the node has.
    let ids: Vec<String> = ["103x1x0", "109x1x0", "127x1x0"].map(str::to_owned).into();
    let (mut net, mut closed) = (0, 0);
    for id in &ids {
        let answer = stage.success("revenue-profitability", json!([id])).await;
        net += answer["profitability"]["net_profit_msat"].as_i64().unwrap();
        closed += u64::from(answer["state"] == "closed");
        if answer["state"] == "closed" {
            let kind = answer["life"]["close_type"].as_str().unwrap();
            assert!(["mutual", "local_unilateral"].contains(&kind), "{answer}");
        }
    }
    assert_eq!((net, closed), (-1_772_695, 2));
    let ranking = stage.success("revenue-profitability", json!({})).await;
    assert_eq!(ranking["node"]["net_profit_msat"], -1_772_695);
    assert_eq!(ranking["summary"]["total_channels"], 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn net_worth_is_what_the_node_lists() {
    let stage = at_the_end(Flavour::V26_06, -1_772_695).await;
    let funds = stage.lab.call("listfunds", json!({})).await.unwrap().unwrap();
    let sum = |list: &Value, amount: &str, counts: &dyn Fn(&Value) -> bool| -> u64 {
        let rows = list.as_array().unwrap().iter().filter(|row| counts(row));
        rows.map(|row| row[amount].as_u64().unwrap()).sum()
    };
    let confirmed = sum(&funds["outputs"], "amount_msat", &|row| row["status"] == "confirmed");
    let local = sum(&funds["channels"], "our_amount_msat", &|row| row["state"] == "CHANNELD_NORMAL");
    let summary = stage.success("revenue-report", json!({})).await;
    let worth = &summary["net_worth"];
    assert_eq!(worth["onchain_confirmed_msat"], json!(confirmed), "{worth}");
    assert_eq!(worth["channels_local_msat"], json!(local), "{worth}");
    let parts =
        ["onchain_confirmed", "onchain_unconfirmed", "channels_local", "channels_opening", "pending_closes"];
    let total: u64 = parts.iter().map(|part| worth[format!("{part}_msat")].as_u64().unwrap()).sum();
    assert_eq!(worth["total_msat"], json!(total));
    let dashboard = stage.success("revenue-dashboard", json!({})).await;
    assert_eq!(dashboard["financial_health"]["tlv_msat"], json!(total));
    let channels = &summary["channels"];
    assert_eq!(
        picked(channels, &["open", "closing", "closed"]),
        [json!(1), json!(0), json!(2)],
        "{channels}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_nodes_come_out_too() {
    for (flavour, revenue, on_chain, rebalances) in
        [(Flavour::V24_11, 8_598, 661_416, 72_027), (Flavour::V23_05, 7_149, 600_550, 0)]
    {
        let stage = at_the_end(flavour, revenue - on_chain - rebalances).await;
        let history = stage.success("revenue-history", json!({})).await;
        assert_eq!(
            picked(
                &history,
                &["lifetime_revenue_msat", "lifetime_rebalance_costs_msat", "lifetime_total_costs_msat"]
            ),
            [json!(revenue), json!(rebalances), json!(on_chain + rebalances)],
            "{flavour:?}"
        );
        assert_eq!(history["pushed_at_opening_msat"], 1_000_000_000);
        stage.end().await;
    }
}
