//! Whose memory a call reads and writes, whatever steps are taken with its module meanwhile.

use crate::model::module::{InstalledModule, Stage};
use crate::model::{CycleKind, Digest, StrategyName};
use crate::store::states::Holder;
use crate::store::{Connection, installed};
use anyhow::Result;

/// Whom a call asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    /// An installed module, in force or on trial: by its name and its bytes.
    Installed(StrategyName, Digest),
    /// What a strategy's name alone means: built in, or a file.
    Named(CycleKind, StrategyName, Digest),
}

impl Decider {
    pub(in crate::cycles) fn installed(module: &InstalledModule) -> Decider {
        Decider::Installed(module.name.clone(), module.digest)
    }

    /// Where its memory lies; nowhere when its module was removed. Steps in modules' lives move memories and
    /// take no turn with cycles: whoever reads or writes one asks in the same transaction.
    pub fn holder(&self, conn: &Connection) -> Result<Option<Holder>> {
        Ok(match self {
            Decider::Installed(name, digest) => {
                installed::get(conn, name, digest)?.map(|module| match module.stage {
                    Stage::Active => Holder::place(&module),
                    _ => Holder::own(&module),
                })
            }
            // What stands in for an installed module must not write into that one's.
            Decider::Named(decides, strategy, digest) => {
                let all = installed::all(conn)?;
                let is_taken =
                    all.iter().any(|one| one.is_in_force_for(strategy, *decides) && one.digest != *digest);
                Some(match is_taken {
                    true => Holder::Module(*decides, strategy.clone(), *digest),
                    false => Holder::Strategy(*decides, strategy.clone()),
                })
            }
        })
    }
}
