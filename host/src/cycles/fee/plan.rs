//! Deciding: which strategy answers for which channel, what it wants, what the guard says.

use super::facts::Facts;
use super::inputs::{self, Remembered};
use crate::config::Config;
use crate::cycles::Services;
use crate::cycles::schedule::Scope;
use crate::engine::Module;
use crate::guard::Approved;
use crate::guard::fee::{Case, History, Verdict, check, exact_fee};
use crate::model::fee::{FeeProposal, Origin, SetFee};
use crate::model::strategy::{StrategyDecision, StrategyProposal};
use crate::model::{Channel, ChannelId, Digest, NodeSnapshot, Policy, StrategyName, Tick};
use crate::store::states;
use anyhow::Result;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A decided cycle. Making one changes nothing.
pub struct Plan {
    pub tick: Tick,
    pub config: Arc<Config>,
    /// One per strategy that was asked.
    pub calls: Vec<ModuleCall>,
    /// Channels with a proposal, and the guard's word on it.
    pub decided: Vec<Planned>,
    /// Channels without a proposal.
    pub held: Vec<Held>,
}

/// A strategy's module in this cycle.
pub struct ModuleCall {
    /// The strategy that the policies name.
    pub strategy: StrategyName,
    pub digest: Option<Digest>,
    pub version: String,
    pub state_version: u32,
    pub channels: Vec<ChannelId>,
    /// Digest of the input's canonical text.
    pub inputs_digest: Option<Digest>,
    /// Next states and fuel, or what went wrong: code and text.
    pub result: Result<StrategyDecision, (&'static str, String)>,
    /// The strategy that answered instead.
    pub fallback: Option<StrategyName>,
}

/// A channel with a proposal.
pub struct Planned {
    pub channel: Channel,
    pub policy: Policy,
    /// The strategy that made the proposal.
    pub strategy: StrategyName,
    pub digest: Option<Digest>,
    pub verdict: Verdict,
    /// The host itself sees the channel congested.
    pub congested: bool,
    /// The policy names the fee: the change is its word, not the strategy's.
    pub exact: bool,
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
}

impl Plan {
    /// What may be sent to the node.
    pub fn approved(&self) -> impl Iterator<Item = &Approved<SetFee>> {
        self.decided.iter().filter_map(|planned| planned.verdict.result.as_ref().ok())
    }
}

/// Channels that one module decides about.
struct Group {
    module: Arc<Module>,
    channels: Vec<(Channel, Policy)>,
}

impl Services {
    /// Decides about the channels in `scope`, without acting.
    pub async fn plan_fees(&self, snapshot: NodeSnapshot, scope: &Scope) -> Result<Plan> {
        let snapshot = Arc::new(snapshot);
        let facts = Arc::new(self.facts(&snapshot).await?);
        let config = self.config();
        let mut plan =
            Plan { tick: snapshot.tick, config, calls: Vec::new(), decided: Vec::new(), held: Vec::new() };
        let groups = self.group(&snapshot, &facts, scope, &mut plan).await;
        for (strategy, group) in groups {
            self.decide_group(strategy, group, &snapshot, &facts, &mut plan).await?;
        }
        Ok(plan)
    }

    /// Divides the channels by the strategy that answers for them. Where a policy's module
    /// cannot be used the built-in `dynamic` answers, and the plan says why.
    async fn group(
        &self,
        snapshot: &NodeSnapshot,
        facts: &Facts,
        scope: &Scope,
        plan: &mut Plan,
    ) -> BTreeMap<StrategyName, Group> {
        let mut by_policy: BTreeMap<StrategyName, Vec<(Channel, Policy)>> = BTreeMap::new();
        for channel in snapshot.open_channels().filter(|channel| scope.includes(&channel.peer_id)) {
            let policy = facts.policy(channel.peer_id, snapshot.now());
            by_policy.entry(policy.strategy.clone()).or_default().push((channel.clone(), policy));
        }
        let mut groups: BTreeMap<StrategyName, Group> = BTreeMap::new();
        for (strategy, channels) in by_policy {
            let (answers, module) = match self.usable_module(&strategy, facts).await {
                Ok(module) => (strategy, Some(module)),
                Err(unusable) => {
                    plan.calls.push(unusable.into_call(&strategy, &channels));
                    let dynamic = StrategyName::dynamic();
                    (dynamic.clone(), self.usable_module(&dynamic, facts).await.ok())
                }
            };
            match module {
                Some(module) => {
                    let group =
                        groups.entry(answers).or_insert_with(|| Group { module, channels: Vec::new() });
                    group.channels.extend(channels);
                }
                None => plan.held.extend(channels.into_iter().map(|(channel, policy)| Held {
                    strategy: policy.strategy.clone(),
                    channel,
                    policy,
                    digest: None,
                    why: "no strategy can be used now".to_owned(),
                })),
            }
        }
        groups
    }

    async fn decide_group(
        &self,
        strategy: StrategyName,
        group: Group,
        snapshot: &Arc<NodeSnapshot>,
        facts: &Arc<Facts>,
        plan: &mut Plan,
    ) -> Result<()> {
        let (name, version) = (strategy.clone(), group.module.description.state_version);
        let remembered = self
            .store
            .read(move |conn| {
                Ok(Remembered {
                    channels: states::load(conn, &name, version)?,
                    node: states::load_node(conn, &name, version)?,
                })
            })
            .await?;
        let input = inputs::build(inputs::Sources {
            snapshot,
            facts,
            config: &plan.config,
            channels: &group.channels,
            remembered,
            pseudonym_key: &self.pseudonym_key,
            wanted_signals: &group.module.description.signals,
        });
        let module = group.module.clone();
        let engine = self.engine.clone();
        let (result, inputs_digest) = tokio::task::spawn_blocking(move || {
            let result = engine.decide_fees(&module, &input);
            (result, inputs::digest(&input))
        })
        .await?;
        let call = ModuleCall {
            strategy: strategy.clone(),
            digest: Some(group.module.digest),
            version: group.module.description.version.clone(),
            state_version: version,
            channels: group.channels.iter().map(|(channel, _)| channel.channel_id).collect(),
            inputs_digest: Some(inputs_digest),
            result: result.map_err(|fault| (fault.kind.code(), fault.detail)),
            fallback: None,
        };
        judge(&call, group, snapshot, facts, plan);
        plan.calls.push(call);
        Ok(())
    }
}

/// Puts every proposal of a call before the guard.
fn judge(call: &ModuleCall, group: Group, snapshot: &NodeSnapshot, facts: &Facts, plan: &mut Plan) {
    let no_proposals = Vec::new();
    let (proposals, why) = match &call.result {
        Ok(decision) => (&decision.proposals, "the strategy wants no change".to_owned()),
        Err((code, text)) => (&no_proposals, format!("the strategy failed ({code}): {text}")),
    };
    let mut proposals = proposals.iter().peekable();
    for (row, (channel, policy)) in group.channels.into_iter().enumerate() {
        let strategy = call.strategy.clone();
        let Some(wanted) = proposals.next_if(|proposal| proposal.row == row) else {
            let why = why.clone() + &spent_updates(&channel.channel_id, facts, &plan.config);
            let digest = call.digest.filter(|_| call.result.is_ok());
            plan.held.push(Held { channel, policy, strategy, digest, why });
            continue;
        };
        let congested = channel.htlcs.utilization() > plan.config.htlc_congestion_threshold;
        let case = Case {
            config: &plan.config,
            policy: &policy,
            snapshot,
            channel: &channel,
            history: history(&channel.channel_id, facts),
        };
        let verdict = check(proposal(wanted, &channel, &strategy), case);
        let exact = exact_fee(&policy, &plan.config).is_some();
        let digest = call.digest;
        plan.decided.push(Planned { channel, policy, strategy, digest, verdict, congested, exact });
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
        fee_from_congestion: last.is_some_and(|change| change.reason == super::record::CONGESTION),
        last_change: last.map(|change| change.at),
    }
}
