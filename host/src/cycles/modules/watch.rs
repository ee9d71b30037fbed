//! Canaries are judged after each cycle, and taken back without a person's word.

use crate::cycles::Services;
use crate::cycles::strategies::take_back;
use crate::econ::canary::{Word, evaluator, judge};
use crate::model::module::{Canary, InstalledModule, Stage};
use crate::model::{CycleKind, UnixTime};
use crate::store::{Connection, canaries, installed};
use anyhow::Result;

impl Services {
    /// Takes back the canaries of these cycles that are refused more than their bounds allow, earn less or
    /// pay more.
    pub(in crate::cycles) async fn judge_canaries(&self, decides: CycleKind) -> Result<()> {
        let is_canary =
            move |module: &InstalledModule| module.stage == Stage::Canary && module.decides == decides;
        if !self.installed().await?.iter().any(is_canary) {
            return Ok(());
        }
        let now = self.now();
        self.store
            .write(move |tx| {
                for module in installed::all(tx)?.into_iter().filter(is_canary) {
                    let Some(canary) = &module.canary else { continue };
                    if let Word::Return { why } = word(tx, &module, canary, now)? {
                        take_back(tx, &module, &why, now)?;
                    }
                }
                Ok(())
            })
            .await
    }
}

fn word(conn: &Connection, module: &InstalledModule, canary: &Canary, now: UnixTime) -> Result<Word> {
    Ok(match module.decides {
        CycleKind::Fee => judge(&canaries::evidence(conn, module, canary, now)?, &canary.bounds).word,
        CycleKind::Rebalance => {
            evaluator::judge(&canaries::evaluations(conn, module, canary, now)?, &canary.bounds).word
        }
    })
}
