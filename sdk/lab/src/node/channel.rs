//! What the node knows of a channel beside its money: names, states, history.

use crate::ids::{self, Scid};
use crate::market::{ChannelSpec, Direction, Micros, Opener};
use crate::rng::Rng;

/// State of a channel, as far as the lab plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// Waiting for the funding transaction.
    AwaitingLockin,
    /// In use.
    Normal,
    /// A splice waits for its transaction.
    AwaitingSplice,
    /// Mutual close begun.
    ShuttingDown,
    /// Mutual close: fees are negotiated.
    ClosingSigexchange,
    /// Mutual close agreed.
    ClosingComplete,
    /// We force the close.
    AwaitingUnilateral,
    /// The funding output was spent.
    FundingSpendSeen,
    /// Outputs are being resolved.
    Onchain,
    /// Forgotten.
    Closed,
}

impl ChannelState {
    /// lightningd's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::AwaitingLockin => "CHANNELD_AWAITING_LOCKIN",
            Self::Normal => "CHANNELD_NORMAL",
            Self::AwaitingSplice => "CHANNELD_AWAITING_SPLICE",
            Self::ShuttingDown => "CHANNELD_SHUTTING_DOWN",
            Self::ClosingSigexchange => "CLOSINGD_SIGEXCHANGE",
            Self::ClosingComplete => "CLOSINGD_COMPLETE",
            Self::AwaitingUnilateral => "AWAITING_UNILATERAL",
            Self::FundingSpendSeen => "FUNDING_SPEND_SEEN",
            Self::Onchain => "ONCHAIN",
            Self::Closed => "CLOSED",
        }
    }

    /// The daemon that has the channel in this state.
    pub(crate) fn owner(self) -> Option<&'static str> {
        match self {
            Self::AwaitingLockin | Self::Normal | Self::AwaitingSplice | Self::ShuttingDown => {
                Some("channeld")
            }
            Self::ClosingSigexchange => Some("closingd"),
            Self::ClosingComplete | Self::AwaitingUnilateral | Self::Closed => None,
            Self::FundingSpendSeen | Self::Onchain => Some("onchaind"),
        }
    }

    /// True if payments can pass.
    pub fn carries_payments(self) -> bool {
        matches!(self, Self::Normal | Self::AwaitingSplice)
    }

    /// True if `setchannel` takes it.
    pub(crate) fn can_set_fee(self) -> bool {
        matches!(self, Self::AwaitingLockin | Self::Normal | Self::AwaitingSplice)
    }
}

/// One entry of `state_changes`.
#[derive(Debug, Clone)]
pub struct StateChange {
    /// When, simulated unix time in microseconds.
    pub at: Micros,
    /// From this state.
    pub old: ChannelState,
    /// To this state.
    pub new: ChannelState,
    /// Who caused it: unknown, local, user, remote, protocol or onchain.
    pub cause: &'static str,
    /// Why.
    pub message: &'static str,
}

/// Payments in one direction over the life of a channel.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub offered: u64,
    pub offered_msat: u64,
    pub fulfilled: u64,
    pub fulfilled_msat: u64,
}

/// How a channel ended.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub kind: super::CloseKind,
    pub txid: String,
    pub fee_msat: u64,
    pub closer: &'static str,
    pub cause: &'static str,
    pub height: u32,
    /// What waits in an output of the closing transaction, msat.
    pub swept_msat: u64,
    /// The block in which that comes home.
    pub due: Option<u32>,
    /// The block in which the last output was resolved.
    pub resolved: Option<u32>,
    /// What the closing transaction's outputs bring us beyond our balance, msat.
    pub net_msat: i64,
}

/// A channel of the node; its money is the market's channel of the same index.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The peer, 66 hex digits.
    pub peer_id: String,
    /// The peer's name in gossip.
    pub alias: String,
    /// The channel's identity for life, 64 hex digits.
    pub channel_id: String,
    /// Its name at present; splices change it.
    pub scid: Scid,
    /// What our side calls it before it is announced.
    pub local_alias: Scid,
    /// What the peer calls it.
    pub remote_alias: Scid,
    /// Funding transaction.
    pub funding_txid: String,
    /// Output of the funding transaction.
    pub funding_outnum: u16,
    /// Every funding transaction it ever had, the opening first, with the name that followed from it.
    pub(crate) fundings: Vec<(String, Scid)>,
    /// Who funded it.
    pub opener: Opener,
    /// Announced to the network.
    pub public: bool,
    /// The peer is connected.
    pub connected: bool,
    /// Its state.
    pub state: ChannelState,
    /// How it came to its state.
    pub state_changes: Vec<StateChange>,
    /// The peer's base fee towards us, msat.
    pub peer_base_msat: u64,
    /// The peer's proportional fee towards us, ppm.
    pub peer_ppm: u32,
    /// When it opened, simulated unix time in microseconds.
    pub opened: Micros,
    /// Block of the opening.
    pub opened_height: u32,
    pub(crate) funding_local_msat: u64,
    pub(crate) funding_remote_msat: u64,
    pub(crate) pushed_msat: u64,
    pub(crate) lowest_msat: u64,
    pub(crate) highest_msat: u64,
    pub(crate) ignore_fee_limits: bool,
    pub(crate) fee_changed: Micros,
    pub(crate) incoming: Totals,
    pub(crate) outgoing: Totals,
    pub(crate) ending: Option<Ending>,
    /// What was pushed at the opening paid for leased money.
    pub(crate) leased: bool,
    /// What it cost so far, beside what forwards and payments tell.
    pub(crate) costs: super::TrueBooks,
}

/// What a new channel needs from the node around it.
pub(crate) struct Origin<'a> {
    pub rng: &'a mut Rng,
    pub peer_id: String,
    pub index: usize,
    pub now: Micros,
    pub height: u32,
}

impl Channel {
    pub(crate) fn new(spec: &ChannelSpec, our_msat: u64, origin: Origin<'_>) -> Self {
        let Origin { rng, peer_id, index, now, height } = origin;
        let age_blocks = (spec.age_days * 144.0) as u32;
        let opened_height = height.saturating_sub(age_blocks).max(1);
        let opened = now.saturating_sub(crate::market::micros(spec.age_days * 86_400.0));
        let outnum = rng.below(2) as u16;
        let funding_txid = rng.hex(32);
        let capacity_msat = spec.capacity_sat * 1000;
        let ours = spec.opener == Opener::Local;
        let scid = Scid::new(opened_height, index as u32 + 1, outnum);
        let mut alias = || Scid::new(rng.next_u64() as u32, rng.next_u64() as u32, rng.next_u64() as u16);
        Self {
            alias: spec.alias.clone(),
            channel_id: ids::channel_id(&funding_txid, outnum),
            scid,
            local_alias: alias(),
            remote_alias: alias(),
            fundings: vec![(funding_txid.clone(), scid)],
            funding_txid,
            funding_outnum: outnum,
            opener: spec.opener,
            public: spec.public,
            connected: true,
            state: ChannelState::Normal,
            state_changes: vec![StateChange {
                at: opened,
                old: ChannelState::AwaitingLockin,
                new: ChannelState::Normal,
                cause: if ours { "user" } else { "remote" },
                message: "Lockin complete",
            }],
            peer_base_msat: spec.peer_base_msat,
            peer_ppm: spec.peer_ppm,
            opened,
            opened_height,
            funding_local_msat: if ours { capacity_msat } else { 0 },
            funding_remote_msat: if ours { 0 } else { capacity_msat },
            pushed_msat: if ours { capacity_msat - our_msat } else { our_msat },
            lowest_msat: our_msat,
            highest_msat: our_msat,
            ignore_fee_limits: true,
            fee_changed: opened,
            incoming: Totals::default(),
            outgoing: Totals::default(),
            ending: None,
            leased: false,
            costs: super::TrueBooks::default(),
            peer_id,
        }
    }

    /// Puts its first funding into an output of a transaction; identity and name follow from it.
    pub(crate) fn fund(&mut self, txid: String, outnum: u16, height: u32, place: u32) {
        self.channel_id = ids::channel_id(&txid, outnum);
        self.fundings.clear();
        self.fund_anew(txid, outnum, height, place);
    }

    /// Puts its funding into another output; a name follows from it.
    pub(crate) fn fund_anew(&mut self, txid: String, outnum: u16, height: u32, place: u32) {
        self.scid = Scid::new(height, place, outnum);
        self.fundings.push((txid.clone(), self.scid));
        (self.funding_txid, self.funding_outnum) = (txid, outnum);
    }

    /// What the lists call the money that changed hands at its opening.
    pub(crate) fn push_name(&self) -> &'static str {
        match (self.leased, self.opener) {
            (false, _) => "pushed_msat",
            (true, Opener::Local) => "fee_paid_msat",
            (true, Opener::Remote) => "fee_rcvd_msat",
        }
    }

    /// Makes what the peer has in it the peer's own, for which the opener pays.
    pub(crate) fn lease(&mut self, lease_msat: Option<u64>) {
        let Some(lease_msat) = lease_msat else { return };
        let (given, capacity) =
            (self.opener == Opener::Local, self.funding_local_msat + self.funding_remote_msat);
        // The opener brings the fee too, and it goes over to the other side.
        let ours =
            if given { self.lowest_msat + lease_msat } else { self.lowest_msat.saturating_sub(lease_msat) };
        (self.funding_local_msat, self.funding_remote_msat) = (ours, capacity - ours);
        (self.pushed_msat, self.leased) = (lease_msat, true);
    }

    /// The name that forwards carry: the scid, or the local alias if unannounced.
    pub fn forward_name(&self) -> Scid {
        if self.public { self.scid } else { self.local_alias }
    }

    /// True for any of its present names.
    pub(crate) fn is_named(&self, scid: Scid) -> bool {
        self.scid == scid || self.local_alias == scid
    }

    pub(crate) fn totals(&mut self, direction: Direction) -> &mut Totals {
        match direction {
            Direction::In => &mut self.incoming,
            Direction::Out => &mut self.outgoing,
        }
    }

    pub(crate) fn note_balance(&mut self, our_msat: u64) {
        self.lowest_msat = self.lowest_msat.min(our_msat);
        self.highest_msat = self.highest_msat.max(our_msat);
    }
}
