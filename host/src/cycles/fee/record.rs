//! Writing a cycle down: decisions, verdicts, outcomes and next states in one transaction.

use super::{Held, ModuleCall, Plan, Planned, TrialCall, inputs};
use crate::cycles::Services;
use crate::cycles::strategies::{note_call, note_trial, tell_quarantined};
use crate::model::fee::{Origin, Outcome};
use crate::model::strategy::LastVerdict;
use crate::model::{Channel, ChannelId, Digest, Ppm, StrategyName, UnixTime};
use crate::store::changes::ChangeOrigin;
use crate::store::cycles::{self, CycleRecord, DecisionRecord, ModuleFault, ModuleRun};
use crate::store::journal;
use crate::store::modules::ModuleFaults;
use crate::store::states::{NodeStateRecord, StateRecord};
use crate::store::tenures::InForce;
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::time::Duration;

/// The reason of a change that the host itself saw to be one of congestion.
pub(super) const CONGESTION: &str = "congestion";

/// A proposal's channel, what the guard said, and what became of it.
type Decided = (Planned, Option<Outcome>);

impl Services {
    /// Records a cycle as it went.
    pub(super) async fn record_cycle(
        &self,
        plan: Plan,
        outcomes: Vec<Outcome>,
        trigger: &'static str,
        took: Duration,
    ) -> Result<()> {
        let now = plan.tick.now;
        let channels = plan.decided.len() + plan.held.len();
        let mut outcomes = outcomes.into_iter();
        let with_outcome = |planned: Planned| {
            let outcome = planned.verdict.result.is_ok().then(|| outcomes.next()).flatten();
            (planned, outcome)
        };
        let decided: Vec<Decided> = plan.decided.into_iter().map(with_outcome).collect();
        let (mut states, mut node_states) = next_states(plan.calls.iter(), &decided, &HashMap::new());
        for trial in &plan.trials {
            let (more, more_node) = next_states(std::iter::once(&trial.call), &decided, &trial.verdicts);
            states.extend(more);
            node_states.extend(more_node);
        }
        // A dry run leaves the fees of whoever set them.
        let in_force = if self.writer.is_dry() { Vec::new() } else { in_force(&decided, &plan.held) };
        let record = CycleRecord {
            tick: plan.tick,
            trigger: trigger.to_owned(),
            inputs_digest: inputs_digest(&plan.calls),
            channels: u32::try_from(channels).unwrap_or(u32::MAX),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            note: None,
            modules: plan.calls.iter().map(module_run).collect(),
            decisions: decided.into_iter().map(decision_record).collect(),
            states,
            node_states,
            in_force,
        };
        let (calls, trials, journal) = (plan.calls, plan.trials, plan.config.journal_mb > 0);
        let quarantined = self
            .store
            .write(move |tx| {
                let id = cycles::record(tx, &record)?;
                let on_trial = trials.iter().map(|trial| &trial.call);
                let transcripts = calls.iter().chain(on_trial).filter_map(|call| call.transcript.as_ref());
                for transcript in transcripts.filter(|_| journal) {
                    journal::record(tx, id, now, transcript)?;
                }
                let mut quarantined = note_faults(tx, &calls, now)?;
                for TrialCall { module, run, .. } in &trials {
                    quarantined.extend(note_trial(tx, module, run, id, now)?);
                }
                Ok(quarantined)
            })
            .await?;
        tell_quarantined(&quarantined, "dynamic");
        Ok(())
    }
}

/// Counts faults and their absence; returns the modules that came into quarantine now.
fn note_faults(
    tx: &crate::store::Transaction<'_>,
    calls: &[ModuleCall],
    now: UnixTime,
) -> Result<Vec<ModuleFaults>> {
    let mut quarantined = Vec::new();
    for call in calls {
        let result = call.result.as_ref().map(|_| ()).map_err(|(code, text)| (*code, text.as_str()));
        quarantined.extend(note_call(tx, &call.strategy, call.digest, result, now)?);
    }
    Ok(quarantined)
}

/// One digest over the inputs of all calls of the cycle.
fn inputs_digest(calls: &[ModuleCall]) -> Option<Digest> {
    let mut digests =
        calls.iter().filter_map(|call| Some(call.transcript.as_ref()?.input_digest())).peekable();
    digests.peek()?;
    let hash = digests.fold(Sha256::new(), |hash, digest| hash.chain_update(digest.0));
    Some(Digest(hash.finalize().into()))
}

fn module_run(call: &ModuleCall) -> ModuleRun {
    let fault =
        |(code, text): &(&'static str, String)| ModuleFault { code: (*code).to_owned(), text: text.clone() };
    ModuleRun {
        strategy: call.strategy.clone(),
        digest: call.digest,
        version: call.version.clone(),
        fuel: call.result.as_ref().ok().map(|decision| decision.fuel),
        took_us: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
        channels: u32::try_from(call.channels.len()).unwrap_or(u32::MAX),
        fault: call.result.as_ref().err().map(fault),
        fallback: call.fallback.clone(),
    }
}

fn decision_record((planned, outcome): Decided) -> DecisionRecord {
    let Planned { channel, strategy, digest, verdict, congested, exact, .. } = planned;
    let proposal = verdict.proposal;
    let (approved, base, refusal) = match verdict.result {
        Ok(approved) => (Some(approved.get().fee), approved.get().base_fee, None),
        Err(refusal) => (None, channel.fee_base, Some(refusal)),
    };
    DecisionRecord {
        channel_id: channel.channel_id,
        scid: channel.scid.or(channel.alias_local),
        peer_id: channel.peer_id,
        strategy,
        digest,
        origin: match proposal.origin {
            Origin::Strategy(_) if exact => ChangeOrigin::Policy,
            Origin::Strategy(_) => ChangeOrigin::Strategy,
            Origin::Operator { .. } => ChangeOrigin::Operator,
        },
        old: channel.fee_ppm,
        proposed: Some(proposal.fee),
        reason: if congested { CONGESTION.to_owned() } else { proposal.reason },
        factors: proposal.factors,
        limits: verdict.limits,
        refusal,
        approved,
        base,
        outcome,
    }
}

/// Whose decisions these are. A failed call decided nothing: what was in force stays so. Neither does a
/// fee set by hand change who decides.
fn in_force(decided: &[Decided], held: &[Held]) -> Vec<InForce> {
    let decided = decided.iter().map(|(planned, _)| (&planned.channel, &planned.strategy, planned.digest));
    let held = held.iter().map(|held| (&held.channel, &held.strategy, held.digest));
    let one = |(channel, strategy, digest): (&Channel, &StrategyName, Option<Digest>)| {
        let (channel_id, capacity) = (channel.channel_id, channel.total);
        Some(InForce { channel_id, capacity, strategy: strategy.clone(), digest: digest? })
    };
    decided.chain(held).filter_map(one).collect()
}

/// States move only with a decision that was made: a failed call keeps the old ones.
fn next_states<'a>(
    calls: impl Iterator<Item = &'a ModuleCall>,
    decided: &[Decided],
    not_applied: &HashMap<ChannelId, (LastVerdict, Ppm)>,
) -> (Vec<StateRecord>, Vec<NodeStateRecord>) {
    let applied: HashMap<ChannelId, (LastVerdict, Ppm)> = decided
        .iter()
        .map(|(planned, outcome)| {
            let verdict = inputs::last_verdict(planned, outcome.as_ref());
            (planned.channel.channel_id, (verdict, planned.verdict.proposal.fee))
        })
        .collect();
    let (mut states, mut node_states) = (Vec::new(), Vec::new());
    for (call, decision) in calls.filter_map(|call| Some((call, call.result.as_ref().ok()?))) {
        let state_version = call.state_version;
        node_states.push(NodeStateRecord {
            holder: call.holder.clone(),
            state_version,
            bytes: decision.node_state.clone(),
        });
        states.extend(call.channels.iter().zip(&decision.states).map(|(channel_id, bytes)| {
            let verdict = not_applied.get(channel_id).or_else(|| applied.get(channel_id));
            StateRecord {
                holder: call.holder.clone(),
                channel_id: *channel_id,
                state_version,
                bytes: bytes.clone(),
                last_verdict: verdict.map_or(LastVerdict::None, |(verdict, _)| *verdict),
                last_proposed: verdict.map(|(_, fee)| *fee),
            }
        }));
    }
    (states, node_states)
}
