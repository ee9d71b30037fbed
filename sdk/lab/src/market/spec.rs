//! What a market is made of: channels, the demand for them, and how senders choose.

use super::accept::Acceptance;

/// Who funded a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// Our node.
    Local,
    /// The peer.
    Remote,
}

impl Opener {
    /// lightningd's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

/// A channel as the simulation starts.
#[derive(Debug, Clone)]
pub struct ChannelSpec {
    /// The peer's alias in gossip; also what the demo prints.
    pub alias: String,
    /// Channels with the same number belong to the same peer.
    pub peer: usize,
    /// Capacity, sat.
    pub capacity_sat: u64,
    /// Our share of the capacity, 0 to 1.
    pub our_share: f64,
    /// Who funded it.
    pub opener: Opener,
    /// Announced to the network.
    pub public: bool,
    /// Our base fee, msat.
    pub base_msat: u64,
    /// Our proportional fee, ppm.
    pub ppm: u32,
    /// The peer's base fee towards us, msat.
    pub peer_base_msat: u64,
    /// The peer's proportional fee towards us, ppm.
    pub peer_ppm: u32,
    /// HTLCs that fit in one direction (`max_accepted_htlcs` of either side).
    pub slots: u16,
    /// How long before the start it was opened, days.
    pub age_days: f64,
    /// If set, our share returns to this after every forward: for experiments without depletion.
    pub held_share: Option<f64>,
}

impl ChannelSpec {
    /// A public channel of 5 M sat, half ours, opened by us 90 days ago, 1 sat base, 100 ppm.
    pub fn new(alias: &str, peer: usize) -> Self {
        Self {
            alias: alias.to_owned(),
            peer,
            capacity_sat: 5_000_000,
            our_share: 0.5,
            opener: Opener::Local,
            public: true,
            base_msat: 0,
            ppm: 200,
            peer_base_msat: 1000,
            peer_ppm: 100,
            slots: 483,
            age_days: 90.0,
            held_share: None,
        }
    }

    /// Sets capacity (sat) and our share (0 to 1).
    #[must_use]
    pub fn size(mut self, capacity_sat: u64, our_share: f64) -> Self {
        (self.capacity_sat, self.our_share) = (capacity_sat, our_share);
        self
    }

    /// Sets our proportional fee, ppm.
    #[must_use]
    pub fn ppm(mut self, ppm: u32) -> Self {
        self.ppm = ppm;
        self
    }

    /// Says that the peer opened it, `age_days` before the start.
    #[must_use]
    pub fn remote(mut self, age_days: f64) -> Self {
        (self.opener, self.age_days) = (Opener::Remote, age_days);
        self
    }

    /// Sets the HTLC slots of one direction.
    #[must_use]
    pub fn slots(mut self, slots: u16) -> Self {
        self.slots = slots;
        self
    }

    /// Makes it an unannounced channel.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.public = false;
        self
    }

    /// Keeps our share where it starts, whatever flows.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.held_share = Some(self.our_share);
        self
    }
}

/// A rush that comes back: arrivals multiply and HTLCs stay longer.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// From the start of one rush to the next, seconds.
    pub every_s: f64,
    /// How long one lasts, seconds.
    pub lasts_s: f64,
    /// Arrivals are this many times as frequent, at least 1.
    pub factor: f64,
    /// Mean time an HTLC stays while it lasts, seconds.
    pub hold_s: f64,
}

/// A lasting change of a demand during the simulation.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// Seconds after the start.
    pub at_s: f64,
    /// Arrivals per day are multiplied by this.
    pub rate_factor: f64,
    /// The prices that senders bear are multiplied by this.
    pub price_factor: f64,
}

/// Payments that want to leave through one channel.
#[derive(Debug, Clone)]
pub struct DemandSpec {
    /// The channel they leave by.
    pub out: usize,
    /// The channels they come in by, with weights.
    pub inputs: Vec<(usize, f64)>,
    /// Arrivals per day at a fee of 0.
    pub per_day: f64,
    /// Median amount, sat.
    pub median_sat: f64,
    /// Standard deviation of the logarithm of the amount.
    pub sigma: f64,
    /// How many accept a fee.
    pub accept: Acceptance,
    /// Mean time an HTLC stays, seconds.
    pub hold_s: f64,
    /// A recurring rush.
    pub burst: Option<Burst>,
    /// A lasting change.
    pub shift: Option<Shift>,
}

impl DemandSpec {
    /// Demand for `out` from the channels `inputs`, `per_day` arrivals at a fee of 0. Amounts are
    /// lognormal around 80,000 sat with a squared coefficient of variation of 3.
    pub fn new(out: usize, inputs: &[(usize, f64)], per_day: f64, accept: Acceptance) -> Self {
        Self {
            out,
            inputs: inputs.to_vec(),
            per_day,
            median_sat: 80_000.0,
            sigma: 4f64.ln().sqrt(),
            accept,
            hold_s: 3.0,
            burst: None,
            shift: None,
        }
    }

    /// Sets the median amount, sat.
    #[must_use]
    pub fn median_sat(mut self, sat: f64) -> Self {
        self.median_sat = sat;
        self
    }

    /// Adds a recurring rush.
    #[must_use]
    pub fn burst(mut self, burst: Burst) -> Self {
        self.burst = Some(burst);
        self
    }

    /// Adds a lasting change.
    #[must_use]
    pub fn shift(mut self, shift: Shift) -> Self {
        self.shift = Some(shift);
        self
    }

    /// Mean amount, msat, before any cap.
    pub fn mean_msat(&self) -> f64 {
        self.median_sat * 1000.0 * (self.sigma * self.sigma / 2.0).exp()
    }
}

/// On-chain feerate from a moment on.
#[derive(Debug, Clone, Copy)]
pub struct FeerateStep {
    /// Seconds after the start.
    pub at_s: f64,
    /// sat per virtual byte.
    pub sat_per_vb: f64,
}

/// A whole market.
#[derive(Debug, Clone)]
pub struct MarketSpec {
    /// Our channels.
    pub channels: Vec<ChannelSpec>,
    /// The demand for them.
    pub demands: Vec<DemandSpec>,
    /// A fee change reaches each sender after a time drawn evenly from this range, seconds.
    pub gossip_delay_s: (f64, f64),
    /// From this many seconds after a raise, payments at the older, lower fee are refused with
    /// `WIRE_FEE_INSUFFICIENT` and retried at the new one; `None` honours them until senders know.
    pub enforce_delay_s: Option<f64>,
    /// Share of forwarded payments that fail further down the route.
    pub failure_rate: f64,
    /// Arrivals swing by this share over the day, 0 to 1.
    pub diurnal: f64,
    /// On-chain feerates, in order of time; the first applies from the start.
    pub feerates: Vec<FeerateStep>,
}

impl MarketSpec {
    /// A market of these channels and demands with the usual delays: gossip takes 10 minutes to
    /// 4 hours, days swing by half, 4 % fail downstream, 5 sat/vB.
    pub fn new(channels: Vec<ChannelSpec>, demands: Vec<DemandSpec>) -> Self {
        Self {
            channels,
            demands,
            gossip_delay_s: (600.0, 14_400.0),
            enforce_delay_s: None,
            failure_rate: 0.04,
            diurnal: 0.5,
            feerates: vec![FeerateStep { at_s: 0.0, sat_per_vb: 5.0 }],
        }
    }
}
