//! Faults that the node's socket shows on demand, and a log of the calls it saw.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// One way to misbehave.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The answer comes after this much wall time.
    Late(Duration),
    /// The method is carried out at once, and its answer comes after this much wall time. The call counts
    /// from when it was carried out: who sees it counted changes nothing of the answer.
    LateAnswer(Duration),
    /// The request is taken and never answered; the connection stays open.
    Dead,
    /// The connection closes instead of an answer; nothing was done.
    Drop,
    /// An error instead of an answer; nothing was done.
    Error {
        /// Its code.
        code: i64,
        /// Its text.
        message: String,
    },
    /// The last answer of the same method again; nothing was done.
    Stale,
    /// The right answer under the id of some other request.
    WrongId,
    /// The method is carried out, then the connection closes without an answer.
    ApplyThenDrop,
    /// Every object of the answer has a field that nobody knows.
    UnknownFields,
    /// Only fields that lightningd always sends are left.
    MissingFields,
    /// The answer's list has this many more entries.
    Huge(usize),
}

#[derive(Debug)]
struct Rule {
    method: String,
    fault: Fault,
    left: Option<u32>,
}

/// A call that came in on the socket.
#[derive(Debug, Clone)]
pub struct SeenCall {
    /// Its method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
    /// When, wall time.
    pub at: Instant,
    /// When, simulated unix time in seconds.
    pub unix_s: f64,
}

/// The rules in force and the calls seen.
#[derive(Debug, Default)]
pub struct Mischief {
    rules: Vec<Rule>,
    seen: Vec<SeenCall>,
    last: HashMap<String, Value>,
}

impl Mischief {
    /// Misbehaves on the next `calls` of a method (`*` for all), or until cleared if none.
    /// Earlier rules go first.
    pub fn add(&mut self, method: &str, fault: Fault, calls: Option<u32>) {
        self.rules.push(Rule { method: method.to_owned(), fault, left: calls });
    }

    /// Takes back all rules for a method; `*` takes back all there are.
    pub fn clear(&mut self, method: &str) {
        self.rules.retain(|rule| method != "*" && rule.method != method);
    }

    /// The calls since the start or the last [`Mischief::forget_calls`], in order.
    pub fn calls(&self) -> &[SeenCall] {
        &self.seen
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.seen.iter().filter(|call| call.method == method).count()
    }

    /// Empties the log of calls.
    pub fn forget_calls(&mut self) {
        self.seen.clear();
    }

    pub(crate) fn note(&mut self, method: &str, params: &Value, unix_s: f64) {
        let (method, params) = (method.to_owned(), params.clone());
        self.seen.push(SeenCall { method, params, at: Instant::now(), unix_s });
    }

    /// The fault for this call, if any; uses it up.
    pub(crate) fn take(&mut self, method: &str) -> Option<Fault> {
        let applies = |rule: &Rule| rule.method == method || rule.method == "*";
        let position = self.rules.iter().position(applies)?;
        let rule = &mut self.rules[position];
        let fault = rule.fault.clone();
        match &mut rule.left {
            Some(left) if *left <= 1 => drop(self.rules.remove(position)),
            Some(left) => *left -= 1,
            None => {}
        }
        Some(fault)
    }

    /// True while some rule may ask for old answers.
    pub(crate) fn remember(&mut self, method: &str, result: &Value) {
        if self.rules.iter().any(|rule| rule.fault == Fault::Stale) {
            self.last.insert(method.to_owned(), result.clone());
        }
    }

    pub(crate) fn last(&self, method: &str) -> Option<Value> {
        self.last.get(method).cloned()
    }
}

/// Changes an answer as a fault says; faults about the connection leave it alone.
pub(crate) fn distort(fault: &Fault, method: &str, result: &mut Value) {
    match fault {
        Fault::UnknownFields => add_unknown(result),
        Fault::MissingFields => drop_optional(method, result),
        Fault::Huge(extra) => inflate(result, *extra),
        _ => {}
    }
}

fn add_unknown(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(add_unknown);
            fields.insert("x_from_the_future".into(), json!({"nested": [1, "two", null]}));
        }
        Value::Array(values) => values.iter_mut().for_each(add_unknown),
        _ => {}
    }
}

/// What lightningd's schemas promise: method, the list it is about, the promised fields.
const PROMISED: &[(&str, &str, &[&str])] = &[
    ("listpeerchannels", "channels", &["peer_id", "peer_connected", "state", "opener", "features"]),
    ("listforwards", "forwards", &["in_channel", "in_htlc_id", "in_msat", "status", "received_time"]),
    ("listpeers", "peers", &["id", "connected", "num_channels"]),
    ("listnodes", "nodes", &["nodeid"]),
    (
        "listclosedchannels",
        "closedchannels",
        &[
            "channel_id",
            "opener",
            "private",
            "total_msat",
            "funding_txid",
            "funding_outnum",
            "final_to_us_msat",
        ],
    ),
    (
        "listsendpays",
        "payments",
        &["id", "groupid", "payment_hash", "status", "created_at", "amount_sent_msat"],
    ),
    ("setchannel", "channels", &["peer_id", "channel_id", "fee_base_msat", "fee_proportional_millionths"]),
    (
        "bkpr-listaccountevents",
        "events",
        &["account", "type", "tag", "credit_msat", "debit_msat", "timestamp"],
    ),
    ("bkpr-listincome", "income_events", &["account", "tag", "credit_msat", "debit_msat", "timestamp"]),
];

fn drop_optional(method: &str, result: &mut Value) {
    if method == "feerates" {
        for style in ["perkb", "perkw"] {
            if let Some(rates) = result.get_mut(style).and_then(Value::as_object_mut) {
                rates.retain(|name, _| ["min_acceptable", "max_acceptable"].contains(&name.as_str()));
            }
        }
        if let Some(fields) = result.as_object_mut() {
            fields.remove("onchain_fee_estimates");
        }
    }
    let Some((_, list, promised)) = PROMISED.iter().find(|(name, ..)| *name == method) else { return };
    let entries = result.get_mut(*list).and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
        entry.retain(|name, _| promised.contains(&name.as_str()));
    }
}

fn inflate(result: &mut Value, extra: usize) {
    let lists = result.as_object_mut().into_iter().flat_map(Map::values_mut);
    let Some(list) = lists.filter_map(Value::as_array_mut).find(|list| !list.is_empty()) else { return };
    let model = list[list.len() - 1].clone();
    list.extend((0..extra).map(|n| variant(&model, n as u64)));
}

/// A copy of an entry under names and numbers of its own.
fn variant(model: &Value, n: u64) -> Value {
    let mut copy = model.clone();
    let Some(fields) = copy.as_object_mut() else { return copy };
    for (name, value) in fields.iter_mut() {
        match name.as_str() {
            "channel_id" | "payment_hash" | "funding_txid" => *value = json!(format!("{n:064x}")),
            "short_channel_id" => *value = json!(format!("{}x{}x0", 700_000 + n / 10_000, n % 10_000)),
            "in_htlc_id" | "created_index" | "updated_index" | "id" if value.is_u64() => {
                *value = json!(value.as_u64().unwrap_or_default() + n + 1);
            }
            _ => {}
        }
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lasts_as_many_calls_as_said() {
        let mut mischief = Mischief::default();
        mischief.add("getinfo", Fault::Dead, Some(2));
        mischief.add("*", Fault::Drop, None);
        assert_eq!(mischief.take("getinfo"), Some(Fault::Dead));
        assert_eq!(mischief.take("feerates"), Some(Fault::Drop));
        assert_eq!(mischief.take("getinfo"), Some(Fault::Dead));
        assert_eq!(mischief.take("getinfo"), Some(Fault::Drop));
        mischief.clear("*");
        assert_eq!(mischief.take("getinfo"), None);
    }

    #[test]
    fn answers_are_distorted_as_said() {
        let plain = json!({"forwards": [{"in_channel": "1x1x1", "in_htlc_id": 4, "in_msat": 5,
            "status": "settled", "received_time": 1.5, "fee_msat": 1}]});
        let mut missing = plain.clone();
        distort(&Fault::MissingFields, "listforwards", &mut missing);
        assert!(missing["forwards"][0].get("fee_msat").is_none());
        assert_eq!(missing["forwards"][0]["in_msat"], 5);
        let mut unknown = plain.clone();
        distort(&Fault::UnknownFields, "listforwards", &mut unknown);
        assert!(unknown["forwards"][0]["x_from_the_future"].is_object());
        assert!(unknown["x_from_the_future"].is_object());
        let mut huge = plain.clone();
        distort(&Fault::Huge(1000), "listforwards", &mut huge);
        let rows = huge["forwards"].as_array().map_or(0, Vec::len);
        assert_eq!(rows, 1001);
        assert_ne!(huge["forwards"][1]["in_htlc_id"], huge["forwards"][2]["in_htlc_id"]);
        let mut late = plain.clone();
        distort(&Fault::Late(Duration::ZERO), "listforwards", &mut late);
        assert_eq!(late, plain);
    }
}
