//! Installed modules, and where each stands in its life.

use super::ledger::words;
use super::{ChannelId, CycleKind, Digest, PeerId, Policy, StrategyName, UnixTime};
use std::fmt;
use std::str::FromStr;

/// Where an installed module stands. It moves on by an operator's word only; back also by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Its bytes, signatures, imports and limits were checked, and it decided once on trial.
    Verified,
    /// It decides in each cycle beside the one in force; nothing of it is applied.
    Shadow,
    /// It decides for some channels; on the others it is a shadow.
    Canary,
    /// In force.
    Active,
    /// Was in force; kept, so that it can come back.
    Superseded,
}

impl Stage {
    const ALL: [(Stage, &'static str); 5] = [
        (Stage::Verified, "verified"),
        (Stage::Shadow, "shadow"),
        (Stage::Canary, "canary"),
        (Stage::Active, "active"),
        (Stage::Superseded, "superseded"),
    ];

    /// The word used in the store and in answers.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("", |(_, name)| name)
    }

    /// Whether it decides, be it in force or on trial.
    pub fn decides(self) -> bool {
        self == Stage::Active || self.is_trial()
    }

    /// Whether it decides beside the module in force.
    pub fn is_trial(self) -> bool {
        matches!(self, Stage::Shadow | Stage::Canary)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = String;
    fn from_str(text: &str) -> Result<Stage, String> {
        let found = Self::ALL.iter().find(|(_, word)| *word == text);
        found.map(|(stage, _)| *stage).ok_or_else(|| format!("'{text}' is not a stage of a module"))
    }
}

/// When a canary is taken back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanaryBounds {
    /// Revenue below what was to be expected by what became of the channels beside it, percent.
    pub max_revenue_fall_pct: f64,
    /// Share of its proposals that the guard refuses as out of place, in percent above that of the
    /// channels beside it.
    pub max_refusals_pct: f64,
    /// Of an evaluator: what its jobs cost above what was to be expected by what the others' cost, percent.
    pub max_cost_rise_pct: f64,
    /// Hours before its revenue is judged.
    pub min_hours: u32,
    /// Forwards of its channels before it began, and to be expected since, before its revenue is judged.
    pub min_forwards: u32,
}

/// Which channels a canary decides for, and when it is taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    pub since: UnixTime,
    pub channels: Vec<ChannelId>,
    pub bounds: CanaryBounds,
}

/// One installed module.
#[derive(Clone, Debug, PartialEq)]
pub struct InstalledModule {
    pub name: StrategyName,
    pub digest: Digest,
    pub decides: CycleKind,
    /// In its own words.
    pub version: String,
    /// Size of the component.
    pub bytes: u64,
    pub stage: Stage,
    pub stage_since: UnixTime,
    pub installed_at: UnixTime,
    /// The strategy, as policies name it, for whose peers it decides.
    pub stands_for: StrategyName,
    /// Node keys that signed it and were trusted then.
    pub signers: Vec<PeerId>,
    /// The manifest that they signed; none for a module installed from a local path without one.
    pub manifest: Option<String>,
    /// While its stage is canary.
    pub canary: Option<Canary>,
}

impl InstalledModule {
    /// Whether it is in force for the peers of a strategy.
    pub fn is_in_force_for(&self, strategy: &StrategyName, decides: CycleKind) -> bool {
        self.stage == Stage::Active && self.has_place(strategy, decides)
    }

    /// Whether it stands for a strategy, be it on trial or in force.
    pub fn has_place(&self, strategy: &StrategyName, decides: CycleKind) -> bool {
        self.stands_for == *strategy && self.decides == decides
    }

    /// Whether a peer's policy names what it stands for.
    pub fn is_named_by(&self, policy: &Policy) -> bool {
        policy.names(&self.stands_for, self.decides)
    }
}

/// Why a module's life moved, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleEvent {
    pub at: UnixTime,
    pub name: StrategyName,
    pub digest: Option<Digest>,
    /// What was done, e.g. `install`, `shadow`, `return`.
    pub action: String,
    /// `operator` for a command, `host` for what it did by itself.
    pub by: String,
    /// One sentence with what it was done with.
    pub detail: String,
}

words! {
    /// What an operator wants of the processes in which strategies run: the setting `strategy_worker`.
    WorkerMode {
        /// Strategies run in workers where the machine can shut one off, else in the plugin's process.
        Auto = "auto",
        /// Nothing of a strategy runs, or is compiled, but in a process that is shut off.
        Required = "required",
        /// In the plugin's process.
        Off = "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for (stage, word) in Stage::ALL {
            assert_eq!((stage.name(), word.parse()), (word, Ok(stage)));
        }
        assert!("live".parse::<Stage>().expect_err("no stage").contains("'live'"));
    }
}
