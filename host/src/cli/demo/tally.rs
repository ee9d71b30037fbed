//! Counts of a run.

use std::collections::BTreeMap;

/// What happened so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Forwards that earned their fee.
    pub settled: u64,
    /// Their fees, msat.
    pub fees_msat: u64,
    /// What they carried, msat.
    pub volume_msat: u64,
    /// Changes of fees, by reason.
    pub changes: BTreeMap<String, u64>,
    /// Proposals that limits moved, by limit.
    pub limited: BTreeMap<String, u64>,
    /// Proposals that did not become a fee, by code.
    pub refusals: BTreeMap<String, Refusals>,
}

/// Refusals with one code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    pub count: u64,
    /// The latest one in words.
    pub example: String,
}

impl Tally {
    /// Counts a refusal.
    pub fn refused(&mut self, code: &str, why: &str) {
        let refusals = self.refusals.entry(code.to_owned()).or_default();
        refusals.count += 1;
        why.clone_into(&mut refusals.example);
    }

    /// Counts a change of a fee.
    pub fn changed(&mut self, reason: &str) {
        *self.changes.entry(reason.to_owned()).or_default() += 1;
    }

    /// Counts a proposal that a limit moved.
    pub fn limited(&mut self, limit: &str) {
        *self.limited.entry(limit.to_owned()).or_default() += 1;
    }

    pub fn changes_total(&self) -> u64 {
        self.changes.values().sum()
    }
}

/// `climb 12, scarcity 5`, most frequent first.
pub fn listed<'a>(counts: impl Iterator<Item = (&'a String, u64)>) -> String {
    let mut counts: Vec<(&String, u64)> = counts.collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_are_listed_by_size() {
        let mut tally = Tally::default();
        for reason in ["climb", "scarcity", "scarcity"] {
            tally.changed(reason);
        }
        tally.refused("suppressed", "2 %");
        tally.refused("suppressed", "3 %");
        assert_eq!(tally.changes_total(), 3);
        assert_eq!(tally.refusals["suppressed"], Refusals { count: 2, example: "3 %".to_owned() });
        assert_eq!(listed(tally.changes.iter().map(|(word, count)| (word, *count))), "scarcity 2, climb 1");
    }
}
