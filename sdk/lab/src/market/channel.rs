//! A channel's money, fees and HTLC slots inside the market.

use super::event::Micros;
use super::spec::ChannelSpec;

/// What we charge for leaving through a channel, and what it lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Base fee, msat.
    pub base_msat: u64,
    /// Proportional fee, ppm.
    pub ppm: u32,
    /// Smallest HTLC, msat.
    pub htlc_min_msat: u64,
    /// Largest HTLC, msat.
    pub htlc_max_msat: u64,
}

impl Fee {
    /// The fee for sending `out_msat` on: base plus the proportional part, rounded down, msat.
    pub fn msat(&self, out_msat: u64) -> u64 {
        self.base_msat + (u128::from(out_msat) * u128::from(self.ppm) / 1_000_000) as u64
    }

    /// The whole fee as a share of `out_msat`, ppm.
    pub fn effective_ppm(&self, out_msat: u64) -> f64 {
        f64::from(self.ppm) + self.base_msat as f64 * 1e6 / out_msat.max(1) as f64
    }
}

/// Direction of an HTLC as seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Offered by the peer.
    In,
    /// Offered by us.
    Out,
}

impl Direction {
    /// lightningd's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A channel as the market knows it.
#[derive(Debug, Clone)]
pub struct MarketChannel {
    /// Capacity, msat.
    pub capacity_msat: u64,
    /// Our balance, msat; pending HTLCs are still in it.
    pub our_msat: u64,
    /// What either side must keep, msat.
    pub reserve_msat: u64,
    /// HTLCs that fit in one direction.
    pub slots: u16,
    /// False while the peer is away or the channel is closed: nothing passes.
    pub usable: bool,
    pub(super) held_msat: Option<u64>,
    pub(super) fees: Vec<(Micros, Fee)>,
    pub(super) pending_in: Pending,
    pub(super) pending_out: Pending,
    pub(super) next_in_id: u64,
    pub(super) next_out_id: u64,
    pub(super) avoided_until: Micros,
}

/// HTLCs under way in one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pending {
    pub count: u32,
    pub msat: u64,
}

impl Pending {
    fn add(&mut self, msat: u64) {
        self.count += 1;
        self.msat += msat;
    }

    fn remove(&mut self, msat: u64) {
        self.count -= 1;
        self.msat -= msat;
    }
}

impl MarketChannel {
    pub(super) fn new(spec: &ChannelSpec, now: Micros) -> Self {
        let capacity_msat = spec.capacity_sat * 1000;
        let share = |share: f64| (spec.capacity_sat as f64 * share.clamp(0.0, 1.0)) as u64 * 1000;
        let fee = Fee {
            base_msat: spec.base_msat,
            ppm: spec.ppm,
            htlc_min_msat: 0,
            htlc_max_msat: capacity_msat / 100 * 99,
        };
        Self {
            capacity_msat,
            our_msat: share(spec.our_share),
            reserve_msat: capacity_msat / 100,
            slots: spec.slots,
            usable: true,
            held_msat: spec.held_share.map(share),
            fees: vec![(now, fee)],
            pending_in: Pending::default(),
            pending_out: Pending::default(),
            next_in_id: 0,
            next_out_id: 0,
            avoided_until: 0,
        }
    }

    /// The fee in force at our node.
    pub fn fee(&self) -> Fee {
        self.fees.last().map(|&(_, fee)| fee).expect("a channel starts with a fee")
    }

    /// When the fee in force was set.
    pub(super) fn fee_since(&self) -> Micros {
        self.fees.last().map_or(0, |&(at, _)| at)
    }

    /// The fee that a sender knows who hears of changes `delay` after they are made.
    pub(super) fn fee_seen(&self, now: Micros, delay: Micros) -> Fee {
        let known = self.fees.iter().rev().find(|&&(at, _)| at + delay <= now);
        known.or(self.fees.first()).map(|&(_, fee)| fee).expect("a channel starts with a fee")
    }

    pub(super) fn set_fee(&mut self, now: Micros, fee: Fee, longest_delay: Micros) {
        if fee == self.fee() {
            return;
        }
        self.fees.push((now, fee));
        let known_to_all = self.fees.iter().rposition(|&(at, _)| at + longest_delay <= now);
        self.fees.drain(..known_to_all.unwrap_or(0));
    }

    /// What we can send now, msat.
    pub fn spendable_msat(&self) -> u64 {
        self.our_msat.saturating_sub(self.reserve_msat + self.pending_out.msat)
    }

    /// What the peer can send us now, msat.
    pub fn receivable_msat(&self) -> u64 {
        (self.capacity_msat - self.our_msat).saturating_sub(self.reserve_msat + self.pending_in.msat)
    }

    /// HTLCs under way in one direction.
    pub fn htlc_count(&self, direction: Direction) -> u32 {
        match direction {
            Direction::In => self.pending_in.count,
            Direction::Out => self.pending_out.count,
        }
    }

    pub(super) fn full(&self, direction: Direction) -> bool {
        self.htlc_count(direction) >= u32::from(self.slots)
    }

    /// Adds an HTLC and returns its id in that direction.
    pub(super) fn offer(&mut self, direction: Direction, msat: u64) -> u64 {
        let (pending, next) = match direction {
            Direction::In => (&mut self.pending_in, &mut self.next_in_id),
            Direction::Out => (&mut self.pending_out, &mut self.next_out_id),
        };
        pending.add(msat);
        *next += 1;
        *next - 1
    }

    /// Removes an HTLC; if it was fulfilled its amount changes hands.
    pub(super) fn resolve(&mut self, direction: Direction, msat: u64, fulfilled: bool) {
        match direction {
            Direction::In => self.pending_in.remove(msat),
            Direction::Out => self.pending_out.remove(msat),
        }
        match (fulfilled, direction, self.held_msat) {
            (false, _, _) => {}
            (true, _, Some(held)) => self.our_msat = held,
            (true, Direction::In, None) => self.our_msat += msat,
            (true, Direction::Out, None) => self.our_msat -= msat,
        }
    }
}
