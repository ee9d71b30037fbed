//! How channels begin, change and end, as the node and its bookkeeper tell it.

use super::{Channel, ChannelId, Msat, Opener, PeerId, Scid, SignedMsat, Txid, UnixTime};

/// An output of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outpoint {
    pub txid: Txid,
    pub output: u32,
}

/// Where a transaction stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Height of its block.
    pub block: u32,
    /// Its number in that block.
    pub transaction: u32,
}

/// One step on a channel's path of states, in lightningd's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Milliseconds since 1970 UTC.
    pub at_ms: u64,
    pub old_state: Option<String>,
    pub new_state: String,
    pub cause: Option<String>,
}

/// What a channel's funding moved besides the funds themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the opener gave the other side at once: positive when we gave it.
    pub pushed: SignedMsat,
    /// The price of liquidity leased at opening: positive when we paid it.
    pub lease: SignedMsat,
}

/// A channel that the node still lists, from its negotiation to the last sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveChannel {
    pub channel: Channel,
    /// The output that holds its funds now; a splice makes another.
    pub funding: Option<Outpoint>,
    /// What each side put into that output.
    pub local_funds: Option<Msat>,
    pub remote_funds: Option<Msat>,
    pub terms: Terms,
    pub path: Vec<StateChange>,
    /// Who began to close it.
    pub closer: Option<Opener>,
}

/// A channel that the node remembers as closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedChannel {
    pub channel_id: ChannelId,
    /// Absent when the node forgot the peer.
    pub peer_id: Option<PeerId>,
    pub scid: Option<Scid>,
    pub alias_local: Option<Scid>,
    pub opener: Opener,
    pub closer: Option<Opener>,
    pub total: Msat,
    pub final_to_us: Option<Msat>,
    pub terms: Terms,
    pub funding: Option<Outpoint>,
    /// Of the last commitment or mutual close that we could have published.
    pub last_commitment_txid: Option<Txid>,
    pub last_commitment_fee: Option<Msat>,
    pub close_cause: Option<String>,
}

/// Whose money an event of bookkeeper moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    Channel(ChannelId),
    Wallet,
    /// Money that left, or never was ours.
    External,
    Other,
}

/// The three kinds of bookkeeper's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookKind {
    /// An output made or spent.
    Chain,
    /// A movement inside a channel.
    Channel,
    /// A share of a transaction's fee, put on an account (credit) or taken off it again (debit).
    OnchainFee,
}

/// One of bookkeeper's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookEvent {
    pub account: Account,
    /// The channel whose money an event of another account moved.
    pub origin: Option<ChannelId>,
    pub kind: BookKind,
    pub tag: String,
    pub credit: Msat,
    pub debit: Msat,
    pub at: UnixTime,
    /// The output made or spent.
    pub outpoint: Option<Outpoint>,
    /// The transaction that spent the output, or whose fee it is.
    pub txid: Option<Txid>,
    pub height: Option<u32>,
}

impl BookEvent {
    /// Credit less debit.
    pub fn net(&self) -> SignedMsat {
        SignedMsat::from(self.credit) - SignedMsat::from(self.debit)
    }
}

/// Bookkeeper's word on one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    pub channel_id: ChannelId,
    /// Every output of its close found its owner: nothing more comes.
    pub resolved: bool,
}

/// A funding transaction of a channel, as bookkeeper recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingRecord {
    pub outpoint: Outpoint,
    pub at: UnixTime,
    pub height: Option<u32>,
    /// Change of our side, fees left out: positive when we put in.
    pub local_delta: SignedMsat,
}

/// What the node owns outside of its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeFunds {
    pub confirmed: Msat,
    pub unconfirmed: Msat,
    /// The part of the confirmed funds that transactions being made hold.
    pub reserved: Msat,
    pub blockheight: u32,
    /// sat per 1000 vbytes, for confirmation within about 12 blocks.
    pub feerate_perkb: Option<u32>,
}
