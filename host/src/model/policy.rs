//! What the operator, or the fleet, wants for one peer.

use super::{CycleKind, PeerId, Ppm, UnixTime, quote};
use std::fmt;
use std::str::FromStr;

/// The highest rate that any policy may name, ppm.
pub const MAX_FEE_TARGET_PPM: u32 = 100_000;
/// Bounds of `fee_multiplier_min` and `fee_multiplier_max`.
pub const MULTIPLIER_BOUNDS: (f64, f64) = (0.1, 5.0);
/// The longest time-limited policy, hours (30 days).
pub const MAX_EXPIRY_HOURS: u32 = 720;
/// Most tags of a policy, and the longest tag in bytes.
pub const MAX_TAGS: usize = 32;
/// The longest tag, bytes.
pub const MAX_TAG_LEN: usize = 64;

/// The name of a strategy: one of the built-in four, or a module in the
/// strategies directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StrategyName(String);

impl StrategyName {
    /// Most letters of a module's name.
    pub const LONGEST: usize = 64;

    /// The names of strategies for fees that are always there.
    pub const BUILT_IN: [&'static str; 4] = ["dynamic", "static", "passive", "hive"];
    /// The names of rebalance evaluators that are always there.
    pub const EVALUATORS: [&'static str; 1] = ["rebalance-ev"];

    /// The strategy of peers without a policy.
    pub fn dynamic() -> StrategyName {
        StrategyName("dynamic".to_owned())
    }

    /// The evaluator of rebalances for which no other is named.
    pub fn rebalance_ev() -> StrategyName {
        StrategyName("rebalance-ev".to_owned())
    }

    /// The strategy that leaves a peer's fees alone.
    pub fn passive() -> StrategyName {
        StrategyName("passive".to_owned())
    }

    /// Whether it leaves a peer's fees alone.
    pub fn is_passive(&self) -> bool {
        self.0 == "passive"
    }

    /// Whether it keeps the fee that the policy names.
    pub fn is_static(&self) -> bool {
        self.0 == "static"
    }

    /// Whether the peer is a member of the fleet.
    pub fn is_fleet(&self) -> bool {
        self.0 == "hive"
    }

    /// The name as typed by an operator.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the binary carries it.
    pub fn is_built_in(&self) -> bool {
        Self::BUILT_IN.contains(&self.as_str()) || Self::EVALUATORS.contains(&self.as_str())
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StrategyName {
    type Err = String;
    /// Accepts the built-in names in any case, and module names of letters,
    /// digits, `-` and `_` (64 at most), so that a name is never a path.
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let lower = StrategyName(lower);
        if lower.is_built_in() {
            return Ok(lower);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > Self::LONGEST || !text.bytes().all(plain) {
            return Err(format!(
                "strategy '{}' is not a strategy's name: use dynamic, static, passive, hive, or the name of a module \
                 (letters, digits, '-' and '_', at most {})",
                quote(text),
                Self::LONGEST
            ));
        }
        Ok(StrategyName(text.to_owned()))
    }
}

/// What rebalancing may do with the peer's channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RebalanceMode {
    #[default]
    Enabled,
    Disabled,
    /// Liquidity may be taken from it, never bought for it.
    SourceOnly,
    /// Liquidity may be bought for it, never taken from it.
    SinkOnly,
}

impl RebalanceMode {
    const ALL: [RebalanceMode; 4] = [Self::Enabled, Self::Disabled, Self::SourceOnly, Self::SinkOnly];

    /// The word used in commands and answers.
    pub const fn name(self) -> &'static str {
        match self {
            RebalanceMode::Enabled => "enabled",
            RebalanceMode::Disabled => "disabled",
            RebalanceMode::SourceOnly => "source_only",
            RebalanceMode::SinkOnly => "sink_only",
        }
    }
}

impl FromStr for RebalanceMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        Self::ALL.into_iter().find(|mode| mode.name() == lower).ok_or_else(|| {
            format!("rebalance '{text}' is not a mode: use enabled, disabled, source_only or sink_only")
        })
    }
}

/// One peer's policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub peer_id: PeerId,
    pub strategy: StrategyName,
    pub rebalance_mode: RebalanceMode,
    /// The evaluator that says when to fill the peer's channels; none: the one of the settings.
    pub rebalance_strategy: Option<StrategyName>,
    /// The rate for `static`, ppm.
    pub fee_ppm_target: Option<Ppm>,
    /// In the order in which they were given, without repetition.
    pub tags: Vec<String>,
    /// Zero for the default policy.
    pub updated_at: UnixTime,
    /// Lowest rate for the peer, as a multiple of `revenue-ops-min-fee-ppm`.
    pub fee_multiplier_min: Option<f64>,
    /// Highest rate for the peer, as a multiple of `revenue-ops-max-fee-ppm`.
    pub fee_multiplier_max: Option<f64>,
    pub expires_at: Option<UnixTime>,
}

impl Policy {
    /// Whether it names this strategy for what that is to decide.
    pub fn names(&self, strategy: &StrategyName, decides: CycleKind) -> bool {
        match decides {
            CycleKind::Fee => self.strategy == *strategy,
            CycleKind::Rebalance => self.rebalance_strategy.as_ref() == Some(strategy),
        }
    }

    /// What holds for a peer that nobody said anything about.
    pub fn default_for(peer_id: PeerId) -> Policy {
        Policy {
            peer_id,
            strategy: StrategyName::dynamic(),
            rebalance_mode: RebalanceMode::Enabled,
            rebalance_strategy: None,
            fee_ppm_target: None,
            tags: Vec::new(),
            updated_at: UnixTime(0),
            fee_multiplier_min: None,
            fee_multiplier_max: None,
            expires_at: None,
        }
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategy_names_are_never_paths() {
        for bad in ["", "..", "../x", "a/b", "a b", "a.wasm", "strategy=static", &"x".repeat(65)] {
            assert!(bad.parse::<StrategyName>().is_err(), "{bad}");
        }
        assert!("DYNAMIC".parse::<StrategyName>().expect("built in").is_built_in());
        assert_eq!("my-Fees_2".parse::<StrategyName>().expect("module").as_str(), "my-Fees_2");
    }

    #[test]
    fn rebalance_modes_parse_in_any_case() {
        assert_eq!("Source_Only".parse(), Ok(RebalanceMode::SourceOnly));
        assert!("source".parse::<RebalanceMode>().expect_err("not a mode").contains("sink_only"));
    }
}
