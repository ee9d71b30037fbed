//! Modules on trial: they decide beside the one in force. What a canary wants for its own channels
//! is applied as if it were in force; of everything else only the difference is kept.

use super::decide::{Ground, Group, proposals};
use super::inputs;
use super::plan::{Plan, Planned, ids};
use crate::cycles::Services;
use crate::cycles::strategies::{Call, Decider, Trial, Tryout, own_channels};
use crate::engine::Fees;
use crate::model::fee::Outcome;
use crate::model::{Channel, ChannelId, Policy, Ppm};
use crate::store::cycles::Terms;
use crate::store::trials::Difference;
use anyhow::Result;
use std::collections::{HashMap, HashSet};

impl Services {
    /// Has a module on trial decide about all channels of its strategy.
    pub(super) async fn decide_on_trial(
        &self,
        Tryout { module, loaded }: Tryout<Fees>,
        channels: Vec<(Channel, Policy)>,
        ground: &Ground,
        plan: &mut Plan,
    ) -> Result<()> {
        let strategy = module.stands_for.clone();
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(unusable) => {
                let call = Call::not_made(unusable, &strategy, ids(&channels), &strategy);
                plan.trials.push(Trial::new(module, call));
                return Ok(());
            }
        };
        let group = Group { module: loaded, channels };
        let call = self.ask_strategy(strategy, Decider::installed(&module), &group, ground, false).await?;
        let mut trial = Trial::new(module, call);
        trial.judge(group, ground, plan);
        plan.trials.push(trial);
        Ok(())
    }
}

impl Trial<Fees> {
    /// Puts what it wants before the guard, and beside what the module in force wants.
    fn judge(&mut self, group: Group, ground: &Ground, plan: &mut Plan) {
        if self.call.result.is_err() {
            self.hold_canaries(group, ground, plan);
            return;
        }
        let in_force = wanted_fees(plan);
        let own: HashSet<ChannelId> = own_channels(&self.module);
        let (mut planned, mut held) = (Vec::new(), Vec::new());
        let mut compared = Vec::new();
        let mut proposals = proposals(&self.call);
        for (row, (channel, policy)) in group.channels.into_iter().enumerate() {
            let id = channel.channel_id;
            let applies = own.contains(&id);
            match proposals.next_if(|proposal| proposal.row == row) {
                Some(wanted) => {
                    let one = ground.judge(&self.call, &group.module, wanted, channel, policy);
                    if applies { planned.push(one) } else { compared.push((id, Some(one))) }
                }
                None if applies => {
                    match ground.without_proposal(&self.call, &group.module, channel, policy) {
                        Ok(taken_back) => planned.push(taken_back),
                        Err(one) => held.push(*one),
                    }
                }
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
        let own = own_channels(&self.module);
        let held = group.channels.into_iter().filter(|(channel, _)| own.contains(&channel.channel_id));
        plan.held.extend(held.map(|(channel, policy)| ground.held(&self.call, channel, policy)));
    }

    fn compare(&mut self, id: ChannelId, planned: Option<Planned>, in_force: Option<Wanted>) {
        let (on_trial, reason, verdict) = match planned {
            Some(planned) => {
                let proposal = &planned.verdict.proposal;
                self.verdicts
                    .insert(id, (inputs::last_verdict(&planned, Some(&Outcome::DryRun)), proposal.fee));
                let verdict =
                    planned.verdict.result.as_ref().err().map_or("approved", |refusal| refusal.code());
                (Wanted::of(&planned), proposal.reason.clone(), verdict)
            }
            None => (None, String::new(), "none"),
        };
        if on_trial == in_force {
            self.run.same += 1;
            return;
        }
        let ppm = |wanted: Wanted| u64::from(wanted.fee.0);
        let terms = |wanted: Option<Wanted>| wanted.map(|wanted| wanted.terms).unwrap_or_default();
        self.run.differences.push(Difference {
            channel_id: id,
            in_force: in_force.map(ppm),
            on_trial: on_trial.map(ppm),
            in_force_terms: terms(in_force),
            on_trial_terms: terms(on_trial),
            reason,
            verdict: verdict.to_owned(),
        });
    }
}

/// The fee that a decision leads to, with what goes with it.
#[derive(Clone, Copy, PartialEq)]
struct Wanted {
    fee: Ppm,
    terms: Terms,
}

impl Wanted {
    /// None if it leads to no change.
    fn of(planned: &Planned) -> Option<Wanted> {
        let fee = planned.verdict.result.as_ref().ok()?.get();
        Some(Wanted { fee: fee.fee, terms: Terms::of(fee) })
    }
}

fn wanted_fees(plan: &Plan) -> HashMap<ChannelId, Wanted> {
    let fees = plan.decided.iter().filter_map(|one| Some((one.channel.channel_id, Wanted::of(one)?)));
    fees.collect()
}

/// Proposals that no limit could make right; what is merely not worth a change does not count.
fn refused<'a>(planned: impl Iterator<Item = &'a Planned>) -> u32 {
    let count =
        planned.filter(|one| one.verdict.result.as_ref().is_err_and(|why| why.is_the_strategys())).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
