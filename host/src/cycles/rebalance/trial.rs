//! Evaluators on trial: they decide beside the one in force. What a canary wants for its own channels
//! is taken as if it were in force; of everything else only the difference is kept.

use super::ask::{Answer, Asked};
use super::ground::Ground;
use super::plan::{Judged, RebalancePlan};
use crate::cycles::Services;
use crate::cycles::strategies::{Call, Decider, Trial, Tryout, own_channels};
use crate::engine::Rebalances;
use crate::guard::budget::Ledger;
use crate::model::ChannelId;
use crate::store::cycles::Terms;
use crate::store::trials::Difference;
use anyhow::Result;
use std::collections::{HashMap, HashSet};

impl Services {
    /// Has an evaluator on trial decide about all channels of its strategy.
    pub(super) async fn evaluate_on_trial(
        &self,
        Tryout { module, loaded }: Tryout<Rebalances>,
        channels: HashSet<ChannelId>,
        ground: &Ground,
        (ledger, force): (&mut Ledger, bool),
        plan: &mut RebalancePlan,
    ) -> Result<()> {
        let strategy = module.stands_for.clone();
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(unusable) => {
                let ids = channels.iter().copied().collect();
                let call = Call::not_made(unusable, &strategy, ids, &strategy);
                plan.trials.push(Trial::new(module, call));
                return Ok(());
            }
        };
        let own = own_channels(&module);
        let decider = Decider::installed(&module);
        let group = Asked { module: loaded, channels };
        let answer = self.ask_evaluator(&strategy, decider, &group, ground, (&*ledger, force)).await?;
        let beside: HashSet<ChannelId> = group.channels.difference(&own).copied().collect();
        let compared = compare(&answer, &beside, ground, force, plan);
        answer.judge(&own, ground, force, ledger, plan);
        let mut trial = Trial::new(module, answer.call);
        (trial.run.same, trial.run.differences, trial.run.refused) = compared;
        plan.trials.push(trial);
        Ok(())
    }
}

/// Judges what is not applied as if the cycle began with it: for how many channels both want the same,
/// where they differ, and how many proposals are refused.
fn compare(
    answer: &Answer,
    beside: &HashSet<ChannelId>,
    ground: &Ground,
    force: bool,
    plan: &RebalancePlan,
) -> (u32, Vec<Difference>, u32) {
    if answer.call.result.is_err() {
        return (0, Vec::new(), 0);
    }
    let mut scratch = ground.empty_plan();
    answer.judge(beside, ground, force, &mut ground.facts.ledger.clone(), &mut scratch);
    let (in_force, on_trial) = (amounts(&plan.judged), amounts(&scratch.judged));
    let refused = scratch.judged.iter().filter(|judged| judged.verdict.result.is_err()).count();
    let (mut same, mut differences) = (0, Vec::new());
    for id in beside {
        let (live, trial) = (in_force.get(id).copied(), on_trial.get(id).copied());
        if live == trial {
            same += 1;
            continue;
        }
        let judged = scratch.judged.iter().find(|judged| judged.to.channel_id == *id);
        differences.push(Difference {
            channel_id: *id,
            in_force: live,
            on_trial: trial,
            in_force_terms: Terms::default(),
            on_trial_terms: Terms::default(),
            reason: judged.map_or_else(String::new, |judged| judged.verdict.proposal.reason.clone()),
            verdict: judged.map_or("none", verdict).to_owned(),
        });
    }
    (same, differences, u32::try_from(refused).unwrap_or(u32::MAX))
}

fn verdict(judged: &Judged) -> &'static str {
    judged.verdict.result.as_ref().err().map_or("approved", |refusal| refusal.code())
}

/// What would be moved to each channel, msat.
fn amounts(judged: &[Judged]) -> HashMap<ChannelId, u64> {
    let approved = judged.iter().filter_map(|one| one.verdict.result.as_ref().ok());
    approved.map(|approved| (approved.get().to.channel_id, approved.get().amount.0)).collect()
}
