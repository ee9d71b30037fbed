//! A call of a strategy's module, in a form that can be stored and made again.

use super::{Digest, StrategyName};
use serde::{Deserialize, Serialize};

/// Version of the bytes of inputs and decisions. Any change to their types, or to how a module is
/// told of them, is a new one: bytes of another version are not read.
pub const FORMAT: u32 = 1;

/// What a module is called for, and decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CycleKind {
    Fee,
    Rebalance,
}

impl CycleKind {
    /// Every kind.
    pub const ALL: [CycleKind; 2] = [CycleKind::Fee, CycleKind::Rebalance];

    /// The word used in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            CycleKind::Fee => "fee",
            CycleKind::Rebalance => "rebalance",
        }
    }

    /// The strategy that decides where nothing else is named.
    pub fn built_in(self) -> StrategyName {
        match self {
            CycleKind::Fee => StrategyName::dynamic(),
            CycleKind::Rebalance => StrategyName::rebalance_ev(),
        }
    }

    /// Reads the word used in the store and in answers.
    pub fn from_name(name: &str) -> Option<CycleKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Everything that a call depends on, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    pub kind: CycleKind,
    /// The name under which the module was called.
    pub strategy: StrategyName,
    /// SHA-256 of the module's file.
    pub module: Digest,
    /// The word for the limits of the call.
    pub class: String,
    /// [`FORMAT`] of the program that made the call.
    pub format: u32,
    /// The input's canonical bytes.
    pub input: Told,
    pub answer: Answer,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The decision's canonical bytes, and the fuel that it took.
    Decided { fuel: u64, decision: Vec<u8> },
    /// The fault's code, and the fuel up to it where it is known.
    Failed { fuel: Option<u64>, code: String },
}

/// What a module was told, with its digest, which costs more than most that is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    bytes: Vec<u8>,
    digest: Digest,
}

impl Told {
    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes alone.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl From<Vec<u8>> for Told {
    fn from(bytes: Vec<u8>) -> Told {
        Told { digest: Digest::of(&bytes), bytes }
    }
}

impl std::ops::Deref for Told {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answer {
    /// Fuel used by the call.
    pub fn fuel(&self) -> Option<u64> {
        match self {
            Answer::Decided { fuel, .. } => Some(*fuel),
            Answer::Failed { fuel, .. } => *fuel,
        }
    }

    /// SHA-256 of the decision.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Answer::Decided { decision, .. } => Some(Digest::of(decision)),
            Answer::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_by_name() {
        for kind in CycleKind::ALL {
            assert_eq!(CycleKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(CycleKind::from_name("fees"), None);
    }
}
