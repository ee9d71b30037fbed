//! Why a channel is not filled: a code for programs, a sentence for people.

use crate::config::Config;
use crate::cycles::rebalance::{Passed, Voice};
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
            None => Why {
                code: passed.reason.clone(),
                text: meaning(passed.voice, &passed.evaluator, &passed.reason),
            },
        }
    }

    /// Nothing can be filled since no channel that is free for it is low.
    pub(super) fn none_depleted(config: &Config) -> Why {
        let low = percent(config.low_liquidity_threshold);
        Why {
            code: "none_depleted".to_owned(),
            text: format!(
                "no depleted channels: none without a job is below low_liquidity_threshold, {low} % on our side"
            ),
        }
    }

    /// Nothing can be filled since no channel that is free for it is high.
    pub(super) fn no_sources(config: &Config) -> Why {
        let high = percent(config.high_liquidity_threshold);
        Why {
            code: "no_sources".to_owned(),
            text: format!(
                "no source channels: none without a job is above high_liquidity_threshold, {high} % on our side"
            ),
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

/// A share as percent, without the dust of binary fractions.
fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

/// Whether a channel was passed over because it is well as it is.
pub(super) fn needs_nothing(passed: &Passed) -> bool {
    passed.refusal.is_none() && passed.voice == Voice::BuiltIn && passed.reason == STOCKED
}

/// What a word means. Authors' words are their own, also where their module stands for `rebalance-ev`.
fn meaning(voice: Voice, evaluator: &StrategyName, word: &str) -> String {
    let known = MEANINGS.iter().find(|(known, _)| *known == word);
    match (voice, known) {
        (Voice::Host, _) => format!("evaluator '{evaluator}' said nothing of it"),
        (Voice::BuiltIn, Some((_, meaning))) => (*meaning).to_owned(),
        (Voice::BuiltIn, None) | (Voice::Author, _) => format!("evaluator '{evaluator}' says '{word}'"),
    }
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
    fn only_the_built_in_evaluators_words_have_a_known_meaning() {
        let ev = StrategyName::rebalance_ev();
        for (voice, word, expect) in [
            (Voice::BuiltIn, "no-gain", "it would earn no more here than where it is"),
            (Voice::BuiltIn, "whim", "evaluator 'rebalance-ev' says 'whim'"),
            (Voice::Author, "no-gain", "evaluator 'rebalance-ev' says 'no-gain'"),
            (Voice::Author, "not_looked_at", "evaluator 'rebalance-ev' says 'not_looked_at'"),
            (Voice::Host, "not_looked_at", "evaluator 'rebalance-ev' said nothing of it"),
        ] {
            assert_eq!(meaning(voice, &ev, word), expect);
        }
    }

    #[test]
    fn a_threshold_is_told_in_percent() {
        for (low, expect) in
            [(0.2, ", 20 % on our side"), (0.29, ", 29 % on our side"), (0.125, ", 12.5 % on our side")]
        {
            let why = Why::none_depleted(&Config { low_liquidity_threshold: low, ..Config::default() });
            assert!(why.text.ends_with(expect), "{}", why.text);
        }
    }
}
