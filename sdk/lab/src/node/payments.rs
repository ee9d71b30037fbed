//! Our own payments: circular ones, as a rebalancer makes them.

use serde_json::{Value, json};

use super::NodeState;
use super::books::Move;
use super::forwards::Page;
use super::notify::Movement;
use super::params::{Params, bad};
use crate::market::{Micros, seconds};
use crate::rpc::RpcResult;

/// A completed payment to ourselves.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub hash: String,
    pub preimage: String,
    pub out_channel: usize,
    pub in_channel: usize,
    pub amount_msat: u64,
    pub sent_msat: u64,
    pub at: Micros,
}

#[derive(Debug, Default)]
pub(super) struct Payments {
    rows: Vec<Payment>,
}

impl Payments {
    pub fn created(&self) -> u64 {
        self.rows.len() as u64
    }

    pub fn get(&self, position: usize) -> &Payment {
        &self.rows[position]
    }
}

impl NodeState {
    /// Pays ourselves: `amount_msat` plus `fee_msat` leaves by one channel, `amount_msat` comes in
    /// by another. False, with nothing changed, if a balance does not allow it.
    pub fn rebalance(
        &mut self,
        out_channel: usize,
        in_channel: usize,
        amount_msat: u64,
        fee_msat: u64,
    ) -> bool {
        let sent_msat = amount_msat + fee_msat;
        let (from, to) = (self.market.channel(out_channel), self.market.channel(in_channel));
        if from.spendable_msat() < sent_msat || to.receivable_msat() < amount_msat {
            return false;
        }
        let (from_msat, to_msat) = (from.our_msat - sent_msat, to.our_msat + amount_msat);
        self.market.set_balance(out_channel, from_msat);
        self.market.set_balance(in_channel, to_msat);
        self.channels[out_channel].note_balance(from_msat);
        self.channels[in_channel].note_balance(to_msat);
        let (hash, preimage) = (self.rng.hex(32), self.rng.hex(32));
        let at = self.now();
        self.payments.rows.push(Payment {
            hash,
            preimage,
            out_channel,
            in_channel,
            amount_msat,
            sent_msat,
            at,
        });
        self.announce_payment(self.payments.rows.len() - 1);
        true
    }

    fn announce_payment(&mut self, position: usize) {
        let payment = self.payments.rows[position].clone();
        let accounts = [payment.in_channel, payment.out_channel].map(|i| self.channels[i].channel_id.clone());
        self.books.moves.push(Move::Circular { position, incoming: true });
        self.notify_movement(&Movement {
            account: &accounts[0],
            credit_msat: payment.amount_msat,
            debit_msat: 0,
            tag: "invoice",
            payment_hash: &payment.hash,
            fees_msat: 0,
            part_of: None,
        });
        let success = self.sendpay_json(position);
        self.notify("sendpay_success", success);
        self.books.moves.push(Move::Circular { position, incoming: false });
        self.notify_movement(&Movement {
            account: &accounts[1],
            credit_msat: 0,
            debit_msat: payment.sent_msat,
            tag: "invoice",
            payment_hash: &payment.hash,
            fees_msat: payment.sent_msat - payment.amount_msat,
            part_of: Some(1),
        });
    }

    fn sendpay_json(&self, position: usize) -> Value {
        let payment = &self.payments.rows[position];
        let mut json = json!({
            "id": position + 1, "payment_hash": payment.hash, "groupid": 1, "destination": self.id,
            "amount_msat": payment.amount_msat, "amount_sent_msat": payment.sent_msat,
            "created_at": seconds(payment.at) as u64, "completed_at": seconds(payment.at) as u64,
            "status": "complete", "payment_preimage": payment.preimage,
        });
        if self.flavour.has(2311) {
            json["created_index"] = json!(position + 1);
            json["updated_index"] = json!(position + 1);
        }
        json
    }

    fn pay_json(&self, position: usize) -> Value {
        let payment = &self.payments.rows[position];
        let mut json = json!({
            "destination": self.id, "payment_hash": payment.hash, "status": "complete",
            "created_at": seconds(payment.at) as u64, "completed_at": seconds(payment.at) as u64,
            "preimage": payment.preimage, "amount_msat": payment.amount_msat,
            "amount_sent_msat": payment.sent_msat,
        });
        if self.flavour.has(2411) {
            json["created_index"] = json!(position + 1);
            json["updated_index"] = json!(position + 1);
        }
        json
    }

    pub(super) fn list_sendpays(&mut self, params: &Params) -> RpcResult {
        let rows = self.payment_rows(params)?.into_iter().map(|row| self.sendpay_json(row));
        Ok(json!({"payments": rows.collect::<Vec<_>>()}))
    }

    pub(super) fn list_pays(&mut self, params: &Params) -> RpcResult {
        let rows = self.payment_rows(params)?.into_iter().map(|row| self.pay_json(row));
        Ok(json!({"pays": rows.collect::<Vec<_>>()}))
    }

    fn payment_rows(&self, params: &Params) -> Result<Vec<usize>, crate::rpc::RpcError> {
        let (hash, status) = (params.text("payment_hash"), params.text("status"));
        if status.as_deref().is_some_and(|status| !["pending", "complete", "failed"].contains(&status)) {
            return Err(bad("status", "should be pending, complete or failed", params.need("status")?));
        }
        let page = Page::parse(params)?;
        // A bolt11 never matches: these payments have none.
        let none = params.get("bolt11").is_some() || status.is_some_and(|status| status != "complete");
        let from = if none { self.payments.rows.len() } else { page.start.saturating_sub(1) as usize };
        let rows = (0..self.payments.rows.len()).skip(from);
        let rows = rows.filter(|&row| hash.as_ref().is_none_or(|hash| self.payments.rows[row].hash == *hash));
        Ok(rows.take(page.limit).collect())
    }
}
