//! What a channel is worth, in words: its class by return, its role and profile by traffic.

use super::pnl::{Pnl, Traffic};
use crate::model::{Msat, UnixTime};

/// Above this return, as a share of the costs, a channel is profitable; below its negative, underwater.
const CLEAR_RETURN: f64 = 0.10;
/// Days without a forward from which on a losing channel is a candidate for stagnation, and from
/// which on it may be a zombie.
const STAGNANT_DAYS: u64 = 7;
const ZOMBIE_DAYS: u64 = 30;
/// Purchases of liquidity that must have failed to sell, and seconds that each had for it.
const UNSOLD_PURCHASES: u32 = 2;
const TIME_TO_SELL_S: u64 = 2 * UnixTime::DAY;
/// Fewer forwards than this, both directions, are no role.
const FEWEST_FORWARDS: u64 = 10;
/// Share of the forwards from which on one direction is the channel's role.
const ONE_WAY_SHARE: f64 = 0.7;
/// Incoming over outgoing amount: above the one, below the other, one direction dominates.
const DOMINANT_RATIO: (f64, f64) = (3.0, 0.33);

/// A channel by its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Profitable,
    BreakEven,
    Underwater,
    /// Losing, and silent for a week.
    StagnantCandidate,
    /// Losing, silent for a month although usable, and what was bought for it did not sell.
    Zombie,
}

impl Class {
    /// All of them, in the order of answers.
    pub const ALL: [Class; 5] =
        [Self::Profitable, Self::BreakEven, Self::Underwater, Self::StagnantCandidate, Self::Zombie];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Profitable => "profitable",
            Class::BreakEven => "break_even",
            Class::Underwater => "underwater",
            Class::StagnantCandidate => "stagnant_candidate",
            Class::Zombie => "zombie",
        }
    }

    /// How much a channel of this class deserves to be filled, as a factor.
    pub const fn rebalance_priority(self) -> f64 {
        match self {
            Class::Profitable => 1.5,
            Class::BreakEven => 1.0,
            Class::Underwater => 0.5,
            Class::StagnantCandidate => 0.3,
            Class::Zombie => 0.0,
        }
    }

    /// What the channel's return says of its fee, as a factor that people may apply; no decision
    /// of the plugin reads it.
    pub fn fee_multiplier(self, marginal_roi: f64) -> f64 {
        match marginal_roi {
            _ if self == Class::Zombie => 1.0,
            roi if roi > 0.2 => 0.95,
            roi if roi >= 0.0 => 1.0,
            roi if roi >= -0.2 => 1.05,
            roi if roi >= -0.5 => 1.10,
            _ => 1.15,
        }
    }
}

/// Purchases of liquidity for a channel: completed payments to ourselves that came in through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purchases {
    pub count: u32,
    /// When the latest was complete, and the one before it.
    pub last: Option<UnixTime>,
    pub before_last: Option<UnixTime>,
}

impl Purchases {
    /// Notes one that was complete at this time, in any order.
    pub fn add(&mut self, at: UnixTime) {
        self.count += 1;
        if self.last.is_none_or(|last| at >= last) {
            self.before_last = self.last.replace(at);
        } else {
            self.before_last = self.before_last.max(Some(at));
        }
    }

    /// Whether the last two had time to sell and nothing has left since the first of them.
    pub fn are_unsold(&self, last_out: Option<UnixTime>, now: UnixTime) -> bool {
        let (Some(last), Some(first)) = (self.last, self.before_last) else { return false };
        self.count >= UNSOLD_PURCHASES
            && now.since(last) >= TIME_TO_SELL_S
            && last_out.is_none_or(|out| out < first)
    }
}

/// What a channel's class depends on besides its money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Open and connected at the last look.
    pub usable: bool,
    /// Since when it can forward.
    pub since: Option<UnixTime>,
    /// When the latest settled forward came in, and when one left.
    pub last_in: Option<UnixTime>,
    pub last_out: Option<UnixTime>,
    pub purchases: Purchases,
}

impl Standing {
    /// Whole days since the last forward in either direction, or since the channel opened.
    pub fn idle_days(&self, now: UnixTime) -> u64 {
        let last = self.last_in.max(self.last_out).max(self.since);
        last.map_or(0, |last| now.since(last) / UnixTime::DAY)
    }

    /// The class of a channel with these books.
    pub fn class(&self, pnl: &Pnl, now: UnixTime) -> Class {
        let roi = pnl.contribution_roi();
        let (losing, idle) = (roi < -CLEAR_RETURN, self.idle_days(now));
        let unsold = self.purchases.are_unsold(self.last_out, now);
        if losing && self.usable && idle >= ZOMBIE_DAYS && unsold {
            Class::Zombie
        } else if losing && idle >= STAGNANT_DAYS {
            Class::StagnantCandidate
        } else if roi > CLEAR_RETURN {
            Class::Profitable
        } else if losing {
            Class::Underwater
        } else {
            Class::BreakEven
        }
    }
}

/// What a channel does for the node, by the number of forwards.
pub fn role(traffic: &Traffic) -> &'static str {
    let count = traffic.count();
    if count < FEWEST_FORWARDS {
        return "dormant";
    }
    let share = |part: u64| part as f64 / count as f64;
    if share(traffic.in_count) > ONE_WAY_SHARE {
        "inbound_gateway"
    } else if share(traffic.out_count) > ONE_WAY_SHARE {
        "outbound_gateway"
    } else {
        "balanced"
    }
}

/// Which way a channel's amounts flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowProfile {
    Inactive,
    InboundOnly,
    OutboundOnly,
    InboundDominant,
    OutboundDominant,
    Balanced,
}

impl FlowProfile {
    /// All of them.
    pub const ALL: [FlowProfile; 6] = [
        Self::InboundDominant,
        Self::OutboundDominant,
        Self::Balanced,
        Self::Inactive,
        Self::InboundOnly,
        Self::OutboundOnly,
    ];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            FlowProfile::Inactive => "inactive",
            FlowProfile::InboundOnly => "inbound_only",
            FlowProfile::OutboundOnly => "outbound_only",
            FlowProfile::InboundDominant => "inbound_dominant",
            FlowProfile::OutboundDominant => "outbound_dominant",
            FlowProfile::Balanced => "balanced",
        }
    }

    /// The profile of this traffic.
    pub fn of(traffic: &Traffic) -> FlowProfile {
        match (traffic.in_msat, traffic.out_msat) {
            (Msat::ZERO, Msat::ZERO) => FlowProfile::Inactive,
            (_, Msat::ZERO) => FlowProfile::InboundOnly,
            (Msat::ZERO, _) => FlowProfile::OutboundOnly,
            (inbound, outbound) => match inbound.share_of(outbound) {
                ratio if ratio > DOMINANT_RATIO.0 => FlowProfile::InboundDominant,
                ratio if ratio < DOMINANT_RATIO.1 => FlowProfile::OutboundDominant,
                _ => FlowProfile::Balanced,
            },
        }
    }
}

/// Incoming over outgoing amount; `None` when nothing left but something came.
pub fn inbound_outbound_ratio(traffic: &Traffic) -> Option<f64> {
    match (traffic.in_msat, traffic.out_msat) {
        (Msat::ZERO, _) => Some(0.0),
        (_, Msat::ZERO) => None,
        (inbound, outbound) => Some(inbound.share_of(outbound)),
    }
}

#[cfg(test)]
mod tests;
