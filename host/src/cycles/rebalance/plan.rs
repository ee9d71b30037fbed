//! From a picture of the node to rebalances that may be reserved for.

use super::ground::Ground;
use super::inputs;
use crate::config::Config;
use crate::cycles::Services;
use crate::cycles::strategies::Unusable;
use crate::engine::Evaluator;
use crate::guard::budget::Ledger;
use crate::guard::rebalance::{Verdict, may_fill};
use crate::model::job::{JobId, JobOrigin, RebalanceProposal};
use crate::model::rebalance::{EvaluatedRebalance, RebalanceDecision};
use crate::model::refusal::{RebalanceRefusal as Refusal, Room};
use crate::model::{Channel, ChannelId, Digest, Msat, NodeSnapshot, StrategyName, Tick};
use crate::store::states;
use anyhow::Result;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// One call of an evaluator's module.
pub struct EvaluatorCall {
    pub evaluator: StrategyName,
    /// None when the module could not be used.
    pub digest: Option<Digest>,
    pub version: String,
    pub state_version: u32,
    /// The rows of the input.
    pub channels: Vec<ChannelId>,
    pub inputs_digest: Option<Digest>,
    /// The decision, or code and text of the fault.
    pub result: Result<RebalanceDecision, (&'static str, String)>,
    pub fallback: Option<StrategyName>,
}

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

/// A channel to which nothing is to come.
#[derive(Clone)]
pub struct Passed {
    pub channel: Channel,
    /// Who decided that: an evaluator, or the guard before it was asked.
    pub evaluator: StrategyName,
    pub reason: String,
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
    /// Why nothing at all can be rebalanced.
    pub blocked: Option<Refusal>,
    pub calls: Vec<EvaluatorCall>,
    pub judged: Vec<Judged>,
    pub passed: Vec<Passed>,
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

/// Which evaluator is asked about which channels.
struct Asked {
    module: Arc<Evaluator>,
    channels: HashSet<ChannelId>,
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
        let mut ledger = ground.facts.ledger.clone();
        for (evaluator, group) in self.evaluators(ground, asked, plan).await {
            let decision = self.ask(&evaluator, &group, ground, (&ledger, force), plan).await?;
            let Some((rows, decision)) = decision else { continue };
            judge_all(&evaluator, &group, ground, (&rows, decision, force), &mut ledger, plan);
        }
        Ok(())
    }

    /// Divides channels by the evaluator that answers for their peer. Where a policy's module
    /// cannot be used the built-in one answers, and the plan says why.
    async fn evaluators(
        &self,
        ground: &Ground,
        asked: &HashSet<ChannelId>,
        plan: &mut RebalancePlan,
    ) -> BTreeMap<StrategyName, Asked> {
        let general = default_evaluator(&ground.config);
        let mut by_name: BTreeMap<StrategyName, HashSet<ChannelId>> = BTreeMap::new();
        for channel in inputs::channels(ground.case()).into_iter().filter(|c| asked.contains(&c.channel_id)) {
            let policy = ground.facts.policy(channel.peer_id, ground.snapshot.now());
            let name = policy.rebalance_strategy.unwrap_or_else(|| general.clone());
            by_name.entry(name).or_default().insert(channel.channel_id);
        }
        let mut groups: BTreeMap<StrategyName, Asked> = BTreeMap::new();
        for (name, channels) in by_name {
            let (answers, module) = match self.usable_evaluator(&name, &ground.facts.quarantined).await {
                Ok(module) => (name, Some(module)),
                Err(unusable) => {
                    plan.calls.push(not_called(unusable, &name, &channels));
                    let built_in = StrategyName::rebalance_ev();
                    let module = self.usable_evaluator(&built_in, &ground.facts.quarantined).await;
                    (built_in, module.ok())
                }
            };
            if let Some(module) = module {
                let group =
                    groups.entry(answers).or_insert_with(|| Asked { module, channels: HashSet::new() });
                group.channels.extend(channels);
            }
        }
        groups
    }

    /// One call. The rows and the decision, or nothing after a fault.
    async fn ask(
        &self,
        evaluator: &StrategyName,
        group: &Asked,
        ground: &Ground,
        (ledger, force): (&Ledger, bool),
        plan: &mut RebalancePlan,
    ) -> Result<Option<(Vec<Channel>, RebalanceDecision)>> {
        let (name, version) = (evaluator.clone(), group.module.description.state_version);
        let (states, node_state) = self
            .store
            .read(move |conn| {
                Ok((states::load(conn, &name, version)?, states::load_node(conn, &name, version)?))
            })
            .await?;
        let input = inputs::build(inputs::Sources {
            facts: &ground.facts,
            case: ground.case(),
            ledger,
            asked: &group.channels,
            force,
            states,
            node_state,
            pseudonym_key: &self.pseudonym_key,
        });
        let rows: Vec<Channel> = inputs::channels(ground.case()).into_iter().cloned().collect();
        let (module, engine) = (group.module.clone(), self.engine.clone());
        let (result, digest) = tokio::task::spawn_blocking(move || {
            (engine.decide_rebalances(&module, &input), crate::cycles::fee::digest(&input))
        })
        .await?;
        let result = result.map_err(|fault| (fault.kind.code(), fault.detail));
        let decision = result.as_ref().ok().cloned();
        plan.calls.push(EvaluatorCall {
            evaluator: evaluator.clone(),
            digest: Some(group.module.digest),
            version: group.module.description.version.clone(),
            state_version: version,
            channels: rows.iter().map(|channel| channel.channel_id).collect(),
            inputs_digest: Some(digest),
            result,
            fallback: None,
        });
        Ok(decision.map(|decision| (rows, decision)))
    }
}

/// The evaluator of peers whose policy names none. What is no name means the built-in one.
pub(super) fn default_evaluator(config: &Config) -> StrategyName {
    config.rebalance_strategy.parse().unwrap_or_else(|_| StrategyName::rebalance_ev())
}

fn not_called(unusable: Unusable, evaluator: &StrategyName, channels: &HashSet<ChannelId>) -> EvaluatorCall {
    EvaluatorCall {
        evaluator: evaluator.clone(),
        digest: unusable.digest,
        version: String::new(),
        state_version: 0,
        channels: channels.iter().copied().collect(),
        inputs_digest: None,
        result: Err((unusable.code, unusable.text)),
        fallback: Some(StrategyName::rebalance_ev()),
    }
}

/// Puts an evaluator's proposals before the guard, best first, and notes what it passed over.
fn judge_all(
    evaluator: &StrategyName,
    group: &Asked,
    ground: &Ground,
    (rows, decision, force): (&[Channel], RebalanceDecision, bool),
    ledger: &mut Ledger,
    plan: &mut RebalancePlan,
) {
    let origin = JobOrigin::Evaluator { name: evaluator.clone(), digest: Some(group.module.digest) };
    let mut told: HashSet<ChannelId> = HashSet::new();
    for wanted in &decision.proposals {
        told.insert(rows[wanted.to].channel_id);
        plan.judged.extend(ground.judge(proposal(wanted, rows, &origin), ledger));
    }
    let passed = |channel: &Channel, reason: &str, factors: &[(String, f64)], refusal| Passed {
        channel: channel.clone(),
        evaluator: evaluator.clone(),
        reason: reason.to_owned(),
        factors: factors.to_vec(),
        refusal,
    };
    for not in &decision.not_filled {
        let channel = &rows[not.row];
        if group.channels.contains(&channel.channel_id) && told.insert(channel.channel_id) {
            let refusal = may_fill(channel, force, ground.case()).err();
            plan.passed.push(passed(channel, &not.reason, &not.factors, refusal));
        }
    }
    let silent = |channel: &&Channel| {
        group.channels.contains(&channel.channel_id) && !told.contains(&channel.channel_id)
    };
    for channel in rows.iter().filter(silent) {
        let refusal = may_fill(channel, force, ground.case()).err();
        let reason = refusal.as_ref().map_or("not_looked_at", Refusal::code);
        plan.passed.push(passed(channel, reason, &[], refusal.clone()));
    }
}

fn proposal(wanted: &EvaluatedRebalance, rows: &[Channel], origin: &JobOrigin) -> RebalanceProposal {
    RebalanceProposal {
        to: rows[wanted.to].channel_id,
        from: wanted.from.iter().map(|row| rows[*row].channel_id).collect(),
        amount: wanted.amount,
        max_fee: wanted.max_fee,
        origin: origin.clone(),
        value: Some(wanted.value),
        cost: Some(wanted.cost),
        success: Some(wanted.success),
        reason: wanted.reason.clone(),
        factors: wanted.factors.clone(),
    }
}
