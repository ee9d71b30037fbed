//! Evaluators on trial: they decide beside the one in force. What a canary wants for its own channels
//! is taken as if it were in force; of everything else only the difference is kept.

use super::ask::{Answer, Asked, EvaluatorCall};
use super::ground::Ground;
use super::plan::{ByPolicy, Judged, RebalancePlan, not_called};
use crate::cycles::Services;
use crate::cycles::strategies::{Roster, Unusable};
use crate::engine::Evaluator;
use crate::guard::budget::Ledger;
use crate::model::module::{Decides, InstalledModule};
use crate::model::{ChannelId, StrategyName};
use crate::store::states::Holder;
use crate::store::trials::{Difference, TrialRun};
use anyhow::Result;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// An evaluator on trial, before it is asked.
pub(super) struct Loaded {
    pub module: InstalledModule,
    pub loaded: Result<Arc<Evaluator>, Unusable>,
}

/// What an evaluator on trial did in this cycle.
pub struct EvaluatorTrial {
    pub module: InstalledModule,
    pub call: EvaluatorCall,
    pub run: TrialRun,
}

/// Channels for which a canary of this evaluator's name decides in this cycle.
pub(super) fn canary_channels(trials: &[Loaded], strategy: &StrategyName) -> HashSet<ChannelId> {
    let of_strategy = trials.iter().filter(|one| one.module.stands_for == *strategy && one.loaded.is_ok());
    of_strategy.flat_map(|one| own_channels(&one.module)).collect()
}

fn own_channels(module: &InstalledModule) -> Vec<ChannelId> {
    module.canary.as_ref().map_or_else(Vec::new, |canary| canary.channels.clone())
}

impl Services {
    pub(super) async fn evaluators_on_trial(&self, by_policy: &ByPolicy, roster: &Roster) -> Vec<Loaded> {
        let mut trials = Vec::new();
        for module in by_policy.keys().flat_map(|strategy| roster.trials(strategy, Decides::Rebalances)) {
            let loaded = self.usable_kept_evaluator(module, roster).await;
            trials.push(Loaded { module: module.clone(), loaded });
        }
        trials
    }

    /// Has an evaluator on trial decide about all channels of its strategy.
    pub(super) async fn evaluate_on_trial(
        &self,
        Loaded { module, loaded }: Loaded,
        channels: HashSet<ChannelId>,
        ground: &Ground,
        (ledger, force): (&mut Ledger, bool),
        plan: &mut RebalancePlan,
    ) -> Result<()> {
        let strategy = module.stands_for.clone();
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(unusable) => {
                let call = not_called(unusable, &strategy, &channels);
                plan.trials.push(EvaluatorTrial { run: run(&module, &call), module, call });
                return Ok(());
            }
        };
        let own: HashSet<ChannelId> = own_channels(&module).into_iter().collect();
        let holder = Holder::Module(module.digest);
        let group = Asked { module: loaded, channels };
        let answer = self.ask_evaluator(&strategy, holder, &group, ground, (&*ledger, force)).await?;
        let mut run = run(&module, &answer.call);
        let beside: HashSet<ChannelId> = group.channels.difference(&own).copied().collect();
        compare(&answer, &beside, ground, force, plan, &mut run);
        answer.judge(&own, ground, force, ledger, plan);
        plan.trials.push(EvaluatorTrial { module, call: answer.call, run });
        Ok(())
    }
}

fn run(module: &InstalledModule, call: &EvaluatorCall) -> TrialRun {
    TrialRun {
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
    }
}

/// Judges what is not applied as if the cycle began with it, and keeps where it differs.
fn compare(
    answer: &Answer,
    beside: &HashSet<ChannelId>,
    ground: &Ground,
    force: bool,
    plan: &RebalancePlan,
    run: &mut TrialRun,
) {
    if answer.call.result.is_err() {
        return;
    }
    let mut scratch = ground.empty_plan();
    answer.judge(beside, ground, force, &mut ground.facts.ledger.clone(), &mut scratch);
    let (in_force, on_trial) = (amounts(&plan.judged), amounts(&scratch.judged));
    let refused = scratch.judged.iter().filter(|judged| judged.verdict.result.is_err()).count();
    run.refused = u32::try_from(refused).unwrap_or(u32::MAX);
    for id in beside {
        let (live, trial) = (in_force.get(id).copied(), on_trial.get(id).copied());
        if live == trial {
            run.same += 1;
            continue;
        }
        let judged = scratch.judged.iter().find(|judged| judged.to.channel_id == *id);
        run.differences.push(Difference {
            channel_id: *id,
            in_force: live,
            on_trial: trial,
            reason: judged.map_or_else(String::new, |judged| judged.verdict.proposal.reason.clone()),
            verdict: judged.map_or("none", verdict).to_owned(),
        });
    }
}

fn verdict(judged: &Judged) -> &'static str {
    judged.verdict.result.as_ref().err().map_or("approved", |refusal| refusal.code())
}

/// What would be moved to each channel, msat.
fn amounts(judged: &[Judged]) -> HashMap<ChannelId, u64> {
    let approved = judged.iter().filter_map(|one| one.verdict.result.as_ref().ok());
    approved.map(|approved| (approved.get().to.channel_id, approved.get().amount.0)).collect()
}
