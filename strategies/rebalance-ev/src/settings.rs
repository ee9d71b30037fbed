//! What the operator may turn, and the words of the component.

use revenue_strategy::rebalance::RebalanceInput;
use revenue_strategy::{Description, FlowClass, ParamSpec};

/// Words for the reasons, by position.
pub const REASONS: [&str; 14] = [
    "sale",
    "fleet",
    "barred",
    "offline",
    "stocked",
    "no-demand",
    "slow",
    "too-small",
    "no-source",
    "no-gain",
    "too-dear",
    "kelly",
    "no-slot",
    "no-budget",
];

/// Positions of the reasons in the description.
pub mod reason {
    /// Filled: what is moved is expected to sell for more than it costs.
    pub const SALE: u32 = 0;
    /// Filled: a fleet member, within the loss that the operator allows.
    pub const FLEET: u32 = 1;
    /// The host would not let it be filled now.
    pub const BARRED: u32 = 2;
    /// The peer is not connected.
    pub const OFFLINE: u32 = 3;
    /// Enough is on our side.
    pub const STOCKED: u32 = 4;
    /// Nothing leaves that does not come back by itself.
    pub const NO_DEMAND: u32 = 5;
    /// So little goes through that what is there will do.
    pub const SLOW: u32 = 6;
    /// Less is wanted than the smallest rebalance.
    pub const TOO_SMALL: u32 = 7;
    /// No channel has anything to spare for it.
    pub const NO_SOURCE: u32 = 8;
    /// It would earn no more here than where it is.
    pub const NO_GAIN: u32 = 9;
    /// At what routes cost, too little would be left.
    pub const TOO_DEAR: u32 = 10;
    /// The Kelly criterion would stake less than the smallest rebalance.
    pub const KELLY: u32 = 11;
    /// Better ones took the slots.
    pub const NO_SLOT: u32 = 12;
    /// Better ones took the budget.
    pub const NO_BUDGET: u32 = 13;
}

/// Words for the factors, by position.
pub const FACTORS: [&str; 14] = [
    "local-share",
    "target-share",
    "sells-sat-day",
    "price-ppm",
    "reputation",
    "gain-ppm",
    "loss-ppm",
    "route-ppm",
    "attempts",
    "cost-ppm",
    "success",
    "value-per-sat",
    "kelly",
    "tolerance-ppm",
];

/// Positions of the factors in the description.
pub mod factor {
    /// Our side of the channel as a share of it.
    pub const LOCAL_SHARE: u32 = 0;
    /// The share that it is brought to.
    pub const TARGET_SHARE: u32 = 1;
    /// What it sells beyond what comes back by itself, sat per day of use.
    pub const SELLS: u32 = 2;
    /// What it sells for, ppm.
    pub const PRICE: u32 = 3;
    /// Share of the demand that counts, by its senders' records, 0 to 1.
    pub const REPUTATION: u32 = 4;
    /// Expected sale of what would be moved, discounted, ppm of it.
    pub const GAIN: u32 = 5;
    /// The same at the dearest of its sources, ppm.
    pub const LOSS: u32 = 6;
    /// Rate at which every other job finds a route, ppm.
    pub const ROUTE: u32 = 7;
    /// Weight of the own attempts behind it; 0 for an assumption.
    pub const ATTEMPTS: u32 = 8;
    /// Expected cost of a success, ppm.
    pub const COST: u32 = 9;
    /// Chance of success, 0 to 1.
    pub const SUCCESS: u32 = 10;
    /// Expected value per satoshi reserved.
    pub const VALUE_PER_SAT: u32 = 11;
    /// Share of the amount that the Kelly criterion stakes, 0 to 1.
    pub const KELLY: u32 = 12;
    /// Loss that is allowed towards the fleet, ppm of the amount.
    pub const TOLERANCE: u32 = 13;
}

const DAY_S: f64 = 86_400.0;

/// The settings of one cycle; amounts in msat, as floats.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Least and most of a job, and of one payment of it.
    pub min_amount: f64,
    pub max_amount: f64,
    pub chunk: f64,
    /// Least profit of a success, msat; of the amount, ppm, where that is set.
    pub min_profit: f64,
    pub min_profit_ppm: f64,
    /// No job may pay more, ppm.
    pub max_ppm: f64,
    /// A route up to the peer, where nothing is known, ppm.
    pub route_ppm: f64,
    /// Shares of a channel below and above which it is filled and drained.
    pub low: f64,
    pub high: f64,
    target_sink: f64,
    target_source: f64,
    target_balanced: f64,
    pub velocity_gate: bool,
    /// Daily volume as a share of the capacity below which a channel is slow.
    pub min_velocity: f64,
    /// Age from which a channel is judged by its volume, seconds.
    pub grace_s: f64,
    pub reputation: bool,
    pub kelly: bool,
    pub kelly_fraction: f64,
    /// Loss allowed for a job towards the fleet, msat.
    pub tolerance: f64,
    /// Time in which a sale's worth falls to 1/e, seconds.
    pub patience_s: f64,
    /// Days of sales that a channel is stocked for, seconds.
    pub cover_s: f64,
    /// Chance of success below which a job is not worth its slot.
    pub least_success: f64,
    /// Most channels that one job may take from.
    pub sources: usize,
}

impl Settings {
    /// Reads the settings of a snapshot; what is missing has its default.
    pub fn of(input: &RebalanceInput) -> Self {
        let number = |name, default: f64, low: f64, high: f64| {
            let value = input.param_f64(name).filter(|value| value.is_finite());
            value.unwrap_or(default).clamp(low, high)
        };
        let sats = |name, default: f64| 1000.0 * number(name, default, 0.0, 1e9);
        let flag = |name, default| input.param_flag(name).unwrap_or(default);
        Self {
            min_amount: sats("host.rebalance-min-amount-sats", 50_000.0).max(1000.0),
            max_amount: sats("host.rebalance-max-amount-sats", 5_000_000.0),
            chunk: sats("host.chunk-sats", 500_000.0).max(1000.0),
            min_profit: sats("host.rebalance-min-profit-sats", 10.0),
            min_profit_ppm: number("host.rebalance-min-profit-ppm", 0.0, 0.0, 1e6),
            max_ppm: number("host.max-ppm", 2_500.0, 0.0, 1e6),
            route_ppm: number("host.inbound-fee-estimate-ppm", 500.0, 0.0, 1e6),
            low: number("host.low-liquidity-threshold", 0.2, 0.0, 1.0),
            // No channel is both filled and drained, whatever the operator says.
            high: number("host.high-liquidity-threshold", 0.8, 0.0, 1.0).max(number(
                "host.low-liquidity-threshold",
                0.2,
                0.0,
                1.0,
            )),
            target_sink: number("host.target-sink", 0.35, 0.0, 1.0),
            target_source: number("host.target-source", 0.65, 0.0, 1.0),
            target_balanced: number("host.target-balanced", 0.5, 0.0, 1.0),
            velocity_gate: flag("host.velocity-gate", true),
            min_velocity: number("host.min-velocity-threshold", 0.01, 0.0, 1.0),
            grace_s: DAY_S * number("host.new-channel-grace-days", 7.0, 0.0, 3650.0),
            reputation: flag("host.enable-reputation", true),
            kelly: flag("host.enable-kelly", false),
            kelly_fraction: number("host.kelly-fraction", 0.5, 0.0, 1.0),
            tolerance: sats("host.hive-rebalance-tolerance-sats", 50.0),
            patience_s: DAY_S * number("patience-days", 30.0, 1.0, 365.0),
            cover_s: DAY_S * number("cover-days", 14.0, 1.0, 365.0),
            least_success: number("least-success", 0.1, 0.0, 1.0),
            sources: number("sources", 8.0, 1.0, 64.0) as usize,
        }
    }

    /// The share that a channel with this flow is brought to.
    pub fn target_share(&self, flow: FlowClass) -> f64 {
        match flow {
            FlowClass::Sink => self.target_sink,
            FlowClass::Source => self.target_source,
            FlowClass::Balanced => self.target_balanced,
        }
    }
}

/// What the component says of itself.
pub fn description() -> Description {
    Description::new("rebalance-ev", env!("CARGO_PKG_VERSION"))
        .param(ParamSpec::number(
            "patience-days",
            "Time in which the worth of a sale that is still to come falls to 37 %, days.",
            30.0,
            1.0,
            365.0,
        ))
        .param(ParamSpec::number(
            "cover-days",
            "Days of its own sales that a channel is stocked for at most, days.",
            14.0,
            1.0,
            365.0,
        ))
        .param(ParamSpec::number(
            "least-success",
            "Chance of success below which a job is not worth its slot, 0 to 1.",
            0.1,
            0.0,
            1.0,
        ))
        .param(ParamSpec::integer("sources", "Most channels that one job may take from, channels.", 8, 1, 64))
        .reasons(REASONS)
        .factors(FACTORS)
}
