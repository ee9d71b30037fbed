//! Why a channel is not filled: a code for programs, a sentence for people.

use crate::cycles::rebalance::Passed;
use crate::model::StrategyName;
use crate::model::refusal::RebalanceRefusal;

/// `rebalance-ev`'s word for a channel that needs nothing.
const STOCKED: &str = "stocked";

/// What `rebalance-ev`'s words mean.
const MEANINGS: [(&str, &str); 12] = [
    (STOCKED, "it holds enough: not below low_liquidity_threshold"),
    ("barred", "it may not be filled now: a policy, a pause, or a job that runs"),
    ("offline", "its peer is not connected"),
    ("no-demand", "nothing leaves that does not come back by itself"),
    ("slow", "so little goes through that what is there will do"),
    ("too-small", "less is wanted than the smallest rebalance"),
    ("no-source", "no channel above high_liquidity_threshold has enough to spare"),
    ("no-gain", "it would earn no more here than where it is"),
    (
        "too-dear",
        "at what routes cost, the least profit is not left, or the chance of success is below least-success",
    ),
    ("kelly", "the Kelly criterion would stake less than the smallest rebalance"),
    ("no-slot", "better jobs took all slots"),
    ("no-budget", "better jobs took the budget, or none is left"),
];

/// A reason, as a code and as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Why {
    pub code: String,
    pub text: String,
}

impl Why {
    pub(super) fn refused(refusal: &RebalanceRefusal) -> Why {
        Why { code: refusal.code().to_owned(), text: refusal.to_string() }
    }

    pub(super) fn passed(passed: &Passed) -> Why {
        match &passed.refusal {
            Some(refusal) => Why::refused(refusal),
            None => Why { code: passed.reason.clone(), text: meaning(&passed.evaluator, &passed.reason) },
        }
    }

    /// The sentence with the channel that it is about, once.
    pub(super) fn of(&self, channel: &Option<String>) -> String {
        match channel {
            Some(name) if !self.text.starts_with(&format!("channel {name} ")) => {
                format!("channel {name}: {}", self.text)
            }
            _ => self.text.clone(),
        }
    }
}

/// Whether a channel was passed over because it is well as it is.
pub(super) fn needs_nothing(passed: &Passed) -> bool {
    passed.refusal.is_none() && passed.evaluator == StrategyName::rebalance_ev() && passed.reason == STOCKED
}

/// Other evaluators' words are their own.
fn meaning(evaluator: &StrategyName, word: &str) -> String {
    let known =
        MEANINGS.iter().find(|(known, _)| *known == word && *evaluator == StrategyName::rebalance_ev());
    known.map_or_else(
        || format!("evaluator '{evaluator}' says '{word}'"),
        |(_, meaning)| (*meaning).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::refusal::{End, Holder};

    #[test]
    fn a_channel_is_named_once() {
        let name = Some("1x1x0".to_owned());
        for (end, expect) in [
            (End::To("1x1x0".to_owned()), "channel 1x1x0 (to fill) is used by"),
            (End::From("2x1x0".to_owned()), "channel 1x1x0: channel 2x1x0 (to take from) is used by"),
        ] {
            let why = Why::refused(&RebalanceRefusal::Busy { end, holder: Holder::SameCycle });
            assert!(why.of(&name).starts_with(expect), "{}", why.of(&name));
            assert_eq!(why.code, "busy");
        }
    }

    #[test]
    fn only_rebalance_evs_words_have_a_known_meaning() {
        let mine: StrategyName = "mine".parse().expect("a name");
        assert_eq!(
            meaning(&StrategyName::rebalance_ev(), "no-gain"),
            "it would earn no more here than where it is"
        );
        assert_eq!(meaning(&mine, "no-gain"), "evaluator 'mine' says 'no-gain'");
    }
}
