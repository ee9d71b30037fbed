//! The node and its channels as one consistent picture.

use super::{ChannelId, Msat, PeerId, Ppm, Scid, Tick, UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A channel's state in lightningd, as far as a decision depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// CHANNELD_NORMAL: forwards.
    Normal,
    /// CHANNELD_AWAITING_SPLICE: forwards, and will be normal again.
    AwaitingSplice,
    /// Any other, by lightningd's name.
    Other(String),
}

impl ChannelState {
    /// Payments flow, and its fee can be set.
    pub fn is_open(&self) -> bool {
        matches!(self, ChannelState::Normal | ChannelState::AwaitingSplice)
    }

    /// lightningd's name of the state.
    pub fn name(&self) -> &str {
        match self {
            ChannelState::Normal => "CHANNELD_NORMAL",
            ChannelState::AwaitingSplice => "CHANNELD_AWAITING_SPLICE",
            ChannelState::Other(name) => name,
        }
    }
}

/// Who paid for the opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opener {
    Local,
    Remote,
}

impl Opener {
    /// lightningd's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Opener::Local => "local",
            Opener::Remote => "remote",
        }
    }

    /// Reads lightningd's word.
    pub fn from_name(name: &str) -> Option<Opener> {
        [Self::Local, Self::Remote].into_iter().find(|opener| opener.name() == name)
    }
}

/// HTLCs in flight on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Htlcs {
    /// Offered by the peer.
    pub incoming: u32,
    /// Offered by us.
    pub outgoing: u32,
    /// The most that may be in flight in each direction: lightningd's
    /// max-concurrent-htlcs bounds what it accepts and what it offers.
    pub slots: u32,
}

impl Htlcs {
    /// The fuller direction's share of its slots, 0 to 1.
    pub fn utilization(self) -> f64 {
        f64::from(self.incoming.max(self.outgoing)) / f64::from(self.slots.max(1))
    }
}

/// One channel as lightningd describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    pub channel_id: ChannelId,
    /// Absent until the funding transaction is deep enough.
    pub scid: Option<Scid>,
    /// The name that lightningd uses in forwards of unannounced channels.
    pub alias_local: Option<Scid>,
    pub peer_id: PeerId,
    pub peer_connected: bool,
    pub state: ChannelState,
    pub opener: Opener,
    pub private: bool,
    pub total: Msat,
    /// Our side, reserve included.
    pub to_us: Msat,
    pub spendable: Msat,
    pub receivable: Msat,
    pub fee_base: Msat,
    pub fee_ppm: Ppm,
    /// Smallest and largest HTLC that we forward out.
    pub htlc_min: Msat,
    pub htlc_max: Msat,
    /// The peer's rate towards us, when the node knows it.
    pub peer_fee_ppm: Option<Ppm>,
    pub htlcs: Htlcs,
    /// Output of the funding transaction.
    pub funding_txid: Option<String>,
}

impl Channel {
    /// Our share of the capacity, 0 to 1.
    pub fn local_share(&self) -> f64 {
        self.to_us.share_of(self.total)
    }

    /// The name to show an operator and to give to setchannel.
    pub fn name(&self) -> String {
        match self.scid.or(self.alias_local) {
            Some(scid) => scid.to_string(),
            None => self.channel_id.to_string(),
        }
    }

    /// Blocks since the funding transaction was mined; 0 if not known.
    pub fn age_blocks(&self, height: u32) -> u32 {
        self.scid.map_or(0, |scid| height.saturating_sub(scid.block))
    }
}

/// A channel as a caller named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelName {
    Scid(Scid),
    ChannelId(ChannelId),
}

impl ChannelName {
    /// Whether it names this channel, be it by its alias.
    pub fn names(self, channel: &Channel) -> bool {
        match self {
            ChannelName::Scid(scid) => channel.scid == Some(scid) || channel.alias_local == Some(scid),
            ChannelName::ChannelId(id) => channel.channel_id == id,
        }
    }
}

impl std::str::FromStr for ChannelName {
    type Err = String;
    fn from_str(text: &str) -> Result<ChannelName, String> {
        let name = text.parse().map(ChannelName::Scid).or_else(|_| text.parse().map(ChannelName::ChannelId));
        name.map_err(|_| {
            format!("'{text}' is not a short channel id such as 700000x12x0, nor a channel_id (64 hexadecimal digits)")
        })
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelName::Scid(scid) => scid.fmt(f),
            ChannelName::ChannelId(id) => id.fmt(f),
        }
    }
}

/// Everything read from the node for one cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSnapshot {
    pub tick: Tick,
    pub node_id: PeerId,
    pub network: String,
    pub blockheight: u32,
    /// Why the node is not in step with the chain, in its own words.
    pub not_synced: Option<String>,
    /// Satoshi per 1000 vbytes for confirmation within about 12 blocks.
    pub feerate_perkb: Option<u32>,
    pub channels: Vec<Channel>,
}

impl NodeSnapshot {
    /// The instant of the snapshot.
    pub fn now(&self) -> UnixTime {
        self.tick.now
    }

    /// Channels on which payments flow.
    pub fn open_channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter().filter(|channel| channel.state.is_open())
    }
}
