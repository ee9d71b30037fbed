//! Calls of modules, written down so that they can be made again.

mod compare;
mod replay;

pub use compare::{Difference, Judgement, compare};
pub use replay::{Replayed, Wanted, pseudonyms};

use super::Services;
use super::strategies::{Call, Trial};
use crate::engine::{Module, StrategyFault, World};
use crate::model::UnixTime;
use crate::model::{Digest, StrategyName, Transcript};
use crate::store::journal::{self, Ready};
use crate::store::{Connection, installed};
use anyhow::Result;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Calls that are made ready for the journal.
pub(super) type Packing = JoinHandle<Result<Vec<Ready>>>;

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

    /// Begins to make the calls of a cycle ready for the journal, which goes on beside the cycle. None
    /// are where there is no journal.
    pub(super) fn pack<W: World>(&self, calls: &[Call<W>], trials: &[Trial<W>]) -> Packing {
        let has_journal = self.config().journal_mb > 0;
        let made = calls.iter().chain(trials.iter().map(|trial| &trial.call)).filter(|_| has_journal);
        let made: Vec<Arc<Transcript>> = made.filter_map(|call| call.transcript.clone()).collect();
        let store = self.store.clone();
        tokio::spawn(async move {
            let mut ready = Vec::with_capacity(made.len());
            for call in made {
                let asked = Arc::clone(&call);
                let base = store.read(move |conn| journal::base(conn, &asked)).await?;
                ready.push(tokio::task::spawn_blocking(move || Ready::new(call, base)).await??);
            }
            Ok(ready)
        })
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
        self.unload_idle().await
    }

    /// Gives back what modules take that are loaded and decide nothing: looked at, superseded, removed.
    pub(super) async fn unload_idle(&self) -> Result<()> {
        let all = self.installed().await?;
        self.on_engine(move |engine| {
            let deciding = all.iter().filter(|module| module.stage.decides());
            engine.unload_but(deciding.map(|module| (&module.name, module.digest)));
        })
        .await
    }
}

/// The modules that somebody may still ask for: every table that names some adds them here.
fn needed_modules(conn: &Connection) -> Result<BTreeSet<Digest>> {
    let mut needed = journal::modules(conn)?;
    needed.extend(installed::all(conn)?.into_iter().map(|module| module.digest));
    Ok(needed)
}
