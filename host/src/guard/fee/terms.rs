//! What goes with a rate: the base fee, and the largest HTLC that a channel forwards out.
//!
//! A strategy may name either. The base fee is at most `max-base-fee-msat`. The largest HTLC lets at least
//! a typical forward through, so that no strategy takes a channel out of service with it. What a module
//! named is taken back when another decides for the channel and names none.

use super::Case;
use crate::model::fee::{FeeProposal, Limit};
use crate::model::{Channel, Msat, Ppm};

/// The size of a typical forward: a hundredth of the capacity, within 10,000 and 1,000,000 sat. Nothing
/// lets more through than the capacity.
pub fn typical_forward(capacity: Msat) -> Msat {
    Msat((capacity.0 / 100).clamp(10_000_000, 1_000_000_000)).min(capacity)
}

/// What another module left on a channel, and what that goes back to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakeBack {
    pub base_fee: Option<Msat>,
    pub htlc_max: Option<Msat>,
}

/// What the node would be asked for.
pub(super) struct Terms {
    pub fee: Ppm,
    pub base_fee: Msat,
    /// None leaves it as it is.
    pub htlc_max: Option<Msat>,
    /// The strategy named the base fee, and the largest HTLC, that would change.
    pub named: (bool, bool),
}

impl Terms {
    /// A rate with what the proposal names beside it, moved within the limits.
    pub fn wanted(proposal: &FeeProposal, fee: Ppm, case: Case<'_>, limits: &mut Vec<Limit>) -> Terms {
        let (channel, back) = (case.channel, case.history.back);
        let base_fee = proposal.base_fee.map(|wanted| base_fee(wanted, case, limits));
        let htlc_max = proposal.htlc_max.map(|wanted| htlc_max(wanted, channel, limits));
        let known = |most: &Msat| *most != channel.htlc_max && Some(*most) != case.history.htlc_max_asked;
        let change = htlc_max.or(back.htlc_max).filter(known);
        Terms {
            fee,
            base_fee: base_fee.unwrap_or(Msat(case.config.base_fee_msat)),
            htlc_max: change,
            named: (
                base_fee.is_some_and(|base| base != channel.fee_base),
                change.is_some() && change == htlc_max,
            ),
        }
    }

    /// What is in force, without what another module left there; none where it left nothing, or the
    /// proposal names its own.
    pub fn taken_back(proposal: &FeeProposal, case: Case<'_>) -> Option<Terms> {
        let (channel, back) = (case.channel, case.history.back);
        let terms = Terms {
            fee: channel.fee_ppm,
            base_fee: back.base_fee.filter(|_| proposal.base_fee.is_none()).unwrap_or(channel.fee_base),
            htlc_max: back.htlc_max.filter(|most| proposal.htlc_max.is_none() && *most != channel.htlc_max),
            named: (false, false),
        };
        terms.changes(channel).then_some(terms)
    }

    /// Whether anything would differ from what is in force.
    pub fn changes(&self, channel: &Channel) -> bool {
        self.fee != channel.fee_ppm || self.base_fee != channel.fee_base || self.htlc_max.is_some()
    }

    /// The largest change as a share of what is in force. A base fee that the strategy leaves to the host
    /// is the operator's word, and what is taken back nobody's whim: these are worth the network's
    /// attention however small they are.
    pub fn share(&self, channel: &Channel) -> f64 {
        let share = |to: u64, from: u64| to.abs_diff(from) as f64 / from.max(1) as f64;
        let worth = |named: bool, share: f64| if named || share == 0.0 { share } else { share.max(1.0) };
        let rate = share(u64::from(self.fee.0), u64::from(channel.fee_ppm.0));
        let base = worth(self.named.0, share(self.base_fee.0, channel.fee_base.0));
        let most = self.htlc_max.map_or(0.0, |most| worth(self.named.1, share(most.0, channel.htlc_max.0)));
        rate.max(base).max(most)
    }
}

fn base_fee(wanted: Msat, case: Case<'_>, limits: &mut Vec<Limit>) -> Msat {
    let most = Msat(case.config.max_base_fee_msat.max(case.config.base_fee_msat));
    if wanted > most {
        limits.push(Limit::MaxBaseFee(most));
    }
    wanted.min(most)
}

fn htlc_max(wanted: Msat, channel: &Channel, limits: &mut Vec<Limit>) -> Msat {
    let most = channel.total;
    let least = typical_forward(channel.total).max(channel.htlc_min).min(most);
    if wanted < least {
        limits.push(Limit::HtlcMaxLeast(least));
    } else if wanted > most {
        limits.push(Limit::HtlcMaxMost(most));
    }
    wanted.clamp(least, most)
}

#[cfg(test)]
mod tests;
