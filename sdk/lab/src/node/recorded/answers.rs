//! What a recorded node answers: whole lists, cut to what was asked for.

use serde_json::{Value, json};

use super::{Recorded, list_key, listing};
use crate::node::NodeState;
use crate::node::forwards::{self, Page};
use crate::node::params::Params;
use crate::node::payments;
use crate::rpc::{RpcError, RpcResult};

/// Which parameter of a method keeps which rows: those with this value in one of these fields.
const FILTERS: &[(&str, &str, &[&str])] = &[
    ("listforwards", "status", &["/status"]),
    ("listforwards", "in_channel", &["/in_channel"]),
    ("listforwards", "out_channel", &["/out_channel"]),
    ("listsendpays", "bolt11", &["/bolt11", "/bolt12"]),
    ("listsendpays", "payment_hash", &["/payment_hash"]),
    ("listsendpays", "status", &["/status"]),
    ("listpays", "bolt11", &["/bolt11", "/bolt12"]),
    ("listpays", "payment_hash", &["/payment_hash"]),
    ("listpays", "status", &["/status"]),
    ("listpeerchannels", "id", &["/peer_id"]),
    ("listpeerchannels", "short_channel_id", &["/short_channel_id", "/alias/local"]),
    ("listpeerchannels", "channel_id", &["/channel_id"]),
    ("listclosedchannels", "id", &["/peer_id"]),
    ("listpeers", "id", &["/id"]),
    ("listnodes", "id", &["/nodeid"]),
    ("listchannels", "short_channel_id", &["/short_channel_id"]),
    ("listchannels", "source", &["/source"]),
    ("listchannels", "destination", &["/destination"]),
    ("bkpr-listaccountevents", "account", &["/account"]),
];

impl NodeState {
    /// A recorded node's answer; none if the recording says nothing of this method.
    pub(in crate::node) fn replayed(&mut self, method: &str, params: &Params) -> Option<RpcResult> {
        let recorded = self.recorded.as_ref()?;
        match method {
            "getinfo" => Some(Ok(self.replayed_info(recorded))),
            "setchannel" => Some(self.replayed_setchannel(params)),
            "feerates" => recorded.feerates(params).map(Ok),
            "listfunds" => Some(Ok(recorded.phase().results["listfunds"].clone())),
            "listchannelmoves" => Some(moves(params, "channelmoves", recorded.channel_moves())),
            "listchainmoves" => Some(moves(params, "chainmoves", recorded.chain_moves())),
            _ => {
                list_key(method)?;
                Some(recorded.rows(method, params).map(|rows| listing(method, rows)))
            }
        }
    }

    fn replayed_info(&self, recorded: &Recorded) -> Value {
        let mut info = recorded.phase().results["getinfo"].clone();
        info["lightning-dir"] = json!(self.lightning_dir);
        info["blockheight"] = json!(self.block_height);
        info
    }
}

impl Recorded {
    fn feerates(&self, params: &Params) -> Option<Value> {
        let recorded = &self.phase().results["feerates"];
        params.text("style").filter(|style| recorded.get(style).is_some()).map(|_| recorded.clone())
    }

    fn rows(&self, method: &str, params: &Params) -> Result<Vec<Value>, RpcError> {
        let page = match method {
            "listforwards" => Some(forwards::requested(params)?),
            "listsendpays" | "listpays" => Some(payments::requested(params)?),
            _ => None,
        };
        if method == "bkpr-listaccountevents" {
            self.check_account(params)?;
        }
        let rows = self.phase().rows(method).iter();
        let mut rows: Vec<Value> = rows.filter(|row| is_wanted(method, params, row)).cloned().collect();
        if method == "bkpr-listincome" {
            let (from, to) = (params.integer("start_time")?, params.integer("end_time")?);
            let (from, to) = (from.unwrap_or(0), to.unwrap_or(u64::MAX));
            rows.retain(|row| row["timestamp"].as_u64().is_some_and(|at| (from..=to).contains(&at)));
        }
        Ok(match page {
            Some(page) => paged(rows, &page),
            None => rows,
        })
    }

    /// Refuses accounts that bookkeeper does not know.
    fn check_account(&self, params: &Params) -> Result<(), RpcError> {
        let (account, payment) = (params.text("account"), params.text("payment_id"));
        if account.is_some() && payment.is_some() {
            return Err(RpcError::invalid("Can only specify one of {account} or {payment_id}"));
        }
        let Some(account) = account else { return Ok(()) };
        let known =
            self.phase().rows("bkpr-listaccountevents").iter().any(|row| row["account"] == account.as_str());
        let unknown = || RpcError::invalid(format!("Account '{account}' not found"));
        if known { Ok(()) } else { Err(unknown()) }
    }

    /// How many rows a subsystem of `wait` has created and updated.
    pub(in crate::node) fn indexes(&self, subsystem: &str) -> (u64, u64) {
        let method = match subsystem {
            "forwards" => "listforwards",
            "sendpays" => "listsendpays",
            "channelmoves" => return (self.channel_moves().len() as u64, 0),
            "chainmoves" => return (self.chain_moves().len() as u64, 0),
            _ => return (0, 0),
        };
        let highest =
            |index: &str| self.phase().rows(method).iter().filter_map(|row| row[index].as_u64()).max();
        (highest("created_index").unwrap_or(0), highest("updated_index").unwrap_or(0))
    }

    /// `listchannelmoves` as the books tell it, oldest first.
    fn channel_moves(&self) -> Vec<Value> {
        let events = self.phase().rows("bkpr-listaccountevents").iter();
        let moves = events.filter(|event| event["type"] == "channel").enumerate().map(|(position, event)| {
            let fees = event.get("fees_msat").cloned().unwrap_or(json!(0));
            let mut row = json!({
                "created_index": position + 1, "account_id": event["account"],
                "credit_msat": event["credit_msat"], "debit_msat": event["debit_msat"],
                "timestamp": event["timestamp"], "primary_tag": event["tag"], "fees_msat": fees,
            });
            if let Some(hash) = event.get("payment_id") {
                row["payment_hash"] = hash.clone();
            }
            if let (Some(part), true) =
                (event.get("part_id"), event["tag"] == "invoice" && event["debit_msat"] != 0)
            {
                row["part_id"] = part.clone();
                row["group_id"] = json!(1);
            }
            row
        });
        moves.collect()
    }

    /// `listchainmoves` as the books tell it, oldest first. `output_msat` is what the books know of
    /// the output.
    fn chain_moves(&self) -> Vec<Value> {
        let events = self.phase().rows("bkpr-listaccountevents").iter();
        let moves = events.filter(|event| event["type"] == "chain").enumerate().map(|(position, event)| {
            let moved = event["credit_msat"].as_u64().max(event["debit_msat"].as_u64());
            let mut row = json!({
                "created_index": position + 1, "account_id": event["account"],
                "credit_msat": event["credit_msat"], "debit_msat": event["debit_msat"],
                "timestamp": event["timestamp"], "primary_tag": event["tag"], "extra_tags": [],
                "utxo": event["outpoint"], "output_msat": moved, "blockheight": event["blockheight"],
            });
            for (from, to) in [("txid", "spending_txid"), ("origin", "originating_account")] {
                if let Some(value) = event.get(from) {
                    row[to] = value.clone();
                }
            }
            row
        });
        moves.collect()
    }
}

fn moves(params: &Params, key: &str, rows: Vec<Value>) -> RpcResult {
    Ok(json!({key: paged(rows, &Page::parse(params)?)}))
}

/// True if a row has what every given parameter asks for.
fn is_wanted(method: &str, params: &Params, row: &Value) -> bool {
    let mut filters = FILTERS.iter().filter(|(of, ..)| *of == method);
    let all = filters.all(|(_, name, fields)| {
        params
            .text(name)
            .is_none_or(|wanted| fields.iter().any(|field| row.pointer(field) == Some(&json!(wanted))))
    });
    all && (method != "bkpr-listaccountevents" || params.text("payment_id").is_none_or(|id| is_of(row, &id)))
}

/// True if an account event is of a payment with this hash or of a transaction with this id.
pub(in crate::node) fn is_of(event: &Value, id: &str) -> bool {
    let made_by =
        |event: &Value| event["outpoint"].as_str().and_then(|utxo| utxo.split(':').next()) == Some(id);
    event["payment_id"] == id || event["txid"] == id || (event.get("txid").is_none() && made_by(event))
}

/// Rows from an index on, at most as many as asked for. Rows without that index come first, if
/// listing begins at the beginning.
fn paged(mut rows: Vec<Value>, page: &Page) -> Vec<Value> {
    let index = if page.by_update { "updated_index" } else { "created_index" };
    let place = |row: &Value| row[index].as_u64().unwrap_or(0);
    rows.retain(|row| place(row) >= page.start);
    rows.sort_by_key(place);
    rows.truncate(page.limit);
    rows
}
