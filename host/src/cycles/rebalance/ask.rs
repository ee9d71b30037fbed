//! Asking one evaluator, and what the guard says to what it wants.

use super::ground::Ground;
use super::inputs;
use super::plan::{Passed, RebalancePlan, Voice};
use crate::cycles::Services;
use crate::cycles::strategies::{Call, Decider};
use crate::engine::{Evaluator, Rebalances};
use crate::guard::budget::Ledger;
use crate::guard::rebalance::may_fill;
use crate::model::job::{JobOrigin, RebalanceProposal};
use crate::model::rebalance::EvaluatedRebalance;
use crate::model::{Channel, ChannelId, StrategyName};
use anyhow::Result;
use std::collections::HashSet;
use std::sync::Arc;

/// The host's word for a channel of which the evaluator said nothing, though it might be filled.
const NOT_LOOKED_AT: &str = "not_looked_at";

/// Which evaluator is asked about which channels.
pub(super) struct Asked {
    pub module: Arc<Evaluator>,
    pub channels: HashSet<ChannelId>,
}

/// A call, and the channels that were the rows of its input.
pub(super) struct Answer {
    pub call: Call<Rebalances>,
    pub rows: Vec<Channel>,
    /// Whose words its reasons are.
    voice: Voice,
}

impl Services {
    /// One call of an evaluator.
    pub(super) async fn ask_evaluator(
        &self,
        evaluator: &StrategyName,
        decider: Decider,
        group: &Asked,
        ground: &Ground,
        (ledger, force): (&Ledger, bool),
    ) -> Result<Answer> {
        let about = &group.module.description;
        let input = inputs::build(inputs::Sources {
            facts: &ground.facts,
            case: ground.case(),
            ledger,
            asked: &group.channels,
            force,
            remembered: self.remembered(&decider, about.state_version).await?,
            pseudonym_key: &self.pseudonym_key,
            params: ground.facts.roster.told(&group.module),
        });
        let rows: Vec<Channel> = inputs::channels(ground.case()).into_iter().cloned().collect();
        let channels = rows.iter().map(|channel| channel.channel_id).collect();
        let call = self.call(evaluator.clone(), decider, &group.module, channels, input).await?;
        let voice = if group.module.built_in { Voice::BuiltIn } else { Voice::Author };
        Ok(Answer { call, rows, voice })
    }
}

impl Answer {
    /// Puts the proposals for the channels in `about` before the guard, best first, and notes which
    /// of these channels were passed over.
    pub(super) fn judge(
        &self,
        about: &HashSet<ChannelId>,
        ground: &Ground,
        force: bool,
        ledger: &mut Ledger,
        plan: &mut RebalancePlan,
    ) {
        let Ok(decision) = &self.call.result else { return };
        let mut told: HashSet<ChannelId> = HashSet::new();
        for wanted in decision.proposals.iter().filter(|one| about.contains(&self.rows[one.to].channel_id)) {
            told.insert(self.rows[wanted.to].channel_id);
            plan.judged.extend(ground.judge(self.proposal(wanted, force), ledger));
        }
        for not in &decision.not_filled {
            let channel = &self.rows[not.row];
            if about.contains(&channel.channel_id) && told.insert(channel.channel_id) {
                let refusal = may_fill(channel, force, ground.case()).err();
                plan.passed.push(self.passed(channel, (self.voice, &not.reason, &not.factors), refusal));
            }
        }
        let is_silent =
            |channel: &&Channel| about.contains(&channel.channel_id) && !told.contains(&channel.channel_id);
        for channel in self.rows.iter().filter(is_silent) {
            let refusal = may_fill(channel, force, ground.case()).err();
            let reason = refusal.as_ref().map_or(NOT_LOOKED_AT, |refusal| refusal.code());
            plan.passed.push(self.passed(channel, (Voice::Host, reason, &[]), refusal.clone()));
        }
    }

    fn passed(
        &self,
        channel: &Channel,
        (voice, reason, factors): (Voice, &str, &[(String, f64)]),
        refusal: Option<crate::model::refusal::RebalanceRefusal>,
    ) -> Passed {
        Passed {
            channel: channel.clone(),
            evaluator: self.call.strategy.clone(),
            reason: reason.to_owned(),
            voice,
            factors: factors.to_vec(),
            refusal,
        }
    }

    /// What the guard is to judge; with `force` as somebody wants it who asked for the best for one channel.
    fn proposal(&self, wanted: &EvaluatedRebalance, force: bool) -> RebalanceProposal {
        let (rows, call) = (&self.rows, &self.call);
        RebalanceProposal {
            to: rows[wanted.to].channel_id,
            from: wanted.from.iter().map(|row| rows[*row].channel_id).collect(),
            amount: wanted.amount,
            max_fee: wanted.max_fee,
            origin: JobOrigin::Evaluator { name: call.strategy.clone(), digest: call.digest, force },
            value: Some(wanted.value),
            cost: Some(wanted.cost),
            success: Some(wanted.success),
            reason: wanted.reason.clone(),
            factors: wanted.factors.clone(),
        }
    }
}
