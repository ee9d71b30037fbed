//! Bookkeeper's commands and lightningd's `list*moves`, all read from the one ledger.

use serde_json::{Value, json};

use super::NodeState;
use super::books::{ChainEvent, Move};
use super::forwards::Page;
use super::params::Params;
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
    group: Option<u64>,
}

impl NodeState {
    fn move_details(&self, entry: Move) -> MoveDetails {
        match entry {
            Move::Pushed { channel, msat: gift } => {
                let ours = &self.channels[channel];
                let given = ours.opener == Opener::Local;
                MoveDetails {
                    account: channel,
                    tag: "pushed",
                    credit_msat: if given { 0 } else { gift },
                    debit_msat: if given { gift } else { 0 },
                    fees_msat: 0,
                    at: ours.opened,
                    payment_hash: None,
                    group: None,
                }
            }
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
                    group: None,
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
                    group: (!incoming).then_some(1),
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
        let wanted = self.known_account(params)?;
        let payment = params.text("payment_id");
        let chain = self
            .books
            .chain
            .iter()
            .filter(|_| payment.is_none())
            .map(|event| (event.at, self.chain_event(event)));
        let channel = self.books.moves.iter().map(|&entry| self.move_details(entry));
        let channel = channel
            .filter(|details| payment.is_none() || details.payment_hash == payment)
            .map(|details| (details.at, self.channel_event(&details)));
        let mut events: Vec<(Micros, Value)> = chain.chain(channel).collect();
        events
            .retain(|(_, event)| wanted.as_ref().is_none_or(|account| event["account"] == account.as_str()));
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
            "is_rebalance": details.tag == "invoice",
        });
        if let Some(hash) = &details.payment_hash {
            json["payment_id"] = json!(hash);
            json["part_id"] = json!(0);
        }
        if details.fees_msat > 0 {
            json["fees_msat"] = json!(details.fees_msat);
        }
        json
    }

    pub(super) fn bkpr_income(&mut self, params: &Params) -> RpcResult {
        let from = params.integer("start_time")?.unwrap_or(0);
        let to = params.integer("end_time")?.unwrap_or(u64::MAX);
        params.boolean("consolidate_fees")?;
        let chain = self.books.chain.iter().filter_map(|event| self.chain_income(event));
        let channel =
            self.books.moves.iter().filter_map(|&entry| self.channel_income(self.move_details(entry)));
        let mut events: Vec<Value> = chain.chain(channel).collect();
        events.retain(|event| event["timestamp"].as_u64().is_some_and(|at| (from..=to).contains(&at)));
        events.sort_by_key(|event| event["timestamp"].as_u64());
        Ok(json!({"income_events": events}))
    }

    fn chain_income(&self, event: &ChainEvent) -> Option<Value> {
        let fee = event.utxo.is_none();
        if !fee && !event.external {
            return None;
        }
        let mut json = json!({
            "account": event.account, "tag": event.tag, "currency": self.coin(),
            "credit_msat": if fee { 0 } else { event.credit_msat },
            "debit_msat": if fee { event.credit_msat } else { 0 },
            "timestamp": seconds(event.at) as u64,
        });
        match (&event.utxo, &event.txid) {
            (Some(utxo), _) => json["outpoint"] = json!(utxo),
            (None, Some(txid)) => json["txid"] = json!(txid),
            (None, None) => {}
        }
        Some(json)
    }

    fn channel_income(&self, details: MoveDetails) -> Option<Value> {
        let (tag, credit, debit) = match details.tag {
            "routed" if details.debit_msat > 0 => ("routed", details.fees_msat, 0),
            "invoice" if details.debit_msat > 0 => ("rebalance_fee", 0, details.fees_msat),
            "pushed" => ("pushed", details.credit_msat, details.debit_msat),
            _ => return None,
        };
        let mut json = json!({
            "account": self.channels[details.account].channel_id, "tag": tag, "credit_msat": credit,
            "debit_msat": debit, "currency": self.coin(), "timestamp": seconds(details.at) as u64,
        });
        if let Some(hash) = details.payment_hash {
            json["payment_id"] = json!(hash);
        }
        Some(json)
    }

    pub(super) fn bkpr_balances(&mut self, _: &Params) -> RpcResult {
        let balance = |msat: u64| json!([{"balance_msat": msat, "coin_type": self.coin()}]);
        let wallet = self.books.wallet_msat();
        let mut accounts = vec![json!({"account": "wallet", "balances": balance(wallet)})];
        for (index, channel) in self.channels.iter().enumerate() {
            let closed = channel.ending.as_ref();
            let msat = if closed.is_some() { 0 } else { self.market.channel(index).our_msat };
            let mut account = json!({
                "account": channel.channel_id, "peer_id": channel.peer_id,
                "we_opened": channel.opener == Opener::Local, "account_closed": closed.is_some(),
                "account_resolved": closed.is_some(), "balances": balance(msat),
            });
            if let Some(ending) = closed {
                account["resolved_at_block"] = json!(ending.height);
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
                    json["part_id"] = json!(0);
                    json["group_id"] = json!(group);
                }
                json
            });
        Ok(json!({"channelmoves": moves.collect::<Vec<_>>()}))
    }

    pub(super) fn list_chain_moves(&mut self, params: &Params) -> RpcResult {
        let page = Page::parse(params)?;
        let skip = page.start.saturating_sub(1) as usize;
        let on_chain = self.books.chain.iter().filter(|event| event.utxo.is_some()).enumerate();
        let moves = on_chain.skip(skip).take(page.limit).map(|(position, event)| {
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
