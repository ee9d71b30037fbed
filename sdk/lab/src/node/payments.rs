//! Our own payments: circular ones, as a rebalancer makes them.

use serde_json::{Value, json};

use super::NodeState;
use super::books::Move;
use super::forwards::{Before, Page};
use super::notify::Movement;
use super::params::{Params, bad};
use crate::market::{Direction, HeldHtlc, Micros, seconds};
use crate::rpc::{RpcError, RpcResult};

/// State of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayStatus {
    Pending,
    Complete,
    Failed,
}

impl PayStatus {
    const ALL: [Self; 3] = [Self::Pending, Self::Complete, Self::Failed];

    /// lightningd's word.
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }
}

/// A payment of ours, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub hash: String,
    pub preimage: String,
    pub out_channel: usize,
    /// The same as `out_channel` if it never comes back.
    pub in_channel: usize,
    /// Whom it pays; none for ourselves.
    pub destination: Option<String>,
    /// 0 for a payment of one part.
    pub partid: u64,
    pub label: Option<String>,
    pub bolt11: Option<String>,
    pub amount_msat: u64,
    pub sent_msat: u64,
    /// On its way in our own channel; none if that refused it.
    pub htlc: Option<HeldHtlc>,
    pub created: Micros,
    pub status: PayStatus,
    /// The id of the HTLC by which its money came in.
    pub incoming_id: Option<u64>,
    /// When its money came in.
    pub credited: Option<Micros>,
    /// When it ended, either way.
    pub completed: Option<Micros>,
    /// 0 until it ends.
    pub updated_index: u64,
    /// No list has it any more.
    pub deleted: bool,
}

/// All payments; the row at position n has `created_index` n + 1, counted from where the database begins.
#[derive(Debug, Default)]
pub(super) struct Payments {
    rows: Vec<Payment>,
    /// Position of the row that has `updated_index` n + 1, counted likewise.
    updates: Vec<usize>,
    before: Before,
}

impl Payments {
    pub fn created(&self) -> u64 {
        (self.rows.len() - self.before.rows) as u64
    }

    pub fn updated(&self) -> u64 {
        (self.updates.len() - self.before.updates) as u64
    }

    /// Lets the list begin anew: without a row, its counters at 0.
    pub fn begin_anew(&mut self) {
        self.before = Before { rows: self.rows.len(), updates: self.updates.len() };
        self.rows.iter_mut().for_each(|row| row.deleted = true);
    }

    fn created_index(&self, position: usize) -> usize {
        position + 1 - self.before.rows
    }

    /// How many rows no list has any more.
    pub fn deleted(&self) -> u64 {
        self.rows[self.before.rows..].iter().filter(|row| row.deleted).count() as u64
    }

    /// Every payment, in the order of their creation, deleted ones too.
    pub fn iter(&self) -> impl Iterator<Item = &Payment> {
        self.rows.iter()
    }

    pub fn get_mut(&mut self, position: usize) -> &mut Payment {
        &mut self.rows[position]
    }

    /// Takes payments that ended before a moment out of the lists.
    pub fn delete_before(&mut self, before: Micros) {
        let over = |row: &&mut Payment| row.completed.is_some_and(|at| at < before);
        self.rows.iter_mut().filter(over).for_each(|row| row.deleted = true);
    }

    pub fn get(&self, position: usize) -> &Payment {
        &self.rows[position]
    }

    fn end(&mut self, position: usize, status: PayStatus, at: Micros) {
        self.updates.push(position);
        let updated = self.updated();
        let row = &mut self.rows[position];
        (row.status, row.completed, row.updated_index) = (status, Some(at), updated);
    }

    /// Positions in the order asked for, from the index `start` on.
    fn ordered(&self, by_update: bool, start: u64) -> Box<dyn Iterator<Item = usize> + '_> {
        let skip = start.saturating_sub(1) as usize;
        if !by_update {
            return Box::new(self.before.rows + skip..self.rows.len());
        }
        let untouched = (0..self.rows.len()).filter(move |&p| start == 0 && self.rows[p].updated_index == 0);
        Box::new(untouched.chain(self.updates.iter().copied().skip(self.before.updates + skip)))
    }
}

/// Why and where a payment failed, as `sendpay_failure` tells it.
#[derive(Debug, Clone)]
pub(super) struct PayFailure {
    pub code: u32,
    pub name: &'static str,
    /// Position in the route: 0 is ourselves.
    pub hop: usize,
    pub node: String,
    pub channel: String,
}

/// Checks the parameters of `listsendpays` or `listpays` and returns the page they ask for.
pub(super) fn requested(params: &Params) -> Result<Page, RpcError> {
    let status = params.text("status");
    if status.is_some_and(|status| PayStatus::ALL.iter().all(|known| known.name() != status)) {
        return Err(bad("status", "should be pending, complete or failed", params.need("status")?));
    }
    Page::parse(params)
}

impl NodeState {
    /// Pays ourselves at once: `amount_msat` plus `fee_msat` leaves by one channel, `amount_msat`
    /// comes in by another. False, with nothing changed, if a balance does not allow it.
    pub fn rebalance(
        &mut self,
        out_channel: usize,
        in_channel: usize,
        amount_msat: u64,
        fee_msat: u64,
    ) -> bool {
        let sent_msat = amount_msat + fee_msat;
        if !self.market.can_take_own(in_channel, amount_msat) {
            return false;
        }
        let Some(htlc) = self.market.offer_own(out_channel, sent_msat) else { return false };
        let position = self.add_payment(Some(htlc), (out_channel, sent_msat), (in_channel, amount_msat));
        let taken = self.credit_payment(position);
        debug_assert!(taken, "what could be taken is taken");
        self.complete_payment(position);
        true
    }

    /// Sends a payment, each side a channel and what passes it, and returns its position. It is
    /// pending, also if our own channel refuses it; then it has no HTLC and is to be failed.
    pub(super) fn start_payment(&mut self, from: (usize, u64), to: (usize, u64)) -> usize {
        let htlc = self.market.offer_own(from.0, from.1);
        self.add_payment(htlc, from, to)
    }

    fn add_payment(&mut self, htlc: Option<HeldHtlc>, from: (usize, u64), to: (usize, u64)) -> usize {
        let (hash, preimage, created) = (self.rng.hex(32), self.rng.hex(32), self.now());
        if htlc.is_some() {
            let totals = self.channels[from.0].totals(Direction::Out);
            totals.offered += 1;
            totals.offered_msat += from.1;
        }
        self.payments.rows.push(Payment {
            hash,
            preimage,
            out_channel: from.0,
            in_channel: to.0,
            destination: None,
            partid: 0,
            label: None,
            bolt11: None,
            amount_msat: to.1,
            sent_msat: from.1,
            htlc,
            created,
            status: PayStatus::Pending,
            incoming_id: None,
            credited: None,
            completed: None,
            updated_index: 0,
            deleted: false,
        });
        self.payments.rows.len() - 1
    }

    /// The hash of the pending payment that an HTLC is part of.
    pub(super) fn hash_of_own(&self, htlc: &HeldHtlc) -> Option<&str> {
        let mut pending = self.payments.rows.iter().rev().filter(|row| row.status == PayStatus::Pending);
        pending.find(|row| row.htlc.as_ref() == Some(htlc)).map(|row| row.hash.as_str())
    }

    /// Takes a pending payment's money in at its end. False if the peer can't send it.
    pub(super) fn credit_payment(&mut self, position: usize) -> bool {
        let (index, amount_msat) = {
            let payment = &self.payments.rows[position];
            (payment.in_channel, payment.amount_msat)
        };
        let Some(id) = self.market.take_own(index, amount_msat) else { return false };
        self.payments.rows[position].incoming_id = Some(id);
        self.payments.rows[position].credited = Some(self.now());
        let incoming = self.channels[index].totals(Direction::In);
        incoming.offered += 1;
        incoming.offered_msat += amount_msat;
        self.count_own(index, Direction::In, amount_msat);
        self.books.moves.push(Move::Circular { position, incoming: true });
        self.announce_move(position, true);
        true
    }

    /// Completes a pending payment whose money has come in.
    pub(super) fn complete_payment(&mut self, position: usize) {
        let (index, sent_msat) = {
            let payment = &self.payments.rows[position];
            (payment.out_channel, payment.sent_msat)
        };
        self.end_htlc(position, true);
        self.count_own(index, Direction::Out, sent_msat);
        let at = self.now();
        self.payments.end(position, PayStatus::Complete, at);
        let success = self.sendpay_json(position);
        self.notify("sendpay_success", success);
        self.books.moves.push(Move::Circular { position, incoming: false });
        self.announce_move(position, false);
    }

    /// Fails a pending payment; its HTLC, if it had one, comes back.
    pub(super) fn fail_payment(&mut self, position: usize, failure: &PayFailure) {
        self.end_htlc(position, false);
        let at = self.now();
        self.payments.end(position, PayStatus::Failed, at);
        let mut data = self.sendpay_json(position);
        data["erring_index"] = json!(failure.hop);
        data["failcode"] = json!(failure.code);
        data["failcodename"] = json!(failure.name);
        data["erring_node"] = json!(failure.node);
        data["erring_channel"] = json!(failure.channel);
        data["erring_direction"] = json!(0);
        let whence = if failure.hop == 0 { "First peer" } else { "reply from remote" };
        let message = format!("failed: {} ({whence})", failure.name);
        self.notify("sendpay_failure", json!({"code": 204, "message": message, "data": data}));
    }

    fn end_htlc(&mut self, position: usize, fulfilled: bool) {
        if let Some(htlc) = self.payments.rows[position].htlc {
            self.market.end_own(htlc, fulfilled);
        }
    }

    fn count_own(&mut self, index: usize, direction: Direction, msat: u64) {
        let our_msat = self.market.channel(index).our_msat;
        let channel = &mut self.channels[index];
        channel.note_balance(our_msat);
        let totals = channel.totals(direction);
        totals.fulfilled += 1;
        totals.fulfilled_msat += msat;
    }

    fn announce_move(&mut self, position: usize, incoming: bool) {
        let payment = self.payments.rows[position].clone();
        let index = if incoming { payment.in_channel } else { payment.out_channel };
        let account = self.channels[index].channel_id.clone();
        self.notify_movement(&Movement {
            account: &account,
            credit_msat: if incoming { payment.amount_msat } else { 0 },
            debit_msat: if incoming { 0 } else { payment.sent_msat },
            tag: "invoice",
            payment_hash: &payment.hash,
            fees_msat: if incoming { 0 } else { payment.sent_msat - payment.amount_msat },
            part_of: (!incoming).then_some((payment.partid, 1)),
        });
    }

    fn destination<'a>(&'a self, payment: &'a Payment) -> &'a str {
        payment.destination.as_deref().unwrap_or(&self.id)
    }

    fn sendpay_json(&self, position: usize) -> Value {
        let payment = &self.payments.rows[position];
        let mut json = json!({
            "id": self.payments.created_index(position), "payment_hash": payment.hash, "groupid": 1, "destination": self.destination(payment),
            "amount_msat": payment.amount_msat, "amount_sent_msat": payment.sent_msat,
            "created_at": seconds(payment.created) as u64, "status": payment.status.name(),
        });
        if payment.partid > 0 {
            json["partid"] = json!(payment.partid);
        }
        add_words(payment, &mut json);
        if payment.status == PayStatus::Complete {
            json["payment_preimage"] = json!(payment.preimage);
        }
        self.add_ending(payment, position, 2311, &mut json);
        json
    }

    fn pay_json(&self, position: usize) -> Value {
        let payment = &self.payments.rows[position];
        let mut json = json!({
            "destination": self.destination(payment), "payment_hash": payment.hash, "status": payment.status.name(),
            "created_at": seconds(payment.created) as u64, "amount_msat": payment.amount_msat,
            "amount_sent_msat": payment.sent_msat,
        });
        add_words(payment, &mut json);
        if payment.status == PayStatus::Complete {
            json["preimage"] = json!(payment.preimage);
        }
        self.add_ending(payment, position, 2411, &mut json);
        json
    }

    /// When it ended, and its indices in releases from `since` on.
    fn add_ending(&self, payment: &Payment, position: usize, since: u32, json: &mut Value) {
        if let Some(at) = payment.completed {
            json["completed_at"] = json!(seconds(at) as u64);
        }
        if self.flavour.has(since) {
            json["created_index"] = json!(self.payments.created_index(position));
            if payment.updated_index > 0 {
                json["updated_index"] = json!(payment.updated_index);
            }
        }
    }

    pub(super) fn list_sendpays(&mut self, params: &Params) -> RpcResult {
        let rows = self.payment_rows(params)?.into_iter().map(|row| self.sendpay_json(row));
        Ok(json!({"payments": rows.collect::<Vec<_>>()}))
    }

    pub(super) fn list_pays(&mut self, params: &Params) -> RpcResult {
        let rows = self.payment_rows(params)?.into_iter().map(|row| self.pay_json(row));
        Ok(json!({"pays": rows.collect::<Vec<_>>()}))
    }

    fn payment_rows(&self, params: &Params) -> Result<Vec<usize>, RpcError> {
        let page = requested(params)?;
        let (hash, status) = (params.text("payment_hash"), params.text("status"));
        let bolt11 = params.text("bolt11");
        let rows = self.payments.ordered(page.by_update, page.start).filter(|&position| {
            let row = &self.payments.rows[position];
            !row.deleted
                && (bolt11.is_none() || row.bolt11 == bolt11)
                && hash.as_ref().is_none_or(|hash| row.hash == *hash)
                && status.as_deref().is_none_or(|status| row.status.name() == status)
        });
        Ok(rows.take(page.limit).collect())
    }
}

fn add_words(payment: &Payment, json: &mut Value) {
    for (name, text) in [("label", &payment.label), ("bolt11", &payment.bolt11)] {
        if let Some(text) = text {
            json[name] = json!(text);
        }
    }
}
