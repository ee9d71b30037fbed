//! Snapshots for native tests of an evaluator.
//!
//! The builders begin with a quiet, healthy node; a test names what matters to
//! it. Everything in a built [`RebalanceInput`] is public, for what no method
//! covers.

use super::{Attempt, RebalanceChannel, RebalanceDecision, RebalanceEvaluator, RebalanceInput, Sender};
use crate::{Blobs, FlowClass, Opener, Param, ParamValue, Signal};

pub use crate::testing::NOW_S;

/// Seconds of 7 and 30 days.
const WEEK_S: u32 = 604_800;
const MONTH_S: u32 = 2_592_000;

/// Runs an evaluator once, as the component would.
///
/// # Errors
///
/// What the evaluator, or [`crate::rebalance::Decision::finish`], reports.
pub fn decide<E: RebalanceEvaluator>(input: &RebalanceInput) -> Result<RebalanceDecision, String> {
    E::decide(input)?.finish()
}

/// A rebalance that ended `days_ago` before [`NOW_S`] and was allowed `max_ppm`:
/// it moved `amount_sat` for `fee_sat`, or nothing for a fee of 0.
pub fn attempt(days_ago: u64, amount_sat: u64, fee_sat: u64, max_ppm: u32) -> Attempt {
    Attempt {
        ended_s: NOW_S - days_ago * 86_400,
        amount_msat: amount_sat * 1000,
        moved_msat: if fee_sat == 0 { 0 } else { amount_sat * 1000 },
        fee_msat: fee_sat * 1000,
        max_ppm,
    }
}

/// The host's own parameters at their defaults.
pub fn host_params() -> Vec<Param> {
    use ParamValue::{Flag, Integer, Number};
    let params = [
        ("host.rebalance-min-amount-sats", Integer(50_000)),
        ("host.rebalance-max-amount-sats", Integer(5_000_000)),
        ("host.chunk-sats", Integer(500_000)),
        ("host.rebalance-min-profit-sats", Integer(10)),
        ("host.rebalance-min-profit-ppm", Integer(0)),
        ("host.max-ppm", Integer(2_500)),
        ("host.inbound-fee-estimate-ppm", Integer(500)),
        ("host.low-liquidity-threshold", Number(0.2)),
        ("host.high-liquidity-threshold", Number(0.8)),
        ("host.target-sink", Number(0.35)),
        ("host.target-source", Number(0.65)),
        ("host.target-balanced", Number(0.5)),
        ("host.velocity-gate", Flag(true)),
        ("host.min-velocity-threshold", Number(0.01)),
        ("host.new-channel-grace-days", Integer(7)),
        ("host.rebalance-cooldown-hours", Integer(24)),
        ("host.enable-reputation", Flag(true)),
        ("host.enable-kelly", Flag(false)),
        ("host.kelly-fraction", Number(0.5)),
        ("host.hive-rebalance-tolerance-sats", Integer(50)),
    ];
    params.map(|(name, value)| Param { name: name.to_owned(), value }).into()
}

/// Builds a snapshot.
#[derive(Debug, Clone)]
pub struct InputBuilder {
    input: RebalanceInput,
}

impl Default for InputBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl InputBuilder {
    /// A node without channels at [`NOW_S`], with the host's default
    /// parameters, a cycle of 900 s, five slots and 5,000 sat to spend.
    pub fn new() -> Self {
        Self {
            input: RebalanceInput {
                now_s: NOW_S,
                cycle_s: 900,
                seed: 1,
                block_height: 900_000,
                feerate_perkb: 10_000,
                feerate_mean_day_perkb: 10_000,
                node_capacity_msat: 0,
                node_local_msat: 0,
                node_earned_day_msat: 0,
                node_earned_week_msat: 0,
                budget_left_msat: 5_000_000,
                slots_free: 5,
                params: host_params(),
                channels: Vec::new(),
                attempts: Vec::new(),
                senders: Vec::new(),
                signals: Vec::new(),
                states: Blobs::empty(),
                node_state: Vec::new(),
            },
        }
    }

    /// Sets what may still be spent today, sat.
    #[must_use]
    pub fn budget_sat(mut self, sat: u64) -> Self {
        self.input.budget_left_msat = sat * 1000;
        self
    }

    /// Sets the jobs that may still be started.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.input.slots_free = slots;
        self
    }

    /// Sets a parameter, the evaluator's or the host's.
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
    /// If states, attempts or senders no longer fit 32 bits.
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
        self.input.attempts.extend(builder.attempts);
        self.input.senders.extend(builder.senders);
        let end = |list: usize| u32::try_from(list).expect("a test's lists fit 32 bits");
        channel.attempts_end = end(self.input.attempts.len());
        channel.senders_end = end(self.input.senders.len());
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
    pub fn build(self) -> RebalanceInput {
        self.input
    }
}

/// Builds a channel.
#[derive(Debug, Clone)]
pub struct ChannelBuilder {
    channel: RebalanceChannel,
    attempts: Vec<Attempt>,
    senders: Vec<Sender>,
    state: Vec<u8>,
}

impl Default for ChannelBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChannelBuilder {
    /// A connected public channel of 5,000,000 sat, half of it ours, opened by
    /// us long ago, at 200 ppm, whose peer takes 100 ppm, and through which
    /// nothing went. The host would fill and drain it.
    pub fn new() -> Self {
        Self { channel: quiet_channel(), attempts: Vec::new(), senders: Vec::new(), state: Vec::new() }
            .capacity_sat(5_000_000)
            .local_sat(2_500_000)
    }

    /// Sets the capacity, sat. Our side stays.
    #[must_use]
    pub fn capacity_sat(self, sat: u64) -> Self {
        self.with(|c| c.capacity_msat = sat * 1000)
    }

    /// Sets our side, sat, and with it what can be sent and received, all of
    /// which the host lets go and come.
    #[must_use]
    pub fn local_sat(self, sat: u64) -> Self {
        self.with(|c| {
            c.local_msat = sat * 1000;
            let reserve = c.capacity_msat / 100;
            c.spendable_msat = c.local_msat.saturating_sub(reserve);
            c.receivable_msat = c.capacity_msat.saturating_sub(c.local_msat).saturating_sub(reserve);
            (c.drain_most_msat, c.fill_most_msat) = (c.spendable_msat, c.receivable_msat);
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

    /// Sets what the peer takes for the last hop, ppm.
    #[must_use]
    pub fn peer_fee_ppm(self, ppm: u32) -> Self {
        self.with(|c| c.peer_fee_ppm = Some(ppm))
    }

    /// Sets what leaves per day by forwards at the rate in force, sat, over the
    /// last 30 days.
    #[must_use]
    pub fn sells_per_day_sat(self, sat: u64) -> Self {
        self.with(|c| {
            (c.out_week_msat, c.out_month_msat) = (sat * 7_000, sat * 30_000);
            let earned = |out: u64| out * u64::from(c.fee_ppm) / 1_000_000;
            (c.earned_week_msat, c.earned_month_msat) = (earned(c.out_week_msat), earned(c.out_month_msat));
            c.forwards_out_month = u32::try_from(sat.div_ceil(50_000) * 30).unwrap_or(u32::MAX);
        })
    }

    /// Sets what enters per day by forwards, sat, over the last 30 days.
    #[must_use]
    pub fn takes_per_day_sat(self, sat: u64) -> Self {
        self.with(|c| {
            (c.in_week_msat, c.in_month_msat) = (sat * 7_000, sat * 30_000);
            c.forwards_in_month = u32::try_from(sat.div_ceil(50_000) * 30).unwrap_or(u32::MAX);
        })
    }

    /// Sets the seconds of the last 30 days in which the channel could sell, as
    /// a share.
    #[must_use]
    pub fn live_share(self, share: f64) -> Self {
        self.with(|c| {
            c.live_week_s = (f64::from(WEEK_S) * share) as u32;
            c.live_month_s = (f64::from(MONTH_S) * share) as u32;
        })
    }

    /// Sets the peer's record as a sender.
    #[must_use]
    pub fn sent(self, settled: f64, failed: f64) -> Self {
        self.with(|c| (c.settled_sent, c.failed_sent) = (settled, failed))
    }

    /// Changes any field.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut RebalanceChannel)) -> Self {
        edit(&mut self.channel);
        self
    }

    /// Adds a rebalance that has ended, after those before it.
    #[must_use]
    pub fn attempt(mut self, attempt: Attempt) -> Self {
        self.attempts.push(attempt);
        self
    }

    /// Says that `out_sat` of what left had entered by the row `channel`.
    #[must_use]
    pub fn sender(mut self, channel: u32, out_sat: u64) -> Self {
        self.senders.push(Sender { channel, out_msat: out_sat * 1000 });
        self
    }

    /// Sets the state, as bytes.
    #[must_use]
    pub fn state(mut self, state: &[u8]) -> Self {
        self.state = state.to_vec();
        self
    }
}

fn quiet_channel() -> RebalanceChannel {
    RebalanceChannel {
        pseudonym: 0,
        peer_pseudonym: 0,
        opener: Opener::Local,
        public: true,
        connected: true,
        fleet: false,
        age_s: 200 * 86_400,
        capacity_msat: 0,
        local_msat: 0,
        spendable_msat: 0,
        receivable_msat: 0,
        htlcs_in: 0,
        htlcs_out: 0,
        htlc_slots: 483,
        fee_ppm: 200,
        base_fee_msat: 0,
        peer_fee_ppm: Some(100),
        peer_base_fee_msat: Some(0),
        in_week_msat: 0,
        out_week_msat: 0,
        in_month_msat: 0,
        out_month_msat: 0,
        live_week_s: WEEK_S,
        live_month_s: MONTH_S,
        earned_week_msat: 0,
        earned_month_msat: 0,
        sourced_week_msat: 0,
        sourced_month_msat: 0,
        forwards_in_month: 0,
        forwards_out_month: 0,
        last_out_s: None,
        flow: FlowClass::Balanced,
        flow_ratio: 0.0,
        velocity: 0.0,
        confidence: 0.0,
        settled_sent: 0.0,
        failed_sent: 0.0,
        may_fill: true,
        may_drain: true,
        fill_most_msat: 0,
        drain_most_msat: 0,
        budget_left_msat: 5_000_000,
        attempts_end: 0,
        senders_end: 0,
    }
}
