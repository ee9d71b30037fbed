//! Which module answers for a strategy, and what happens when it fails.

mod roster;

pub use roster::Roster;

use super::Services;
use super::fee::ModuleCall;
use crate::engine::{Engine, Evaluator, LoadFault, Module, NO_WORKER};
use crate::model::module::{Decides, InstalledModule, ModuleEvent, Stage};
use crate::model::{Channel, Digest, Policy, StrategyName, UnixTime};
use crate::store::modules::{self, Fault, ModuleFaults};
use crate::store::states::Holder;
use crate::store::trials::{self, TrialRun};
use crate::store::{Transaction, installed};
use anyhow::Result;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Faults in a row after which a module rests until an operator clears it.
pub const FAULTS_TO_QUARANTINE: u32 = 3;

/// Why a strategy's module is not asked.
pub struct Unusable {
    pub(super) code: &'static str,
    pub(super) text: String,
    pub(super) digest: Option<Digest>,
}

impl Unusable {
    /// The call that was not made, for the record.
    pub(super) fn into_call(
        self,
        strategy: &StrategyName,
        channels: &[(Channel, Policy)],
        instead: &StrategyName,
    ) -> ModuleCall {
        ModuleCall {
            strategy: strategy.clone(),
            digest: self.digest,
            version: String::new(),
            state_version: 0,
            holder: Holder::Strategy(strategy.clone()),
            took: Duration::ZERO,
            channels: channels.iter().map(|(channel, _)| channel.channel_id).collect(),
            transcript: None,
            result: Err((self.code, self.text)),
            fallback: Some(instead.clone()),
        }
    }
}

/// The code of a call that was not made since the module is in quarantine.
pub const QUARANTINED: &str = "quarantined";

impl Services {
    /// Runs what may block for long, e.g. compiling a module, away from the async threads.
    async fn load<T: Send + 'static>(
        &self,
        load: impl FnOnce(&Engine) -> Result<T, LoadFault> + Send + 'static,
    ) -> Result<T, LoadFault> {
        let engine = self.engine.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&engine)).await;
        loaded.unwrap_or_else(|error| Err(LoadFault::Host { why: error.to_string() }))
    }

    /// The module of that name, built in or from the strategies directory.
    pub(super) async fn load_module(&self, name: &StrategyName) -> Result<Arc<Module>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.load(&name)).await
    }

    /// The evaluator of that name, built in or from the strategies directory.
    pub(super) async fn load_evaluator(&self, name: &StrategyName) -> Result<Arc<Evaluator>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.load_evaluator(&name)).await
    }

    /// An installed module that sets fees.
    pub(super) async fn load_kept(
        &self,
        name: &StrategyName,
        digest: Digest,
    ) -> Result<Arc<Module>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.load_kept(&name, digest)).await
    }

    /// An installed module that evaluates rebalances.
    pub(super) async fn load_kept_evaluator(
        &self,
        name: &StrategyName,
        digest: Digest,
    ) -> Result<Arc<Evaluator>, LoadFault> {
        let name = name.clone();
        self.load(move |engine| engine.load_kept_evaluator(&name, digest)).await
    }

    /// The module that answers for a strategy now: the installed one in force, else that of the name.
    pub(super) async fn usable_module(
        &self,
        strategy: &StrategyName,
        roster: &Roster,
    ) -> Result<Arc<Module>, Unusable> {
        match roster.in_force(strategy, Decides::Fees) {
            Some(installed) => self.usable_kept(installed, roster).await,
            None => {
                let module = self.load_module(strategy).await.map_err(not_loaded)?;
                not_quarantined(strategy, module.digest, &roster.quarantined)?;
                Ok(module)
            }
        }
    }

    /// An installed module that sets fees, if it may be asked.
    pub(super) async fn usable_kept(
        &self,
        installed: &InstalledModule,
        roster: &Roster,
    ) -> Result<Arc<Module>, Unusable> {
        not_quarantined(&installed.name, installed.digest, &roster.quarantined)?;
        let loaded = self.load_kept(&installed.name, installed.digest).await;
        loaded.map_err(|fault| Unusable { digest: Some(installed.digest), ..not_loaded(fault) })
    }

    /// The module that evaluates rebalances under this name now.
    pub(super) async fn usable_evaluator(
        &self,
        strategy: &StrategyName,
        roster: &Roster,
    ) -> Result<Arc<Evaluator>, Unusable> {
        match roster.in_force(strategy, Decides::Rebalances) {
            Some(installed) => self.usable_kept_evaluator(installed, roster).await,
            None => {
                let module = self.load_evaluator(strategy).await.map_err(not_loaded)?;
                not_quarantined(strategy, module.digest, &roster.quarantined)?;
                Ok(module)
            }
        }
    }

    /// An installed module that evaluates rebalances, if it may be asked.
    pub(super) async fn usable_kept_evaluator(
        &self,
        installed: &InstalledModule,
        roster: &Roster,
    ) -> Result<Arc<Evaluator>, Unusable> {
        not_quarantined(&installed.name, installed.digest, &roster.quarantined)?;
        let loaded = self.load_kept_evaluator(&installed.name, installed.digest).await;
        loaded.map_err(|fault| Unusable { digest: Some(installed.digest), ..not_loaded(fault) })
    }
}

fn not_loaded(fault: LoadFault) -> Unusable {
    Unusable { code: fault.code(), text: fault.to_string(), digest: None }
}

fn not_quarantined(
    name: &StrategyName,
    digest: Digest,
    quarantined: &HashSet<Digest>,
) -> Result<(), Unusable> {
    if !quarantined.contains(&digest) {
        return Ok(());
    }
    Err(Unusable {
        code: QUARANTINED,
        text: format!("module '{name}' failed {FAULTS_TO_QUARANTINE} times in a row and is in quarantine"),
        digest: Some(digest),
    })
}

/// Counts a call's fault, or that it had none; gives the module if that put it into quarantine now.
pub(super) fn note_call(
    tx: &Transaction<'_>,
    strategy: &StrategyName,
    digest: Option<Digest>,
    result: Result<(), (&str, &str)>,
    now: UnixTime,
) -> Result<Option<ModuleFaults>> {
    match (result, digest) {
        (Ok(()), Some(digest)) => modules::ok(tx, &digest)?,
        (Ok(()), None) | (Err((QUARANTINED, _)), _) => {}
        (Err((NO_WORKER, text)), _) => tracing::warn!("strategy '{strategy}' could not be asked: {text}"),
        (Err((code, text)), None) => tracing::warn!("strategy '{strategy}' is not used ({code}): {text}"),
        (Err((code, text)), Some(digest)) => {
            tracing::warn!("strategy '{strategy}' (module {digest}) failed ({code}): {text}");
            let record =
                modules::fault(tx, Fault { digest, strategy, code, text }, FAULTS_TO_QUARANTINE, now)?;
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

/// Keeps what a module on trial did; a canary that fails is taken back at once. Gives the module if
/// its fault put it into quarantine now.
pub(super) fn note_trial(
    tx: &Transaction<'_>,
    module: &InstalledModule,
    run: &TrialRun,
    cycle: i64,
    now: UnixTime,
) -> Result<Option<ModuleFaults>> {
    trials::record(tx, run, cycle, now)?;
    let fault = run.fault.as_ref().map(|(code, text)| (code.as_str(), text.as_str()));
    if let Some((code, text)) = fault
        && code != NO_WORKER
        && module.stage == Stage::Canary
    {
        take_back(tx, module, &format!("it failed ({code}): {text}"), now)?;
    }
    match fault {
        Some((QUARANTINED, _)) => Ok(None),
        _ => note_call(tx, &module.name, Some(module.digest), fault.map_or(Ok(()), Err), now),
    }
}

/// Ends a canary: the module is a shadow again, and its channels go back to the one in force.
pub(super) fn take_back(
    tx: &Transaction<'_>,
    module: &InstalledModule,
    why: &str,
    now: UnixTime,
) -> Result<()> {
    tracing::warn!("canary '{}' ({}) is taken back: {why}", module.name, module.digest);
    let shadow = InstalledModule { stage: Stage::Shadow, stage_since: now, canary: None, ..module.clone() };
    installed::put(tx, &shadow)?;
    let event = ModuleEvent {
        at: now,
        name: module.name.clone(),
        digest: Some(module.digest),
        action: "return".to_owned(),
        by: "host".to_owned(),
        detail: format!("from canary to shadow: {why}"),
    };
    Ok(installed::note(tx, &event)?)
}
