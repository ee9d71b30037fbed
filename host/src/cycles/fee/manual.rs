//! A fee set by hand: the same snapshot, guard, writer and record as a cycle's.

use super::decide::history;
use super::{Plan, Planned};
use crate::cycles::Services;
use crate::cycles::strategies::{Roster, canary_channels};
use crate::engine::Fees;
use crate::guard::fee::{Bounds, Case, Verdict, check};
use crate::model::fee::{FeeProposal, Origin, Outcome};
use crate::model::{Channel, ChannelName, Ppm, StrategyName};
use anyhow::Result;
use std::collections::HashMap;

/// What became of a fee set by hand.
pub struct ManualFee {
    pub channel: Channel,
    pub verdict: Verdict,
    /// None when the guard refused.
    pub outcome: Option<Outcome>,
    /// What the peer's policy does to the fee at the next cycle, if it does anything at once.
    pub undone: Option<Undone>,
    /// Why the record of it is missing, if it is.
    pub unrecorded: Option<String>,
}

/// Why a fee set by hand does not last.
#[derive(Clone, Debug)]
pub struct Undone {
    pub strategy: StrategyName,
    pub bounds: Bounds,
}

impl Services {
    /// Sets one channel's fee for an operator; none when the node has no such channel.
    pub async fn set_fee(&self, channel: ChannelName, fee: Ppm, force: bool) -> Result<Option<ManualFee>> {
        let turn = self.fee_turn.lock().await;
        let started = std::time::Instant::now();
        let snapshot = self.look(Some(&turn)).await?;
        let Some(channel) = snapshot.channels.iter().find(|known| channel.names(known)).cloned() else {
            return Ok(None);
        };
        let facts = self.facts(&snapshot).await?;
        let config = self.config();
        let policy = facts.policy(channel.peer_id, snapshot.now());
        let case = Case {
            config: &config,
            policy: &policy,
            snapshot: &snapshot,
            channel: &channel,
            history: history(&channel.channel_id, &facts),
            stands_in: self.is_stood_in_for(&policy.strategy, &channel, &facts.roster).await,
        };
        let bounds = case.bounds();
        let lasts = policy.strategy.is_passive()
            || bounds.exact.map_or((bounds.min..=bounds.max).contains(&fee), |exact| exact == fee);
        let undone = (!lasts).then(|| Undone { strategy: policy.strategy.clone(), bounds });
        let verdict = check(by_hand(&channel, fee, force), case);
        let planned = Planned {
            channel: channel.clone(),
            strategy: policy.strategy.clone(),
            policy,
            digest: None,
            verdict: verdict.clone(),
            exact: false,
            built_in: true,
        };
        let plan = Plan {
            tick: snapshot.tick,
            config,
            calls: Vec::new(),
            decided: vec![planned],
            held: Vec::new(),
            trials: Vec::new(),
            tenures: HashMap::new(),
        };
        let packing = self.pack(&plan.calls, &plan.trials);
        let outcomes = self.apply_fees(&plan).await;
        let outcome = outcomes.first().cloned();
        // Whatever becomes of the record: the fee is set, or not.
        let recorded = self.record_cycle((plan, packing), outcomes, "operator", started.elapsed()).await;
        let unrecorded = self.unrecorded(recorded, "a fee set by hand");
        Ok(Some(ManualFee { channel, verdict, outcome, undone, unrecorded }))
    }

    /// Whether a module that is not the host's own decides about this channel in the next cycle.
    async fn is_stood_in_for(&self, strategy: &StrategyName, channel: &Channel, roster: &Roster) -> bool {
        let tryouts = self.tryouts::<Fees>(std::iter::once(strategy), roster).await;
        if canary_channels(&tryouts, strategy).contains(&channel.channel_id) {
            return true;
        }
        let answering = self.answering::<Fees>(strategy, roster).await;
        answering.module.is_some_and(|module| !module.built_in)
    }
}

fn by_hand(channel: &Channel, fee: Ppm, force: bool) -> FeeProposal {
    FeeProposal {
        channel_id: channel.channel_id,
        origin: Origin::Operator { force },
        fee,
        base_fee: None,
        htlc_max: None,
        reason: "manual".to_owned(),
        factors: Vec::new(),
    }
}
