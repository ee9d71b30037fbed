//! Every field of the Python plugin is there with its type, and what cl-hive reads besides.

#![allow(clippy::unwrap_used)]

use crate::acts::{cycle, fixture};
use crate::support::{Stage, fields};
use lab::{Fault, Flavour};
use serde_json::{Value, json};

const HOUR_S: f64 = 3_600.0;

/// Where `ours` lacks a field of `theirs`, or has it with another type.
fn differences(path: &str, theirs: &Value, ours: &Value, into: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (name, value) in theirs {
                let path = format!("{path}.{name}");
                match ours.get(name) {
                    Some(own) => differences(&path, value, own, into),
                    None => into.push(format!("{path} is missing")),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if let (Some(theirs), Some(ours)) = (theirs.first(), ours.first()) {
                differences(&format!("{path}[0]"), theirs, ours, into);
            }
        }
        // Of a field that was empty there only the name is known.
        (Value::Null, _) => {}
        _ => {
            let same = std::mem::discriminant(theirs) == std::mem::discriminant(ours);
            if !same {
                into.push(format!("{path} is {ours}, there {theirs}"));
            }
        }
    }
}

/// Compares with an answer of the Python plugin, whose fields that are keyed by data (one per policy
/// that happens to exist) say nothing.
fn assert_like(recorded: &str, ours: &Value) {
    let recorded: Value = serde_json::from_str(&fixture(&format!("original-1.5.0/{recorded}.json"))).unwrap();
    let theirs = recorded.get("result").unwrap_or(&recorded);
    let mut found = Vec::new();
    differences("", theirs, ours, &mut found);
    assert!(found.is_empty(), "{}\n{ours:#}", found.join("\n"));
}

/// A node that has traded for a day.
async fn traded() -> Stage {
    let stage = Stage::on(Flavour::V26_06).option("rpc-timeout-seconds", 300).start().await;
    stage.lab.advance_by(24.0 * HOUR_S).unwrap();
    cycle(&stage).await;
    stage.until_forwards_are_stored().await;
    stage.until_funds_are_read().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_every_field_that_the_python_plugin_gave() {
    let stage = traded().await;
    for (recorded, method, params) in [
        ("revenue-dashboard", "revenue-dashboard", json!({})),
        ("revenue-history", "revenue-history", json!({})),
        ("revenue-profitability", "revenue-profitability", json!({})),
        ("revenue-capacity-report", "revenue-capacity-report", json!({})),
        ("revenue-cleanup-closed", "revenue-cleanup-closed", json!({})),
        ("revenue-list-ignored", "revenue-list-ignored", json!({})),
        ("revenue-clboss-status", "revenue-clboss-status", json!({})),
        ("config-get", "revenue-config", json!([])),
        ("revenue-rebalance-debug", "revenue-rebalance-debug", json!([])),
        ("revenue-status", "revenue-status", json!([])),
        ("report-summary", "revenue-report", json!([])),
        ("report-costs", "revenue-report", json!(["costs"])),
    ] {
        assert_like(recorded, &stage.success(method, params).await);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cl_hive_settles_by_is_there() {
    let stage = traded().await;
    let dashboard = stage.success("revenue-dashboard", json!({"window_days": 7})).await;
    for field in ["gross_revenue_sats", "total_forwards", "rebalance_cost_sats", "opex_sats", "window_days"] {
        assert!(dashboard["period"][field].is_u64(), "{field}: {}", dashboard["period"]);
    }
    for field in ["net_profit_sats", "operating_margin_pct", "annualized_roc_pct"] {
        assert!(dashboard["financial_health"][field].is_number(), "{field}: {dashboard}");
    }
    assert!(dashboard["bleeder_count"].is_u64() && dashboard["warnings"].is_array());
    let costs = stage.success("revenue-report", json!({"report_type": "costs", "peer_id": null})).await;
    assert_eq!(costs["type"], "costs");
    let history = stage.success("revenue-history", json!({})).await;
    assert!(history["lifetime_revenue_sats"].is_u64() && history["lifetime_total_costs_sats"].is_i64());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_may_be_written_in_any_form_within_its_bounds() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    for params in
        [json!([7]), json!(["7"]), json!(["window_days=7"]), json!({"window_days": "7"}), json!({"days": 7})]
    {
        let dashboard = stage.success("revenue-dashboard", params.clone()).await;
        let period = &dashboard["period"];
        assert_eq!(period["window_days"], 7, "{params}");
        let seconds = period["end"].as_u64().unwrap() - period["start"].as_u64().unwrap();
        assert_eq!(seconds, 7 * 86_400, "{params}");
    }
    assert_eq!(stage.success("revenue-dashboard", json!({})).await["period"]["window_days"], 30);
    for (days, counted) in [(json!(0), 1), (json!(-5), 1), (json!(0.5), 1), (json!(7.9), 7), (json!(""), 30)]
    {
        let dashboard = stage.success("revenue-dashboard", json!([days])).await;
        assert_eq!(dashboard["period"]["window_days"], counted, "{days}");
    }
    for wrong in [json!([3651]), json!(["soon"]), json!([true])] {
        let refusal = stage.refusal("revenue-dashboard", wrong.clone()).await;
        assert!(refusal.contains("window_days") && refusal.contains("3650"), "{wrong}: {refusal}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_does_not_exist_is_refused_in_a_sentence() {
    let stage = Stage::on(Flavour::V26_06).start().await;
    let refusal = stage.refusal("revenue-report", json!(["taxes"])).await;
    assert_eq!(refusal, "unknown report_type 'taxes': use summary, peer, hive, policies, costs");
    let refusal = stage.refusal("revenue-report", json!(["peer"])).await;
    assert!(refusal.contains("peer_id is missing"), "{refusal}");
    let why = "No data available: 1x2x3 is not, and never was, a channel of this node";
    let unknown = json!({"status": "error", "error": why, "channel_id": "1x2x3"});
    assert_eq!(stage.call("revenue-profitability", json!(["1:2:3"])).await, unknown);
    let why = "channel 1x2x3 is not one of this node's open channels";
    let unknown = json!({"status": "error", "error": why, "channel": "1x2x3", "analysis": null});
    assert_eq!(stage.call("revenue-analyze", json!(["1x2x3"])).await, unknown);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_report_does_not_use_is_passed_over() {
    let stage = traded().await;
    let peer = stage.peer(0);
    for params in [
        json!(["summary", peer]),
        json!({"report_type": "summary", "peer_id": peer}),
        json!({"peer_id": peer}),
    ] {
        assert_eq!(stage.success("revenue-report", params.clone()).await["type"], "summary", "{params}");
    }
    for command in ["revenue-profitability", "revenue-analyze"] {
        let all = fields(&stage.success(command, json!({})).await).len();
        let blank = stage.success(command, json!({"channel_id": ""})).await;
        assert_eq!(fields(&blank).len(), all, "{command}: all channels");
        let scid = stage.scid(0);
        let one = stage.success(command, json!([scid])).await;
        assert_eq!(stage.success(command, json!([scid.replace('x', ":")])).await, one, "{command}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_ask_nobody() {
    let stage = traded().await;
    // Nobody answers any more: what asks and waits for it waits, be it a report or a job. So jobs ask
    // once each.
    stage.lab.with_mischief(|mischief| mischief.add("*", Fault::Dead, None));
    for (method, params) in [
        ("revenue-dashboard", json!([30])),
        ("revenue-history", json!([])),
        ("revenue-profitability", json!([])),
        ("revenue-profitability", json!([stage.scid(1)])),
        ("revenue-capacity-report", json!([])),
        ("revenue-report", json!([])),
        ("revenue-report", json!(["peer", stage.peer(1)])),
        ("revenue-report", json!(["costs"])),
    ] {
        let sent = |status: &Value| status["rpc"]["calls_sent"].as_u64().unwrap();
        let before = sent(&stage.status().await);
        for _ in 0..20 {
            stage.success(method, params.clone()).await;
        }
        let after = sent(&stage.status().await);
        assert!(after - before < 20, "{method} {params}: {} calls", after - before);
    }
    stage.end().await;
}
