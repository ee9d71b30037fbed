//! Fee limits: bounds, chain cost, step size, what goes with a rate, gossip hysteresis and update rate.

mod terms;

pub use terms::{TakeBack, typical_forward};

use super::Approved;
use crate::config::Config;
use crate::model::fee::{FeeProposal, Limit, Origin, Refusal, SetFee};
use crate::model::strategy::LastVerdict;
use crate::model::{Channel, Msat, NodeSnapshot, Policy, Ppm, UnixTime};
use terms::Terms;

/// A change below this share of the fee in force is not worth the network's attention.
pub const GOSSIP_GATE: f64 = 0.05;

/// The most that is ever set, by anyone: 100 % of the amount.
pub const ABSURD_PPM: Ppm = Ppm(1_000_000);

/// Virtual bytes of an opening plus a mutual close, one input and two outputs each.
const OPEN_AND_CLOSE_VBYTES: u64 = 140 + 200;

/// What a channel is assumed to forward before it is closed: a million sat a day for a
/// year, in sat.
const LIFETIME_VOLUME_SATS: u64 = 1_000_000 * 365;

/// Lowest and highest fee for one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub min: Ppm,
    pub max: Ppm,
    /// The part of `min` that settings and policy ask for.
    pub set_min: Ppm,
    /// The part of `min` that pays for the chain.
    pub chain_floor: Ppm,
    /// The policy names one exact fee: no limit but sense applies to it.
    pub exact: Option<Ppm>,
}

/// The rate at which a channel's expected lifetime volume pays for opening and closing it
/// at `feerate_perkb` (sat per 1000 vbytes), rounded up.
pub fn chain_cost_ppm(feerate_perkb: u32) -> Ppm {
    let cost_sats = u64::from(feerate_perkb) * OPEN_AND_CLOSE_VBYTES / 1000;
    let ppm = (cost_sats * 1_000_000).div_ceil(LIFETIME_VOLUME_SATS);
    Ppm(u32::try_from(ppm).unwrap_or(u32::MAX))
}

/// The bounds for a peer's channels.
///
/// The policy's multipliers scale the configured bounds: the peer's lowest fee is
/// `fee_multiplier_min` times `min-fee-ppm`, its highest `fee_multiplier_max` times
/// `max-fee-ppm`. Where these cross, or the chain's cost is above the highest fee, the
/// highest fee rules.
///
/// `stands_in`: see [`exact_fee`].
pub fn bounds(policy: &Policy, config: &Config, feerate_perkb: Option<u32>, stands_in: bool) -> Bounds {
    let scaled = |fee: u32, factor: Option<f64>| Ppm(fee).scaled(factor.unwrap_or(1.0)).min(ABSURD_PPM);
    let max = scaled(config.max_fee_ppm, policy.fee_multiplier_max);
    let chain_floor = feerate_perkb.map_or(Ppm(0), chain_cost_ppm).min(max);
    let set_min = scaled(config.min_fee_ppm, policy.fee_multiplier_min).min(max);
    let exact = exact_fee(policy, config, stands_in);
    Bounds { min: set_min.max(chain_floor), max, set_min, chain_floor, exact }
}

/// The one fee that the policy allows, if it names one.
///
/// `stands_in` says that an installed module decides in place of the built-in strategy: `hive` is
/// the fleet's word then, within the same limits as any strategy's.
pub fn exact_fee(policy: &Policy, config: &Config, stands_in: bool) -> Option<Ppm> {
    if policy.strategy.is_static() {
        policy.fee_ppm_target
    } else if policy.strategy.is_fleet() && !stands_in {
        Some(Ppm(config.hive_fee_ppm))
    } else {
        None
    }
}

/// What the guard knows of a channel's recent past.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct History {
    /// Changes that count against the daily limit, in the last 24 hours.
    pub updates_today: u32,
    /// Congestion that the host saw raised the fee in force beyond one step, and it never fell since.
    pub fee_from_congestion: bool,
    /// When the fee last changed.
    pub last_change: Option<UnixTime>,
    /// What another module left here.
    pub back: TakeBack,
    /// What the largest HTLC in force was asked to be, where a module set it.
    pub htlc_max_asked: Option<Msat>,
}

/// Everything that a verdict depends on, besides the proposal.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub config: &'a Config,
    pub policy: &'a Policy,
    pub snapshot: &'a NodeSnapshot,
    pub channel: &'a Channel,
    pub history: History,
    /// An installed module decides in place of the policy's built-in strategy.
    pub stands_in: bool,
}

impl Case<'_> {
    /// The bounds of the channel's fee.
    pub fn bounds(&self) -> Bounds {
        bounds(self.policy, self.config, self.snapshot.feerate_perkb, self.stands_in)
    }
}

/// The guard's word on one proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub proposal: FeeProposal,
    /// The limits that moved it, in the order in which they did.
    pub limits: Vec<Limit>,
    pub result: Result<Approved<SetFee>, Refusal>,
}

impl Verdict {
    /// What the strategy is told of its proposal once the node did what the verdict allows.
    pub fn told(&self) -> LastVerdict {
        match &self.result {
            Ok(_) if self.limits.is_empty() => LastVerdict::Published,
            Ok(_) => LastVerdict::Limited,
            Err(Refusal::Unchanged) => LastVerdict::Unchanged,
            Err(Refusal::Suppressed { .. }) => LastVerdict::Suppressed,
            Err(Refusal::RateLimited { .. }) => LastVerdict::RateLimited,
            Err(_) => LastVerdict::Refused,
        }
    }
}

/// Judges one proposal.
pub fn check(proposal: FeeProposal, case: Case<'_>) -> Verdict {
    let mut limits = Vec::new();
    let result = judge(&proposal, case, &mut limits);
    Verdict { proposal, limits, result }
}

fn judge(
    proposal: &FeeProposal,
    case: Case<'_>,
    limits: &mut Vec<Limit>,
) -> Result<Approved<SetFee>, Refusal> {
    let channel = case.channel;
    let Some(scid) = channel.scid.or(channel.alias_local).filter(|_| channel.state.is_open()) else {
        return Err(Refusal::ChannelNotOpen(channel.state.name().to_owned()));
    };
    let terms = match wanted(proposal, case, limits) {
        Ok(terms) => terms,
        Err(why) => {
            let back = Terms::taken_back(proposal, case).filter(|_| case.snapshot.not_synced.is_none());
            let terms = back.ok_or(why)?;
            limits.clear();
            if proposal.origin != Origin::Host {
                limits.push(Limit::RateHeld(terms.fee));
            }
            terms
        }
    };
    Ok(Approved(SetFee {
        channel_id: channel.channel_id,
        peer_id: channel.peer_id,
        scid,
        old_fee: channel.fee_ppm,
        fee: terms.fee,
        old_base_fee: channel.fee_base,
        base_fee: terms.base_fee,
        old_htlc_max: channel.htlc_max,
        htlc_max: terms.htlc_max,
        names_base_fee: terms.named.0,
        names_htlc_max: terms.named.1,
        from_congestion: from_congestion(proposal, terms.fee, case),
    }))
}

/// What a proposal comes to within the limits.
fn wanted(proposal: &FeeProposal, case: Case<'_>, limits: &mut Vec<Limit>) -> Result<Terms, Refusal> {
    if proposal.fee > ABSURD_PPM {
        return Err(Refusal::Absurd { most: ABSURD_PPM });
    }
    let fee = match proposal.origin {
        Origin::Host => return Err(Refusal::Unchanged),
        Origin::Operator { force } => operator_fee(proposal.fee, force, case)?,
        Origin::Strategy(_) => strategy_fee(proposal.fee, case, limits)?,
    };
    let terms = Terms::wanted(proposal, fee, case, limits);
    if !terms.changes(case.channel) {
        return Err(Refusal::Unchanged);
    }
    if let Some(why) = &case.snapshot.not_synced {
        return Err(Refusal::NodeSyncing(why.clone()));
    }
    if matches!(proposal.origin, Origin::Strategy(_)) {
        gossip_gate(&terms, case)?;
    }
    Ok(terms)
}

/// A person's wish is taken as it is or refused, never moved: what was typed is what is
/// set.
fn operator_fee(wanted: Ppm, force: bool, case: Case<'_>) -> Result<Ppm, Refusal> {
    let Bounds { min, max, exact, .. } = case.bounds();
    if force || exact == Some(wanted) || (min..=max).contains(&wanted) {
        return Ok(wanted);
    }
    Err(Refusal::OutOfBounds { min, max })
}

fn strategy_fee(wanted: Ppm, case: Case<'_>, limits: &mut Vec<Limit>) -> Result<Ppm, Refusal> {
    if case.policy.strategy.is_passive() {
        return Err(Refusal::PolicyPassive);
    }
    let bounds = case.bounds();
    if let Some(exact) = bounds.exact {
        if wanted != exact {
            limits.push(Limit::Exact(exact));
        }
        return Ok(exact);
    }
    let mut fee = wanted;
    let mut limit = |moved: bool, to: Ppm, limit: fn(Ppm) -> Limit| {
        if moved {
            fee = to;
            limits.push(limit(to));
        }
    };
    let step = step_bounds(case, bounds.min);
    limit(wanted > step.1, step.1, Limit::StepUp);
    limit(wanted < step.0, step.0, Limit::StepDown);
    if fee < bounds.min {
        let pays_chain = bounds.min == bounds.chain_floor;
        fee = bounds.min;
        limits.push(if pays_chain { Limit::ChainCost(fee) } else { Limit::MinFee(fee) });
    } else if fee > bounds.max {
        fee = bounds.max;
        limits.push(Limit::MaxFee(fee));
    }
    Ok(fee)
}

/// How far one step may go. Congestion that the host itself sees may go all the way up,
/// and what it raised may come all the way down.
fn step_bounds(case: Case<'_>, min: Ppm) -> (Ppm, Ppm) {
    let congested = case.channel.htlcs.utilization() > case.config.htlc_congestion_threshold;
    let (down, up) = one_step(case, min);
    let lowest = if case.history.fee_from_congestion { Ppm(0) } else { down };
    (lowest, if congested { ABSURD_PPM } else { up })
}

/// The lowest and the highest fee of one step. A fee below `min` steps as if it were there.
fn one_step(case: Case<'_>, min: Ppm) -> (Ppm, Ppm) {
    let factor = case.config.max_step_factor;
    let now = case.channel.fee_ppm.max(min).max(Ppm(1));
    (now.scaled(1.0 / factor), now.scaled(factor).max(Ppm(now.0.saturating_add(10))))
}

/// Whether a fee has in it what only congestion could raise so far. The host's own measure alone says
/// so, never the word of the strategy.
fn from_congestion(proposal: &FeeProposal, fee: Ppm, case: Case<'_>) -> bool {
    let bounds = case.bounds();
    let before = case.history.fee_from_congestion && fee >= case.channel.fee_ppm;
    match proposal.origin {
        Origin::Strategy(_) if bounds.exact.is_none() => before || fee > one_step(case, bounds.min).1,
        Origin::Host => before,
        Origin::Strategy(_) | Origin::Operator { .. } => false,
    }
}

/// Refuses changes that would only make noise. An exact fee is the operator's word and
/// passes, as does a fee that the operator's bounds force. What the chain's cost forces may be
/// small, and has its place among the changes of the day: that floor moves by itself.
fn gossip_gate(terms: &Terms, case: Case<'_>) -> Result<(), Refusal> {
    let (bounds, now) = (case.bounds(), case.channel.fee_ppm);
    if bounds.exact.is_some() || !(bounds.set_min..=bounds.max).contains(&now) {
        return Ok(());
    }
    let change = terms.share(case.channel);
    if change <= GOSSIP_GATE && now >= bounds.min {
        return Err(Refusal::Suppressed { change_pct: change * 100.0, gate_pct: GOSSIP_GATE * 100.0 });
    }
    let most = case.config.max_updates_per_day;
    if case.history.updates_today >= most {
        return Err(Refusal::RateLimited { updates: case.history.updates_today, most });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
