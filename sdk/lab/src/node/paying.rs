//! Our own payments on demand: of every kind, in parts, to ourselves and to others.

use super::NodeState;
use super::payments::PayFailure;

/// One part of a payment.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Index of the channel it leaves by.
    pub from: usize,
    /// Index of the channel it comes back by; none for a payment to somebody else.
    pub to: Option<usize>,
    /// What arrives, msat.
    pub amount_msat: u64,
    /// What is lost on the way, msat.
    pub fee_msat: u64,
}

/// A payment: its parts share hash and group.
#[derive(Debug, Clone, Default)]
pub struct Paying {
    /// The parts; more than one get part ids from 1 on.
    pub parts: Vec<Part>,
    /// The label given to `pay` or `sendpay`.
    pub label: Option<String>,
    /// The invoice.
    pub bolt11: Option<String>,
}

impl NodeState {
    /// Sends a payment and returns its rows, to be ended by [`NodeState::end_payment`]. None, with
    /// nothing sent, if a channel does not allow it.
    pub fn begin_payment(&mut self, paying: &Paying) -> Option<Vec<usize>> {
        let possible = |part: &Part| {
            let sent_msat = part.amount_msat + part.fee_msat;
            let from = self.market.channel(part.from);
            let fits = from.usable && from.spendable_msat() >= sent_msat;
            fits && part.to.is_none_or(|to| self.market.can_take_own(to, part.amount_msat))
        };
        if !paying.parts.iter().all(possible) {
            return None;
        }
        let (hash, preimage) = (self.rng.hex(32), self.rng.hex(32));
        let stranger = crate::ids::node_id(&mut self.rng);
        let parts = paying.parts.len() as u64;
        let rows = paying.parts.iter().zip(1..).map(|(part, number)| {
            let sent = (part.from, part.amount_msat + part.fee_msat);
            let position = self.start_payment(sent, (part.to.unwrap_or(part.from), part.amount_msat));
            let row = self.payments.get_mut(position);
            (row.hash, row.preimage) = (hash.clone(), preimage.clone());
            row.partid = if parts > 1 { number } else { 0 };
            row.destination = part.to.is_none().then(|| stranger.clone());
            (row.label, row.bolt11) = (paying.label.clone(), paying.bolt11.clone());
            position
        });
        Some(rows.collect())
    }

    /// Ends what [`NodeState::begin_payment`] began: every part arrives that its channels let pass, or
    /// none does.
    pub fn end_payment(&mut self, rows: &[usize], complete: bool) {
        for &position in rows {
            let row = self.payments.get(position);
            let sent = row.htlc.is_some();
            let (circular, peer) =
                (row.destination.is_none(), self.channels[row.out_channel].peer_id.clone());
            let channel = self.channels[row.out_channel].scid.to_string();
            if complete && sent && (!circular || self.credit_payment(position)) {
                self.complete_payment(position);
            } else {
                let name = "WIRE_TEMPORARY_CHANNEL_FAILURE";
                self.fail_payment(position, &PayFailure { code: 0x1007, name, hop: 1, node: peer, channel });
            }
        }
    }

    /// [`NodeState::begin_payment`] and [`NodeState::end_payment`] at once. False, with nothing sent, if a
    /// channel does not allow it.
    pub fn pay(&mut self, paying: &Paying, complete: bool) -> bool {
        let rows = self.begin_payment(paying);
        if let Some(rows) = &rows {
            self.end_payment(rows, complete);
        }
        rows.is_some()
    }

    /// Deletes payments and forwards that ended before a moment (simulated unix time, seconds) from
    /// the lists, as autoclean does.
    pub fn autoclean(&mut self, before_unix_s: f64) {
        let before = crate::market::micros(before_unix_s);
        self.forwards.delete_before(before);
        self.payments.delete_before(before);
    }

    /// Lets the lists of forwards and payments begin anew, their counters too, as on a node that was rebuilt
    /// from its key. For moments at which nothing is under way.
    pub fn begin_lists_anew(&mut self) {
        self.forwards.begin_anew();
        self.payments.begin_anew();
    }

    /// A payment of somebody else through us, at once; its incoming side pays `out_msat + fee_msat`.
    /// False, with nothing changed, if a channel does not allow it.
    pub fn forward(&mut self, from: usize, to: usize, out_msat: u64, fee_msat: u64) -> bool {
        let Some(forward) = self.market.pass(from, to, out_msat + fee_msat, out_msat) else { return false };
        let offered =
            crate::market::Forward { status: crate::market::Status::Offered, resolved_us: None, ..forward };
        self.record(&offered);
        self.record(&forward);
        true
    }
}
