//! From a picture of the node to rebalances that may be reserved for.

use super::ask::Asked;
use super::desk::SlingSeen;
use super::ground::Ground;
use super::inputs;
use crate::config::Config;
use crate::cycles::Services;
use crate::cycles::strategies::{Answering, Call, Trial, Tryout, canary_channels};
use crate::engine::Rebalances;
use crate::guard::rebalance::Verdict;
use crate::model::job::JobId;
use crate::model::refusal::{RebalanceRefusal as Refusal, Room};
use crate::model::{Channel, ChannelId, CycleKind, Msat, NodeSnapshot, StrategyName, Tick};
use anyhow::Result;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What became of an approved proposal.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// Its money is reserved; sling hears of it next.
    Reserved(JobId),
    /// Nothing was reserved: the plugin runs dry.
    DryRun,
    /// Something else took the room in between.
    Refused(Refusal),
    /// The books could not be written.
    Lost(String),
}

/// A proposal, the guard's word on it, and what became of it.
#[derive(Clone)]
pub struct Judged {
    pub to: Channel,
    /// Names of the channels to take from, the best first.
    pub sources: Vec<String>,
    pub verdict: Verdict,
    pub done: Option<Done>,
}

/// Whose word a reason is, and so what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    Host,
    /// The module that comes with the binary.
    BuiltIn,
    /// An author's module, whatever it stands for.
    Author,
}

/// A channel to which nothing is to come.
#[derive(Clone)]
pub struct Passed {
    pub channel: Channel,
    /// Who decided that: an evaluator, or the guard before it was asked.
    pub evaluator: StrategyName,
    pub reason: String,
    pub voice: Voice,
    pub factors: Vec<(String, f64)>,
    /// The guard's refusal, when it is that.
    pub refusal: Option<Refusal>,
}

/// What a cycle would do, and why not the rest.
pub struct RebalancePlan {
    pub tick: Tick,
    pub config: Arc<Config>,
    pub snapshot: Arc<NodeSnapshot>,
    pub budget: Room,
    pub earned_day: Msat,
    pub wallet: Result<Msat, String>,
    /// What was known of sling when all of it was judged.
    pub sling: SlingSeen,
    /// Why nothing at all can be rebalanced.
    pub blocked: Option<Refusal>,
    pub calls: Vec<Call<Rebalances>>,
    pub judged: Vec<Judged>,
    pub passed: Vec<Passed>,
    /// One per evaluator on trial.
    pub trials: Vec<Trial<Rebalances>>,
}

impl std::fmt::Display for RebalancePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(why) = &self.blocked {
            return write!(f, "{why}");
        }
        let count = |wanted: fn(&Judged) -> bool| self.judged.iter().filter(|one| wanted(one)).count();
        write!(
            f,
            "{} proposals: {} reserved, {} refused; {} channels passed over",
            self.judged.len(),
            count(|one| matches!(one.done, Some(Done::Reserved(_)))),
            count(|one| one.verdict.result.is_err() || matches!(one.done, Some(Done::Refused(_)))),
            self.passed.len()
        )
    }
}

impl Services {
    /// Decides about all channels, without acting. When nothing can be rebalanced at all, the
    /// evaluators are asked only if `anyway`.
    pub async fn plan_rebalances(&self, snapshot: NodeSnapshot, anyway: bool) -> Result<RebalancePlan> {
        let ground = self.ground(snapshot).await?;
        let mut plan = ground.empty_plan();
        if plan.blocked.is_none() || anyway {
            let all: HashSet<ChannelId> =
                inputs::channels(ground.case()).iter().map(|channel| channel.channel_id).collect();
            self.evaluate(&ground, &all, false, &mut plan).await?;
        }
        Ok(plan)
    }

    /// Has evaluators decide about filling the channels in `asked`.
    pub(super) async fn evaluate(
        &self,
        ground: &Ground,
        asked: &HashSet<ChannelId>,
        force: bool,
        plan: &mut RebalancePlan,
    ) -> Result<()> {
        let by_policy = by_policy(ground, asked);
        let tryouts = self.tryouts(by_policy.keys(), &ground.facts.roster).await;
        let mut ledger = ground.facts.ledger.clone();
        let groups = self.evaluators(ground, &by_policy, &tryouts, plan).await;
        for (evaluator, group) in groups {
            let decider = ground.facts.roster.decider(&evaluator, CycleKind::Rebalance, group.module.digest);
            let answer = self.ask_evaluator(&evaluator, decider, &group, ground, (&ledger, force)).await?;
            answer.judge(&group.channels, ground, force, &mut ledger, plan);
            plan.calls.push(answer.call);
        }
        for tryout in tryouts {
            let channels = by_policy.get(&tryout.module.stands_for).cloned().unwrap_or_default();
            self.evaluate_on_trial(tryout, channels, ground, (&mut ledger, force), plan).await?;
        }
        Ok(())
    }

    /// Gives channels to the evaluator that answers for their peer. Where a policy's module cannot
    /// be used another stands in, and the plan says why.
    async fn evaluators(
        &self,
        ground: &Ground,
        by_policy: &ByPolicy,
        tryouts: &[Tryout<Rebalances>],
        plan: &mut RebalancePlan,
    ) -> BTreeMap<StrategyName, Asked> {
        let mut groups: BTreeMap<StrategyName, Asked> = BTreeMap::new();
        let general = default_evaluator(&ground.config);
        for (name, channels) in by_policy {
            let canary = canary_channels(tryouts, name);
            let channels: HashSet<ChannelId> = channels.difference(&canary).copied().collect();
            if channels.is_empty() {
                continue;
            }
            let Answering { strategy, module, unusable } = self.answering(name, &ground.facts.roster).await;
            if *name == general {
                let why = unusable.as_ref().map(|unusable| unusable.text.clone());
                self.note_health(|health| health.evaluator = why.map(|why| (general.clone(), why)));
            }
            if let Some(unusable) = unusable {
                let ids = channels.iter().copied().collect();
                plan.calls.push(Call::not_made(unusable, name, ids, &strategy));
            }
            if let Some(module) = module {
                let group =
                    groups.entry(strategy).or_insert_with(|| Asked { module, channels: HashSet::new() });
                group.channels.extend(channels);
            }
        }
        groups
    }
}

/// Channels by the evaluator that their peer's policy, or the settings, name.
pub(super) type ByPolicy = BTreeMap<StrategyName, HashSet<ChannelId>>;

fn by_policy(ground: &Ground, asked: &HashSet<ChannelId>) -> ByPolicy {
    let general = default_evaluator(&ground.config);
    let mut by_name = ByPolicy::new();
    for channel in inputs::channels(ground.case()).into_iter().filter(|c| asked.contains(&c.channel_id)) {
        let policy = ground.facts.policy(channel.peer_id, ground.snapshot.now());
        let name = policy.rebalance_strategy.unwrap_or_else(|| general.clone());
        by_name.entry(name).or_default().insert(channel.channel_id);
    }
    by_name
}

/// The evaluator of peers whose policy names none.
pub fn default_evaluator(config: &Config) -> StrategyName {
    config.rebalance_strategy.parse().expect("the table of settings takes names alone")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Value, find};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_evaluator_that_can_be_set_is_a_name(text in "\\PC{0,12}|[a-zA-Z0-9_-]{0,70}") {
            let setting = find("rebalance_strategy").expect("a setting");
            let set = Config::default().with(setting, &Value::Text(text.clone()), setting.key);
            prop_assert_eq!(set.is_ok(), text.trim().parse::<StrategyName>().is_ok());
            if let Ok(config) = set {
                prop_assert_eq!(default_evaluator(&config).as_str().to_lowercase(), text.trim().to_lowercase());
            }
        }
    }
}
