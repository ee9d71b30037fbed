//! Calls of an earlier cycle, made again.

use super::compare::{Difference, Judgement, compare};
use crate::cycles::Services;
use crate::cycles::fee::pseudonym;
use crate::engine::{LoadFault, Recording, Target};
use crate::model::rebalance::RebalanceInput;
use crate::model::strategy::FeeInput;
use crate::model::{Answer, CycleKind, StrategyName, Transcript};
use crate::store::journal::{self, Kept, Written};
use crate::store::names;
use anyhow::Result;
use std::collections::HashMap;
use std::path::PathBuf;

/// Which calls, and how.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub kind: CycleKind,
    pub cycle: u64,
    /// One strategy's call; none: all of the cycle.
    pub strategy: Option<StrategyName>,
    pub on: Target,
    /// Write each call into a file of its own.
    pub export: bool,
}

/// A call made again.
pub struct Replayed {
    pub kept: Kept,
    /// What it comes to now, and what that says; or why it was not made again.
    pub outcome: Result<(Answer, Judgement), String>,
    /// Names of the channels, by row; only where they are of use.
    pub rows: Vec<Option<String>>,
    pub export: Option<Result<PathBuf, String>>,
}

impl Services {
    /// Makes the calls of an earlier cycle again. The inner error is a sentence: why there are none.
    pub async fn replay(&self, wanted: Wanted) -> Result<Result<Vec<Replayed>, String>> {
        let ask = wanted.clone();
        let calls = self
            .store
            .read(move |conn| {
                let calls = journal::calls(conn, ask.kind, ask.cycle, ask.strategy.as_ref())?;
                Ok(if calls.is_empty() {
                    Err(journal::written(conn, ask.kind, ask.cycle)?)
                } else {
                    Ok(calls)
                })
            })
            .await?;
        let calls = match calls {
            Ok(calls) => calls,
            Err(written) => return Ok(Err(self.why_none(&wanted, &written))),
        };
        // One at a time: each takes a process and a processor.
        let _turn = self.replay_turn.lock().await;
        let mut replayed = Vec::new();
        for kept in calls {
            replayed.push(self.replay_one(kept, &wanted).await?);
        }
        Ok(Ok(replayed))
    }

    async fn replay_one(&self, kept: Kept, wanted: &Wanted) -> Result<Replayed> {
        let (on, cycle, export) = (wanted.on, wanted.cycle, wanted.export);
        let again = self.on_engine(move |engine| {
            let call = &kept.transcript;
            let recording =
                engine.kept(&call.module).map_err(|fault| not_kept(&fault, call)).map(|wasm| Recording {
                    cycle,
                    at: kept.at,
                    program: kept.program.clone(),
                    transcript: call.clone(),
                    wasm,
                });
            let export =
                export.then(|| recording.as_ref().map_err(String::clone).and_then(|it| engine.export(it)));
            let outcome = recording.and_then(|recording| {
                let now = engine.replay(&recording, on)?;
                let judgement = compare(call.kind, &call.answer, &now);
                Ok((now, judgement))
            });
            (outcome, export, kept)
        });
        let (outcome, export, kept) = again.await?;
        let rows = match &outcome {
            Ok((_, Judgement::Differs(differences))) => self.row_names(&kept.transcript, differences).await?,
            _ => Vec::new(),
        };
        Ok(Replayed { kept, outcome, rows, export })
    }

    /// The names of the channels behind the rows of an input, which knows them by pseudonyms.
    async fn row_names(&self, call: &Transcript, differences: &[Difference]) -> Result<Vec<Option<String>>> {
        if differences.iter().all(|one| one.row.is_none()) {
            return Ok(Vec::new());
        }
        let known = self.store.read(|conn| Ok(names::channels(conn)?)).await?;
        let key = self.pseudonym_key;
        let names: HashMap<u64, String> = known
            .into_iter()
            .map(|channel| {
                let name =
                    channel.scid.map_or_else(|| channel.channel_id.to_string(), |scid| scid.to_string());
                (pseudonym(&key, &channel.channel_id.0), name)
            })
            .collect();
        Ok(pseudonyms(call).iter().map(|row| names.get(row).cloned()).collect())
    }

    /// Why no call of a cycle can be made again.
    fn why_none(&self, wanted: &Wanted, written: &Written) -> String {
        let (kind, cycle) = (wanted.kind.name(), wanted.cycle);
        if written.latest.is_none_or(|latest| latest < cycle) {
            let latest = written
                .latest
                .map_or_else(|| "there was none yet".to_owned(), |n| format!("the latest is {n}"));
            return format!("there is no {kind} cycle {cycle}: {latest}");
        }
        let others: Vec<&str> = written.kept.iter().map(StrategyName::as_str).collect();
        if let (Some(strategy), false) = (&wanted.strategy, others.is_empty()) {
            return format!(
                "{kind} cycle {cycle} has no call of '{strategy}' to replay; it has calls of: {}",
                others.join(", ")
            );
        }
        if written.called == Some(0) {
            return format!("{kind} cycle {cycle} asked no strategy: there is nothing to replay");
        }
        let config = self.config();
        if config.journal_mb == 0 {
            return format!(
                "what strategies were told in {kind} cycle {cycle} is not kept: revenue-ops-journal-mb is 0"
            );
        }
        format!(
            "what strategies were told in {kind} cycle {cycle} is no longer kept: revenue-ops-journal-days ({}) and \
             revenue-ops-journal-mb ({}) say how much is",
            config.journal_days, config.journal_mb
        )
    }
}

fn not_kept(fault: &LoadFault, call: &Transcript) -> String {
    match fault {
        LoadFault::NotKept { digest } => {
            format!("the module of '{}' in that cycle is no longer kept ({digest})", call.strategy)
        }
        other => other.to_string(),
    }
}

/// The pseudonym of each row.
pub fn pseudonyms(call: &Transcript) -> Vec<u64> {
    let fees = || postcard::from_bytes(&call.input).map(|input: FeeInput| input.channels);
    let rebalances = || postcard::from_bytes(&call.input).map(|input: RebalanceInput| input.channels);
    // Bytes that are no input were told as such when the call was made again.
    match call.kind {
        CycleKind::Fee => fees().unwrap_or_default().iter().map(|row| row.pseudonym).collect(),
        CycleKind::Rebalance => rebalances().unwrap_or_default().iter().map(|row| row.pseudonym).collect(),
    }
}
