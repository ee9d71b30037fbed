//! Asking one evaluator, and what the guard says to what it wants.

use super::ground::Ground;
use super::inputs;
use super::plan::{Passed, RebalancePlan};
use crate::cycles::Services;
use crate::engine::Evaluator;
use crate::guard::budget::Ledger;
use crate::guard::rebalance::may_fill;
use crate::model::job::{JobOrigin, RebalanceProposal};
use crate::model::module::Decides;
use crate::model::rebalance::{EvaluatedRebalance, RebalanceDecision};
use crate::model::{Channel, ChannelId, Digest, StrategyName, Transcript};
use crate::store::states::{self, Holder};
use anyhow::Result;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// One call of an evaluator's module.
pub struct EvaluatorCall {
    pub evaluator: StrategyName,
    /// None when the module could not be used.
    pub digest: Option<Digest>,
    pub version: String,
    pub state_version: u32,
    /// Whose memory the call reads and writes.
    pub holder: Holder,
    /// Wall time of the call.
    pub took: Duration,
    /// The rows of the input.
    pub channels: Vec<ChannelId>,
    /// The call, to be made again; none when there was no call.
    pub transcript: Option<Transcript>,
    /// The decision, or code and text of the fault.
    pub result: Result<RebalanceDecision, (&'static str, String)>,
    pub fallback: Option<StrategyName>,
}

/// Which evaluator is asked about which channels.
pub(super) struct Asked {
    pub module: Arc<Evaluator>,
    pub channels: HashSet<ChannelId>,
}

/// A call, and the channels that were the rows of its input.
pub(super) struct Answer {
    pub call: EvaluatorCall,
    pub rows: Vec<Channel>,
}

impl Ground {
    /// Whose memory a module uses that answers for an evaluator's name. What stands in for a module
    /// must not write into that module's memory.
    pub(super) fn holder(&self, evaluator: &StrategyName, digest: Digest) -> Holder {
        match self.facts.roster.in_force(evaluator, Decides::Rebalances) {
            Some(module) if module.digest != digest => Holder::Module(digest),
            _ => Holder::Strategy(evaluator.clone()),
        }
    }
}

impl Services {
    /// One call of an evaluator.
    pub(super) async fn ask_evaluator(
        &self,
        evaluator: &StrategyName,
        holder: Holder,
        group: &Asked,
        ground: &Ground,
        (ledger, force): (&Ledger, bool),
    ) -> Result<Answer> {
        let (reader, version) = (holder.clone(), group.module.description.state_version);
        let (states, node_state) = self
            .store
            .read(move |conn| {
                Ok((states::load(conn, &reader, version)?, states::load_node(conn, &reader, version)?))
            })
            .await?;
        let name: StrategyName = group.module.name.parse().unwrap_or_else(|_| evaluator.clone());
        let input = inputs::build(inputs::Sources {
            facts: &ground.facts,
            case: ground.case(),
            ledger,
            asked: &group.channels,
            force,
            states,
            node_state,
            pseudonym_key: &self.pseudonym_key,
            about: &group.module.description,
            params: ground.facts.roster.params(&name),
        });
        let rows: Vec<Channel> = inputs::channels(ground.case()).into_iter().cloned().collect();
        let (result, took, transcript) = self.transcribe(evaluator, &group.module, input).await?;
        let call = EvaluatorCall {
            evaluator: evaluator.clone(),
            digest: Some(group.module.digest),
            version: group.module.description.version.clone(),
            state_version: version,
            holder,
            took,
            channels: rows.iter().map(|channel| channel.channel_id).collect(),
            transcript: Some(transcript),
            result: result.map_err(|fault| (fault.kind.code(), fault.detail)),
            fallback: None,
        };
        Ok(Answer { call, rows })
    }
}

impl Answer {
    fn decision(&self) -> Option<&RebalanceDecision> {
        self.call.result.as_ref().ok()
    }

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
        let Some(decision) = self.decision() else { return };
        let mut told: HashSet<ChannelId> = HashSet::new();
        for wanted in decision.proposals.iter().filter(|one| about.contains(&self.rows[one.to].channel_id)) {
            told.insert(self.rows[wanted.to].channel_id);
            plan.judged.extend(ground.judge(proposal(wanted, &self.rows, &self.call), ledger));
        }
        for not in &decision.not_filled {
            let channel = &self.rows[not.row];
            if about.contains(&channel.channel_id) && told.insert(channel.channel_id) {
                let refusal = may_fill(channel, force, ground.case()).err();
                plan.passed.push(self.passed(channel, (&not.reason, &not.factors), refusal));
            }
        }
        let is_silent =
            |channel: &&Channel| about.contains(&channel.channel_id) && !told.contains(&channel.channel_id);
        for channel in self.rows.iter().filter(is_silent) {
            let refusal = may_fill(channel, force, ground.case()).err();
            let reason = refusal.as_ref().map_or("not_looked_at", |refusal| refusal.code());
            plan.passed.push(self.passed(channel, (reason, &[]), refusal.clone()));
        }
    }

    fn passed(
        &self,
        channel: &Channel,
        (reason, factors): (&str, &[(String, f64)]),
        refusal: Option<crate::model::refusal::RebalanceRefusal>,
    ) -> Passed {
        Passed {
            channel: channel.clone(),
            evaluator: self.call.evaluator.clone(),
            reason: reason.to_owned(),
            factors: factors.to_vec(),
            refusal,
        }
    }
}

fn proposal(wanted: &EvaluatedRebalance, rows: &[Channel], call: &EvaluatorCall) -> RebalanceProposal {
    RebalanceProposal {
        to: rows[wanted.to].channel_id,
        from: wanted.from.iter().map(|row| rows[*row].channel_id).collect(),
        amount: wanted.amount,
        max_fee: wanted.max_fee,
        origin: JobOrigin::Evaluator { name: call.evaluator.clone(), digest: call.digest },
        value: Some(wanted.value),
        cost: Some(wanted.cost),
        success: Some(wanted.success),
        reason: wanted.reason.clone(),
        factors: wanted.factors.clone(),
    }
}
