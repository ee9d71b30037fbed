//! Which module answers for a strategy, and what happens when it fails.

mod call;
mod decider;
mod named;
mod roster;
mod trial;

pub use call::Call;
pub(super) use call::{memories, note_calls};
pub use decider::Decider;
pub use roster::Roster;
pub use trial::Trial;
pub(super) use trial::{Tryout, canary_channels, own_channels, take_back};

use super::Services;
use crate::engine::{Engine, LoadFault, Module, World};
use crate::model::module::InstalledModule;
use crate::model::strategy::NOT_THE_MODULES;
use crate::model::{CycleKind, Digest, StrategyName, UnixTime};
use crate::store::Transaction;
use crate::store::modules::{self, Fault, ModuleFaults};
use anyhow::Result;
use std::sync::Arc;
use trial::note_trial;

/// Faults in a row after which a module rests until an operator clears it.
pub const FAULTS_TO_QUARANTINE: u32 = 3;

/// Why a strategy's module is not asked.
pub struct Unusable {
    pub(super) code: &'static str,
    pub(super) text: String,
    pub(super) digest: Option<Digest>,
}

/// Who decides for a strategy's peers.
pub(super) struct Answering<W: World> {
    /// The strategy that was asked for, or the one that stands in for it.
    pub strategy: StrategyName,
    /// None when not even what stands in can be used.
    pub module: Option<Arc<Module<W>>>,
    /// Why another stands in, if one does.
    pub unusable: Option<Unusable>,
}

/// The code of a call that was not made since the module is in quarantine.
pub const QUARANTINED: &str = "quarantined";

impl Services {
    async fn load<T: Send + 'static>(
        &self,
        load: impl FnOnce(&Engine) -> Result<T, LoadFault> + Send + 'static,
    ) -> Result<T, LoadFault> {
        let loaded = self.on_engine(load).await;
        loaded.unwrap_or_else(|error| Err(LoadFault::Host { why: error.to_string() }))
    }

    /// The module of that name, built in or from the strategies directory.
    pub(super) async fn load_module<W: World>(
        &self,
        name: &StrategyName,
    ) -> Result<Arc<Module<W>>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.load_in(&name)).await
    }

    /// An installed module.
    pub(super) async fn load_kept<W: World>(
        &self,
        name: &StrategyName,
        digest: Digest,
    ) -> Result<Arc<Module<W>>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.load_kept(&name, digest)).await
    }

    /// A kept module that is only looked at.
    pub(super) async fn try_kept<W: World>(
        &self,
        name: &StrategyName,
        digest: Digest,
    ) -> Result<Arc<Module<W>>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.try_kept(&name, digest)).await
    }

    /// The module that answers for a strategy now: the installed one in force, else that of the name.
    pub(super) async fn usable_module<W: World>(
        &self,
        strategy: &StrategyName,
        roster: &Roster,
    ) -> Result<Arc<Module<W>>, Unusable> {
        match roster.in_force(strategy, W::CYCLE) {
            Some(installed) => self.usable_kept(installed, roster).await,
            None => {
                let module = self.load_module(strategy).await.map_err(not_loaded)?;
                roster.may_decide(strategy, module.digest, W::CYCLE)?;
                Ok(module)
            }
        }
    }

    /// Who decides for a strategy's peers now.
    pub(super) async fn answering<W: World>(&self, strategy: &StrategyName, roster: &Roster) -> Answering<W> {
        match self.usable_module(strategy, roster).await {
            Ok(module) => Answering { strategy: strategy.clone(), module: Some(module), unusable: None },
            Err(unusable) => {
                let (strategy, module) = self.stand_in(strategy, roster).await;
                Answering { strategy, module, unusable: Some(unusable) }
            }
        }
    }

    /// What decides in place of a module that cannot: the built-in strategy of that name, if the
    /// module had taken its place; else whatever answers for `dynamic` or `rebalance-ev`, at last the
    /// built-in one.
    async fn stand_in<W: World>(
        &self,
        strategy: &StrategyName,
        roster: &Roster,
    ) -> (StrategyName, Option<Arc<Module<W>>>) {
        if strategy.is_built_in() {
            return (strategy.clone(), self.load_module(strategy).await.ok());
        }
        let general = W::CYCLE.built_in();
        let module = match self.usable_module(&general, roster).await {
            Ok(module) => Some(module),
            Err(_) => self.load_module(&general).await.ok(),
        };
        (general, module)
    }

    /// An installed module, if it may be asked.
    pub(super) async fn usable_kept<W: World>(
        &self,
        installed: &InstalledModule,
        roster: &Roster,
    ) -> Result<Arc<Module<W>>, Unusable> {
        roster.may_decide(&installed.name, installed.digest, W::CYCLE)?;
        let loaded = self.load_kept(&installed.name, installed.digest).await;
        loaded.map_err(|fault| Unusable { digest: Some(installed.digest), ..not_loaded(fault) })
    }
}

fn not_loaded(fault: LoadFault) -> Unusable {
    Unusable { code: fault.code(), text: fault.to_string(), digest: None }
}

impl Roster {
    fn may_decide(&self, name: &StrategyName, digest: Digest, decides: CycleKind) -> Result<(), Unusable> {
        if !self.quarantined.contains(&(digest, decides)) {
            return Ok(());
        }
        Err(Unusable {
            code: QUARANTINED,
            text: format!(
                "module '{name}' failed {FAULTS_TO_QUARANTINE} times in a row and is in quarantine"
            ),
            digest: Some(digest),
        })
    }
}

/// Counts a call's fault, or that it had none; gives the module if that put it into quarantine now.
fn note_call(
    tx: &Transaction<'_>,
    strategy: &StrategyName,
    (digest, decides): (Option<Digest>, CycleKind),
    result: Result<(), (&str, &str)>,
    now: UnixTime,
) -> Result<Option<ModuleFaults>> {
    match (result, digest) {
        (Ok(()), Some(digest)) => modules::ok(tx, &digest, decides)?,
        (Ok(()), None) | (Err((QUARANTINED, _)), _) => {}
        (Err((code, text)), _) if NOT_THE_MODULES.contains(&code) => {
            tracing::warn!("strategy '{strategy}' could not be asked ({code}): {text}");
        }
        (Err((code, text)), None) => tracing::warn!("strategy '{strategy}' is not used ({code}): {text}"),
        (Err((code, text)), Some(digest)) => {
            tracing::warn!("strategy '{strategy}' (module {digest}) failed ({code}): {text}");
            let fault = Fault { digest, decides, strategy, code, text };
            let record = modules::fault(tx, fault, FAULTS_TO_QUARANTINE, now)?;
            return Ok(Some(record).filter(|record| record.quarantined_at == Some(now)));
        }
    }
    Ok(None)
}

/// Tells the operator which modules came into quarantine, and who answers instead.
pub(super) fn tell_quarantined(modules: &[ModuleFaults], instead: &str) {
    for module in modules {
        tracing::error!(
            "strategy '{}' (module {}) is in quarantine after {FAULTS_TO_QUARANTINE} faults in a row; its peers \
             use '{instead}'. Last fault: {}: {}",
            module.strategy,
            module.digest,
            module.last_code,
            module.last_text
        );
    }
}
