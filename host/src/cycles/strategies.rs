//! Which module answers for a strategy, and what happens when it fails.

use super::Services;
use super::fee::ModuleCall;
use crate::engine::{Evaluator, LoadFault, Module};
use crate::model::{Channel, Digest, Policy, StrategyName, UnixTime};
use crate::store::Transaction;
use crate::store::modules::{self, Fault, ModuleFaults};
use anyhow::Result;
use std::collections::HashSet;
use std::sync::Arc;

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
    pub(super) fn into_call(self, strategy: &StrategyName, channels: &[(Channel, Policy)]) -> ModuleCall {
        ModuleCall {
            strategy: strategy.clone(),
            digest: self.digest,
            version: String::new(),
            state_version: 0,
            channels: channels.iter().map(|(channel, _)| channel.channel_id).collect(),
            inputs_digest: None,
            result: Err((self.code, self.text)),
            fallback: Some(StrategyName::dynamic()),
        }
    }
}

/// The code of a call that was not made since the module is in quarantine.
pub const QUARANTINED: &str = "quarantined";

impl Services {
    /// Loads a strategy's module on a thread that may block: a new file is compiled first.
    pub(super) async fn load_module(&self, name: &StrategyName) -> Result<Arc<Module>, LoadFault> {
        let (engine, name) = (self.engine.clone(), name.clone());
        let load = tokio::task::spawn_blocking(move || engine.load(&name));
        load.await.unwrap_or_else(|error| Err(LoadFault::Host { why: error.to_string() }))
    }

    /// The module that answers for a strategy now.
    pub(super) async fn usable_module(
        &self,
        name: &StrategyName,
        facts: &super::fee::Facts,
    ) -> Result<Arc<Module>, Unusable> {
        let module = self.load_module(name).await.map_err(not_loaded)?;
        not_quarantined(name, module.digest, &facts.quarantined)?;
        Ok(module)
    }

    /// Loads a rebalance evaluator's module on a thread that may block.
    pub(super) async fn load_evaluator(&self, name: &StrategyName) -> Result<Arc<Evaluator>, LoadFault> {
        let (engine, name) = (self.engine.clone(), name.clone());
        let load = tokio::task::spawn_blocking(move || engine.load_evaluator(&name));
        load.await.unwrap_or_else(|error| Err(LoadFault::Host { why: error.to_string() }))
    }

    /// The module that evaluates rebalances under this name now.
    pub(super) async fn usable_evaluator(
        &self,
        name: &StrategyName,
        quarantined: &HashSet<Digest>,
    ) -> Result<Arc<Evaluator>, Unusable> {
        let module = self.load_evaluator(name).await.map_err(not_loaded)?;
        not_quarantined(name, module.digest, quarantined)?;
        Ok(module)
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
    result: Result<(), (&'static str, &str)>,
    now: UnixTime,
) -> Result<Option<ModuleFaults>> {
    match (result, digest) {
        (Ok(()), Some(digest)) => modules::ok(tx, &digest)?,
        (Ok(()), None) | (Err((QUARANTINED, _)), _) => {}
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
