//! Calls of modules, written down so that they can be made again.

mod compare;
mod replay;

pub use compare::{Difference, Judgement, compare};
pub use replay::{Replayed, Wanted, pseudonyms};

use super::Services;
use crate::engine::{Module, StrategyFault, World};
use crate::model::UnixTime;
use crate::model::{Digest, StrategyName, Transcript};
use crate::store::{Connection, installed, journal};
use anyhow::Result;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

impl Services {
    /// Has a module decide, on a thread that may block, and writes the call down; says how long it took.
    pub(super) async fn transcribe<W: World>(
        &self,
        strategy: &StrategyName,
        module: &Arc<Module<W>>,
        input: W::Input,
    ) -> Result<(Result<W::Decision, StrategyFault>, Duration, Transcript)>
    where
        W::Input: Send + 'static,
        W::Decision: Send + 'static,
    {
        if let Some(why) = &module.not_kept {
            tracing::warn!(
                "module '{}' is not kept, so that its calls cannot be replayed: {why}",
                module.name
            );
        }
        let (strategy, module) = (strategy.clone(), module.clone());
        self.on_engine(move |engine| engine.transcribe(&strategy, &module, &input)).await
    }

    /// Forgets calls that are too old or too many, and modules that nothing needs any more.
    pub(super) async fn prune_journal(&self) -> Result<()> {
        let config = self.config();
        let before = self.now().minus(config.journal_days * UnixTime::DAY);
        let most = config.journal_mb * 1_000_000;
        // In pieces, so that nobody waits long for the database.
        while self.store.write(move |tx| journal::prune(tx, before, most)).await? {}
        // What is kept from here on is no candidate.
        let kept = self.on_engine(crate::engine::Engine::all_kept).await??;
        let mut unneeded: BTreeSet<Digest> = kept.into_iter().collect();
        for needed in self.store.read(needed_modules).await? {
            unneeded.remove(&needed);
        }
        self.on_engine(move |engine| engine.discard_all(&unneeded)).await??;
        Ok(())
    }
}

/// The modules that somebody may still ask for: every table that names some adds them here.
fn needed_modules(conn: &Connection) -> Result<BTreeSet<Digest>> {
    let mut needed = journal::modules(conn)?;
    needed.extend(installed::all(conn)?.into_iter().map(|module| module.digest));
    Ok(needed)
}
