//! Bookkeeper's commands and lightningd's `list*moves`, all read from the one ledger.

use serde_json::{Value, json};

use super::NodeState;
use super::books::{ChainEvent, Move};
use super::forwards::Page;
use super::params::Params;
use super::recorded::is_of;
use crate::market::{Micros, Opener, seconds};
use crate::rpc::{RpcError, RpcResult};

/// One channel movement with its details.
struct MoveDetails {
    account: usize,
    tag: &'static str,
    credit_msat: u64,
    debit_msat: u64,
    fees_msat: u64,
    at: Micros,
    payment_hash: Option<String>,
    /// Part of a payment that has several.
    part: Option<u64>,
    group: Option<u64>,
    /// Of a payment to ourselves.
    circular: bool,
}

impl NodeState {
    fn move_details(&self, entry: Move) -> MoveDetails {
        match entry {
            Move::Pushed { channel, msat: gift } => {
                let ours = &self.channels[channel];
                let given = ours.opener == Opener::Local;
                MoveDetails {
                    account: channel,
                    tag: if ours.leased { "lease_fee" } else { "pushed" },
                    credit_msat: if given { 0 } else { gift },
                    debit_msat: if given { gift } else { 0 },
                    fees_msat: 0,
                    at: ours.opened,
                    payment_hash: None,
                    part: None,
                    group: None,
                    circular: false,
                }
            }
            Move::Penalty { channel, msat, credit, at } => MoveDetails {
                account: channel,
                tag: "penalty_adj",
                credit_msat: if credit { msat } else { 0 },
                debit_msat: if credit { 0 } else { msat },
                fees_msat: 0,
                at,
                payment_hash: None,
                part: None,
                group: None,
                circular: false,
            },
            Move::Routed { position, incoming } => {
                let forward = self.forwards.get(position);
                MoveDetails {
                    account: if incoming { forward.in_channel } else { forward.out_channel },
                    tag: "routed",
                    credit_msat: if incoming { forward.in_msat } else { 0 },
                    debit_msat: if incoming { 0 } else { forward.out_msat },
                    fees_msat: forward.fee_msat(),
                    at: forward.resolved_us.unwrap_or(forward.received_us),
                    payment_hash: Some(self.forwards.payment_hash(position)),
                    part: Some(0),
                    group: None,
                    circular: false,
                }
            }
            Move::Circular { position, incoming } => {
                let payment = self.payments.get(position);
                MoveDetails {
                    account: if incoming { payment.in_channel } else { payment.out_channel },
                    tag: "invoice",
                    credit_msat: if incoming { payment.amount_msat } else { 0 },
                    debit_msat: if incoming { 0 } else { payment.sent_msat },
                    fees_msat: if incoming { 0 } else { payment.sent_msat - payment.amount_msat },
                    at: if incoming { payment.credited } else { payment.completed }
                        .unwrap_or(payment.created),
                    payment_hash: Some(payment.hash.clone()),
                    part: Some(if incoming { 0 } else { payment.partid }),
                    group: (!incoming).then_some(1),
                    circular: payment.destination.is_none(),
                }
            }
        }
    }

    fn known_account(&self, params: &Params) -> Result<Option<String>, RpcError> {
        let Some(account) = params.text("account") else { return Ok(None) };
        let known = ["wallet", "external"].contains(&account.as_str())
            || self.channels.iter().any(|channel| channel.channel_id == account);
        let unknown = || RpcError::invalid(format!("Account '{account}' not found"));
        if known { Ok(Some(account)) } else { Err(unknown()) }
    }

    pub(super) fn bkpr_account_events(&mut self, params: &Params) -> RpcResult {
        let (wanted, payment) = (self.known_account(params)?, params.text("payment_id"));
        if wanted.is_some() && payment.is_some() {
            return Err(RpcError::invalid("Can only specify one of {account} or {payment_id}"));
        }
        let chain = self.books.chain.iter().map(|event| (event.at, self.chain_event(event)));
        let channel = self.books.moves.iter().map(|&entry| self.move_details(entry));
        let channel = channel.map(|details| (details.at, self.channel_event(&details)));
        let mut events: Vec<(Micros, Value)> = chain.chain(channel).collect();
        events.retain(|(_, event)| {
            wanted.as_ref().is_none_or(|account| event["account"] == account.as_str())
                && payment.as_ref().is_none_or(|id| is_of(event, id))
        });
        events.sort_by_key(|(at, _)| *at);
        Ok(json!({"events": events.into_iter().map(|(_, event)| event).collect::<Vec<_>>()}))
    }

    fn chain_event(&self, event: &ChainEvent) -> Value {
        let mut json = json!({
            "account": event.account, "type": if event.utxo.is_some() { "chain" } else { "onchain_fee" },
            "tag": event.tag, "credit_msat": event.credit_msat, "debit_msat": event.debit_msat,
            "currency": self.coin(), "timestamp": seconds(event.at) as u64,
        });
        if let Some(utxo) = &event.utxo {
            json["outpoint"] = json!(utxo);
            json["blockheight"] = json!(event.height);
        }
        if let Some(txid) = &event.txid {
            json["txid"] = json!(txid);
        }
        if let Some(origin) = &event.origin {
            json["origin"] = json!(origin);
        }
        json
    }

    fn channel_event(&self, details: &MoveDetails) -> Value {
        let mut json = json!({
            "account": self.channels[details.account].channel_id, "type": "channel", "tag": details.tag,
            "credit_msat": details.credit_msat, "debit_msat": details.debit_msat,
            "currency": self.coin(), "timestamp": seconds(details.at) as u64,
            "is_rebalance": details.circular,
        });
        if let Some(hash) = &details.payment_hash {
            json["payment_id"] = json!(hash);
            json["part_id"] = json!(details.part);
        }
        if details.fees_msat > 0 {
            json["fees_msat"] = json!(details.fees_msat);
        }
        json
    }

    pub(super) fn bkpr_income(&mut self, params: &Params) -> RpcResult {
        let from = params.integer("start_time")?.unwrap_or(0);
        let to = params.integer("end_time")?.unwrap_or(u64::MAX);
        let together = params.boolean("consolidate_fees")?.unwrap_or(true);
        let deposits =
            self.books.chain_moves().filter(|event| event.external).map(|event| self.deposit_income(event));
        let channel =
            self.books.moves.iter().flat_map(|&entry| self.channel_income(&self.move_details(entry)));
        let mut events: Vec<Value> = deposits.chain(self.fee_income(together)).chain(channel).collect();
        events.retain(|event| event["timestamp"].as_u64().is_some_and(|at| (from..=to).contains(&at)));
        events.sort_by_key(|event| event["timestamp"].as_u64());
        Ok(json!({"income_events": events}))
    }

    fn deposit_income(&self, event: &ChainEvent) -> Value {
        json!({
            "account": event.account, "tag": event.tag, "currency": self.coin(),
            "credit_msat": event.credit_msat, "debit_msat": 0, "timestamp": seconds(event.at) as u64,
            "outpoint": event.utxo,
        })
    }

    /// Fees as income sees them: what is charged is a debit. One row for each account and
    /// transaction, or every correction on its own.
    fn fee_income(&self, together: bool) -> Vec<Value> {
        let row = |account: &str, txid: &str, credit: u64, debit: u64, at: Micros| {
            json!({
                "account": account, "tag": "onchain_fee", "credit_msat": credit, "debit_msat": debit,
                "currency": self.coin(), "timestamp": seconds(at) as u64, "txid": txid,
            })
        };
        if together {
            let charges = self.books.charges().into_iter();
            return charges.map(|(account, txid, msat, at)| row(&account, &txid, 0, msat, at)).collect();
        }
        let fees = self.books.chain.iter().filter(|event| event.utxo.is_none());
        let swapped = |event: &ChainEvent| {
            row(&event.account, event.transaction(), event.debit_msat, event.credit_msat, event.at)
        };
        fees.map(swapped).collect()
    }

    fn channel_income(&self, details: &MoveDetails) -> Vec<Value> {
        let (tag, credit, debit) = match details.tag {
            "routed" if details.debit_msat > 0 => ("routed", details.fees_msat, 0),
            "invoice" if details.circular && details.debit_msat > 0 => {
                ("rebalance_fee", 0, details.fees_msat)
            }
            "invoice" if !details.circular => ("invoice", 0, details.debit_msat - details.fees_msat),
            "penalty_adj" if details.credit_msat > 0 => ("penalty_adj", details.credit_msat, 0),
            "pushed" | "lease_fee" => (details.tag, details.credit_msat, details.debit_msat),
            _ => return Vec::new(),
        };
        let row = |tag: &str, credit: u64, debit: u64| {
            let mut json = json!({
                "account": self.channels[details.account].channel_id, "tag": tag, "credit_msat": credit,
                "debit_msat": debit, "currency": self.coin(), "timestamp": seconds(details.at) as u64,
            });
            if let Some(hash) = &details.payment_hash {
                json["payment_id"] = json!(hash);
            }
            json
        };
        let mut rows = vec![row(tag, credit, debit)];
        if tag == "invoice" && details.fees_msat > 0 {
            rows.push(row("invoice_fee", 0, details.fees_msat));
        }
        rows
    }

    pub(super) fn bkpr_balances(&mut self, _: &Params) -> RpcResult {
        let balance = |msat: u64| json!([{"balance_msat": msat, "coin_type": self.coin()}]);
        let wallet = self.books.booked_wallet_msat();
        let mut accounts = vec![json!({"account": "wallet", "balances": balance(wallet)})];
        for (index, channel) in self.channels.iter().enumerate() {
            let closed = channel.ending.as_ref();
            let resolved = closed.and_then(|ending| ending.resolved);
            let msat = if closed.is_some() { 0 } else { self.market.channel(index).our_msat };
            let mut account = json!({
                "account": channel.channel_id, "peer_id": channel.peer_id,
                "we_opened": channel.opener == Opener::Local, "account_closed": closed.is_some(),
                "account_resolved": resolved.is_some(), "balances": balance(msat),
            });
            if let Some(block) = resolved {
                account["resolved_at_block"] = json!(block);
            }
            accounts.push(account);
        }
        Ok(json!({"accounts": accounts}))
    }

    pub(super) fn list_channel_moves(&mut self, params: &Params) -> RpcResult {
        let page = Page::parse(params)?;
        let skip = page.start.saturating_sub(1) as usize;
        let moves =
            self.books.moves.iter().enumerate().skip(skip).take(page.limit).map(|(position, &entry)| {
                let details = self.move_details(entry);
                let mut json = json!({
                    "created_index": position + 1, "account_id": self.channels[details.account].channel_id,
                    "credit_msat": details.credit_msat, "debit_msat": details.debit_msat,
                    "timestamp": seconds(details.at) as u64, "primary_tag": details.tag,
                    "fees_msat": details.fees_msat,
                });
                if let Some(hash) = details.payment_hash {
                    json["payment_hash"] = json!(hash);
                }
                if let Some(group) = details.group {
                    json["part_id"] = json!(details.part);
                    json["group_id"] = json!(group);
                }
                json
            });
        Ok(json!({"channelmoves": moves.collect::<Vec<_>>()}))
    }

    pub(super) fn list_chain_moves(&mut self, params: &Params) -> RpcResult {
        let page = Page::parse(params)?;
        let skip = page.start.saturating_sub(1) as usize;
        let moves = self.books.chain_moves().enumerate().skip(skip).take(page.limit).map(|(position, event)| {
            let mut json = json!({
                "created_index": position + 1, "account_id": event.account, "credit_msat": event.credit_msat,
                "debit_msat": event.debit_msat, "timestamp": seconds(event.at) as u64,
                "primary_tag": event.tag, "extra_tags": event.extra_tags, "utxo": event.utxo,
                "output_msat": event.output_msat, "blockheight": event.height,
            });
            if let Some(txid) = &event.txid {
                json["spending_txid"] = json!(txid);
            }
            if let Some(origin) = &event.origin {
                json["originating_account"] = json!(origin);
            }
            json
        });
        Ok(json!({"chainmoves": moves.collect::<Vec<_>>()}))
    }
}
