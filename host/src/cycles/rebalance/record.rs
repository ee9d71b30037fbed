//! Writing a rebalance cycle down: every candidate with its verdict, and the evaluators' states.

use super::trial::EvaluatorTrial;
use super::{Done, EvaluatorCall, Judged, Passed, RebalancePlan};
use crate::cycles::Services;
use crate::cycles::strategies::{note_call, note_trial, tell_quarantined};
use crate::model::Transcript;
use crate::model::job::JobOrigin;
use crate::model::strategy::LastVerdict;
use crate::store::attempts::{self, Attempted, Candidate};
use crate::store::cycles::{ModuleFault, ModuleRun};
use crate::store::journal;
use crate::store::states::{NodeStateRecord, StateRecord};
use anyhow::Result;
use std::time::Duration;

impl Services {
    /// Records a cycle, or an operator's wish, as it went.
    pub(super) async fn record_rebalances(
        &self,
        plan: RebalancePlan,
        trigger: &'static str,
        took: Duration,
    ) -> Result<()> {
        let now = plan.tick.now;
        let trials = plan.trials.iter().map(|trial| &trial.call);
        let (states, node_states) = next_states(plan.calls.iter().chain(trials));
        let record = Attempted {
            tick: plan.tick,
            trigger: trigger.to_owned(),
            budget: plan.budget,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            note: plan.blocked.as_ref().map(ToString::to_string),
            calls: plan
                .calls
                .iter()
                .map(|call| (module_run(call), call.transcript.as_ref().map(Transcript::input_digest)))
                .collect(),
            candidates: plan.judged.iter().map(judged).chain(plan.passed.iter().map(passed)).collect(),
            states,
            node_states,
        };
        let (calls, trials, journal) = (plan.calls, plan.trials, plan.config.journal_mb > 0);
        let quarantined = self
            .store
            .write(move |tx| {
                let id = attempts::record(tx, &record)?;
                let on_trial = trials.iter().map(|trial| &trial.call);
                let transcripts = calls.iter().chain(on_trial).filter_map(|call| call.transcript.as_ref());
                for transcript in transcripts.filter(|_| journal) {
                    journal::record(tx, id, now, transcript)?;
                }
                let mut quarantined = Vec::new();
                for call in &calls {
                    let result =
                        call.result.as_ref().map(|_| ()).map_err(|(code, text)| (*code, text.as_str()));
                    quarantined.extend(note_call(tx, &call.evaluator, call.digest, result, now)?);
                }
                for EvaluatorTrial { module, run, .. } in &trials {
                    quarantined.extend(note_trial(tx, module, run, id, now)?);
                }
                Ok(quarantined)
            })
            .await?;
        tell_quarantined(&quarantined, "rebalance-ev");
        Ok(())
    }
}

fn module_run(call: &EvaluatorCall) -> ModuleRun {
    let fault =
        |(code, text): &(&'static str, String)| ModuleFault { code: (*code).to_owned(), text: text.clone() };
    ModuleRun {
        strategy: call.evaluator.clone(),
        digest: call.digest,
        version: call.version.clone(),
        fuel: call.result.as_ref().ok().map(|decision| decision.fuel),
        took_us: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
        channels: u32::try_from(call.channels.len()).unwrap_or(u32::MAX),
        fault: call.result.as_ref().err().map(fault),
        fallback: call.fallback.clone(),
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
        (Ok(_), Some(Done::Lost(why))) => ("lost", Some(why.clone()), None),
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
        amount: Some(approved.map_or(proposal.amount, |start| start.amount)),
        max_fee: Some(approved.map_or(proposal.max_fee, |start| start.max_fee)),
        value: proposal.value,
        cost: proposal.cost,
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

/// States move only with a decision that was made: a failed call keeps the old ones.
fn next_states<'a>(
    calls: impl Iterator<Item = &'a EvaluatorCall>,
) -> (Vec<StateRecord>, Vec<NodeStateRecord>) {
    let (mut states, mut node_states) = (Vec::new(), Vec::new());
    for (call, decision) in calls.filter_map(|call| Some((call, call.result.as_ref().ok()?))) {
        let state_version = call.state_version;
        node_states.push(NodeStateRecord {
            holder: call.holder.clone(),
            state_version,
            bytes: decision.node_state.clone(),
        });
        states.extend(call.channels.iter().zip(&decision.states).map(|(channel_id, bytes)| StateRecord {
            holder: call.holder.clone(),
            channel_id: *channel_id,
            state_version,
            bytes: bytes.clone(),
            last_verdict: LastVerdict::None,
            last_proposed: None,
        }));
    }
    (states, node_states)
}
