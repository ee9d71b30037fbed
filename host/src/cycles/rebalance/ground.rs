//! What a verdict stands on: the node, the store's facts, sling and the wallet, read at one moment.

use super::desk::SlingSeen;
use super::facts::Facts;
use super::plan::{Judged, RebalancePlan};
use crate::config::Config;
use crate::cycles::Services;
use crate::guard::budget::{self, Held, Ledger};
use crate::guard::rebalance::{Case, Verdict, check, node_ready};
use crate::model::job::{JobOrigin, RebalanceProposal};
use crate::model::refusal::Holder;
use crate::model::{Channel, ChannelId, Msat, NodeSnapshot};
use anyhow::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// How often an amount is made smaller until its worst case fits, and to which share each time at
/// least, percent: it is cut into payments, so a small step may change nothing.
const SMALLER_TRIES: usize = 8;
const SMALLER_PERCENT: u64 = 80;

/// Everything that judging depends on, read at one moment.
pub(super) struct Ground {
    pub snapshot: Arc<NodeSnapshot>,
    pub config: Arc<Config>,
    pub facts: Arc<Facts>,
    pub busy: HashMap<ChannelId, Holder>,
    /// What is known of sling.
    pub sling: SlingSeen,
    /// With more HTLCs than this sling leaves a channel alone; or why sling cannot be used now.
    pub most_htlcs: Result<u64, String>,
    /// Why it is not known what earlier jobs cost.
    pub payments_unread: Option<String>,
    pub wallet: Result<Msat, String>,
}

impl Ground {
    pub fn case(&self) -> Case<'_> {
        Case {
            config: &self.config,
            snapshot: &self.snapshot,
            policies: &self.facts.policies,
            past: &self.facts.past,
            busy: &self.busy,
            most_htlcs: self.most_htlcs.as_ref().map_err(String::as_str).copied(),
            payments_unread: self.payments_unread.as_deref(),
            wallet: &self.wallet,
        }
    }

    pub fn channel(&self, id: &ChannelId) -> Option<&Channel> {
        self.snapshot.channels.iter().find(|channel| channel.channel_id == *id)
    }

    /// A plan without any decision yet.
    pub fn empty_plan(&self) -> RebalancePlan {
        RebalancePlan {
            tick: self.snapshot.tick,
            config: self.config.clone(),
            snapshot: self.snapshot.clone(),
            budget: budget::overall(&self.config, &self.facts.ledger),
            earned_day: self.facts.ledger.earned,
            wallet: self.wallet.clone(),
            sling: self.sling.clone(),
            blocked: node_ready(self.case()).err(),
            calls: Vec::new(),
            judged: Vec::new(),
            passed: Vec::new(),
            trials: Vec::new(),
        }
    }

    /// Puts one proposal before the guard and before what the books, with what this cycle has
    /// taken so far, leave; takes its part when it passes. An evaluator's amount is made to fit.
    pub fn judge(&self, proposal: RebalanceProposal, ledger: &mut Ledger) -> Option<Judged> {
        let to = self.channel(&proposal.to)?.clone();
        let name = |id: &ChannelId| self.channel(id).map_or_else(|| id.to_string(), Channel::name);
        let sources = proposal.from.iter().map(name).collect();
        let mut verdict = self.verdict(proposal.clone(), ledger);
        if let Some(smaller) = self.smaller(&proposal, &verdict, ledger) {
            verdict = smaller;
        }
        if let Ok(approved) = &verdict.result {
            ledger.held.push(Held::by(approved.get(), Holder::SameCycle));
        }
        Some(Judged { to, sources, verdict, done: None })
    }

    fn verdict(&self, proposal: RebalanceProposal, ledger: &Ledger) -> Verdict {
        let mut verdict = check(proposal, self.case());
        if let Ok(approved) = &verdict.result
            && let Err(refusal) = budget::fits(approved.get(), &self.config, ledger)
        {
            verdict.result = Err(refusal);
        }
        verdict
    }

    /// The verdict on as much of an evaluator's proposal as the limits on cost leave. What a job
    /// reserves falls more slowly than its amount, so it takes several tries.
    fn smaller(&self, proposal: &RebalanceProposal, verdict: &Verdict, ledger: &Ledger) -> Option<Verdict> {
        let JobOrigin::Evaluator { .. } = proposal.origin else { return None };
        let mut refused = verdict.result.as_ref().err()?.clone();
        let mut amount = proposal.amount;
        for _ in 0..SMALLER_TRIES {
            let room = refused.room()?;
            let fits = u128::from(amount.0) * u128::from(room.left().0) / u128::from(room.needed.0.max(1));
            let step = Msat(amount.0 / 100 * SMALLER_PERCENT);
            amount = step.min(Msat(u64::try_from(fits).unwrap_or(u64::MAX)));
            let mut verdict = self.verdict(with_amount(proposal, amount), ledger);
            match verdict.result {
                Err(refusal) => refused = refusal,
                Ok(_) => {
                    verdict.limits.insert(0, format!("{} sat are what the budget leaves", amount.sats()));
                    return Some(verdict);
                }
            }
        }
        None
    }
}

/// A part of what an evaluator wants, worth as much less, and as much cheaper.
fn with_amount(proposal: &RebalanceProposal, amount: Msat) -> RebalanceProposal {
    let value = proposal.value.map(|value| value.part(amount, proposal.amount));
    let cost = proposal.cost.map(|cost| cost.part(amount, proposal.amount));
    RebalanceProposal { amount, value, cost, ..proposal.clone() }
}

impl Services {
    /// Reads all of it for this picture of the node.
    pub(super) async fn ground(&self, snapshot: NodeSnapshot) -> Result<Ground> {
        let snapshot = Arc::new(snapshot);
        let facts = Arc::new(self.rebalance_facts(snapshot.now()).await?);
        let mut busy: HashMap<ChannelId, Holder> = HashMap::new();
        let sling = self.desk.seen();
        let most_htlcs = sling.state.usable().map(|look| look.most_htlcs);
        let operators = sling.operators_channels();
        for channel in snapshot.channels.iter().filter(|one| one.scid.is_some_and(|s| operators.contains(&s)))
        {
            busy.insert(channel.channel_id, Holder::OperatorsSlingJob);
        }
        for held in &facts.ledger.held {
            busy.extend(held.channels.iter().map(|channel| (*channel, held.holder)));
        }
        let wallet = self.node.funds().await.map(|funds| funds.confirmed.saturating_sub(funds.reserved));
        Ok(Ground {
            config: self.config(),
            facts,
            busy,
            sling,
            most_htlcs,
            payments_unread: self.payments_unread().await,
            wallet: wallet.map_err(|error| format!("listfunds: {error}")),
            snapshot,
        })
    }
}
