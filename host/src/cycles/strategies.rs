//! Which module answers for a strategy, and what happens when it fails.

use super::Services;
use super::fee::ModuleCall;
use crate::engine::{LoadFault, Module};
use crate::model::{Channel, Policy, StrategyName};
use std::sync::Arc;

/// Faults in a row after which a module rests until an operator clears it.
pub const FAULTS_TO_QUARANTINE: u32 = 3;

/// Why a strategy's module is not asked.
pub struct Unusable {
    code: &'static str,
    text: String,
    digest: Option<crate::model::Digest>,
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
        let module = self.load_module(name).await.map_err(|fault| Unusable {
            code: fault.code(),
            text: fault.to_string(),
            digest: None,
        })?;
        if facts.quarantined.contains(&module.digest) {
            return Err(Unusable {
                code: QUARANTINED,
                text: format!(
                    "module '{name}' failed {FAULTS_TO_QUARANTINE} times in a row and is in quarantine"
                ),
                digest: Some(module.digest),
            });
        }
        Ok(module)
    }
}
