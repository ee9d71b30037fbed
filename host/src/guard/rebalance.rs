//! Limits of one rebalance: the node's state, the channels' states and policies, pauses after
//! earlier jobs, amounts and rates. What all jobs may cost together is in [`super::budget`].

mod drain;
mod ends;

pub use ends::{drain_most, fill_most, may_drain, may_fill, wait};

use super::Approved;
use crate::config::Config;
use crate::model::job::{JobEnd, JobOrigin, Past, RebalanceProposal, StartRebalance};
use crate::model::refusal::{AmountLimit, End, Holder, RebalanceRefusal as Refusal};
use crate::model::{Channel, ChannelId, Msat, NodeSnapshot, PeerId, Policy, Ppm, SignedMsat};
use drain::{Payments, wanted};
use ends::{gives, keeps};
use std::collections::HashMap;

/// Everything that a verdict depends on, besides the proposal.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub config: &'a Config,
    pub snapshot: &'a NodeSnapshot,
    pub policies: &'a HashMap<PeerId, Policy>,
    /// Earlier jobs, by the channel that they filled.
    pub past: &'a HashMap<ChannelId, Past>,
    /// Channels that are in use, and by whom.
    pub busy: &'a HashMap<ChannelId, Holder>,
    /// With more HTLCs than this sling leaves a channel alone; or why sling cannot be used now.
    pub most_htlcs: Result<u64, &'a str>,
    /// Why it is not known what earlier jobs cost.
    pub payments_unread: Option<&'a str>,
    /// Confirmed funds on the chain that nothing else holds, or why they are not known.
    pub wallet: &'a Result<Msat, String>,
}

impl<'a> Case<'a> {
    /// The policy in force for a peer.
    pub fn policy(&self, peer: PeerId) -> Policy {
        super::policy::in_force(self.policies.get(&peer).cloned(), peer, self.snapshot.now())
    }

    fn channel(&self, id: &ChannelId) -> Option<&'a Channel> {
        self.snapshot.channels.iter().find(|channel| channel.channel_id == *id)
    }
}

/// The guard's word on one proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub proposal: RebalanceProposal,
    /// What was left out or made smaller, in sentences.
    pub limits: Vec<String>,
    pub result: Result<Approved<StartRebalance>, Refusal>,
}

impl Verdict {
    /// What is to arrive: as approved, else as proposed.
    pub fn amount(&self) -> Msat {
        self.result.as_ref().map_or(self.proposal.amount, |approved| approved.get().amount)
    }

    /// The gain expected of that much.
    pub fn value(&self) -> Option<SignedMsat> {
        self.proposal.value.map(|value| value.part(self.amount(), self.proposal.amount))
    }

    /// What that much is expected to cost.
    pub fn cost(&self) -> Option<Msat> {
        self.proposal.cost.map(|cost| cost.part(self.amount(), self.proposal.amount))
    }
}

/// Judges one proposal.
pub fn check(proposal: RebalanceProposal, case: Case<'_>) -> Verdict {
    let mut limits = Vec::new();
    let result = judge(&proposal, case, &mut limits);
    Verdict { proposal, limits, result }
}

/// What concerns every rebalance alike.
///
/// # Errors
/// Why nothing can be rebalanced now.
pub fn node_ready(case: Case<'_>) -> Result<(), Refusal> {
    most_htlcs(case)?;
    if let Some(why) = case.payments_unread {
        return Err(Refusal::Unreadable(why.to_owned()));
    }
    if let Some(why) = &case.snapshot.not_synced {
        return Err(Refusal::NodeSyncing(why.clone()));
    }
    let least = Msat::from_sats(case.config.min_wallet_reserve);
    match case.wallet {
        Err(why) => Err(Refusal::Unreadable(why.clone())),
        Ok(confirmed) if *confirmed < least => Err(Refusal::WalletReserve { confirmed: *confirmed, least }),
        Ok(_) => Ok(()),
    }
}

fn most_htlcs(case: Case<'_>) -> Result<u64, Refusal> {
    case.most_htlcs.map_err(|why| Refusal::NoRebalancer(why.to_owned()))
}

fn judge(
    proposal: &RebalanceProposal,
    case: Case<'_>,
    limits: &mut Vec<String>,
) -> Result<Approved<StartRebalance>, Refusal> {
    node_ready(case)?;
    let config = case.config;
    let to = case.channel(&proposal.to);
    let to = to.ok_or_else(|| Refusal::UnknownChannel(End::To(proposal.to.to_string())))?;
    if proposal.from.contains(&proposal.to) {
        return Err(Refusal::SameChannel);
    }
    may_fill(to, proposal.origin.is_forced(), case)?;
    let by_operator = matches!(proposal.origin, JobOrigin::Operator { .. });
    let keep_share = if by_operator { 0.0 } else { config.low_liquidity_threshold.min(0.99) };
    let least = Msat::from_sats(if by_operator { 1 } else { config.rebalance_min_amount });
    let sources = sources(proposal, least.min(proposal.amount), keep_share, case, limits)?;
    let max_fee = rate(proposal, config, limits)?;
    let htlcs = most_htlcs(case)?;
    let want = Want { amount: proposal.amount, max_fee, htlcs, keep_share, to, config };
    let cut = if by_operator { operators_cut(want, sources)? } else { evaluators_cut(want, sources)? };
    if cut.amount < proposal.amount {
        limits.push(format!("{} sat in payments of {} sat", cut.amount.sats(), cut.payment.sats()));
    }
    let value = proposal.value.map(|value| value.part(cut.amount, proposal.amount));
    let fleet = worth(proposal, value, (to, cut.amount), case)?;
    Ok(Approved(StartRebalance {
        to: end(to),
        from: cut.sources.into_iter().map(end).collect(),
        amount: cut.amount,
        payment: cut.payment,
        most_payments: cut.most_payments,
        most_htlcs: htlcs,
        max_fee,
        max_hops: u32::try_from(config.sling_max_hops).unwrap_or(u32::MAX),
        keep_share: drain::SHARE,
        keep_most: cut.level,
        time_limit_s: config.sling_job_timeout_seconds,
        origin: proposal.origin.clone(),
        fleet,
        value,
        worth: proposal.worth().map(|worth| worth.part(cut.amount, proposal.amount)),
    }))
}

fn end(channel: &Channel) -> JobEnd {
    JobEnd {
        channel_id: channel.channel_id,
        scid: channel.scid.expect("a channel without one is not usable"),
        peer_id: channel.peer_id,
    }
}

const fn whole_sats(amount: Msat) -> Msat {
    Msat(amount.0 - amount.0 % 1_000)
}

/// A channel to take from, and what it can give.
type Source<'a> = (&'a Channel, Msat);

/// The sources that can give at least `least`.
fn sources<'a>(
    proposal: &RebalanceProposal,
    least: Msat,
    keep_share: f64,
    case: Case<'a>,
    limits: &mut Vec<String>,
) -> Result<Vec<Source<'a>>, Refusal> {
    let (mut usable, mut first_refusal) = (Vec::new(), None);
    for id in &proposal.from {
        match source(id, least, keep_share, case) {
            Ok(source) => usable.push(source),
            Err(refusal) => {
                limits.push(refusal.to_string());
                first_refusal.get_or_insert(refusal);
            }
        }
    }
    if usable.is_empty() { Err(first_refusal.unwrap_or(Refusal::NoSource)) } else { Ok(usable) }
}

fn source<'a>(id: &ChannelId, least: Msat, keep_share: f64, case: Case<'a>) -> Result<Source<'a>, Refusal> {
    let channel = case.channel(id).ok_or_else(|| Refusal::UnknownChannel(End::From(id.to_string())))?;
    may_drain(channel, case)?;
    let has = gives(channel, keep_share, case.config);
    if has < least {
        return Err(Refusal::SourceLacks { end: End::From(channel.name()), has, needed: least });
    }
    Ok((channel, has))
}

/// What is to be cut into payments.
#[derive(Clone, Copy)]
struct Want<'a> {
    amount: Msat,
    max_fee: Ppm,
    htlcs: u64,
    keep_share: f64,
    to: &'a Channel,
    config: &'a Config,
}

impl<'a> Want<'a> {
    fn payments(self, size: Msat) -> Payments {
        Payments { size, max_fee: self.max_fee, htlcs: self.htlcs }
    }

    /// What all of these sources keep at least.
    fn lowest(self, sources: &[&Channel]) -> Msat {
        sources.iter().map(|source| keeps(source.total, self.keep_share)).max().unwrap_or_default()
    }

    /// `count` payments or fewer from these sources, none of which gives more than it takes.
    fn cut(self, size: Msat, count: u64, mut sources: Vec<&'a Channel>) -> Cut<'a> {
        let payments = self.payments(size);
        let lowest = self.lowest(&sources);
        let enough = wanted(count, sources.len());
        let level = payments.drain(&sources, lowest, enough).level;
        sources.retain(|source| payments.made_by(source, level) > 0);
        let drain = payments.drain(&sources, lowest, enough);
        let amount = Msat(size.0.saturating_mul(count.min(drain.makes)));
        Cut { amount, payment: size, sources, level: drain.level, most_payments: drain.most }
    }
}

/// How a job is cut into payments.
struct Cut<'a> {
    amount: Msat,
    payment: Msat,
    sources: Vec<&'a Channel>,
    /// What the sources keep.
    level: Msat,
    /// Payments that can settle at most.
    most_payments: u64,
}

/// The most that a person may ask for, and what keeps it from being more.
fn operators_most(want: Want<'_>, sources: &[Source<'_>]) -> (Msat, AmountLimit) {
    let gives = sources.iter().fold(0u64, |sum, (_, gives)| sum.saturating_add(gives.0));
    let limits = [
        (Msat(gives), given_by(sources)),
        (want.to.receivable, AmountLimit::Destination(want.to.name())),
        (Msat::from_sats(want.config.rebalance_max_amount), AmountLimit::MaxAmount),
    ];
    limits.into_iter().min_by_key(|(most, _)| *most).expect("there are three")
}

fn given_by(sources: &[Source<'_>]) -> AmountLimit {
    AmountLimit::Sources(sources.iter().map(|(channel, _)| channel.name()).collect())
}

/// A person's amount is taken as it is, in equal payments, or refused.
fn operators_cut<'a>(want: Want<'a>, sources: Vec<Source<'a>>) -> Result<Cut<'a>, Refusal> {
    let (wanted, config) = (want.amount, want.config);
    let (most, by) = operators_most(want, &sources);
    if wanted > most {
        return Err(Refusal::TooLarge { wanted, most, by });
    }
    let count = wanted.0.div_ceil(config.sling_chunk_size_sats.saturating_mul(1_000)).max(1);
    let payment = whole_sats(Msat(wanted.0 / count));
    if payment == Msat::ZERO {
        return Err(Refusal::TooSmall { fits: wanted, least: Msat::from_sats(1) });
    }
    let by = given_by(&sources);
    let cut = want.cut(payment, count, sources.into_iter().map(|(channel, _)| channel).collect());
    if cut.amount.0 < payment.0 * count {
        return Err(Refusal::TooLarge { wanted, most: cut.amount, by });
    }
    Ok(cut)
}

/// A job has this many payments or more, if each is still as large as the smallest job: what may
/// settle besides the amount is counted in payments.
const PAYMENTS: u64 = 8;

/// As much of an evaluator's amount as fits, in payments that the best source can give. Sources
/// that cannot give one, or that are not needed, are dropped.
fn evaluators_cut<'a>(want: Want<'a>, mut sources: Vec<Source<'a>>) -> Result<Cut<'a>, Refusal> {
    let config = want.config;
    let best = sources.first().map_or(Msat::ZERO, |(_, gives)| *gives);
    let chunk = Msat::from_sats(config.sling_chunk_size_sats);
    let least = Msat::from_sats(config.rebalance_min_amount);
    let most = want.amount.min(fill_most(want.to, config));
    let payment = whole_sats(most.min(chunk).min(best).min(Msat(most.0 / PAYMENTS).max(least)));
    if payment == Msat::ZERO {
        return Err(Refusal::TooSmall { fits: payment, least });
    }
    sources.retain(|(_, gives)| *gives >= payment);
    let payments = want.payments(payment);
    let makes = |(source, _): &Source<'_>| payments.made_by(source, keeps(source.total, want.keep_share));
    let makes: Vec<u64> = sources.iter().map(makes).collect();
    let count = most.0 / payment.0;
    sources.truncate(payments.sources_for(count, &makes));
    let cut = want.cut(payment, count, sources.into_iter().map(|(channel, _)| channel).collect());
    if cut.amount < least { Err(Refusal::TooSmall { fits: cut.amount, least }) } else { Ok(cut) }
}

/// An evaluator's rate is moved to the highest allowed one, an operator's refused.
fn rate(proposal: &RebalanceProposal, config: &Config, limits: &mut Vec<String>) -> Result<Ppm, Refusal> {
    let (wanted, most) = (proposal.max_fee, Ppm(config.rebalance_max_ppm));
    match proposal.origin {
        _ if wanted <= most => Ok(wanted),
        JobOrigin::Operator { .. } => Err(Refusal::MaxFee { wanted, most }),
        JobOrigin::Evaluator { .. } => {
            limits.push(format!("{wanted} limited to {most}"));
            Ok(most)
        }
    }
}

/// Whether this much of an evaluator's rebalance gains enough, or loses little enough towards the fleet.
/// True when it is meant to lose.
fn worth(
    proposal: &RebalanceProposal,
    value: Option<SignedMsat>,
    (to, amount): (&Channel, Msat),
    case: Case<'_>,
) -> Result<bool, Refusal> {
    let (JobOrigin::Evaluator { .. }, Some(value)) = (&proposal.origin, value) else {
        return Ok(false);
    };
    let config = case.config;
    let is_fleet = case.policy(to.peer_id).strategy.is_fleet();
    if is_fleet && value < SignedMsat::ZERO {
        let loss = Msat(value.0.unsigned_abs());
        let most = Msat::from_sats(config.hive_rebalance_tolerance);
        return if loss > most { Err(Refusal::FleetLoss { loss, most }) } else { Ok(true) };
    }
    let least = match u32::try_from(config.rebalance_min_profit_ppm) {
        Ok(0) | Err(_) => Msat::from_sats(config.rebalance_min_profit),
        Ok(ppm) => Ppm(ppm).fee(Msat::ZERO, amount),
    };
    let enough = proposal.origin.is_forced()
        || is_fleet
        || u64::try_from(value.0).is_ok_and(|value| Msat(value) >= least && value > 0);
    if enough { Ok(false) } else { Err(Refusal::NotWorthIt { value, least }) }
}

#[cfg(test)]
mod tests;
