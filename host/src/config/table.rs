//! The table of settings.

use super::value::Field;
use super::{Kind, Setting};

macro_rules! settings {
    ($($key:ident: $type:ty = $default:expr, $kind:expr, $option:expr, $mutable:expr, $doc:literal;)*) => {
        /// Every setting at one moment. A cycle holds one copy from start to end.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $(#[doc = $doc] pub $key: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Config { $($key: $default,)* }
            }
        }

        /// All settings, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[
            $(Setting {
                key: stringify!($key),
                option: $option,
                doc: $doc,
                kind: $kind,
                mutable: $mutable,
                get: |config| config.$key.to_value(),
                set: |config, value| {
                    config.$key = <$type>::from_value(value).expect("accept() returns the setting's own type within its bounds");
                },
            },)*
        ];
    };
}

#[rustfmt::skip]
settings! {
    db_path: String = String::new(), Kind::Text, Some("db-path"), false,
        "Path of the SQLite database; a relative path is taken from the network's lightning-dir, `~` is the home directory, empty means `revenue-ops/revenue_ops.db` in the network's lightning-dir.";
    dry_run: bool = false, Kind::Bool, Some("dry-run"), false,
        "Decide and log, but change nothing on the node.";
    flow_interval: u64 = 3_600, Kind::Int { min: 60, max: 604800 }, Some("flow-interval"), true,
        "Seconds between two flow analyses.";
    fee_interval: u64 = 1_800, Kind::Int { min: 60, max: 86400 }, Some("fee-interval"), true,
        "Seconds between two fee cycles.";
    rebalance_interval: u64 = 900, Kind::Int { min: 60, max: 86400 }, Some("rebalance-interval"), true,
        "Seconds between two rebalance checks.";
    flow_window_days: u64 = 7, Kind::Int { min: 1, max: 90 }, Some("flow-window-days"), true,
        "Days of forwards that flow analysis looks at.";
    min_fee_ppm: u32 = 10, Kind::Int { min: 0, max: 100000 }, Some("min-fee-ppm"), true,
        "Lowest fee rate that a strategy may set, ppm.";
    max_fee_ppm: u32 = 5_000, Kind::Int { min: 1, max: 100000 }, Some("max-fee-ppm"), true,
        "Highest fee rate that a strategy may set, ppm.";
    base_fee_msat: u64 = 0, Kind::Int { min: 0, max: 1000000 }, None, true,
        "Base fee of channels whose strategy names none, msat.";
    max_base_fee_msat: u64 = 1_000, Kind::Int { min: 0, max: 1000000 }, Some("max-base-fee-msat"), true,
        "Highest base fee that a strategy may set, msat; one up to base_fee_msat is always allowed.";
    target_flow: u64 = 100_000, Kind::Int { min: 0, max: 100_000_000_000 }, Some("target-flow"), true,
        "Target daily flow per channel, sat; handed to strategies as `host.target-flow-sats`.";
    max_updates_per_day: u32 = 12, Kind::Int { min: 1, max: 288 }, Some("max-updates-per-day"), true,
        "Most fee changes that strategies may make to one channel in 24 hours.";
    max_step_factor: f64 = 4.0, Kind::Float { min: 1.1, max: 100.0 }, Some("max-step-factor"), true,
        "Largest factor by which a strategy may raise or lower a fee in one step.";
    rebalancer_plugin: String = "sling".to_owned(), Kind::Word(&["sling"]), Some("rebalancer"), true,
        "Rebalancer plugin to use.";
    rebalance_min_profit: u64 = 10, Kind::Int { min: 0, max: 100_000_000 }, Some("rebalance-min-profit"), true,
        "Least expected profit of a rebalance, sat.";
    rebalance_min_profit_ppm: u64 = 0, Kind::Int { min: 0, max: 100000 }, None, true,
        "Least expected profit of a rebalance, ppm of its amount; 0 uses rebalance_min_profit.";
    rebalance_strategy: String = "rebalance-ev".to_owned(), Kind::Name, Some("rebalance-strategy"), true,
        "Evaluator that decides which rebalances are worth their cost, where a peer's policy names none: `rebalance-ev` or a module.";
    rebalance_max_ppm: u32 = 2_500, Kind::Int { min: 0, max: 100000 }, Some("rebalance-max-ppm"), true,
        "Highest rate that any rebalance may pay, ppm.";
    rebalance_channel_share: f64 = 0.5, Kind::Float { min: 0.0, max: 1.0 }, Some("rebalance-channel-share"), true,
        "Share of the rebalance budget that filling one channel may cost in 24 hours, 0 to 1.";
    rebalance_peer_share: f64 = 0.75, Kind::Float { min: 0.0, max: 1.0 }, Some("rebalance-peer-share"), true,
        "Share of the rebalance budget that filling one peer's channels may cost in 24 hours, 0 to 1.";
    hive_rebalance_budget_sats: u64 = 500, Kind::Int { min: 0, max: 10_000_000 }, Some("hive-rebalance-budget-sats"), true,
        "Most that rebalances towards fleet members, made at a loss, may cost in 24 hours within the budget, sat.";
    daily_budget_sats: u64 = 5_000, Kind::Int { min: 0, max: 10_000_000 }, Some("daily-budget-sats"), true,
        "Most that rebalances may cost in 24 hours, sat.";
    min_wallet_reserve: u64 = 1_000_000, Kind::Int { min: 0, max: 2_100_000_000_000_000 }, Some("min-wallet-reserve"), true,
        "Confirmed on-chain funds below which nothing is rebalanced, sat.";
    enable_proportional_budget: bool = true, Kind::Bool, Some("proportional-budget"), true,
        "Let the rebalance budget grow with the fees earned in the last 24 hours.";
    proportional_budget_pct: f64 = 0.30, Kind::Float { min: 0.0, max: 1.0 }, Some("proportional-budget-pct"), true,
        "Share of the fees earned in the last 24 hours that rebalances may cost, 0 to 1.";
    htlc_congestion_threshold: f64 = 0.8, Kind::Float { min: 0.0, max: 1.0 }, Some("htlc-congestion-threshold"), true,
        "Share of a channel's HTLC slots in use, in either direction, above which it counts as congested, 0 to 1.";
    enable_vegas_reflex: bool = true, Kind::Bool, Some("vegas-reflex"), true,
        "Raise the fee floor when on-chain feerates spike.";
    vegas_decay_rate: f64 = 0.85, Kind::Float { min: 0.0, max: 1.0 }, Some("vegas-decay"), true,
        "How slowly the raised floor comes down: what is left of it after 7 minutes, 0 to 1; 0.85 halves it in about 30 minutes.";
    enable_scarcity_pricing: bool = true, Kind::Bool, Some("scarcity-pricing"), true,
        "Raise fees as our side of a channel runs out.";
    scarcity_threshold: f64 = 0.35, Kind::Float { min: 0.0, max: 1.0 }, Some("scarcity-threshold"), true,
        "Share of the capacity on our side below which scarcity pricing sets in, 0 to 1.";
    enable_reputation: bool = true, Kind::Bool, Some("enable-reputation"), true,
        "Weigh decisions by the peer's record of settled forwards.";
    reputation_decay: f64 = 0.98, Kind::Float { min: 0.0, max: 1.0 }, Some("reputation-decay"), true,
        "What is left of a peer's record after one flow interval, 0 to 1.";
    enable_kelly: bool = false, Kind::Bool, Some("enable-kelly"), true,
        "Size rebalances by the Kelly criterion.";
    kelly_fraction: f64 = 0.5, Kind::Float { min: 0.0, max: 1.0 }, Some("kelly-fraction"), true,
        "Share of the Kelly size that is used, 0 to 1.";
    hive_enabled: String = "auto".to_owned(), Kind::Word(&["auto", "true", "false"]), Some("hive-enabled"), true,
        "`true` has revenue-status say so when cl-hive is not there. Else kept for older configurations: cl-hive calls this plugin, never the other way round.";
    hive_fee_ppm: u32 = 0, Kind::Int { min: 0, max: 100000 }, Some("hive-fee-ppm"), true,
        "Fee rate for members of the fleet, ppm.";
    hive_rebalance_tolerance: u64 = 50, Kind::Int { min: 0, max: 100000 }, Some("hive-rebalance-tolerance"), true,
        "Most that one rebalance towards a fleet member may lose, sat.";
    clboss_enabled: bool = true, Kind::Bool, Some("clboss-enabled"), true,
        "Tell CLBoss to leave the fees of managed peers alone.";
    rpc_timeout_seconds: u64 = 15, Kind::Int { min: 1, max: 300 }, Some("rpc-timeout-seconds"), true,
        "Seconds after which a call to the node counts as lost.";
    rpc_circuit_breaker_seconds: u64 = 60, Kind::Int { min: 0, max: 3600 }, Some("rpc-circuit-breaker-seconds"), true,
        "Seconds during which a group of calls rests after one was lost.";
    reservation_timeout_hours: u64 = 4, Kind::Int { min: 1, max: 24 }, Some("reservation-timeout-hours"), true,
        "Hours after which a budget reservation without a live job is released.";
    forwards_keep_days: u64 = 90, Kind::Int { min: 8, max: 3650 }, Some("forwards-keep-days"), true,
        "Days for which single forwards are kept; what they add up to by channel and day is kept for ever.";
    journal_days: u64 = 30, Kind::Int { min: 1, max: 3650 }, Some("journal-days"), true,
        "Days for which what strategies were told is kept, so that `revenue-strategy replay` can have a cycle decided again.";
    journal_mb: u64 = 256, Kind::Int { min: 0, max: 100_000 }, Some("journal-mb"), true,
        "Most room that it may take in the database, MB; the oldest cycles go first, 0 keeps nothing.";
    strategy_signers: String = String::new(), Kind::Text, Some("strategy-signers"), false,
        "Node ids, separated by commas, whose signatures let strategy modules in; no command can take them away.";
    strategy_signatures: u64 = 1, Kind::Int { min: 1, max: 9 }, Some("strategy-signatures"), false,
        "How many trusted signers must have signed a strategy module that is pushed.";
    interpreted_modules: String = String::new(), Kind::Names, Some("interpreted-modules"), true,
        "Strategy modules, separated by commas, that get the larger limits which Python and JavaScript guests need.";
    strategy_worker: String = "auto".to_owned(), Kind::Word(&["auto", "required", "off"]), Some("strategy-worker"), false,
        "Run strategies in processes of their own that can open nothing: `auto` runs them in the plugin where that cannot be, `required` asks none then, `off` runs them in the plugin.";
    low_liquidity_threshold: f64 = 0.2, Kind::Float { min: 0.0, max: 1.0 }, None, true,
        "Share on our side below which a channel may be filled, 0 to 1.";
    high_liquidity_threshold: f64 = 0.8, Kind::Float { min: 0.0, max: 1.0 }, None, true,
        "Share on our side above which a channel may be drained, 0 to 1.";
    rebalance_min_amount: u64 = 50_000, Kind::Int { min: 1, max: 50_000_000 }, None, true,
        "Smallest rebalance, sat.";
    rebalance_max_amount: u64 = 5_000_000, Kind::Int { min: 1, max: 1_000_000_000 }, None, true,
        "Largest rebalance, sat.";
    rebalance_cooldown_hours: u64 = 24, Kind::Int { min: 0, max: 720 }, None, true,
        "Hours of rest after a successful rebalance of a channel.";
    inbound_fee_estimate_ppm: u64 = 500, Kind::Int { min: 0, max: 100000 }, None, true,
        "Assumed cost of the route into a channel while nothing is known, ppm.";
    max_concurrent_jobs: u64 = 5, Kind::Int { min: 1, max: 50 }, None, true,
        "Most rebalances at the same time.";
    sling_job_timeout_seconds: u64 = 7_200, Kind::Int { min: 60, max: 86400 }, None, true,
        "Seconds after which a rebalance is ended.";
    sling_chunk_size_sats: u64 = 500_000, Kind::Int { min: 1, max: 50_000_000 }, None, true,
        "Amount of one payment of a rebalance, sat.";
    sling_max_hops: u64 = 5, Kind::Int { min: 2, max: 20 }, None, true,
        "Longest route of a rebalance, hops.";
    sling_parallel_jobs: u64 = 1, Kind::Int { min: 1, max: 10 }, None, true,
        "Kept for older configurations: a rebalance makes one payment at a time, for only then is its worst case known.";
    sling_target_sink: f64 = 0.35, Kind::Float { min: 0.1, max: 0.9 }, None, true,
        "Share on our side that a filling channel is brought to, 0.1 to 0.9.";
    sling_target_source: f64 = 0.65, Kind::Float { min: 0.1, max: 0.9 }, None, true,
        "Share on our side that a draining channel is brought to, 0.1 to 0.9.";
    sling_target_balanced: f64 = 0.5, Kind::Float { min: 0.1, max: 0.9 }, None, true,
        "Share on our side that other channels are brought to, 0.1 to 0.9.";
    sling_outppm_fallback: u64 = 500, Kind::Int { min: 0, max: 10000 }, None, true,
        "Kept for older configurations: the channels to take from are always named.";
    source_threshold: f64 = 0.5, Kind::Float { min: -10.0, max: 10.0 }, None, true,
        "Flow ratio, in capacities per day, above which a channel is a source; so is one that moves 5 % of its capacity a week or more, 70 % of it out.";
    sink_threshold: f64 = -0.5, Kind::Float { min: -10.0, max: 10.0 }, None, true,
        "Flow ratio, in capacities per day, below which a channel is a sink; so is one that moves 5 % of its capacity a week or more, 70 % of it in.";
    estimated_open_cost_sats: u64 = 5_000, Kind::Int { min: 0, max: 10_000_000 }, None, true,
        "Assumed cost of opening a channel where no record exists, sat.";
    ema_smoothing_alpha: f64 = 0.3, Kind::Float { min: 0.1, max: 0.9 }, None, true,
        "Kept for older configurations: how much newer days count follows from how steady a channel's flow is.";
    enable_velocity_gate: bool = true, Kind::Bool, None, true,
        "Fill slow channels less.";
    min_velocity_threshold: f64 = 0.01, Kind::Float { min: 0.0, max: 1.0 }, None, true,
        "Daily volume, as a share of the capacity, below which a channel is slow, 0 to 1.";
    new_channel_grace_days: u64 = 7, Kind::Int { min: 0, max: 30 }, None, true,
        "Days during which a new channel is not judged by its volume.";
}
