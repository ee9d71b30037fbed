//! What a phase lacks, worked out from what was recorded before and after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{LISTS, OTHERS, Phase, listing};
use crate::time::unix_seconds;

/// Methods whose rows bear the moment they came to be.
const BOOKS: [&str; 2] = ["bkpr-listaccountevents", "bkpr-listincome"];

/// Gives every phase an answer to every method.
pub fn complete(phases: &mut [Phase]) {
    for position in 0..phases.len() {
        let own = phases[position].results.values().map(latest).max().unwrap_or(0);
        let before = position.checked_sub(1).map_or(0, |before| phases[before].at);
        phases[position].at = own.max(before);
    }
    let recorded = phases.to_vec();
    for (position, phase) in phases.iter_mut().enumerate() {
        let (until, after) = recorded.split_at(position);
        let before = |method: &str| until.iter().rev().find_map(|phase| phase.results.get(method)).cloned();
        for (method, _) in LISTS.into_iter().filter(|(method, _)| *method != "bkpr-listbalances") {
            let later =
                after.iter().find(|phase| BOOKS.contains(&method) && phase.results.contains_key(method));
            let found = later.map(|later| cut(later, method, phase.at, &recorded)).or_else(|| before(method));
            let found = found.unwrap_or_else(|| listing(method, Vec::new()));
            phase.results.entry(method.to_owned()).or_insert(found);
        }
        for method in OTHERS.into_iter().filter(|method| *method != "listfunds") {
            if let Some(found) = before(method) {
                phase.results.entry(method.to_owned()).or_insert(found);
            }
        }
        if !phase.results.contains_key("bkpr-listbalances") {
            let balances = balances(phase, &recorded);
            phase.results.insert("bkpr-listbalances".to_owned(), balances);
        }
        if !phase.results.contains_key("listfunds") {
            let funds = funds(phase, &recorded);
            phase.results.insert("listfunds".to_owned(), funds);
        }
    }
}

/// The books of a phase as they were at a moment.
///
/// bookkeeper books what a closing transaction cost only when the channel is resolved, and then
/// gives it the time of the close.
fn cut(phase: &Phase, method: &str, at: u64, recorded: &[Phase]) -> Value {
    let events =
        phase.rows("bkpr-listaccountevents").iter().filter(|event| event["timestamp"].as_u64() <= Some(at));
    let height = events.clone().filter_map(|event| event["blockheight"].as_u64()).max();
    let resolved = |account: &Value| {
        let rows = recorded.iter().flat_map(|phase| phase.rows("bkpr-listbalances"));
        let blocks =
            rows.filter(|row| row["account"] == *account).filter_map(|row| row["resolved_at_block"].as_u64());
        blocks.max() <= height
    };
    let closing: BTreeSet<(&str, &str)> = events
        .filter(|event| event["tag"] == "channel_close" && !resolved(&event["account"]))
        .map(|event| (text(event, "account"), text(event, "txid")))
        .collect();
    let there = |row: &&Value| {
        let early =
            row["tag"] == "onchain_fee" && closing.contains(&(text(row, "account"), text(row, "txid")));
        row["timestamp"].as_u64() <= Some(at) && !early
    };
    listing(method, phase.rows(method).iter().filter(there).cloned().collect())
}

/// The latest moment that a recording names, unix time in seconds.
pub fn latest(value: &Value) -> u64 {
    const MOMENTS: [&str; 5] = ["timestamp", "received_time", "resolved_time", "created_at", "completed_at"];
    let of_field = |(name, value): (&String, &Value)| match value {
        Value::Number(number) if MOMENTS.contains(&name.as_str()) => number.as_f64().unwrap_or(0.0) as u64,
        Value::String(text) if MOMENTS.contains(&name.as_str()) => unix_seconds(text).unwrap_or(0),
        other => latest(other),
    };
    match value {
        Value::Object(fields) => fields.iter().map(of_field).max().unwrap_or(0),
        Value::Array(values) => values.iter().map(latest).max().unwrap_or(0),
        _ => 0,
    }
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// `bkpr-listbalances` at a phase, from its account events and the nearest list that was recorded.
pub fn balances(phase: &Phase, recorded: &[Phase]) -> Value {
    let events = phase.rows("bkpr-listaccountevents");
    let mut listed = recorded.iter().filter(|other| other.results.contains_key("bkpr-listbalances"));
    let nearest = listed.clone().find(|other| other.at >= phase.at).or(listed.next_back());
    let height = events.iter().filter_map(|event| event["blockheight"].as_u64()).max().unwrap_or(0);
    let rows = nearest.map_or(&[][..], |phase| phase.rows("bkpr-listbalances")).iter().map(|row| {
        let mut row = row.clone();
        let own: Vec<&Value> = events.iter().filter(|event| event["account"] == row["account"]).collect();
        row["balances"][0]["balance_msat"] = json!(balance(&own));
        if row.get("account_closed").is_some() {
            row["account_closed"] = json!(is_closed(&own));
        }
        if row["resolved_at_block"].as_u64().is_some_and(|block| block > height) {
            row["account_resolved"] = json!(false);
            row.as_object_mut().map(|row| row.remove("resolved_at_block"));
        }
        row
    });
    json!({"accounts": rows.collect::<Vec<_>>()})
}

/// What an account holds after these events, msat.
fn balance(events: &[&Value]) -> i64 {
    let moved = events.iter().filter(|event| event["type"] != "onchain_fee");
    let net = |event: &&Value| {
        event["credit_msat"].as_i64().unwrap_or(0) - event["debit_msat"].as_i64().unwrap_or(0)
    };
    moved.map(net).sum()
}

/// True if its funding output was spent by something other than a splice.
fn is_closed(events: &[&Value]) -> bool {
    let opened_by = |txid: &str| {
        events.iter().any(|event| event["tag"] == "channel_open" && text(event, "outpoint").starts_with(txid))
    };
    events.iter().any(|event| event["tag"] == "channel_close" && !opened_by(text(event, "txid")))
}

/// `listfunds` at a phase, from its channels and the wallet's events.
pub fn funds(phase: &Phase, recorded: &[Phase]) -> Value {
    let mut known = BTreeMap::new();
    for output in
        recorded.iter().filter_map(|phase| phase.results.get("listfunds")?["outputs"].as_array()).flatten()
    {
        known.insert(format!("{}:{}", text(output, "txid"), output["output"]), output.clone());
    }
    let wallet = phase.rows("bkpr-listaccountevents").iter();
    // Before v25.09 anchors were booked as the wallet's, which never has them.
    let wallet = wallet
        .filter(|event| event["account"] == "wallet" && event["type"] == "chain" && event["tag"] != "anchor");
    let spent: BTreeSet<&str> = wallet
        .clone()
        .filter(|event| event["debit_msat"] != 0)
        .map(|event| text(event, "outpoint"))
        .collect();
    let unspent =
        wallet.filter(|event| !spent.contains(text(event, "outpoint")) && event["credit_msat"] != 0);
    let outputs = unspent
        .map(|event| known.get(text(event, "outpoint")).cloned().unwrap_or_else(|| output(event)))
        .collect::<Vec<_>>();
    let channels = phase.rows("listpeerchannels").iter().map(channel_funds).collect::<Vec<_>>();
    json!({"outputs": outputs, "channels": channels})
}

/// An output that no recorded `listfunds` shows; its script is not known and made up.
fn output(event: &Value) -> Value {
    let (txid, vout) = text(event, "outpoint").split_once(':').unwrap_or_default();
    json!({
        "txid": txid, "output": vout.parse::<u32>().unwrap_or_default(), "amount_msat": event["credit_msat"],
        "scriptpubkey": format!("0014{}", txid.get(..40).unwrap_or_default()), "status": "confirmed",
        "blockheight": event["blockheight"], "reserved": false,
    })
}

fn channel_funds(channel: &Value) -> Value {
    json!({
        "peer_id": channel["peer_id"], "connected": channel["peer_connected"], "state": channel["state"],
        "channel_id": channel["channel_id"], "short_channel_id": channel["short_channel_id"],
        "our_amount_msat": channel["to_us_msat"], "amount_msat": channel["total_msat"],
        "funding_txid": channel["funding_txid"], "funding_output": channel["funding_outnum"],
    })
}
