//! A rebalance that somebody asks for: the same snapshot, guard, books and record as a cycle's.

use super::ground::Ground;
use super::plan::{Judged, Passed};
use crate::config::Config;
use crate::cycles::Services;
use crate::model::job::{JobOrigin, RebalanceProposal};
use crate::model::{Channel, ChannelName, Msat, Ppm, SignedMsat};
use crate::store::flow::FlowSums;
use anyhow::Result;
use std::collections::HashSet;
use std::time::Instant;

/// What a rebalance that gains nothing at any cost may cost when nobody says more.
const MODEST: Msat = Msat::from_sats(100);

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The best that an evaluator finds for this channel.
    Fill { to: ChannelName, force: bool },
    /// This much from here to there.
    Move { from: ChannelName, to: ChannelName, amount: Msat, max_fee: Option<Msat>, force: bool },
}

/// What two channels' prices and flows say of moving liquidity between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// What the destination charges, and what the source does.
    pub outbound: Ppm,
    pub source: Ppm,
    /// Expected cost of the route.
    pub inbound: Ppm,
    /// What the source would have earned, weighed by how fast it sells.
    pub forgone: Ppm,
    /// What is left, ppm; negative: a loss.
    pub spread: i64,
    /// Daily volume as a share of the capacity.
    pub to_turnover: f64,
    pub from_turnover: f64,
}

impl Figures {
    /// The highest rate to pay when nobody says more: the one at which nothing is gained or lost, or a modest
    /// sum where everything is a loss.
    fn affordable(&self, amount: Msat) -> Ppm {
        match self.outbound.0.checked_sub(self.forgone.0) {
            Some(rate) if rate > 0 => Ppm(rate),
            _ => rate(MODEST, amount),
        }
    }

    /// What a spread leaves of an amount.
    pub fn gain(&self, amount: Msat) -> SignedMsat {
        SignedMsat(self.spread).part(amount, Msat(1_000_000))
    }
}

/// What the guard said of a wish, and what was done.
pub struct Tried {
    pub judged: Judged,
    /// Of the destination and the first source.
    pub figures: Figures,
    /// Why the record of it is missing, if it is.
    pub unrecorded: Option<String>,
}

/// What became of a wish.
pub enum ManualRebalance {
    /// It came before the guard.
    Judged(Box<Tried>),
    /// The evaluator does not want it.
    Passed(Box<Passed>),
    /// No evaluator can be used, or the one that was asked failed.
    NoEvaluator,
    /// The node has no such channel.
    Unknown(ChannelName),
}

impl Services {
    /// Tries what somebody asks for. Answers when the money is reserved; sling hears of it after
    /// that.
    pub async fn rebalance(&self, wish: Wish) -> Result<ManualRebalance> {
        let started = Instant::now();
        let ground = self.ground(self.observe().await?).await?;
        let find = |name: ChannelName| {
            ground.snapshot.channels.iter().find(|channel| name.names(channel)).cloned().ok_or(name)
        };
        let mut plan = ground.empty_plan();
        match wish {
            Wish::Fill { to, force } => match find(to) {
                Err(name) => return Ok(ManualRebalance::Unknown(name)),
                Ok(to) => {
                    self.evaluate(&ground, &HashSet::from([to.channel_id]), force, &mut plan).await?;
                }
            },
            Wish::Move { from, to, amount, max_fee, force } => match (find(from), find(to)) {
                (Err(name), _) | (_, Err(name)) => return Ok(ManualRebalance::Unknown(name)),
                (Ok(from), Ok(to)) => {
                    let proposal = by_hand(&ground, &from, &to, (amount, max_fee, force));
                    let mut ledger = ground.facts.ledger.clone();
                    plan.judged.extend(ground.judge(proposal, &mut ledger));
                }
            },
        }
        let packing = self.pack(&plan.calls, &plan.trials);
        self.apply_rebalances(&mut plan).await;
        let mut result = outcome(&ground, &plan.judged, &plan.passed);
        // Whatever becomes of the record: the money is reserved, or not.
        let recorded = self.record_rebalances((plan, packing), "operator", started.elapsed()).await;
        let unrecorded = self.unrecorded(recorded, "a rebalance that was asked for");
        if let ManualRebalance::Judged(tried) = &mut result {
            tried.unrecorded = unrecorded;
        }
        Ok(result)
    }
}

fn outcome(ground: &Ground, judged: &[Judged], passed: &[Passed]) -> ManualRebalance {
    if let Some(one) = judged.first() {
        let from = one.verdict.proposal.from.first().and_then(|id| ground.channel(id)).unwrap_or(&one.to);
        let figures = figures(ground, from, &one.to);
        return ManualRebalance::Judged(Box::new(Tried { judged: one.clone(), figures, unrecorded: None }));
    }
    passed.first().map_or(ManualRebalance::NoEvaluator, |one| ManualRebalance::Passed(Box::new(one.clone())))
}

fn by_hand(
    ground: &Ground,
    from: &Channel,
    to: &Channel,
    (amount, max_fee, force): (Msat, Option<Msat>, bool),
) -> RebalanceProposal {
    let figures = figures(ground, from, to);
    let gain = figures.gain(amount);
    let max_fee = match max_fee {
        Some(most) => rate(most, amount),
        None => figures.affordable(amount).min(Ppm(ground.config.rebalance_max_ppm)),
    };
    RebalanceProposal {
        to: to.channel_id,
        from: vec![from.channel_id],
        amount,
        max_fee,
        origin: JobOrigin::Operator { force },
        value: Some(gain),
        cost: Some(figures.inbound.fee(Msat::ZERO, amount)),
        success: None,
        reason: "manual".to_owned(),
        factors: Vec::new(),
    }
}

/// The rate at which an amount costs no more than `most`.
fn rate(most: Msat, amount: Msat) -> Ppm {
    let ppm = u128::from(most.0) * 1_000_000 / u128::from(amount.0.max(1));
    Ppm(u32::try_from(ppm).unwrap_or(u32::MAX))
}

pub(super) fn figures(ground: &Ground, from: &Channel, to: &Channel) -> Figures {
    let facts = &ground.facts;
    let turnover = |channel: &Channel| {
        daily_share(facts.week.get(&channel.channel_id).copied().unwrap_or_default(), channel)
    };
    let (to_turnover, from_turnover) = (turnover(to), turnover(from));
    let inbound =
        facts.rates.get(&to.channel_id).copied().unwrap_or_else(|| estimated_route(to, &ground.config));
    let forgone = from.fee_ppm.scaled((7.0 * from_turnover).min(1.0));
    Figures {
        outbound: to.fee_ppm,
        source: from.fee_ppm,
        inbound,
        forgone,
        spread: i64::from(to.fee_ppm.0) - i64::from(inbound.0) - i64::from(forgone.0),
        to_turnover,
        from_turnover,
    }
}

/// Where nothing was ever paid: the peer's last hop, and an assumed way up to it.
fn estimated_route(to: &Channel, config: &Config) -> Ppm {
    let assumed = u32::try_from(config.inbound_fee_estimate_ppm).unwrap_or(u32::MAX);
    Ppm(to.peer_fee_ppm.unwrap_or_default().0.saturating_add(assumed))
}

fn daily_share(week: FlowSums, channel: &Channel) -> f64 {
    (week.in_msat + week.out_msat).share_of(channel.total) / 7.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_never_costs_more_than_was_said() {
        for (most, amount) in [(100_000, 50_000_000), (1, 3), (99_999, 7_777_777), (0, 5)] {
            let rate = rate(Msat(most), Msat(amount));
            assert!(rate.fee(Msat::ZERO, Msat(amount)) <= Msat(most), "{most} of {amount}: {rate}");
        }
        assert_eq!(rate(Msat(60_000), Msat(50_000_000)), Ppm(1_200));
    }

    #[test]
    fn without_a_word_the_rate_is_the_one_that_gains_nothing() {
        let amount = Msat::from_sats(100_000);
        for (outbound, inbound, forgone, expect) in
            [(700, 600, 0, 700), (700, 900, 100, 600), (700, 600, 700, 1_000), (100, 600, 900, 1_000)]
        {
            let spread = i64::from(outbound) - i64::from(inbound) - i64::from(forgone);
            let figures = Figures {
                outbound: Ppm(outbound),
                source: Ppm(forgone),
                inbound: Ppm(inbound),
                forgone: Ppm(forgone),
                spread,
                to_turnover: 0.1,
                from_turnover: 0.1,
            };
            assert_eq!(figures.affordable(amount), Ppm(expect), "{outbound} {inbound} {forgone}");
        }
    }
}
