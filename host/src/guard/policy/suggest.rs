//! Policies that would serve the operator better, judged from what each peer's channels did.

use super::is_ignored;
use crate::model::flow::FlowClass;
use crate::model::{Msat, PeerId, Policy, RebalanceMode, StrategyName};

/// The days that [`PeerFacts`] look back on.
pub const WINDOW_DAYS: u32 = 30;

/// Liquidity that was bought less than so many days ago may yet sell: what it cost says nothing.
pub const TRIAL_DAYS: u32 = 7;

/// One way carries most of the flow when (out - in) / (out + in) is above this, so more
/// than 85 % of it.
const STRONG_FLOW: f64 = 0.7;

/// Below this share of its capacity, a source has less than half to give.
const DRAINING_SHARE: f64 = 0.5;

/// What is known of one peer, over all its channels, in the last [`WINDOW_DAYS`].
#[derive(Clone, Debug, PartialEq)]
pub struct PeerFacts {
    pub peer_id: PeerId,
    /// The policy in force.
    pub policy: Policy,
    /// Settled forwards that left to the peer, and those that it brought in.
    pub exit_forwards: u64,
    pub entry_forwards: u64,
    /// Fees of forwards that left to the peer, and of those that it brought in.
    pub earned: Msat,
    /// What rebalancing for the peer cost, but for the last [`TRIAL_DAYS`].
    pub rebalance_cost: Msat,
    /// The flow class of the peer's largest channel.
    pub flow: FlowClass,
    /// (out - in) / (out + in) of the amounts forwarded, -1 to 1; 0 without any.
    pub flow_ratio: f64,
    /// Our part of the capacity, 0 to 1.
    pub local_share: f64,
    /// Whole days since a forward last left to the peer, or since a channel of the peer was
    /// first seen, whichever is later.
    pub idle_days: u32,
}

/// How much a suggestion matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    High,
    Medium,
    Low,
}

impl Severity {
    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

/// A better policy for one peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    pub peer_id: PeerId,
    pub current_strategy: StrategyName,
    pub current_rebalance_mode: RebalanceMode,
    /// `None`: the strategy is fine as it is.
    pub suggested_strategy: Option<&'static str>,
    pub suggested_rebalance_mode: RebalanceMode,
    pub reason: String,
    pub severity: Severity,
    /// The code for programs.
    pub action: &'static str,
}

/// At most one suggestion per peer, what matters most first. A policy that already is as
/// suggested is left alone.
pub fn suggest(facts: &[PeerFacts]) -> Vec<Suggestion> {
    let mut found: Vec<_> = facts
        .iter()
        .filter_map(|peer| zombie(peer).or_else(|| loss(peer)).or_else(|| source(peer)))
        .collect();
    found.sort_by_key(|suggestion| (suggestion.severity, suggestion.peer_id));
    found
}

impl PeerFacts {
    /// What the peer's rebalancing cost beyond what the peer earned, if it is a satoshi or more.
    fn loss(&self) -> Option<Msat> {
        Some(self.rebalance_cost.saturating_sub(self.earned)).filter(|loss| loss.sats() > 0)
    }

    fn suggestion(
        &self,
        mode: RebalanceMode,
        severity: Severity,
        action: &'static str,
        reason: String,
    ) -> Suggestion {
        Suggestion {
            peer_id: self.peer_id,
            current_strategy: self.policy.strategy.clone(),
            current_rebalance_mode: self.policy.rebalance_mode,
            suggested_strategy: None,
            suggested_rebalance_mode: mode,
            reason,
            severity,
            action,
        }
    }
}

/// Nothing leaves to the peer, and money was spent on it.
fn zombie(peer: &PeerFacts) -> Option<Suggestion> {
    let dead = peer.exit_forwards == 0 && peer.idle_days >= WINDOW_DAYS;
    let loss = peer.loss().filter(|_| dead && !is_ignored(&peer.policy))?;
    let reason = format!(
        "no forward left to the peer in {WINDOW_DAYS} days, and it cost {} sat more than it earned",
        loss.sats()
    );
    let suggestion = peer.suggestion(RebalanceMode::Disabled, Severity::High, "consider_close", reason);
    Some(Suggestion { suggested_strategy: Some("passive"), ..suggestion })
}

/// Rebalancing costs more than the peer brings. A peer without any forward has not shown what it brings.
fn loss(peer: &PeerFacts) -> Option<Suggestion> {
    let shown = peer.exit_forwards + peer.entry_forwards > 0;
    let loss = peer.loss().filter(|_| shown && peer.policy.rebalance_mode != RebalanceMode::Disabled)?;
    let reason = format!(
        "rebalancing from {WINDOW_DAYS} to {TRIAL_DAYS} days ago cost {} sat, {} sat more than the peer earned in \
         {WINDOW_DAYS} days",
        peer.rebalance_cost.sats(),
        loss.sats()
    );
    Some(peer.suggestion(RebalanceMode::Disabled, Severity::Medium, "disable_rebalance", reason))
}

/// The peer's demand empties us, so nothing should be taken from it for others.
fn source(peer: &PeerFacts) -> Option<Suggestion> {
    let strong = peer.flow == FlowClass::Source && peer.flow_ratio > STRONG_FLOW;
    let takes = matches!(peer.policy.rebalance_mode, RebalanceMode::Enabled | RebalanceMode::SourceOnly);
    (strong && peer.local_share < DRAINING_SHARE && takes).then(|| {
        let reason = format!(
            "its flow leaves us ({:.0} % of it) and {:.0} % of the capacity is left: fill it, take nothing from it",
            (1.0 + peer.flow_ratio) * 50.0,
            peer.local_share * 100.0
        );
        peer.suggestion(RebalanceMode::SinkOnly, Severity::Low, "protect_source", reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer about which there is nothing to say.
    fn quiet(number: u8) -> PeerFacts {
        let peer_id = PeerId([number; 33]);
        PeerFacts {
            peer_id,
            policy: Policy::default_for(peer_id),
            exit_forwards: 12,
            entry_forwards: 0,
            earned: Msat(5_000),
            rebalance_cost: Msat(5_000),
            flow: FlowClass::Balanced,
            flow_ratio: 0.0,
            local_share: 0.5,
            idle_days: 0,
        }
    }

    fn zombie_facts(number: u8) -> PeerFacts {
        PeerFacts {
            exit_forwards: 0,
            earned: Msat(0),
            rebalance_cost: Msat(1_999),
            idle_days: 30,
            ..quiet(number)
        }
    }

    fn losing(number: u8) -> PeerFacts {
        PeerFacts { rebalance_cost: Msat(7_500), ..quiet(number) }
    }

    fn draining(number: u8) -> PeerFacts {
        PeerFacts { flow: FlowClass::Source, flow_ratio: 0.8, local_share: 0.2, ..quiet(number) }
    }

    fn with(facts: PeerFacts, strategy: &str, mode: RebalanceMode) -> PeerFacts {
        let strategy = strategy.parse().expect("a strategy's name");
        let policy = Policy { strategy, rebalance_mode: mode, ..facts.policy };
        PeerFacts { policy, ..facts }
    }

    #[test]
    fn each_finding_has_its_advice() {
        use RebalanceMode::{Disabled, SinkOnly};
        for (facts, strategy, mode, severity, action, part) in [
            (zombie_facts(2), Some("passive"), Disabled, Severity::High, "consider_close", "cost 1 sat more"),
            (losing(2), None, Disabled, Severity::Medium, "disable_rebalance", "cost 7 sat, 2 sat more"),
            (draining(2), None, SinkOnly, Severity::Low, "protect_source", "(90 % of it) and 20 %"),
        ] {
            let found = suggest(std::slice::from_ref(&facts));
            let [only] = &found[..] else { panic!("{facts:?} gives {found:?}") };
            assert_eq!(
                (only.suggested_strategy, only.suggested_rebalance_mode, only.severity, only.action),
                (strategy, mode, severity, action)
            );
            assert_eq!(only.current_strategy.as_str(), "dynamic");
            assert!(only.reason.contains(part), "{}", only.reason);
        }
    }

    #[test]
    fn nothing_is_suggested_without_cause_or_twice() {
        use RebalanceMode::{Disabled, SinkOnly};
        for facts in [
            quiet(2),
            PeerFacts { rebalance_cost: Msat(999), ..zombie_facts(2) },
            PeerFacts { exit_forwards: 0, ..losing(2) },
            PeerFacts { flow_ratio: 0.7, ..draining(2) },
            PeerFacts { local_share: 0.5, ..draining(2) },
            PeerFacts { flow: FlowClass::Sink, ..draining(2) },
            with(zombie_facts(2), "passive", Disabled),
            with(losing(2), "dynamic", Disabled),
            with(draining(2), "dynamic", SinkOnly),
            with(draining(2), "dynamic", Disabled),
        ] {
            assert_eq!(suggest(std::slice::from_ref(&facts)), [], "{facts:?}");
        }
    }

    #[test]
    fn a_new_channel_is_no_zombie() {
        let young = PeerFacts { idle_days: 29, ..zombie_facts(2) };
        assert_eq!(suggest(std::slice::from_ref(&young)), [], "it has not shown anything yet");
        let brings = PeerFacts { entry_forwards: 1, ..young };
        assert_eq!(suggest(&[brings])[0].action, "disable_rebalance");
    }

    #[test]
    fn a_half_obeyed_suggestion_stays() {
        let half = with(zombie_facts(2), "passive", RebalanceMode::Enabled);
        assert_eq!(suggest(&[half])[0].action, "consider_close");
    }

    #[test]
    fn what_matters_most_comes_first() {
        let found = suggest(&[draining(2), losing(3), quiet(4), zombie_facts(5), zombie_facts(3)]);
        let order: Vec<_> = found.iter().map(|one| (one.severity.name(), one.peer_id.0[0])).collect();
        assert_eq!(order, [("high", 3), ("high", 5), ("medium", 3), ("low", 2)]);
    }
}
