//! Payments on their way: lightningd's, whoever still waits for them.

use super::super::NodeState;
use super::super::payments::PayFailure;
use super::candidates::Way;
use super::control::SlingPayment;
use super::job::Job;
use super::routes::{Fate, effective_ppm};
use super::stats::{Failure, Success};
use super::task::{Step, TaskId};
use crate::market::{Micros, micros, seconds};

/// How a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentEnd {
    /// On its way.
    InFlight,
    /// Its money came back to us.
    Settled,
    /// Nothing moved.
    Failed,
}

/// A payment that has not ended.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// Position in sling's account.
    pub entry: usize,
    /// Position in lightningd's list.
    pub payment: usize,
    way: Way,
    /// When its money reaches us, if it does by itself and has not yet.
    arrives: Option<Micros>,
    /// When we hear of its end, if we do by ourselves.
    ends: Option<Micros>,
    arrived: bool,
    /// It comes by another channel than it should.
    astray: bool,
    /// sling has the preimage in memory, and will take the money.
    awaited: bool,
    /// The task that waits for it.
    waiter: Option<TaskId>,
}

impl Flight {
    pub fn next_due(&self) -> Option<Micros> {
        self.arrives.into_iter().chain(self.ends).min()
    }

    pub fn is_due(&self, now: Micros) -> bool {
        self.next_due().is_some_and(|at| at <= now)
    }

    /// sling no longer waits, and takes no money any more.
    pub fn orphan(&mut self) {
        (self.waiter, self.awaited) = (None, false);
    }
}

impl NodeState {
    /// Sends one payment of a job.
    pub(super) fn send(&mut self, id: TaskId, job: &Job, way: Way) {
        let sent_msat = job.amount_msat + way.fee_msat;
        let payment = self.start_payment((way.from, sent_msat), (way.to, job.amount_msat));
        let entry = self.sling.payments.len();
        self.sling.payments.push(SlingPayment {
            job: id.0,
            candidate: self.channels[way.candidate].scid,
            direction: job.direction,
            once: job.once_msat.is_some(),
            payment_hash: self.payments.get(payment).hash.clone(),
            amount_msat: job.amount_msat,
            fee_msat: way.fee_msat,
            sent_unix_s: self.now_unix_s(),
            ended_unix_s: None,
            end: PaymentEnd::InFlight,
            in_stats: false,
        });
        let patience = self.patience();
        self.set_step(id, Step::Wait, patience);
        match self.payments.get(payment).htlc {
            Some(_) => self.take_off(id, entry, payment, way),
            None => self.refused_at_once(id, entry, payment, way),
        }
    }

    /// Puts a payment on its way to its fate.
    fn take_off(&mut self, id: TaskId, entry: usize, payment: usize, way: Way) {
        let now = self.now();
        let fate = self.sling.routes.next_fate(&mut self.sling.rng);
        let at = |after_s: f64| Some(now + micros(after_s.max(0.0)));
        let usual_s = self.sling.routes.attempt_s;
        let (arrives, ends) = match fate {
            Fate::Settle { after_s } => (at(after_s.min(usual_s)), at(after_s)),
            Fate::Fail { after_s } => (None, at(after_s)),
            Fate::Astray { after_s } => (at(after_s), at(after_s)),
            Fate::Hang => (None, None),
        };
        self.sling.flights.push(Flight {
            entry,
            payment,
            way,
            arrives,
            ends,
            arrived: false,
            // Older versions take it wherever it comes from.
            astray: matches!(fate, Fate::Astray { .. }) && self.sling.version.is_4(),
            awaited: true,
            waiter: Some(id),
        });
    }

    /// Our own channel can't send the amount.
    fn refused_at_once(&mut self, id: TaskId, entry: usize, payment: usize, way: Way) {
        let failure = self.failure_at(way, 0);
        self.fail_payment(payment, &failure);
        self.end_entry(entry, PaymentEnd::Failed);
        self.note_failure(id, entry, &failure);
        let since = self.now();
        self.sling.memory.bans.insert(self.channels[way.from].scid, since);
        self.after_payment(id, 0);
    }

    /// A refusal by the node at a place of the route; the last place is before ourselves.
    fn failure_at(&self, way: Way, hop: usize) -> PayFailure {
        let last = usize::from(self.sling.routes.hops);
        let (node, channel) = match hop {
            0 => (self.id.clone(), self.channels[way.from].scid),
            hop if hop >= last => (self.channels[way.to].peer_id.clone(), self.channels[way.to].scid),
            _ => (self.channels[way.from].peer_id.clone(), crate::ids::Scid::new(1, 1, 1)),
        };
        PayFailure {
            code: 4103,
            name: "WIRE_TEMPORARY_CHANNEL_FAILURE",
            hop,
            node,
            channel: channel.to_string(),
        }
    }

    /// Does what is due with a payment on its way.
    pub(super) fn move_flight(&mut self, position: usize) {
        let now = self.now();
        let flight = &mut self.sling.flights[position];
        if flight.arrives.is_some_and(|at| at <= now) {
            flight.arrives = None;
            if !self.arrive(position) {
                return;
            }
        }
        if self.sling.flights[position].ends.is_some_and(|at| at <= now) {
            let settles = self.sling.flights[position].arrived;
            let hop = 1;
            self.land(position, settles, hop);
        }
    }

    /// The money is before our door. False if that ended the payment.
    fn arrive(&mut self, position: usize) -> bool {
        let flight = self.sling.flights[position].clone();
        let hops = usize::from(self.sling.routes.hops);
        if !flight.awaited {
            self.land(position, false, hops + 1);
            return false;
        }
        if flight.astray {
            let since = self.now();
            self.sling.memory.bad_peers.insert(self.channels[flight.way.to].peer_id.clone(), since);
            self.land(position, false, hops + 1);
            return false;
        }
        if !self.credit_payment(flight.payment) {
            let since = self.now();
            self.sling.memory.bans.insert(self.channels[flight.way.to].scid, since);
            self.land(position, false, hops);
            return false;
        }
        self.sling.flights[position].arrived = true;
        true
    }

    /// Ends a payment.
    fn land(&mut self, position: usize, settles: bool, hop: usize) {
        let flight = self.sling.flights.remove(position);
        if settles {
            self.complete_payment(flight.payment);
            self.end_entry(flight.entry, PaymentEnd::Settled);
            if let Some(id) = flight.waiter {
                self.note_success(id, flight.entry);
                self.after_payment(id, self.sling.payments[flight.entry].amount_msat);
            }
            return;
        }
        let mut failure = self.failure_at(flight.way, hop);
        if hop > usize::from(self.sling.routes.hops) {
            failure.node = self.id.clone();
            if !flight.astray {
                (failure.code, failure.name) = (16399, "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
            }
        }
        self.fail_payment(flight.payment, &failure);
        self.end_entry(flight.entry, PaymentEnd::Failed);
        if let Some(id) = flight.waiter {
            self.note_failure(id, flight.entry, &failure);
            self.after_payment(id, 0);
        }
    }

    fn end_entry(&mut self, entry: usize, end: PaymentEnd) {
        let at = self.now_unix_s();
        let entry = &mut self.sling.payments[entry];
        (entry.end, entry.ended_unix_s) = (end, Some(at));
    }

    fn note_success(&mut self, id: TaskId, entry: usize) {
        let completed_at = seconds(self.now()) as u64;
        let hops = self.sling.routes.hops;
        let payment = &mut self.sling.payments[entry];
        payment.in_stats = true;
        self.sling.files.stats.add_success(
            id.0,
            Success {
                amount_msat: payment.amount_msat,
                fee_ppm: effective_ppm(payment.fee_msat, payment.amount_msat),
                partner: payment.candidate,
                hops,
                completed_at,
            },
        );
    }

    fn note_failure(&mut self, id: TaskId, entry: usize, failure: &PayFailure) {
        let created_at = seconds(self.now()) as u64;
        let hops = self.sling.routes.hops;
        let payment = &self.sling.payments[entry];
        self.sling.files.stats.add_failure(
            id.0,
            Failure {
                amount_msat: payment.amount_msat,
                reason: failure.name,
                node: failure.node.clone(),
                partner: payment.candidate,
                hops,
                created_at,
            },
        );
    }

    /// sling's own timeout: it counts a failure and goes on, whatever becomes of the payment.
    pub(super) fn stop_waiting(&mut self, id: TaskId) {
        let Some(flight) = self.sling.flights.iter_mut().find(|flight| flight.waiter == Some(id)) else {
            return self.after_payment(id, 0);
        };
        flight.orphan();
        let entry = flight.entry;
        let node = self.id.clone();
        let failure =
            PayFailure { code: 0, name: "WAITSENDPAY_TIMEOUT", hop: 0, node, channel: String::new() };
        self.note_failure(id, entry, &failure);
        self.after_payment(id, 0);
    }

    /// Ends the payments on their way through a channel that is about to close: money that is with
    /// us settles, other money comes back.
    pub(in crate::node) fn clear_flights(&mut self, channel: usize) {
        let through = |flight: &Flight| flight.way.from == channel || flight.way.to == channel;
        while let Some(position) = self.sling.flights.iter().position(through) {
            let arrived = self.sling.flights[position].arrived;
            self.land(position, arrived, 1);
        }
    }

    /// Ends a payment of sling's that is on its way, by its hash. Money that is with us already
    /// settles; other money settles if that is wished and sling still takes it, and else fails.
    /// What became of it; none if it is not on its way.
    pub fn end_sling_payment(&mut self, payment_hash: &str, settles: bool) -> Option<PaymentEnd> {
        let of = |flight: &Flight| self.payments.get(flight.payment).hash == payment_hash;
        let position = self.sling.flights.iter().position(of)?;
        let (entry, arrived) = (self.sling.flights[position].entry, self.sling.flights[position].arrived);
        self.sling.flights[position].arrives = None;
        if arrived || !settles || self.arrive(position) {
            self.land(position, arrived || settles, 1);
        }
        self.run_sling();
        Some(self.sling.payments[entry].end)
    }
}
