//! Why a rebalance does not happen: a code for programs, a sentence with numbers for people.

use super::job::JobId;
use super::{Msat, Ppm, RebalanceMode, SignedMsat};
use std::fmt;

/// Which end of a rebalance a refusal is about, by the name of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The channel to fill.
    To(String),
    /// The channel to take from.
    From(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::To(name) => write!(f, "{name} (to fill)"),
            End::From(name) => write!(f, "{name} (to take from)"),
        }
    }
}

/// Who works on a channel already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A job of this plugin that is not settled.
    Job(JobId),
    /// A job that the operator gave to sling.
    OperatorsSlingJob,
    /// An earlier proposal of the same cycle.
    SameCycle,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Job(id) => write!(f, "job {id}, which is not settled"),
            Holder::OperatorsSlingJob => write!(f, "the operator's own sling job"),
            Holder::SameCycle => write!(f, "a better proposal of the same cycle"),
        }
    }
}

/// What keeps an amount from being larger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmountLimit {
    /// What these channels can give.
    Sources(Vec<String>),
    /// What this channel can take.
    Destination(String),
    /// The setting.
    MaxAmount,
}

impl fmt::Display for AmountLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AmountLimit::Sources(names) => match &names[..] {
                [name] => write!(f, "channel {} can give", End::From(name.clone())),
                _ => write!(f, "channels {} (to take from) together can give", names.join(", ")),
            },
            AmountLimit::Destination(name) => write!(f, "channel {} can take", End::To(name.clone())),
            AmountLimit::MaxAmount => write!(f, "rebalance_max_amount allows"),
        }
    }
}

/// How much of a limit on cost is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub limit: Msat,
    /// Spent in the last 24 hours.
    pub spent: Msat,
    /// What jobs that are not settled may yet spend.
    pub reserved: Msat,
    /// What this one costs at most if all goes well.
    pub planned: Msat,
    /// What this one could cost at worst.
    pub needed: Msat,
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (planned, needed) = (self.planned.sats_up(), self.needed.sats_up());
        write!(f, "{planned} sat are needed if all goes well")?;
        if needed > planned {
            write!(f, "; {needed} sat would be reserved, since payments that settle late may cost as much")?;
        }
        write!(
            f,
            "; but of {} sat in 24 hours {} sat are spent and {} sat reserved",
            self.limit.sats(),
            self.spent.sats_up(),
            self.reserved.sats_up()
        )
    }
}

/// Why a proposal did not become a job.
#[derive(Clone, Debug, PartialEq)]
pub enum RebalanceRefusal {
    /// sling is not there, too old, or does not answer.
    NoRebalancer(String),
    /// The node does not see the present chain.
    NodeSyncing(String),
    /// What the limit depends on could not be read.
    Unreadable(String),
    /// Confirmed funds on the chain are below what has to stay there.
    WalletReserve {
        confirmed: Msat,
        least: Msat,
    },
    UnknownChannel(End),
    SameChannel,
    ChannelNotReady {
        end: End,
        why: String,
    },
    Policy {
        end: End,
        mode: RebalanceMode,
    },
    /// Another evaluator answers for this channel.
    OtherEvaluator(String),
    Busy {
        end: End,
        holder: Holder,
    },
    NoSource,
    /// Less than one sensible payment fits.
    TooSmall {
        fits: Msat,
        least: Msat,
    },
    TooLarge {
        wanted: Msat,
        most: Msat,
        by: AmountLimit,
    },
    /// The source has not got it to give.
    SourceLacks {
        end: End,
        has: Msat,
        needed: Msat,
    },
    MaxFee {
        wanted: Ppm,
        most: Ppm,
    },
    NotWorthIt {
        value: SignedMsat,
        least: Msat,
    },
    FleetLoss {
        loss: Msat,
        most: Msat,
    },
    Cooldown {
        seconds_left: u64,
    },
    BackOff {
        failures: u32,
        seconds_left: u64,
    },
    Futile {
        failures: u32,
        seconds_left: u64,
    },
    Slots {
        running: usize,
        most: u64,
    },
    Budget(Room),
    FleetBudget(Room),
    ChannelBudget(Room),
    PeerBudget(Room),
}

impl RebalanceRefusal {
    /// The code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRebalancer(_) => "no_rebalancer",
            Self::NodeSyncing(_) => "node_syncing",
            Self::Unreadable(_) => "unreadable",
            Self::WalletReserve { .. } => "wallet_reserve",
            Self::UnknownChannel(_) => "unknown_channel",
            Self::SameChannel => "same_channel",
            Self::ChannelNotReady { .. } => "channel_not_ready",
            Self::Policy { .. } => "policy",
            Self::OtherEvaluator(_) => "other_evaluator",
            Self::Busy { .. } => "busy",
            Self::NoSource => "no_source",
            Self::TooSmall { .. } => "too_small",
            Self::TooLarge { .. } => "too_large",
            Self::SourceLacks { .. } => "source_lacks",
            Self::MaxFee { .. } => "max_fee",
            Self::NotWorthIt { .. } => "not_worth_it",
            Self::FleetLoss { .. } => "fleet_loss",
            Self::Cooldown { .. } => "cooldown",
            Self::BackOff { .. } => "back_off",
            Self::Futile { .. } => "futile",
            Self::Slots { .. } => "slots",
            Self::Budget(_) => "budget",
            Self::FleetBudget(_) => "fleet_budget",
            Self::ChannelBudget(_) => "channel_budget",
            Self::PeerBudget(_) => "peer_budget",
        }
    }

    /// Codes of what an evaluator wanted although it was told that it may not be. What befalls all
    /// proposals, or is taken by others, says nothing of it.
    pub const OUT_OF_PLACE: [&str; 12] = [
        "unknown_channel",
        "same_channel",
        "channel_not_ready",
        "policy",
        "no_source",
        "too_small",
        "source_lacks",
        "not_worth_it",
        "fleet_loss",
        "cooldown",
        "back_off",
        "futile",
    ];

    /// The limit on cost that refused, which a smaller amount might keep.
    pub const fn room(&self) -> Option<Room> {
        match self {
            Self::Budget(room)
            | Self::FleetBudget(room)
            | Self::ChannelBudget(room)
            | Self::PeerBudget(room) => Some(*room),
            _ => None,
        }
    }

    /// Whether `force` would have passed it.
    pub const fn yields_to_force(&self) -> bool {
        matches!(
            self,
            Self::Cooldown { .. } | Self::BackOff { .. } | Self::Futile { .. } | Self::NotWorthIt { .. }
        )
    }
}

impl fmt::Display for RebalanceRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRebalancer(why) => write!(f, "nothing can be rebalanced now: {why}"),
            Self::NodeSyncing(why) => write!(f, "the node is not in step with the chain: {why}"),
            Self::Unreadable(why) => write!(f, "a limit could not be checked, so nothing is spent: {why}"),
            Self::WalletReserve { confirmed, least } => write!(
                f,
                "{} sat of confirmed funds on the chain are less than the {} sat that min-wallet-reserve keeps",
                confirmed.sats(),
                least.sats()
            ),
            Self::UnknownChannel(end) => write!(f, "channel {end} is not one of this node's"),
            Self::SameChannel => write!(f, "a channel cannot be filled from itself"),
            Self::ChannelNotReady { end, why } => write!(f, "channel {end}: {why}"),
            Self::Policy { end, mode } => {
                write!(f, "channel {end}: its peer's policy says rebalance={}", mode.name())
            }
            Self::OtherEvaluator(name) => write!(f, "evaluator '{name}' answers for this channel"),
            Self::Busy { end, holder } => write!(f, "channel {end} is used by {holder}"),
            Self::NoSource => write!(f, "no channel is left to take from"),
            Self::TooSmall { fits, least } => {
                write!(f, "only {} sat fit, and {} sat are the least", fits.sats(), least.sats())
            }
            Self::TooLarge { wanted, most, by } => {
                write!(f, "{by} {} sat, and {} sat are wanted", most.sats(), wanted.sats())
            }
            Self::SourceLacks { end, has, needed } => write!(
                f,
                "channel {end} can give {} sat, and one payment takes {} sat",
                has.sats(),
                needed.sats()
            ),
            Self::MaxFee { wanted, most } => {
                write!(f, "{wanted} are above the {most} that rebalance-max-ppm allows")
            }
            Self::NotWorthIt { value, least } => write!(
                f,
                "an expected gain of {} sat is below the {} sat that rebalance-min-profit asks for",
                value.sats(),
                least.sats()
            ),
            Self::FleetLoss { loss, most } => write!(
                f,
                "an expected loss of {} sat is above the {} sat that hive-rebalance-tolerance allows",
                loss.sats(),
                most.sats()
            ),
            Self::Cooldown { seconds_left } => {
                write!(f, "the channel was filled lately and rests for another {seconds_left} s")
            }
            Self::BackOff { failures, seconds_left } => {
                write!(f, "{failures} failures in a row: the next try comes in {seconds_left} s")
            }
            Self::Futile { failures, seconds_left } => write!(
                f,
                "{failures} failures in a row: no more tries for another {seconds_left} s (48 h after the last)"
            ),
            Self::Slots { running, most } => {
                write!(f, "{running} jobs are not settled, and {most} may be at the same time")
            }
            Self::Budget(room) => write!(f, "the daily budget: {room}"),
            Self::FleetBudget(room) => write!(f, "the fleet's daily budget for losses: {room}"),
            Self::ChannelBudget(room) => write!(f, "the channel's share of the daily budget: {room}"),
            Self::PeerBudget(room) => write!(f, "the peer's share of the daily budget: {room}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_place_are_codes_of_what_an_evaluator_was_told() {
        let (msat, end, failures, seconds_left) = (Msat(1), || End::To("1x1x1".to_owned()), 1, 1);
        let told = [
            RebalanceRefusal::UnknownChannel(end()),
            RebalanceRefusal::SameChannel,
            RebalanceRefusal::ChannelNotReady { end: end(), why: String::new() },
            RebalanceRefusal::Policy { end: end(), mode: RebalanceMode::Disabled },
            RebalanceRefusal::NoSource,
            RebalanceRefusal::TooSmall { fits: msat, least: msat },
            RebalanceRefusal::SourceLacks { end: end(), has: msat, needed: msat },
            RebalanceRefusal::NotWorthIt { value: SignedMsat(1), least: msat },
            RebalanceRefusal::FleetLoss { loss: msat, most: msat },
            RebalanceRefusal::Cooldown { seconds_left },
            RebalanceRefusal::BackOff { failures, seconds_left },
            RebalanceRefusal::Futile { failures, seconds_left },
        ];
        assert_eq!(told.map(|refusal| refusal.code()), RebalanceRefusal::OUT_OF_PLACE);
    }
}
