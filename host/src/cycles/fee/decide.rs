//! Asking one module, and what the guard says to what it wants.

use super::facts::Facts;
use super::plan::{Held, Plan, Planned, ids};
use super::{inputs, terms};
use crate::config::Config;
use crate::cycles::Services;
use crate::cycles::strategies::{Call, Decider};
use crate::engine::{Fees, Module};
use crate::guard::fee::{Case, History, Verdict, check, exact_fee};
use crate::model::fee::{FeeProposal, Origin};
use crate::model::strategy::StrategyProposal;
use crate::model::{Channel, ChannelId, CycleKind, NodeSnapshot, Policy, StrategyName};
use anyhow::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// What all decisions of a cycle are made from.
pub(super) struct Ground {
    pub snapshot: Arc<NodeSnapshot>,
    pub facts: Arc<Facts>,
    pub config: Arc<Config>,
    /// Channels that are left alone get a word too.
    pub explain: bool,
}

/// Channels that one module decides about.
pub(super) struct Group {
    pub module: Arc<Module>,
    pub channels: Vec<(Channel, Policy)>,
}

impl Services {
    pub(super) async fn decide_group(
        &self,
        strategy: StrategyName,
        group: Group,
        ground: &Ground,
        plan: &mut Plan,
    ) -> Result<()> {
        let decider = ground.facts.roster.decider(&strategy, CycleKind::Fee, group.module.digest);
        let call = self.ask_strategy(strategy.clone(), decider.clone(), &group, ground, false).await?;
        let leaves_some = proposals(&call).len() < group.channels.len();
        let mut explained = match ground.explain && leaves_some {
            true => self.explained(strategy, decider, &group, ground).await?,
            false => HashMap::new(),
        };
        let mut proposals = proposals(&call);
        for (row, (channel, policy)) in group.channels.into_iter().enumerate() {
            match proposals.next_if(|proposal| proposal.row == row) {
                Some(wanted) => {
                    plan.decided.push(ground.judge(&call, &group.module, wanted, channel, policy))
                }
                None => match ground.without_proposal(&call, &group.module, channel, policy) {
                    Ok(taken_back) => plan.decided.push(taken_back),
                    Err(held) => plan.held.push(Held { wanted: explained.remove(&row), ..*held }),
                },
            }
        }
        drop(proposals);
        plan.calls.push(call);
        Ok(())
    }

    /// What a module says when it is asked about every channel, by row. Modules that do not know the
    /// question answer as ever, and one that fails at it has nothing to say: its cycles are what counts.
    async fn explained(
        &self,
        strategy: StrategyName,
        decider: Decider,
        group: &Group,
        ground: &Ground,
    ) -> Result<HashMap<usize, StrategyProposal>> {
        let call = self.ask_strategy(strategy, decider, group, ground, true).await?;
        Ok(proposals(&call).map(|proposal| (proposal.row, proposal.clone())).collect())
    }

    /// One call of a module, about the channels in the group.
    pub(super) async fn ask_strategy(
        &self,
        strategy: StrategyName,
        decider: Decider,
        group: &Group,
        ground: &Ground,
        explain: bool,
    ) -> Result<Call<Fees>> {
        let about = &group.module.description;
        let input = inputs::build(inputs::Sources {
            snapshot: &ground.snapshot,
            facts: &ground.facts,
            config: &ground.config,
            channels: &group.channels,
            remembered: self.remembered(&decider, about.state_version).await?,
            pseudonym_key: &self.pseudonym_key,
            about,
            params: ground.facts.roster.told(&group.module),
            stands_in: !group.module.built_in,
            explain,
        });
        self.call(strategy, decider, &group.module, ids(&group.channels), input).await
    }
}

/// What a call wants, by row; nothing after a fault.
pub(super) fn proposals(call: &Call<Fees>) -> std::iter::Peekable<std::slice::Iter<'_, StrategyProposal>> {
    let proposals = call.result.as_ref().map_or(&[][..], |decision| &decision.proposals);
    proposals.iter().peekable()
}

impl Ground {
    /// Puts a proposal before the guard.
    pub(super) fn judge(
        &self,
        call: &Call<Fees>,
        module: &Module,
        wanted: &StrategyProposal,
        channel: Channel,
        policy: Policy,
    ) -> Planned {
        let proposal = proposal(wanted, &channel, &call.strategy);
        self.check(proposal, call, module, channel, policy)
    }

    fn check(
        &self,
        proposal: FeeProposal,
        call: &Call<Fees>,
        module: &Module,
        channel: Channel,
        policy: Policy,
    ) -> Planned {
        let stands_in = !module.built_in;
        let terms = self.facts.terms.get(&channel.channel_id).copied().unwrap_or_default();
        let case = Case {
            config: &self.config,
            policy: &policy,
            snapshot: &self.snapshot,
            channel: &channel,
            history: History {
                back: terms::left_by_others(&terms, &channel, &policy, module.digest, &self.config),
                htlc_max_asked: terms::htlc_max_asked(&terms, &channel),
                ..history(&channel.channel_id, &self.facts)
            },
            stands_in,
        };
        let verdict: Verdict = check(proposal, case);
        Planned {
            exact: exact_fee(&policy, &self.config, stands_in).is_some(),
            built_in: module.built_in,
            strategy: call.strategy.clone(),
            digest: call.digest,
            verdict,
            channel,
            policy,
        }
    }

    /// A channel for which a call wants nothing: it is held, but for what another module left there.
    pub(super) fn without_proposal(
        &self,
        call: &Call<Fees>,
        module: &Module,
        channel: Channel,
        policy: Policy,
    ) -> Result<Planned, Box<Held>> {
        if call.result.is_err() || !self.facts.terms.contains_key(&channel.channel_id) {
            return Err(Box::new(self.held(call, channel, policy)));
        }
        let planned = self.check(terms::take_back(&channel), call, module, channel, policy);
        match planned.verdict.result {
            Ok(_) => Ok(planned),
            Err(_) => Err(Box::new(self.held(call, planned.channel, planned.policy))),
        }
    }

    /// A channel that keeps what it has.
    pub(super) fn held(&self, call: &Call<Fees>, channel: Channel, policy: Policy) -> Held {
        let why = match &call.result {
            Ok(_) => "the strategy wants no change".to_owned(),
            Err((code, text)) => format!("the strategy failed ({code}): {text}"),
        };
        let why = why + &spent_updates(&channel.channel_id, &self.facts, &self.config);
        let digest = call.digest.filter(|_| call.result.is_ok());
        Held { strategy: call.strategy.clone(), channel, policy, digest, why, wanted: None }
    }
}

/// A strategy that may change nothing today has nothing to propose: its silence needs a word.
fn spent_updates(channel: &ChannelId, facts: &Facts, config: &Config) -> String {
    let (updates, most) = (facts.updates.get(channel).copied().unwrap_or(0), config.max_updates_per_day);
    if updates < most {
        return String::new();
    }
    format!("; {updates} changes in 24 hours leave none of the {most} that strategies may make")
}

fn proposal(wanted: &StrategyProposal, channel: &Channel, strategy: &StrategyName) -> FeeProposal {
    FeeProposal {
        channel_id: channel.channel_id,
        origin: Origin::Strategy(strategy.clone()),
        fee: wanted.fee,
        base_fee: wanted.base_fee,
        htlc_max: wanted.htlc_max,
        reason: wanted.reason.clone(),
        factors: wanted.factors.clone(),
    }
}

pub(super) fn history(channel: &ChannelId, facts: &Facts) -> History {
    let last = facts.last_changes.get(channel);
    History {
        updates_today: facts.updates.get(channel).copied().unwrap_or(0),
        fee_from_congestion: last.is_some_and(|change| change.from_congestion),
        last_change: last.map(|change| change.at),
        ..History::default()
    }
}
