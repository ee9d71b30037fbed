//! What a verdict stands on: the node, the store's facts, sling and the wallet, read at one moment.

use super::facts::Facts;
use super::plan::{Judged, RebalancePlan};
use crate::config::Config;
use crate::cycles::Services;
use crate::guard::budget::{self, Held, Ledger};
use crate::guard::rebalance::{Case, Verdict, check, node_ready};
use crate::model::job::{JobOrigin, RebalanceProposal};
use crate::model::refusal::{Holder, RebalanceRefusal as Refusal};
use crate::model::{Channel, ChannelId, Msat, NodeSnapshot, Ppm, SignedMsat};
use anyhow::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything that judging depends on, read at one moment.
pub(super) struct Ground {
    pub snapshot: Arc<NodeSnapshot>,
    pub config: Arc<Config>,
    pub facts: Arc<Facts>,
    pub busy: HashMap<ChannelId, Holder>,
    pub no_rebalancer: Option<String>,
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
            no_rebalancer: self.no_rebalancer.as_deref(),
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
        if verdict.result.as_ref().is_err_and(Refusal::is_about_money)
            && let Some(smaller) = self.smaller(&proposal, &to, ledger)
        {
            let amount = smaller.amount;
            let again = self.verdict(smaller, ledger);
            if again.result.is_ok() {
                verdict = again;
                verdict.limits.insert(0, format!("{} sat are what the budget leaves", amount.sats()));
            }
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

    /// The proposal of an evaluator, as much of it as its share of the budget affords.
    fn smaller(
        &self,
        proposal: &RebalanceProposal,
        to: &Channel,
        ledger: &Ledger,
    ) -> Option<RebalanceProposal> {
        let JobOrigin::Evaluator { .. } = proposal.origin else { return None };
        let room = budget::room_for(&to.channel_id, &to.peer_id, &self.config, ledger);
        let chunk = Msat::from_sats(self.config.sling_chunk_size_sats);
        let max_fee = proposal.max_fee.min(Ppm(self.config.rebalance_max_ppm));
        let amount = budget::affordable(room, max_fee, chunk).min(proposal.amount);
        let share = amount.share_of(proposal.amount);
        let scaled = |value: SignedMsat| SignedMsat((value.0 as f64 * share) as i64);
        Some(RebalanceProposal { amount, value: proposal.value.map(scaled), ..proposal.clone() })
    }
}

impl Services {
    /// Reads all of it for this picture of the node.
    pub(super) async fn ground(&self, snapshot: NodeSnapshot) -> Result<Ground> {
        let snapshot = Arc::new(snapshot);
        let facts = Arc::new(self.rebalance_facts(snapshot.now()).await?);
        let mut busy: HashMap<ChannelId, Holder> = HashMap::new();
        let operators = self.desk.operators_channels();
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
            no_rebalancer: self.desk.sling().problem(),
            wallet: wallet.map_err(|error| format!("listfunds: {error}")),
            snapshot,
        })
    }
}
