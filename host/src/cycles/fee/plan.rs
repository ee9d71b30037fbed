//! Which strategy answers for which channel.

use super::decide::{Ground, Group};
use super::facts::Facts;
use crate::config::Config;
use crate::cycles::Services;
use crate::cycles::schedule::Scope;
use crate::cycles::strategies::{Call, Trial, canary_channels};
use crate::engine::Fees;
use crate::guard::Approved;
use crate::guard::fee::Verdict;
use crate::model::fee::SetFee;
use crate::model::strategy::StrategyProposal;
use crate::model::{Channel, ChannelId, Digest, NodeSnapshot, Policy, StrategyName, Tick, UnixTime};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A decided cycle. Making one changes nothing.
pub struct Plan {
    pub tick: Tick,
    pub config: Arc<Config>,
    /// One per strategy that was asked.
    pub calls: Vec<Call<Fees>>,
    /// Channels with a proposal, and the guard's word on it.
    pub decided: Vec<Planned>,
    /// Channels without a proposal.
    pub held: Vec<Held>,
    /// One per module on trial.
    pub trials: Vec<Trial<Fees>>,
    /// How long the fees have been in force, where that is known.
    pub tenures: HashMap<ChannelId, Tenure>,
}

/// How long a fee has been in force.
#[derive(Clone, Copy, Debug)]
pub struct Tenure {
    pub since: UnixTime,
    /// Forwards out that settled since.
    pub forwards: u32,
}

/// A channel with a proposal.
pub struct Planned {
    pub channel: Channel,
    pub policy: Policy,
    /// The strategy that made the proposal.
    pub strategy: StrategyName,
    pub digest: Option<Digest>,
    pub verdict: Verdict,
    /// The policy names the fee: the change is its word, not the strategy's.
    pub exact: bool,
    /// The strategy is one of the host's own.
    pub built_in: bool,
}

/// A channel whose strategy wants nothing changed, or gave no answer.
pub struct Held {
    pub channel: Channel,
    pub policy: Policy,
    pub strategy: StrategyName,
    /// The module that decided so; none when no decision was made.
    pub digest: Option<Digest>,
    /// Why, for people.
    pub why: String,
    /// In a rehearsal, what the strategy's fee for it rests on.
    pub wanted: Option<StrategyProposal>,
}

impl Plan {
    /// What may be sent to the node.
    pub fn approved(&self) -> impl Iterator<Item = &Approved<SetFee>> {
        self.decided.iter().filter_map(|planned| planned.verdict.result.as_ref().ok())
    }
}

/// The channels of one strategy, as policies name it.
type Channels = Vec<(Channel, Policy)>;

impl Services {
    /// Decides about the channels in `scope`, without acting.
    pub async fn plan_fees(&self, snapshot: NodeSnapshot, scope: &Scope) -> Result<Plan> {
        self.plan(snapshot, scope, false).await
    }

    /// As [`Services::plan_fees`], for the operator's eyes: strategies are also asked what the fees that
    /// they leave alone rest on.
    pub async fn explain_fees(&self, snapshot: NodeSnapshot, scope: &Scope) -> Result<Plan> {
        self.plan(snapshot, scope, true).await
    }

    async fn plan(&self, snapshot: NodeSnapshot, scope: &Scope, explain: bool) -> Result<Plan> {
        let facts = Arc::new(self.facts(&snapshot).await?);
        let ground = Ground { snapshot: Arc::new(snapshot), facts, config: self.config(), explain };
        let mut plan = Plan {
            tick: ground.snapshot.tick,
            config: ground.config.clone(),
            calls: Vec::new(),
            decided: Vec::new(),
            held: Vec::new(),
            trials: Vec::new(),
            tenures: tenures(&ground.facts),
        };
        let by_policy = by_policy(&ground, scope);
        let tryouts = self.tryouts(by_policy.keys(), &ground.facts.roster).await;
        let mut groups: BTreeMap<StrategyName, Group> = BTreeMap::new();
        for (strategy, channels) in &by_policy {
            let canary = canary_channels(&tryouts, strategy);
            let live = channels.iter().filter(|(channel, _)| !canary.contains(&channel.channel_id));
            self.group(strategy, live.cloned().collect(), &ground.facts, &mut groups, &mut plan).await;
        }
        for (strategy, group) in groups {
            self.decide_group(strategy, group, &ground, &mut plan).await?;
        }
        for tryout in tryouts {
            let channels = by_policy.get(&tryout.module.stands_for).cloned().unwrap_or_default();
            self.decide_on_trial(tryout, channels, &ground, &mut plan).await?;
        }
        Ok(plan)
    }

    /// Gives channels to the module that answers for their strategy. Where it cannot be used
    /// another stands in, and the plan says why.
    async fn group(
        &self,
        strategy: &StrategyName,
        channels: Channels,
        facts: &Facts,
        groups: &mut BTreeMap<StrategyName, Group>,
        plan: &mut Plan,
    ) {
        if channels.is_empty() {
            return;
        }
        let answering = self.answering(strategy, &facts.roster).await;
        if let Some(unusable) = answering.unusable {
            plan.calls.push(Call::not_made(unusable, strategy, ids(&channels), &answering.strategy));
        }
        match answering.module {
            Some(module) => {
                let group = groups
                    .entry(answering.strategy)
                    .or_insert_with(|| Group { module, channels: Vec::new() });
                group.channels.extend(channels);
            }
            None => plan.held.extend(channels.into_iter().map(|(channel, policy)| Held {
                strategy: policy.strategy.clone(),
                channel,
                policy,
                digest: None,
                why: "no strategy can be used now".to_owned(),
                wanted: None,
            })),
        }
    }
}

fn tenures(facts: &Facts) -> HashMap<ChannelId, Tenure> {
    let last = facts.intervals.iter().filter_map(|(id, intervals)| Some((*id, intervals.last()?)));
    last.map(|(id, last)| (id, Tenure { since: last.start, forwards: last.settled })).collect()
}

pub(super) fn ids(channels: &[(Channel, Policy)]) -> Vec<ChannelId> {
    channels.iter().map(|(channel, _)| channel.channel_id).collect()
}

fn by_policy(ground: &Ground, scope: &Scope) -> BTreeMap<StrategyName, Channels> {
    let mut by_policy: BTreeMap<StrategyName, Channels> = BTreeMap::new();
    for channel in ground.snapshot.open_channels().filter(|channel| scope.includes(&channel.peer_id)) {
        let policy = ground.facts.policy(channel.peer_id, ground.snapshot.now());
        by_policy.entry(policy.strategy.clone()).or_default().push((channel.clone(), policy));
    }
    by_policy
}
