//! What channels cost, how they ended, and what moved between them.

use super::{ChannelId, Msat, Scid, Txid, UnixTime};
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

/// A signed amount in millisatoshi: a result, or a cost that may be a gain.
///
/// Arithmetic that could leave the range panics, as that of [`Msat`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignedMsat(pub i64);

impl SignedMsat {
    /// Nothing.
    pub const ZERO: SignedMsat = SignedMsat(0);

    /// Whole satoshis, rounded towards zero.
    pub const fn sats(self) -> i64 {
        self.0 / 1000
    }

    /// What `part` of `whole` comes to, rounded towards zero; nothing of nothing.
    pub fn part(self, part: Msat, whole: Msat) -> SignedMsat {
        let sum = i128::from(self.0) * i128::from(part.0) / i128::from(whole.0.max(1));
        SignedMsat(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl From<Msat> for SignedMsat {
    fn from(amount: Msat) -> SignedMsat {
        SignedMsat(i64::try_from(amount.0).expect("no amount on the network exceeds 21 million bitcoin"))
    }
}

impl Add for SignedMsat {
    type Output = SignedMsat;
    fn add(self, other: SignedMsat) -> SignedMsat {
        SignedMsat(self.0 + other.0)
    }
}

impl AddAssign for SignedMsat {
    fn add_assign(&mut self, other: SignedMsat) {
        self.0 += other.0;
    }
}

impl Sub for SignedMsat {
    type Output = SignedMsat;
    fn sub(self, other: SignedMsat) -> SignedMsat {
        SignedMsat(self.0 - other.0)
    }
}

impl Neg for SignedMsat {
    type Output = SignedMsat;
    fn neg(self) -> SignedMsat {
        SignedMsat(-self.0)
    }
}

impl Sum for SignedMsat {
    fn sum<I: Iterator<Item = SignedMsat>>(amounts: I) -> SignedMsat {
        amounts.fold(SignedMsat::ZERO, Add::add)
    }
}

/// Gives an enum its words: `name()` for the store and answers, `from_name()` to read them back.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word used in the store and in answers.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// Reads the word used in the store.
            pub fn from_name(name: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

pub(super) use words;

words! {
    /// What an on-chain cost was for.
    CostKind {
        /// Our part of the fee of the funding transaction.
        Open = "open",
        /// Fees of splices.
        Splice = "splice",
        /// The closing or commitment transaction.
        Close = "close",
        /// What it took to bring outputs of a unilateral close home.
        Sweep = "sweep",
        /// Lost to the peer, or won from it, by a breach.
        Penalty = "penalty",
        /// Paid for, or earned by, a lease of liquidity at opening.
        Lease = "lease",
    }
}

words! {
    /// Where a cost is known from.
    CostSource {
        /// bookkeeper's events.
        Bookkeeper = "bookkeeper",
        /// lightningd's own lists.
        Node = "node",
        /// Assumed, until a record appears.
        Estimate = "estimate",
        /// The Python plugin's figure, which no record of the node confirms any more.
        Imported = "imported",
    }
}

/// One on-chain cost of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    pub channel_id: ChannelId,
    pub kind: CostKind,
    /// Absent for costs without a transaction of their own.
    pub txid: Option<Txid>,
    /// Negative for a gain.
    pub amount: SignedMsat,
    pub at: UnixTime,
    pub source: CostSource,
}

words! {
    /// How a channel ended.
    CloseKind {
        Mutual = "mutual",
        /// We published our commitment.
        LocalUnilateral = "local_unilateral",
        /// The peer published its commitment.
        RemoteUnilateral = "remote_unilateral",
        /// A revoked commitment was published.
        Breach = "breach",
        Unknown = "unknown",
    }
}

/// A completed payment to ourselves: one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalance {
    pub payment_hash: [u8; 32],
    pub groupid: u64,
    pub partid: u64,
    /// What arrived.
    pub amount: Msat,
    /// What it cost on top.
    pub fee: Msat,
    pub completed_at: UnixTime,
    /// lightningd's own number for it, which rises from one payment to the next; from v23.11 on.
    pub created_index: Option<u64>,
    /// Where it left and where it came in, as soon as that is known.
    pub out_channel: Option<ChannelId>,
    pub in_channel: Option<ChannelId>,
    /// Our job; absent when another program or a person made it.
    pub job_id: Option<u64>,
}

words! {
    /// Which end of a payment to ourselves.
    Way {
        In = "in",
        Out = "out",
    }
}

/// One end of a payment, on the channel where it moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentSide {
    pub payment_hash: [u8; 32],
    pub channel_id: ChannelId,
    pub way: Way,
    /// Zero where they are not told.
    pub groupid: u64,
    pub partid: u64,
    /// What moved, fees included.
    pub amount: Msat,
}

/// An HTLC of a payment, on a channel by its name then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HtlcSide {
    pub payment_hash: [u8; 32],
    pub scid: Scid,
    pub way: Way,
    pub amount: Msat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_sats_round_towards_zero() {
        assert_eq!(SignedMsat(-1_772_695).sats(), -1_772);
        assert_eq!(SignedMsat(1_999).sats(), 1);
    }

    #[test]
    fn words_come_back() {
        for kind in CostKind::ALL {
            assert_eq!(CostKind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(CloseKind::from_name("eaten"), None);
    }
}
