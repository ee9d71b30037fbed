//! What the guard said to a strategy's proposals, in numbers.

use crate::guard::fee::Verdict;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Counts by the code of a limit or a refusal.
pub(super) type Counts = BTreeMap<&'static str, u32>;

#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub proposals: u32,
    /// Proposals that a limit moved.
    pub limited: Counts,
    pub refused: Counts,
}

impl Tally {
    pub fn count(&mut self, verdict: &Verdict) {
        self.proposals += 1;
        for limit in &verdict.limits {
            *self.limited.entry(limit.code()).or_default() += 1;
        }
        if let Err(refusal) = &verdict.result {
            *self.refused.entry(refusal.code()).or_default() += 1;
        }
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.proposals += other.proposals;
        for (mine, theirs) in [(&mut self.limited, &other.limited), (&mut self.refused, &other.refused)] {
            for (code, count) in theirs {
                *mine.entry(*code).or_default() += count;
            }
        }
    }
}

/// Counts for people.
pub(super) fn codes(what: &str, counts: &Counts) -> String {
    if counts.is_empty() {
        return format!("{what} 0");
    }
    let list: Vec<String> = counts.iter().map(|(code, count)| format!("{code} {count}")).collect();
    format!("{what}: {}", list.join(", "))
}
