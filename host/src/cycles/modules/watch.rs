//! Canaries are judged after each fee cycle, and taken back without a person's word.

use crate::cycles::Services;
use crate::cycles::strategies::take_back;
use crate::econ::canary::{Word, judge};
use crate::model::CycleKind;
use crate::model::module::Stage;
use crate::store::{canaries, installed};
use anyhow::Result;

impl Services {
    /// Takes back the canaries among the modules for fees that earn less or are refused more than their
    /// bounds allow. An evaluator's canary is taken back only when it fails.
    pub(in crate::cycles) async fn judge_canaries(&self) -> Result<()> {
        let is_canary = |module: &crate::model::module::InstalledModule| {
            module.stage == Stage::Canary && module.decides == CycleKind::Fee
        };
        if !self.installed().await?.iter().any(is_canary) {
            return Ok(());
        }
        let now = self.now();
        self.store
            .write(move |tx| {
                for module in installed::all(tx)?.into_iter().filter(is_canary) {
                    let Some(canary) = &module.canary else { continue };
                    let verdict = judge(&canaries::evidence(tx, &module, canary, now)?, &canary.bounds);
                    if let Word::Return { why } = verdict.word {
                        take_back(tx, &module, &why, now)?;
                    }
                }
                Ok(())
            })
            .await
    }
}
