//! What the node owns, and in which stage of their life its channels are.

use crate::model::Msat;
use crate::model::ledger::CloseKind;

/// Where a channel is between its funding and the end of its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Opening,
    Open,
    /// Its end has begun; no block has it yet.
    Closing,
    /// Its funding output is spent. More may still be paid to sweep what it left.
    Closed,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 4] = [Self::Opening, Self::Open, Self::Closing, Self::Closed];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Opening => "opening",
            Phase::Open => "open",
            Phase::Closing => "closing",
            Phase::Closed => "closed",
        }
    }

    /// From lightningd's name of the state, whether the books say that the channel ended, and
    /// whether the node still lists it.
    pub fn of(state: &str, ended: bool, listed: bool) -> Phase {
        match state {
            _ if !listed => Phase::Closed,
            "FUNDING_SPEND_SEEN" | "ONCHAIN" | "CLOSED" => Phase::Closed,
            _ if ended => Phase::Closing,
            "CHANNELD_NORMAL" | "CHANNELD_AWAITING_SPLICE" => Phase::Open,
            "OPENINGD" | "CHANNELD_AWAITING_LOCKIN" => Phase::Opening,
            _ if state.starts_with("DUALOPEND_") => Phase::Opening,
            _ => Phase::Closing,
        }
    }
}

/// Our side of one channel as the node lists it.
#[derive(Clone, Copy, Debug)]
pub struct OurSide<'a> {
    pub to_us: Msat,
    /// lightningd's name of the state.
    pub state: &'a str,
    pub phase: Phase,
    pub close_kind: Option<CloseKind>,
    /// Our outputs of a unilateral close were brought home.
    pub swept: bool,
}

/// Confirmed and unconfirmed outputs of the node's wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wallet {
    pub confirmed: Msat,
    pub unconfirmed: Msat,
    /// The part of the confirmed that transactions being made hold.
    pub reserved: Msat,
}

/// What the node owns. What a close would cost, and HTLCs in flight, are not taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetWorth {
    pub wallet: Wallet,
    /// Our side of open channels, reserves included.
    pub channels: Msat,
    /// Our side of channels whose funding transaction waits to be deep enough.
    pub opening: Msat,
    /// Our side of closes that has not arrived in the wallet.
    pub closing: Msat,
}

impl NetWorth {
    /// Adds up the wallet and our side of every channel that the node lists.
    pub fn new<'a>(wallet: Wallet, channels: impl IntoIterator<Item = OurSide<'a>>) -> NetWorth {
        let mut worth = NetWorth { wallet, ..NetWorth::default() };
        for side in channels {
            match side.phase {
                Phase::Open => worth.channels += side.to_us,
                // Before that, the wallet still has the money.
                Phase::Opening if side.state.ends_with("AWAITING_LOCKIN") => worth.opening += side.to_us,
                Phase::Closing => worth.closing += side.to_us,
                Phase::Closed if is_outstanding(&side) => worth.closing += side.to_us,
                Phase::Opening | Phase::Closed => {}
            }
        }
        worth
    }

    /// Everything; what is reserved is part of what is confirmed.
    pub fn total(&self) -> Msat {
        self.wallet.confirmed + self.wallet.unconfirmed + self.channels + self.opening + self.closing
    }
}

/// Whether our side of a closed channel is not in the wallet yet. A transaction that ends a channel
/// pays our wallet as soon as it is in a block, except for our own commitment: that pays us after a
/// delay, when it is swept.
fn is_outstanding(side: &OurSide<'_>) -> bool {
    side.state != "CLOSED" && side.close_kind == Some(CloseKind::LocalUnilateral) && !side.swept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases() {
        for (state, ended, listed, phase) in [
            ("CHANNELD_NORMAL", false, true, Phase::Open),
            ("CHANNELD_AWAITING_SPLICE", false, true, Phase::Open),
            ("CHANNELD_NORMAL", false, false, Phase::Closed),
            ("OPENINGD", false, true, Phase::Opening),
            ("CHANNELD_AWAITING_LOCKIN", false, true, Phase::Opening),
            ("DUALOPEND_AWAITING_LOCKIN", false, true, Phase::Opening),
            ("CHANNELD_SHUTTING_DOWN", false, true, Phase::Closing),
            ("CLOSINGD_COMPLETE", true, true, Phase::Closing),
            ("ONCHAIN", true, true, Phase::Closed),
            ("FUNDING_SPEND_SEEN", false, true, Phase::Closed),
            ("ONCHAIN", true, false, Phase::Closed),
            ("CLOSED", true, true, Phase::Closed),
        ] {
            assert_eq!(Phase::of(state, ended, listed), phase, "{state} {ended} {listed}");
        }
    }

    #[test]
    fn money_on_its_way_home_is_counted_once() {
        use CloseKind::{LocalUnilateral, Mutual, RemoteUnilateral};
        for (state, kind, swept, counted) in [
            ("CHANNELD_SHUTTING_DOWN", None, false, true),
            ("CLOSINGD_COMPLETE", Some(Mutual), false, true),
            ("AWAITING_UNILATERAL", Some(LocalUnilateral), false, true),
            ("ONCHAIN", Some(LocalUnilateral), false, true),
            ("ONCHAIN", Some(LocalUnilateral), true, false),
            ("FUNDING_SPEND_SEEN", Some(Mutual), false, false),
            ("ONCHAIN", Some(RemoteUnilateral), false, false),
            ("ONCHAIN", None, false, false),
        ] {
            let phase = Phase::of(state, true, true);
            let side = OurSide { to_us: Msat(7), state, phase, close_kind: kind, swept };
            let worth = NetWorth::new(Wallet::default(), [side]);
            assert_eq!(worth.total(), Msat(if counted { 7 } else { 0 }), "{side:?}");
        }
    }

    #[test]
    fn reserved_outputs_are_part_of_the_confirmed() {
        let wallet = Wallet { confirmed: Msat(100), unconfirmed: Msat(20), reserved: Msat(60) };
        let side = |state, phase, to_us| OurSide {
            to_us: Msat(to_us),
            state,
            phase,
            close_kind: None,
            swept: false,
        };
        let worth = NetWorth::new(
            wallet,
            [
                side("CHANNELD_NORMAL", Phase::Open, 1_000),
                side("CHANNELD_AWAITING_LOCKIN", Phase::Opening, 3_000),
                side("OPENINGD", Phase::Opening, 50_000),
                side("CLOSED", Phase::Closed, 90_000),
            ],
        );
        assert_eq!((worth.channels, worth.opening, worth.closing), (Msat(1_000), Msat(3_000), Msat(0)));
        assert_eq!(worth.total(), Msat(4_120));
    }
}
