//! The operator's settings that modules are told, under the names in the contract. Authors' tools tell
//! the same.

use crate::config::Config;
use crate::guard::fee::GOSSIP_GATE;
use crate::model::strategy::ParamValue;

/// A parameter that the host gives.
pub type HostParam = (&'static str, ParamValue);

fn integer(value: u64) -> ParamValue {
    ParamValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// What strategies that set fees are told.
#[must_use]
pub fn to_fee_strategies(config: &Config) -> [HostParam; 8] {
    use ParamValue::{Flag, Number};
    [
        ("host.htlc-congestion-threshold", Number(config.htlc_congestion_threshold)),
        ("host.vegas-reflex", Flag(config.enable_vegas_reflex)),
        ("host.vegas-decay", Number(config.vegas_decay_rate)),
        ("host.scarcity-pricing", Flag(config.enable_scarcity_pricing)),
        ("host.scarcity-threshold", Number(config.scarcity_threshold)),
        ("host.hive-fee-ppm", integer(u64::from(config.hive_fee_ppm))),
        ("host.target-flow-sats", integer(config.target_flow)),
        ("host.gossip-gate", Number(GOSSIP_GATE)),
    ]
}

/// What evaluators of rebalances are told.
#[must_use]
pub fn to_evaluators(config: &Config) -> [HostParam; 20] {
    use ParamValue::{Flag, Number};
    [
        ("host.rebalance-min-amount-sats", integer(config.rebalance_min_amount)),
        ("host.rebalance-max-amount-sats", integer(config.rebalance_max_amount)),
        ("host.chunk-sats", integer(config.sling_chunk_size_sats)),
        ("host.rebalance-min-profit-sats", integer(config.rebalance_min_profit)),
        ("host.rebalance-min-profit-ppm", integer(config.rebalance_min_profit_ppm)),
        ("host.max-ppm", integer(u64::from(config.rebalance_max_ppm))),
        ("host.inbound-fee-estimate-ppm", integer(config.inbound_fee_estimate_ppm)),
        ("host.low-liquidity-threshold", Number(config.low_liquidity_threshold)),
        ("host.high-liquidity-threshold", Number(config.high_liquidity_threshold)),
        ("host.target-sink", Number(config.sling_target_sink)),
        ("host.target-source", Number(config.sling_target_source)),
        ("host.target-balanced", Number(config.sling_target_balanced)),
        ("host.velocity-gate", Flag(config.enable_velocity_gate)),
        ("host.min-velocity-threshold", Number(config.min_velocity_threshold)),
        ("host.new-channel-grace-days", integer(config.new_channel_grace_days)),
        ("host.rebalance-cooldown-hours", integer(config.rebalance_cooldown_hours)),
        ("host.enable-reputation", Flag(config.enable_reputation)),
        ("host.enable-kelly", Flag(config.enable_kelly)),
        ("host.kelly-fraction", Number(config.kelly_fraction)),
        ("host.hive-rebalance-tolerance-sats", integer(config.hive_rebalance_tolerance)),
    ]
}

/// Parameters as an input holds them.
pub fn named(params: impl IntoIterator<Item = HostParam>) -> impl Iterator<Item = (String, ParamValue)> {
    params.into_iter().map(|(name, value)| (name.to_owned(), value))
}
