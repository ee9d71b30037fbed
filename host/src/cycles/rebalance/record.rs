//! Writing a rebalance cycle down: every candidate with its verdict, and the evaluators' states.

use super::{Done, Judged, Passed, RebalancePlan};
use crate::cycles::Services;
use crate::cycles::journal::Packing;
use crate::cycles::strategies::{memories, note_calls, tell_quarantined};
use crate::model::job::JobOrigin;
use crate::store::attempts::{self, Attempted, Candidate};
use anyhow::Result;
use std::time::Duration;

impl Services {
    /// Records a cycle, or an operator's wish, as it went.
    pub(super) async fn record_rebalances(
        &self,
        (plan, packing): (RebalancePlan, Packing),
        trigger: &'static str,
        took: Duration,
    ) -> Result<()> {
        let now = plan.tick.now;
        let mut record = Attempted {
            tick: plan.tick,
            trigger: trigger.to_owned(),
            budget: plan.budget,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            note: plan.blocked.as_ref().map(ToString::to_string),
            calls: plan.calls.iter().map(|call| (call.run(), call.inputs_digest())).collect(),
            candidates: plan.judged.iter().map(judged).chain(plan.passed.iter().map(passed)).collect(),
            states: Vec::new(),
            node_states: Vec::new(),
        };
        let (calls, trials, ready) = (plan.calls, plan.trials, packing.await??);
        let quarantined = self
            .store
            .write(move |tx| {
                // Evaluators are told of what became of their jobs by the attempts in their input.
                (record.states, record.node_states) = memories(tx, (&calls, &trials), |_| None)?;
                let id = attempts::record(tx, &record)?;
                note_calls(tx, (id, now), (&calls, &trials), &ready)
            })
            .await?;
        tell_quarantined(&quarantined, "rebalance-ev");
        Ok(())
    }
}

pub(super) fn judged(judged: &Judged) -> Candidate {
    let proposal = &judged.verdict.proposal;
    let (verdict, verdict_text, job) = match (&judged.verdict.result, &judged.done) {
        (Err(refusal), _) | (Ok(_), Some(Done::Refused(refusal))) => {
            (refusal.code(), Some(refusal.to_string()), None)
        }
        (Ok(_), Some(Done::Reserved(job))) => (attempts::STARTED, None, Some(*job)),
        (Ok(_), Some(Done::DryRun)) | (Ok(_), None) => (attempts::DRY_RUN, None, None),
        (Ok(_), Some(Done::Lost(why))) => (attempts::LOST, Some(why.clone()), None),
    };
    let approved = judged.verdict.result.as_ref().ok().map(|approved| approved.get());
    Candidate {
        to: proposal.to,
        to_name: judged.to.name(),
        sources: judged.sources.clone(),
        decider: match &proposal.origin {
            JobOrigin::Evaluator { name, .. } => name.to_string(),
            JobOrigin::Operator { .. } => attempts::OPERATOR.to_owned(),
        },
        amount: Some(judged.verdict.amount()),
        max_fee: Some(approved.map_or(proposal.max_fee, |start| start.max_fee)),
        value: judged.verdict.value(),
        cost: judged.verdict.cost(),
        success: proposal.success,
        reason: proposal.reason.clone(),
        factors: proposal.factors.clone(),
        limits: judged.verdict.limits.clone(),
        verdict: verdict.to_owned(),
        verdict_text,
        job,
    }
}

fn passed(passed: &Passed) -> Candidate {
    let refusal = passed.refusal.as_ref();
    Candidate {
        to: passed.channel.channel_id,
        to_name: passed.channel.name(),
        sources: Vec::new(),
        decider: passed.evaluator.to_string(),
        amount: None,
        max_fee: None,
        value: None,
        cost: None,
        success: None,
        reason: passed.reason.clone(),
        factors: passed.factors.clone(),
        limits: Vec::new(),
        verdict: refusal.map_or(attempts::NOT_WANTED, |refusal| refusal.code()).to_owned(),
        verdict_text: refusal.map(ToString::to_string),
        job: None,
    }
}
