//! Modules on trial: they decide beside the one in force. What a canary wants for its own channels
//! is applied as if it were in force; of everything else only the difference is kept.

use super::decide::{Ground, Group, ModuleCall, proposals};
use super::inputs;
use super::plan::{Plan, Planned};
use crate::cycles::Services;
use crate::cycles::strategies::Unusable;
use crate::engine::Module;
use crate::model::fee::Outcome;
use crate::model::module::{Decides, InstalledModule};
use crate::model::strategy::LastVerdict;
use crate::model::{Channel, ChannelId, Policy, Ppm, StrategyName};
use crate::store::states::Holder;
use crate::store::trials::{Difference, TrialRun};
use anyhow::Result;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A module on trial, before it is asked.
pub(super) struct Loaded {
    pub module: InstalledModule,
    pub loaded: Result<Arc<Module>, Unusable>,
}

/// What a module on trial did in this cycle.
pub struct TrialCall {
    pub module: InstalledModule,
    pub call: ModuleCall,
    pub run: TrialRun,
    /// The guard's word on what was not applied, for the module's next call.
    pub verdicts: HashMap<ChannelId, (LastVerdict, Ppm)>,
}

/// Channels for which a canary of this strategy decides in this cycle.
pub(super) fn canary_channels(trials: &[Loaded], strategy: &StrategyName) -> HashSet<ChannelId> {
    let of_strategy = trials.iter().filter(|one| one.module.stands_for == *strategy && one.loaded.is_ok());
    of_strategy
        .filter_map(|one| one.module.canary.as_ref())
        .flat_map(|canary| canary.channels.iter().copied())
        .collect()
}

impl Services {
    /// Has a module on trial decide about all channels of its strategy.
    pub(super) async fn decide_on_trial(
        &self,
        Loaded { module, loaded }: Loaded,
        channels: Vec<(Channel, Policy)>,
        ground: &Ground,
        plan: &mut Plan,
    ) -> Result<()> {
        let strategy = module.stands_for.clone();
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(unusable) => {
                let call = unusable.into_call(&strategy, &channels, &strategy);
                plan.trials.push(TrialCall::new(module, call));
                return Ok(());
            }
        };
        let group = Group { module: loaded, channels };
        let call = self.ask_strategy(strategy, Holder::Module(module.digest), &group, ground).await?;
        let mut trial = TrialCall::new(module, call);
        trial.judge(group, ground, plan);
        plan.trials.push(trial);
        Ok(())
    }
}

impl TrialCall {
    fn new(module: InstalledModule, call: ModuleCall) -> TrialCall {
        let run = TrialRun {
            name: module.name.clone(),
            digest: module.digest,
            stage: module.stage,
            channels: u32::try_from(call.channels.len()).unwrap_or(u32::MAX),
            same: 0,
            differences: Vec::new(),
            refused: 0,
            fuel: call.result.as_ref().ok().map(|decision| decision.fuel),
            took_us: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
            fault: call.result.as_ref().err().map(|(code, text)| ((*code).to_owned(), text.clone())),
        };
        TrialCall { module, call, run, verdicts: HashMap::new() }
    }

    /// Puts what it wants before the guard, and beside what the module in force wants.
    fn judge(&mut self, group: Group, ground: &Ground, plan: &mut Plan) {
        if self.call.result.is_err() {
            self.hold_canaries(group, ground, plan);
            return;
        }
        let in_force = wanted_fees(plan);
        let canary = ground.facts.roster.canary_channels(&self.module.stands_for, Decides::Fees);
        let decides =
            |channel: &Channel| self.module.canary.is_some() && canary.contains(&channel.channel_id);
        let (mut planned, mut held) = (Vec::new(), Vec::new());
        let mut compared = Vec::new();
        let mut proposals = proposals(&self.call);
        for (row, (channel, policy)) in group.channels.into_iter().enumerate() {
            let applies = decides(&channel);
            let id = channel.channel_id;
            match proposals.next_if(|proposal| proposal.row == row) {
                Some(wanted) => {
                    let one = ground.judge(&self.call, &group.module, wanted, channel, policy);
                    if applies { planned.push(one) } else { compared.push((id, Some(one))) }
                }
                None if applies => held.push(ground.held(&self.call, channel, policy)),
                None => compared.push((id, None)),
            }
        }
        drop(proposals);
        self.run.refused = refused(planned.iter().chain(compared.iter().filter_map(|(_, one)| one.as_ref())));
        plan.decided.extend(planned);
        plan.held.extend(held);
        for (id, planned) in compared {
            self.compare(id, planned, in_force.get(&id).copied());
        }
    }

    /// After a fault nothing changes, for its own channels either.
    fn hold_canaries(&self, group: Group, ground: &Ground, plan: &mut Plan) {
        let Some(canary) = &self.module.canary else { return };
        let own =
            group.channels.into_iter().filter(|(channel, _)| canary.channels.contains(&channel.channel_id));
        plan.held.extend(own.map(|(channel, policy)| ground.held(&self.call, channel, policy)));
    }

    fn compare(&mut self, id: ChannelId, planned: Option<Planned>, in_force: Option<Ppm>) {
        let (on_trial, reason, verdict) = match planned {
            Some(planned) => {
                let proposal = &planned.verdict.proposal;
                self.verdicts
                    .insert(id, (inputs::last_verdict(&planned, Some(&Outcome::DryRun)), proposal.fee));
                let verdict =
                    planned.verdict.result.as_ref().err().map_or("approved", |refusal| refusal.code());
                (wanted_fee(&planned), proposal.reason.clone(), verdict)
            }
            None => (None, String::new(), "none"),
        };
        if on_trial == in_force {
            self.run.same += 1;
            return;
        }
        let ppm = |fee: Ppm| u64::from(fee.0);
        self.run.differences.push(Difference {
            channel_id: id,
            in_force: in_force.map(ppm),
            on_trial: on_trial.map(ppm),
            reason,
            verdict: verdict.to_owned(),
        });
    }
}

/// The fee that a decision leads to; none if it leads to no change.
fn wanted_fee(planned: &Planned) -> Option<Ppm> {
    planned.verdict.result.as_ref().ok().map(|approved| approved.get().fee)
}

fn wanted_fees(plan: &Plan) -> HashMap<ChannelId, Ppm> {
    let fees = plan.decided.iter().filter_map(|one| Some((one.channel.channel_id, wanted_fee(one)?)));
    fees.collect()
}

/// Proposals that no limit could make right; what is merely not worth a change does not count.
fn refused<'a>(planned: impl Iterator<Item = &'a Planned>) -> u32 {
    let count =
        planned.filter(|one| one.verdict.result.as_ref().is_err_and(|why| why.is_the_strategys())).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
