//! Writing a cycle down: decisions, verdicts, outcomes and next states in one transaction.

use super::terms::settled;
use super::{Held, Plan, Planned, inputs};
use crate::cycles::Services;
use crate::cycles::journal::Packing;
use crate::cycles::strategies::{Call, memories, note_calls, tell_quarantined};
use crate::engine::Fees;
use crate::model::fee::{Limit, Origin, Outcome};
use crate::model::strategy::LastVerdict;
use crate::model::{Channel, ChannelId, Digest, Ppm, StrategyName};
use crate::store::changes::ChangeOrigin;
use crate::store::cycles::{self, CycleRecord, DecisionRecord, Terms};
use crate::store::tenures::InForce;
use crate::store::terms::Term;
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::time::Duration;

/// A proposal's channel, what the guard said, and what became of it.
type Decided = (Planned, Option<Outcome>);

impl Services {
    /// Records a cycle as it went.
    pub(super) async fn record_cycle(
        &self,
        (plan, packing): (Plan, Packing),
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
        let applied = verdicts(&decided);
        let terms =
            decided.iter().flat_map(|(planned, outcome)| settled(planned, outcome.as_ref())).collect();
        // A dry run leaves the fees of whoever set them.
        let in_force = if self.writer.is_dry() { Vec::new() } else { in_force(&decided, &plan.held) };
        let mut record = CycleRecord {
            tick: plan.tick,
            trigger: trigger.to_owned(),
            inputs_digest: inputs_digest(&plan.calls),
            channels: u32::try_from(channels).unwrap_or(u32::MAX),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            note: None,
            modules: plan.calls.iter().map(Call::run).collect(),
            decisions: decided.into_iter().map(decision_record).collect(),
            states: Vec::new(),
            node_states: Vec::new(),
            in_force,
            terms,
        };
        let (calls, trials, ready) = (plan.calls, plan.trials, packing.await??);
        let quarantined = self
            .store
            .write(move |tx| {
                (record.states, record.node_states) =
                    memories(tx, (&calls, &trials), |channel| applied.get(channel).copied())?;
                let id = cycles::record(tx, &record)?;
                note_calls(tx, (id, now), (&calls, &trials), &ready)
            })
            .await?;
        tell_quarantined(&quarantined, "dynamic");
        Ok(())
    }
}

/// One digest over the inputs of all calls of the cycle.
fn inputs_digest(calls: &[Call<Fees>]) -> Option<Digest> {
    let mut digests = calls.iter().filter_map(Call::inputs_digest).peekable();
    digests.peek()?;
    let hash = digests.fold(Sha256::new(), |hash, digest| hash.chain_update(digest.0));
    Some(Digest(hash.finalize().into()))
}

fn decision_record((planned, outcome): Decided) -> DecisionRecord {
    let Planned { channel, strategy, digest, verdict, exact, .. } = planned;
    let proposal = verdict.proposal;
    let rate_held = verdict.limits.iter().any(|limit| matches!(limit, Limit::RateHeld(_)));
    let (approved, refusal) = match verdict.result {
        Ok(approved) => (Some(approved.get().clone()), None),
        Err(refusal) => (None, Some(refusal)),
    };
    DecisionRecord {
        channel_id: channel.channel_id,
        scid: channel.scid.or(channel.alias_local),
        peer_id: channel.peer_id,
        strategy,
        digest,
        origin: match &proposal.origin {
            Origin::Strategy(_) if exact || rate_held => ChangeOrigin::Policy,
            Origin::Host => ChangeOrigin::Policy,
            Origin::Strategy(_) => ChangeOrigin::Strategy,
            Origin::Operator { .. } => ChangeOrigin::Operator,
        },
        old: channel.fee_ppm,
        proposed: (proposal.origin != Origin::Host).then_some(proposal.fee),
        reason: proposal.reason,
        factors: proposal.factors,
        limits: verdict.limits,
        refusal,
        from_congestion: approved.as_ref().is_some_and(|fee| fee.from_congestion),
        old_terms: Terms { base_fee: Some(channel.fee_base), htlc_max: Some(Term::HtlcMax.of(&channel)) },
        proposed_terms: Terms { base_fee: proposal.base_fee, htlc_max: proposal.htlc_max },
        approved_terms: approved.as_ref().map(Terms::of).unwrap_or_default(),
        approved: approved.map(|fee| fee.fee),
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

/// The host's word on each proposal, for the next call of whoever made it.
fn verdicts(decided: &[Decided]) -> HashMap<ChannelId, (LastVerdict, Ppm)> {
    let verdict = |(planned, outcome): &Decided| {
        let verdict = inputs::last_verdict(planned, outcome.as_ref());
        (planned.channel.channel_id, (verdict, planned.verdict.proposal.fee))
    };
    let asked = decided.iter().filter(|(planned, _)| planned.verdict.proposal.origin != Origin::Host);
    asked.map(verdict).collect()
}
