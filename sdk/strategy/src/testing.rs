//! Snapshots for native tests of a strategy.
//!
//! The builders begin with a quiet, healthy node; a test names what matters to
//! it. Everything in a built [`FeeInput`] is public, for what no method covers.

use crate::state::State;
use crate::{
    Blobs, Channel, FeeDecision, FeeInput, FeeInterval, FeeStrategy, FlowClass, Opener, Param, ParamValue,
    Signal, Verdict,
};

/// The instant of a snapshot that names none, seconds since 1970.
pub const NOW_S: u64 = 1_760_000_000;

/// Runs a strategy once, as the component would.
///
/// # Errors
///
/// What the strategy, or [`crate::Decision::finish`], reports.
pub fn decide<S: FeeStrategy>(input: &FeeInput) -> Result<FeeDecision, String> {
    S::decide(input)?.finish()
}

/// A stretch of constant rate in which the channel was usable throughout and
/// nothing was forwarded. Instants in seconds since 1970, rate in ppm.
pub fn interval(start_s: u64, end_s: u64, fee_ppm: u32) -> FeeInterval {
    FeeInterval {
        start_s,
        end_s,
        fee_ppm,
        live_s: u32::try_from(end_s.saturating_sub(start_s)).unwrap_or(u32::MAX),
        settled: 0,
        failed_liquidity: 0,
        failed_downstream: 0,
        out_msat: 0,
        fee_msat: 0,
    }
}

/// The host's own parameters at their defaults.
pub fn host_params() -> Vec<Param> {
    let param = |name: &str, value| Param { name: name.to_owned(), value };
    vec![
        param("host.htlc-congestion-threshold", ParamValue::Number(0.8)),
        param("host.vegas-reflex", ParamValue::Flag(true)),
        param("host.vegas-decay", ParamValue::Number(0.85)),
        param("host.scarcity-pricing", ParamValue::Flag(true)),
        param("host.scarcity-threshold", ParamValue::Number(0.35)),
        param("host.hive-fee-ppm", ParamValue::Integer(0)),
        param("host.target-flow-sats", ParamValue::Integer(100_000)),
        param("host.gossip-gate", ParamValue::Number(0.05)),
    ]
}

/// Builds a snapshot.
#[derive(Debug, Clone)]
pub struct InputBuilder {
    input: FeeInput,
}

impl Default for InputBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl InputBuilder {
    /// A node without channels at [`NOW_S`], with the host's default
    /// parameters, a cycle of 1800 s and a feerate of 10,000 sat per kvB.
    pub fn new() -> Self {
        Self {
            input: FeeInput {
                now_s: NOW_S,
                cycle_s: 1800,
                seed: 1,
                block_height: 900_000,
                feerate_perkb: 10_000,
                feerate_mean_day_perkb: 10_000,
                feerate_hours_perkb: vec![10_000; 24],
                node_capacity_msat: 0,
                node_local_msat: 0,
                node_earned_day_msat: 0,
                node_earned_week_msat: 0,
                params: host_params(),
                channels: Vec::new(),
                intervals: Vec::new(),
                signals: Vec::new(),
                states: Blobs::empty(),
                node_state: Vec::new(),
            },
        }
    }

    /// Sets the instant, seconds since 1970.
    #[must_use]
    pub fn now_s(mut self, now_s: u64) -> Self {
        self.input.now_s = now_s;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.input.seed = seed;
        self
    }

    /// Sets the feerate now and its mean of the last day, sat per kvB.
    #[must_use]
    pub fn feerate(mut self, now_perkb: u32, mean_day_perkb: u32) -> Self {
        self.input.feerate_perkb = now_perkb;
        self.input.feerate_mean_day_perkb = mean_day_perkb;
        self
    }

    /// Sets a parameter, the strategy's or the host's.
    #[must_use]
    pub fn param(mut self, name: &str, value: ParamValue) -> Self {
        self.input.params.retain(|param| param.name != name);
        self.input.params.push(Param { name: name.to_owned(), value });
        self
    }

    /// Adds a signal.
    #[must_use]
    pub fn signal(mut self, name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let values = values.into_iter().collect();
        self.input.signals.push(Signal { name: name.to_owned(), values });
        self
    }

    /// Adds a channel as the next row.
    ///
    /// # Panics
    ///
    /// If states or intervals no longer fit 32 bits.
    #[must_use]
    pub fn channel(mut self, builder: ChannelBuilder) -> Self {
        let mut channel = builder.channel;
        let row = self.input.channels.len() as u64;
        if channel.pseudonym == 0 {
            channel.pseudonym = row + 1;
        }
        if channel.peer_pseudonym == 0 {
            channel.peer_pseudonym = row + 1;
        }
        self.input.node_capacity_msat += channel.capacity_msat;
        self.input.node_local_msat += channel.local_msat;
        self.input.intervals.extend(builder.intervals);
        channel.intervals_end =
            u32::try_from(self.input.intervals.len()).expect("a test's intervals fit 32 bits");
        self.input.states.push(&builder.state).expect("a test's states fit 32 bits");
        self.input.channels.push(channel);
        self
    }

    /// Sets the state for the node.
    #[must_use]
    pub fn node_state(mut self, state: &[u8]) -> Self {
        self.input.node_state = state.to_vec();
        self
    }

    /// The snapshot.
    pub fn build(self) -> FeeInput {
        self.input
    }
}

/// Builds a channel.
#[derive(Debug, Clone)]
pub struct ChannelBuilder {
    channel: Channel,
    intervals: Vec<FeeInterval>,
    state: Vec<u8>,
}

impl Default for ChannelBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChannelBuilder {
    /// A connected public channel of 5,000,000 sat, half of it ours, opened by
    /// us long ago, at 200 ppm within 10 to 5000, with some forwards and
    /// updates left.
    pub fn new() -> Self {
        Self { channel: healthy_channel(), intervals: Vec::new(), state: Vec::new() }
            .capacity_sat(5_000_000)
            .local_sat(2_500_000)
    }

    /// Sets the capacity, sat. Our side stays.
    #[must_use]
    pub fn capacity_sat(self, sat: u64) -> Self {
        self.with(|c| c.capacity_msat = sat * 1000)
    }

    /// Sets our side, sat, and with it what can be sent and received.
    #[must_use]
    pub fn local_sat(self, sat: u64) -> Self {
        self.with(|c| {
            c.local_msat = sat * 1000;
            let reserve = c.capacity_msat / 100;
            c.spendable_msat = c.local_msat.saturating_sub(reserve);
            c.receivable_msat = c.capacity_msat.saturating_sub(c.local_msat).saturating_sub(reserve);
        })
    }

    /// Sets our side as a share of the capacity, 0 to 1.
    #[must_use]
    pub fn local_share(self, share: f64) -> Self {
        let sat = (self.channel.capacity_msat as f64 * share / 1000.0).round() as u64;
        self.local_sat(sat)
    }

    /// Sets the rate in force, ppm.
    #[must_use]
    pub fn fee_ppm(self, ppm: u32) -> Self {
        self.with(|c| c.fee_ppm = ppm)
    }

    /// Sets what the host would accept, ppm.
    #[must_use]
    pub fn bounds_ppm(self, minimum: u32, maximum: u32) -> Self {
        self.with(|c| (c.min_fee_ppm, c.max_fee_ppm) = (minimum, maximum))
    }

    /// Sets the rate that the policy names, ppm.
    #[must_use]
    pub fn target_ppm(self, ppm: u32) -> Self {
        self.with(|c| c.target_ppm = Some(ppm))
    }

    /// Sets the HTLCs in flight, towards us and away from us.
    #[must_use]
    pub fn htlcs(self, incoming: u32, outgoing: u32) -> Self {
        self.with(|c| (c.htlcs_in, c.htlcs_out) = (incoming, outgoing))
    }

    /// Sets the most HTLCs that may be in flight in each direction.
    #[must_use]
    pub fn htlc_slots(self, slots: u32) -> Self {
        self.with(|c| c.htlc_slots = slots)
    }

    /// Sets who paid for the opening.
    #[must_use]
    pub fn opener(self, opener: Opener) -> Self {
        self.with(|c| c.opener = opener)
    }

    /// Sets the host's word on the last proposal, and the rate proposed, ppm.
    #[must_use]
    pub fn verdict(self, verdict: Verdict, proposed_ppm: Option<u32>) -> Self {
        self.with(|c| (c.last_verdict, c.last_proposed_ppm) = (verdict, proposed_ppm))
    }

    /// Changes any field.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Channel)) -> Self {
        edit(&mut self.channel);
        self
    }

    /// Adds a stretch of constant rate, after those before it.
    #[must_use]
    pub fn interval(mut self, interval: FeeInterval) -> Self {
        self.intervals.push(interval);
        self
    }

    /// Adds stretches of constant rate, oldest first.
    #[must_use]
    pub fn intervals(mut self, intervals: impl IntoIterator<Item = FeeInterval>) -> Self {
        self.intervals.extend(intervals);
        self
    }

    /// Sets the state, as bytes.
    #[must_use]
    pub fn state(mut self, state: &[u8]) -> Self {
        self.state = state.to_vec();
        self
    }

    /// Sets the state, as a value.
    #[must_use]
    pub fn state_value(self, state: &impl State) -> Self {
        let bytes = state.encode();
        self.state(&bytes)
    }

    /// The channel alone, without intervals and state.
    pub fn channel(self) -> Channel {
        self.channel
    }
}

fn healthy_channel() -> Channel {
    Channel {
        pseudonym: 0,
        peer_pseudonym: 0,
        opener: Opener::Local,
        public: true,
        connected: true,
        age_blocks: 20_000,
        capacity_msat: 0,
        local_msat: 0,
        spendable_msat: 0,
        receivable_msat: 0,
        htlcs_in: 0,
        htlcs_out: 0,
        htlc_slots: 483,
        fee_ppm: 200,
        base_fee_msat: 0,
        htlc_max_msat: 4_950_000_000,
        peer_fee_ppm: None,
        min_fee_ppm: 10,
        max_fee_ppm: 5000,
        target_ppm: None,
        in_day_msat: 0,
        out_day_msat: 0,
        in_week_msat: 0,
        out_week_msat: 0,
        earned_day_msat: 0,
        earned_week_msat: 0,
        sourced_week_msat: 0,
        forwards_out_week: 20,
        forwards_in_week: 20,
        forwards_out_total: 500,
        last_out_s: None,
        flow: FlowClass::Balanced,
        flow_ratio: 0.0,
        velocity: 0.0,
        confidence: 0.0,
        rebalance_cost_ppm: None,
        last_verdict: Verdict::None,
        last_proposed_ppm: None,
        last_change_s: 0,
        updates_left: 6,
        intervals_end: 0,
    }
}
