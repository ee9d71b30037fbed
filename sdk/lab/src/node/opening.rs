//! How channels come to be.

use super::NodeState;
use super::books::{ChainEvent, Move};
use super::channel::{Channel, ChannelState, Origin};
use crate::market::{ChannelSpec, Opener};

/// What one funding transaction costs, msat.
pub(super) const FUNDING_FEE_MSAT: u64 = 166_000;

/// A channel to open.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The channel, as it is when it is open.
    pub spec: ChannelSpec,
    /// What its opener pays for money that the other side puts in, msat; none if both sides' money
    /// is the opener's, part of it pushed.
    pub lease_msat: Option<u64>,
}

impl Opening {
    /// A channel that its opener funds alone.
    pub fn new(spec: ChannelSpec) -> Self {
        Self { spec, lease_msat: None }
    }

    /// A channel in which each side puts in what it has, and the opener pays for it.
    pub fn leased(spec: ChannelSpec, lease_msat: u64) -> Self {
        Self { spec, lease_msat: Some(lease_msat) }
    }
}

impl NodeState {
    /// Opens a channel now, with its notifications, and returns its index.
    pub fn add_channel(&mut self, spec: ChannelSpec) -> usize {
        self.open_together(vec![Opening::new(spec)])[0]
    }

    /// Opens channels with one transaction, with their notifications, and returns their indices. They
    /// share the fee, if any of them has money of ours.
    pub fn open_together(&mut self, openings: Vec<Opening>) -> Vec<usize> {
        let height = self.block_height;
        let first = self.channels.len();
        let txid = self.rng.hex(32);
        for (outnum, opening) in openings.into_iter().enumerate() {
            let index = self.market.add_channel(opening.spec.clone());
            let spec = ChannelSpec { age_days: 0.0, ..opening.spec };
            let mut channel = self.draft(index, &spec);
            channel.fund(txid.clone(), outnum as u16, height, first as u32 + 1);
            channel.lease(opening.lease_msat);
            channel.state = ChannelState::AwaitingLockin;
            channel.state_changes.clear();
            self.channels.push(channel);
        }
        let indices: Vec<usize> = (first..self.channels.len()).collect();
        self.book_opening(&indices);
        for &index in &indices {
            let ours = self.channels[index].opener == Opener::Local;
            self.notify_opening(index);
            let cause = if ours { "user" } else { "remote" };
            self.change_state(index, ChannelState::Normal, cause, "Lockin complete");
        }
        indices
    }

    /// The node's side of a channel that the market already has.
    pub(super) fn draft(&mut self, index: usize, spec: &ChannelSpec) -> Channel {
        let peer_id = self.peer(spec.peer);
        let our_msat = self.market.channel(index).our_msat;
        let (now, height) = (self.now(), self.block_height);
        Channel::new(spec, our_msat, Origin { rng: &mut self.rng, peer_id, index, now, height })
    }

    /// Books the funding transaction of some channels.
    pub(super) fn book_opening(&mut self, indices: &[usize]) {
        let ours: u64 = indices.iter().map(|&index| self.channels[index].funding_local_msat).sum();
        let first = &self.channels[indices[0]];
        let (txid, at, height) = (first.funding_txid.clone(), first.opened, first.opened_height);
        if ours > 0 {
            let change = indices.iter().map(|&index| u32::from(self.channels[index].funding_outnum)).max();
            let vout = change.unwrap_or(0) + 1;
            self.books.withdraw(&txid, vout, ours + FUNDING_FEE_MSAT, at, height);
        }
        for &index in indices {
            self.book_funding(index);
        }
        self.share_funding_fee(indices);
    }

    fn book_funding(&mut self, index: usize) {
        let channel = &mut self.channels[index];
        let utxo = format!("{}:{}", channel.funding_txid, channel.funding_outnum);
        let (account, msat) = (channel.channel_id.clone(), channel.funding_local_msat);
        let event =
            ChainEvent::credit(&account, "channel_open", msat, utxo, channel.opened, channel.opened_height);
        let opener = (channel.opener == Opener::Local).then_some("opener");
        let tags = opener.into_iter().chain(channel.leased.then_some("leased"));
        let output_msat = channel.funding_local_msat + channel.funding_remote_msat;
        let event = ChainEvent { extra_tags: tags.collect(), output_msat, ..event };
        let (given, msat) = (channel.opener == Opener::Local, channel.pushed_msat);
        let signed = if given { msat as i64 } else { -(msat as i64) };
        if channel.leased {
            channel.costs.lease_msat = signed;
        } else {
            channel.costs.pushed_msat = signed;
        }
        self.books.book(event);
        if msat > 0 {
            self.books.moves.push(Move::Pushed { channel: index, msat });
        }
    }

    /// An even share for each channel with money of ours; odd msat go to the first by channel id.
    fn share_funding_fee(&mut self, indices: &[usize]) {
        if indices.iter().all(|&index| self.channels[index].funding_local_msat == 0) {
            return;
        }
        let mut payers = indices.to_vec();
        payers.sort_by(|&a, &b| self.channels[a].channel_id.cmp(&self.channels[b].channel_id));
        let count = payers.len() as u64;
        for (place, index) in payers.into_iter().enumerate() {
            let odd = u64::from((place as u64) < FUNDING_FEE_MSAT % count);
            self.channels[index].costs.open_msat = FUNDING_FEE_MSAT / count + odd;
        }
    }
}
