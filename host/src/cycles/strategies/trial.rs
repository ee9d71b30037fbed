//! Modules on trial: they decide beside the one in force, and canaries for their own channels.

use super::{Call, QUARANTINED, Roster, Unusable, note_call};
use crate::cycles::Services;
use crate::engine::{Module, World};
use crate::model::module::{InstalledModule, ModuleEvent, Stage};
use crate::model::strategy::{LastVerdict, NOT_THE_MODULES};
use crate::model::{ChannelId, Ppm, StrategyName, UnixTime};
use crate::store::modules::ModuleFaults;
use crate::store::trials::{self, TrialRun};
use crate::store::{Transaction, installed};
use anyhow::Result;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A module on trial, before it is asked.
pub(in crate::cycles) struct Tryout<W: World> {
    pub module: InstalledModule,
    pub loaded: Result<Arc<Module<W>>, Unusable>,
}

/// What a module on trial did in a cycle.
pub struct Trial<W: World> {
    pub module: InstalledModule,
    pub call: Call<W>,
    pub run: TrialRun,
    /// The guard's word on what was not applied, for the module's next call.
    pub verdicts: HashMap<ChannelId, (LastVerdict, Ppm)>,
}

impl<W: World> Trial<W> {
    /// A trial in which nothing is compared yet.
    pub(in crate::cycles) fn new(module: InstalledModule, call: Call<W>) -> Trial<W> {
        let run = TrialRun {
            name: module.name.clone(),
            digest: module.digest,
            decides: module.decides,
            stage: module.stage,
            channels: call.channel_count(),
            same: 0,
            differences: Vec::new(),
            refused: 0,
            fuel: call.fuel(),
            took_us: call.took_us(),
            fault: call.fault().map(|(code, text)| (code.to_owned(), text.to_owned())),
        };
        Trial { module, call, run, verdicts: HashMap::new() }
    }
}

/// The channels that a canary decides for; none for any other module.
pub(in crate::cycles) fn own_channels(module: &InstalledModule) -> HashSet<ChannelId> {
    module.canary.iter().flat_map(|canary| canary.channels.iter().copied()).collect()
}

/// Channels for which a canary of this strategy decides in this cycle.
pub(in crate::cycles) fn canary_channels<W: World>(
    tryouts: &[Tryout<W>],
    strategy: &StrategyName,
) -> HashSet<ChannelId> {
    let of_strategy = tryouts.iter().filter(|one| one.module.stands_for == *strategy && one.loaded.is_ok());
    of_strategy.flat_map(|one| own_channels(&one.module)).collect()
}

impl Services {
    /// The modules on trial for strategies that peers have, loaded if they can be.
    pub(in crate::cycles) async fn tryouts<W: World>(
        &self,
        strategies: impl Iterator<Item = &StrategyName>,
        roster: &Roster,
    ) -> Vec<Tryout<W>> {
        let mut tryouts = Vec::new();
        for module in strategies.flat_map(|strategy| roster.trials(strategy, W::CYCLE)) {
            let loaded = self.usable_kept(module, roster).await;
            tryouts.push(Tryout { module: module.clone(), loaded });
        }
        tryouts
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
        && !NOT_THE_MODULES.contains(&code)
        && module.stage == Stage::Canary
    {
        take_back(tx, module, &format!("it failed ({code}): {text}"), now)?;
    }
    match fault {
        Some((QUARANTINED, _)) => Ok(None),
        _ => {
            let who = (Some(module.digest), module.decides);
            note_call(tx, &module.name, who, fault.map_or(Ok(()), Err), now)
        }
    }
}

/// Ends a canary: the module is a shadow again, and its channels go back to the one in force. Where an
/// operator has ended it meanwhile, it stays as that left it.
pub(in crate::cycles) fn take_back(
    tx: &Transaction<'_>,
    module: &InstalledModule,
    why: &str,
    now: UnixTime,
) -> Result<()> {
    let found = installed::get(tx, &module.name, &module.digest)?;
    let Some(module) = found.filter(|found| found.canary.is_some() && found.canary == module.canary) else {
        return Ok(());
    };
    tracing::warn!("canary '{}' ({}) is taken back: {why}", module.name, module.digest);
    let shadow = InstalledModule { stage: Stage::Shadow, stage_since: now, canary: None, ..module.clone() };
    installed::put(tx, &shadow)?;
    let event = ModuleEvent {
        at: now,
        name: module.name,
        digest: Some(module.digest),
        action: "return".to_owned(),
        by: "host".to_owned(),
        detail: format!("from canary to shadow: {why}"),
    };
    Ok(installed::note(tx, &event)?)
}
