//! A seeded discrete-event market for our channels.
//!
//! Senders arrive as Poisson processes, one per demand, swinging over the day; amounts are
//! lognormal; a sender takes our route with a probability that falls with the fee *that it has
//! heard of*. The draws of an arrival don't depend on fees, so two runs with one seed and
//! different fees see the same senders.

mod accept;
mod channel;
mod demand;
mod event;
mod oracle;
mod own;
mod presets;
mod spec;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub use accept::Acceptance;
pub use channel::{Direction, Fee, MarketChannel};
use demand::{Demand, Sender};
pub use event::{Forward, Micros, Refusal, Status, micros, seconds};
pub use spec::{Burst, ChannelSpec, DemandSpec, FeerateStep, MarketSpec, Opener, Shift};

/// After a liquidity failure senders avoid the channel for up to this long, seconds.
const AVOID_S: f64 = 1800.0;
/// Share of senders that avoid it meanwhile.
const AVOID_SHARE: f64 = 0.8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Index of a demand.
    Arrival(usize),
    /// Key in `under_way`.
    Resolution(u64),
}

/// An HTLC in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldHtlc {
    /// Index of its channel.
    pub channel: usize,
    /// Its direction.
    pub direction: Direction,
    /// Its id in that direction.
    pub id: u64,
    /// Its amount, msat.
    pub msat: u64,
}

/// The market: see the module's text.
#[derive(Debug, Clone)]
pub struct Market {
    spec: MarketSpec,
    start_us: Micros,
    now_us: Micros,
    channels: Vec<MarketChannel>,
    demands: Vec<Demand>,
    queue: BinaryHeap<Reverse<(Micros, u64, Due)>>,
    queued: u64,
    under_way: BTreeMap<u64, (Forward, bool)>,
    held: Vec<HeldHtlc>,
    /// Of our own payments.
    own: Vec<HeldHtlc>,
    seed: u64,
}

impl Market {
    /// A market that starts at `start_unix_s`, simulated unix time in seconds.
    pub fn new(spec: MarketSpec, seed: u64, start_unix_s: f64) -> Self {
        let start_us = micros(start_unix_s);
        let mut market = Self {
            channels: spec.channels.iter().map(|channel| MarketChannel::new(channel, start_us)).collect(),
            spec: MarketSpec { demands: Vec::new(), ..spec.clone() },
            start_us,
            now_us: start_us,
            demands: Vec::new(),
            queue: BinaryHeap::new(),
            queued: 0,
            under_way: BTreeMap::new(),
            held: Vec::new(),
            own: Vec::new(),
            seed,
        };
        for demand in spec.demands {
            market.add_demand(demand);
        }
        market
    }

    /// Moves on to `until_unix_s` and returns what happened, in order of time.
    pub fn advance(&mut self, until_unix_s: f64) -> Vec<Forward> {
        let until = micros(until_unix_s).max(self.now_us);
        let mut seen = Vec::new();
        while let Some(&Reverse((at, _, due))) = self.queue.peek() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now_us = at;
            match due {
                Due::Arrival(demand) => self.arrive(demand, &mut seen),
                Due::Resolution(key) => seen.extend(self.end(key)),
            }
        }
        self.now_us = until;
        seen
    }

    /// Moves on to `until_unix_s` without arrivals: they come as much later. Returns what ended.
    pub fn skip(&mut self, until_unix_s: f64) -> Vec<Forward> {
        let until = micros(until_unix_s).max(self.now_us);
        let gap = until - self.now_us;
        let (arrivals, rest): (Vec<_>, Vec<_>) =
            self.queue.drain().partition(|Reverse((_, _, due))| matches!(due, Due::Arrival(_)));
        self.queue.extend(rest);
        let seen = self.advance(until_unix_s);
        self.queue.extend(arrivals.into_iter().map(|Reverse((at, n, due))| Reverse((at + gap, n, due))));
        seen
    }

    /// Simulated unix time, seconds.
    pub fn now_unix_s(&self) -> f64 {
        seconds(self.now_us)
    }

    /// The market's description, without its demands.
    pub fn spec(&self) -> &MarketSpec {
        &self.spec
    }

    /// All channels, in the order of their indices.
    pub fn channels(&self) -> &[MarketChannel] {
        &self.channels
    }

    /// One channel.
    pub fn channel(&self, channel: usize) -> &MarketChannel {
        &self.channels[channel]
    }

    /// One channel, to change its slots or whether it is usable.
    pub fn channel_mut(&mut self, channel: usize) -> &mut MarketChannel {
        &mut self.channels[channel]
    }

    /// Changes our fee; senders hear of it later. `now_unix_s` is simulated unix time, seconds.
    pub fn set_fee(&mut self, channel: usize, fee: Fee, now_unix_s: f64) {
        let longest = micros(self.spec.gossip_delay_s.1);
        self.channels[channel].set_fee(micros(now_unix_s), fee, longest);
    }

    /// Sets our balance, msat, cut to what the channel and its pending HTLCs allow.
    pub fn set_balance(&mut self, channel: usize, our_msat: u64) {
        let channel = &mut self.channels[channel];
        let highest = channel.capacity_msat - channel.pending_in.msat;
        channel.our_msat = our_msat.clamp(channel.pending_out.msat.min(highest), highest);
    }

    /// Changes the capacity and our part of it by `delta_msat`, as a splice by us does.
    pub fn splice(&mut self, channel: usize, delta_msat: i64) {
        let channel = &mut self.channels[channel];
        channel.capacity_msat = channel.capacity_msat.saturating_add_signed(delta_msat);
        channel.our_msat = channel.our_msat.saturating_add_signed(delta_msat).min(channel.capacity_msat);
        channel.reserve_msat = channel.capacity_msat / 100;
    }

    /// Adds a channel and returns its index.
    pub fn add_channel(&mut self, spec: ChannelSpec) -> usize {
        self.channels.push(MarketChannel::new(&spec, self.now_us));
        self.spec.channels.push(spec);
        self.channels.len() - 1
    }

    /// Adds a demand, from now on. Its channels must exist.
    pub fn add_demand(&mut self, spec: DemandSpec) {
        let demand = Demand::new(spec, self.seed, self.demands.len() as u64 + 1);
        self.demands.push(demand);
        self.schedule_arrival(self.demands.len() - 1);
    }

    /// Puts an HTLC into a channel, where it takes a slot and liquidity until released.
    pub fn hold_htlc(&mut self, channel: usize, direction: Direction, msat: u64) -> HeldHtlc {
        let id = self.channels[channel].offer(direction, msat);
        let held = HeldHtlc { channel, direction, id, msat };
        self.held.push(held);
        held
    }

    /// Releases all held HTLCs of a channel and returns how many there were.
    pub fn release_htlcs(&mut self, channel: usize) -> usize {
        let (gone, kept): (Vec<_>, Vec<_>) = self.held.drain(..).partition(|held| held.channel == channel);
        self.held = kept;
        for held in &gone {
            self.channels[channel].resolve(held.direction, held.msat, false);
        }
        gone.len()
    }

    /// Takes the next HTLC ids of two channels, incoming of the first and outgoing of the second,
    /// for a forward that is only written down.
    pub(crate) fn reserve_ids(&mut self, input: usize, output: usize) -> (u64, u64) {
        let (in_id, out_id) = (self.channels[input].next_in_id, self.channels[output].next_out_id);
        self.channels[input].next_in_id += 1;
        self.channels[output].next_out_id += 1;
        (in_id, out_id)
    }

    /// HTLCs under way in every channel: channel, direction, id, msat.
    pub fn htlcs(&self) -> impl Iterator<Item = HeldHtlc> + '_ {
        let forwards = self.under_way.values().flat_map(|(forward, _)| {
            let incoming = HeldHtlc {
                channel: forward.in_channel,
                direction: Direction::In,
                id: forward.in_htlc_id,
                msat: forward.in_msat,
            };
            let outgoing = forward.out_htlc_id.map(|id| HeldHtlc {
                channel: forward.out_channel,
                direction: Direction::Out,
                id,
                msat: forward.out_msat,
            });
            std::iter::once(incoming).chain(outgoing)
        });
        self.held.iter().chain(&self.own).copied().chain(forwards)
    }

    fn push(&mut self, at: Micros, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, due)));
    }

    /// Plans the next arrival at the highest rate the demand ever has; [`Market::arrive`] thins it.
    fn schedule_arrival(&mut self, index: usize) {
        let diurnal = self.spec.diurnal;
        let demand = &mut self.demands[index];
        let per_second = demand.peak_per_day(diurnal) / 86_400.0;
        if per_second <= 0.0 {
            return;
        }
        let wait = demand.rng.exponential() / per_second;
        self.push(self.now_us + micros(wait).max(1), Due::Arrival(index));
    }

    fn arrive(&mut self, index: usize, seen: &mut Vec<Forward>) {
        let since_start = seconds(self.now_us - self.start_us);
        let diurnal = self.spec.diurnal;
        let demand = &mut self.demands[index];
        let thin = demand.rng.uniform() * demand.peak_per_day(diurnal);
        let sender = demand.draw(since_start);
        let comes = thin < demand.per_day(diurnal, seconds(self.now_us), since_start);
        let accept = demand.accept(since_start);
        let out = demand.spec.out;
        self.schedule_arrival(index);
        if comes {
            self.try_route(out, &sender, accept, seen);
        }
    }

    /// Lets a sender choose and, if it takes our route, forwards or refuses its payment.
    fn try_route(&mut self, out: usize, sender: &Sender, accept: Acceptance, seen: &mut Vec<Forward>) {
        let (low, high) = self.spec.gossip_delay_s;
        let delay = micros(low + (high - low) * sender.gossip);
        let channel = &self.channels[out];
        let avoided = self.now_us < channel.avoided_until && sender.avoids < AVOID_SHARE;
        let known = channel.fee_seen(self.now_us, delay);
        if avoided || sender.accepts >= accept.share(known.effective_ppm(sender.msat)) {
            return;
        }
        let current = channel.fee();
        if self.underpays(out, known.msat(sender.msat), current.msat(sender.msat)) {
            self.receive(out, sender, known, Some(Refusal::FeeInsufficient), seen);
            if sender.accepts < accept.share(current.effective_ppm(sender.msat)) {
                self.receive(out, sender, current, None, seen);
            }
            return;
        }
        self.receive(out, sender, known, None, seen);
    }

    fn underpays(&self, out: usize, paid_msat: u64, asked_msat: u64) -> bool {
        let since = self.channels[out].fee_since();
        let enforced = self.spec.enforce_delay_s.is_some_and(|delay| self.now_us > since + micros(delay));
        enforced && paid_msat < asked_msat
    }

    /// Takes a payment in, if the peer can send it at all, and passes it on or refuses it.
    fn receive(
        &mut self,
        out: usize,
        sender: &Sender,
        paid: Fee,
        refusal: Option<Refusal>,
        seen: &mut Vec<Forward>,
    ) {
        let in_msat = sender.msat + paid.msat(sender.msat);
        let input = &self.channels[sender.input];
        if !input.usable || input.full(Direction::In) || input.receivable_msat() < in_msat {
            return;
        }
        let refusal = refusal.or_else(|| self.refusal(out, sender.msat));
        let forward = Forward {
            in_channel: sender.input,
            in_htlc_id: self.channels[sender.input].offer(Direction::In, in_msat),
            out_channel: out,
            out_htlc_id: refusal.is_none().then(|| self.channels[out].offer(Direction::Out, sender.msat)),
            in_msat,
            out_msat: sender.msat,
            status: Status::Offered,
            refusal,
            received_us: self.now_us,
            resolved_us: None,
        };
        if refusal.is_some() {
            seen.push(self.refuse(forward, sender));
            return;
        }
        self.queued += 1;
        let fulfilled = sender.fails >= self.spec.failure_rate;
        self.under_way.insert(self.queued, (forward, fulfilled));
        let wait = micros(sender.hold).max(1000);
        self.queue.push(Reverse((self.now_us + wait, self.queued, Due::Resolution(self.queued))));
        seen.push(forward);
    }

    fn refusal(&self, out: usize, msat: u64) -> Option<Refusal> {
        let channel = &self.channels[out];
        let fee = channel.fee();
        let stuck = !channel.usable || channel.full(Direction::Out) || channel.spendable_msat() < msat;
        match () {
            () if msat < fee.htlc_min_msat => Some(Refusal::AmountBelowMinimum),
            () if stuck || msat > fee.htlc_max_msat => Some(Refusal::TemporaryChannelFailure),
            () => None,
        }
    }

    fn refuse(&mut self, forward: Forward, sender: &Sender) -> Forward {
        self.channels[forward.in_channel].resolve(Direction::In, forward.in_msat, false);
        if forward.refusal == Some(Refusal::TemporaryChannelFailure) {
            let until = self.now_us + micros(AVOID_S * sender.avoid_for);
            self.channels[forward.out_channel].avoided_until = until;
        }
        Forward { status: Status::LocalFailed, resolved_us: Some(self.now_us), ..forward }
    }

    fn end(&mut self, key: u64) -> Option<Forward> {
        let (forward, fulfilled) = self.under_way.remove(&key)?;
        self.channels[forward.out_channel].resolve(Direction::Out, forward.out_msat, fulfilled);
        self.channels[forward.in_channel].resolve(Direction::In, forward.in_msat, fulfilled);
        let status = if fulfilled { Status::Settled } else { Status::Failed };
        Some(Forward { status, resolved_us: Some(self.now_us), ..forward })
    }
}
