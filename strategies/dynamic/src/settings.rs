//! What the operator may turn, and the words of the component.

use revenue_strategy::{Description, FeeInput, ParamSpec};

/// Words for the reasons, by position.
pub const REASONS: [&str; 9] = [
    "congestion",
    "congestion-over",
    "vegas",
    "scarcity",
    "climb",
    "explore",
    "rebalance-cost",
    "bounds",
    "vegas-over",
];

/// Positions of the reasons in the description.
pub mod reason {
    /// The HTLC slots of one direction are used up.
    pub const CONGESTION: u32 = 0;
    /// They are free again.
    pub const CONGESTION_OVER: u32 = 1;
    /// A feerate spike raised the floor.
    pub const VEGAS: u32 = 2;
    /// Liquidity became scarcer, or less scarce.
    pub const SCARCITY: u32 = 3;
    /// The price that earns most, as far as is known.
    pub const CLIMB: u32 = 4;
    /// A price tried to learn from it.
    pub const EXPLORE: u32 = 5;
    /// Refilling the channel costs as much.
    pub const REBALANCE_COST: u32 = 6;
    /// The host's bounds decide.
    pub const BOUNDS: u32 = 7;
    /// The floor that a feerate spike raised has sunk.
    pub const VEGAS_OVER: u32 = 8;
}

/// Words for the factors, by position.
pub const FACTORS: [&str; 12] = [
    "base-ppm",
    "scarcity",
    "congestion",
    "vegas",
    "vegas-floor-ppm",
    "rebalance-cost-ppm",
    "floor-ppm",
    "ceiling-ppm",
    "evidence-hours",
    "evidence-forwards",
    "hold-hours-left",
    "amnesty-forwards-left",
];

/// Positions of the factors in the description.
pub mod factor {
    /// The climber's price, ppm.
    pub const BASE: u32 = 0;
    /// What scarcity multiplies it with, 1 to 3.
    pub const SCARCITY: u32 = 1;
    /// What congestion multiplies the result with; 1 for none.
    pub const CONGESTION: u32 = 2;
    /// What the reflex multiplies the floor with, 1 to 3.
    pub const VEGAS: u32 = 3;
    /// The floor that results, ppm.
    pub const VEGAS_FLOOR: u32 = 4;
    /// What refilling costs, ppm.
    pub const REBALANCE_COST: u32 = 5;
    /// The host's lowest rate, where it decides, ppm.
    pub const FLOOR: u32 = 6;
    /// The host's highest rate, where it decides, ppm.
    pub const CEILING: u32 = 7;
    /// Usable hours observed, older ones weighing less.
    pub const EVIDENCE_HOURS: u32 = 8;
    /// Settled forwards observed, older ones weighing less.
    pub const EVIDENCE_FORWARDS: u32 = 9;
    /// Usable hours for which the price is held yet.
    pub const HOLD_HOURS_LEFT: u32 = 10;
    /// Forwards out until scarcity counts for a channel that its peer opened.
    pub const AMNESTY_FORWARDS_LEFT: u32 = 11;
}

/// The settings of one cycle.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Share of HTLC slots in one direction above which a channel is congested.
    pub congestion_threshold: f64,
    /// Whether the floor follows feerate spikes.
    pub vegas: bool,
    /// What is left of the reflex after one of its steps, 0 to 1.
    pub vegas_decay: f64,
    /// Whether scarce liquidity costs more.
    pub scarcity: bool,
    /// Our share of a channel below which its liquidity is scarce.
    pub scarcity_threshold: f64,
    /// Smallest change worth a gossip message, as a share of the rate in force.
    pub gate: f64,
    /// Rate taken as likely where nothing is known, ppm.
    pub prior_ppm: f64,
    /// Usable time for which a price is held before the next move, seconds.
    pub hold_s: u32,
    /// Share of moves drawn at random from what the evidence allows.
    pub explore: f64,
    /// Time after which an observation counts half, days.
    pub memory_days: f64,
    /// Time after a change in which old-rate traffic still comes, seconds.
    pub settle_s: u32,
    /// Forwards out after which a remote-opened channel is broken in.
    pub amnesty_forwards: u32,
    /// The host rehearses: it wants to hear of every channel.
    pub explain: bool,
}

impl Settings {
    /// Reads the settings of a snapshot; what is missing has its default.
    pub fn of(input: &FeeInput) -> Self {
        let number = |name, default: f64, low: f64, high: f64| {
            let value = input.param_f64(name).filter(|value| value.is_finite());
            value.unwrap_or(default).clamp(low, high)
        };
        Self {
            congestion_threshold: number("host.htlc-congestion-threshold", 0.8, 0.0, 1.0),
            vegas: input.param_flag("host.vegas-reflex").unwrap_or(true),
            vegas_decay: number("host.vegas-decay", 0.85, 0.0, 1.0),
            scarcity: input.param_flag("host.scarcity-pricing").unwrap_or(true),
            scarcity_threshold: number("host.scarcity-threshold", 0.35, 0.0, 1.0),
            gate: number("host.gossip-gate", 0.05, 0.0, 1.0),
            prior_ppm: number("prior-ppm", 250.0, 1.0, 100_000.0),
            hold_s: (number("hold-hours", 24.0, 1.0, 336.0) * 3600.0) as u32,
            explore: number("explore", 0.3, 0.0, 1.0),
            memory_days: number("memory-days", 30.0, 1.0, 3650.0),
            settle_s: (number("settle-hours", 3.0, 0.0, 24.0) * 3600.0) as u32,
            amnesty_forwards: number("amnesty-forwards", 3.0, 0.0, 1000.0) as u32,
            explain: input.param_flag("host.explain").unwrap_or(false),
        }
    }
}

/// What the component says of itself.
pub fn description() -> Description {
    Description::new("dynamic", env!("CARGO_PKG_VERSION"))
        .with_state_version(1)
        .param(ParamSpec::number(
            "prior-ppm",
            "Rate taken as likely for a channel of which nothing is known, ppm.",
            250.0,
            1.0,
            100_000.0,
        ))
        .param(ParamSpec::number(
            "hold-hours",
            "Usable time for which a price is held before the next move, hours.",
            24.0,
            1.0,
            336.0,
        ))
        .param(ParamSpec::number(
            "explore",
            "Share of moves drawn at random from what the evidence allows, 0 to 1.",
            0.3,
            0.0,
            1.0,
        ))
        .param(ParamSpec::number(
            "memory-days",
            "Time after which an observation counts half, days.",
            30.0,
            1.0,
            3650.0,
        ))
        .param(ParamSpec::number(
            "settle-hours",
            "Time after a change in which senders may still pay the old rate, hours.",
            3.0,
            0.0,
            24.0,
        ))
        .param(ParamSpec::integer(
            "amnesty-forwards",
            "Forwards out until a remote-opened channel pays for scarcity, forwards.",
            3,
            0,
            1000,
        ))
        .reasons(REASONS)
        .factors(FACTORS)
}
