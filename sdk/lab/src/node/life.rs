//! Channels that come, change and go while the node runs.

use super::books::ChainEvent;
use super::channel::ChannelState;
use super::{NodeState, SyncWarning};
use crate::ids::Scid;
use crate::market::{DemandSpec, Opener};

/// What a splice costs, msat.
const SPLICE_FEE_MSAT: u64 = 258_000;

impl NodeState {
    /// Adds demand for payments, from now on.
    pub fn add_demand(&mut self, demand: DemandSpec) {
        self.market.add_demand(demand);
    }

    /// Splices `delta_msat` of ours in (or out, if negative): the scid and the funding change, the
    /// channel id stays. We pay the fee, out of what comes out if something does. Returns the new scid.
    ///
    /// # Panics
    ///
    /// If what is spliced out does not pay the fee, or is more than we have.
    pub fn splice(&mut self, index: usize, delta_msat: i64) -> Scid {
        self.change_state(index, ChannelState::AwaitingSplice, "user", "Splice signatures sent");
        let (at, height) = (self.now(), self.block_height);
        let txid = self.rng.hex(32);
        let before = self.market.channel(index).our_msat;
        self.market.splice(index, delta_msat);
        let money = self.market.channel(index);
        let (after, capacity) = (money.our_msat, money.capacity_msat);
        let channel = &mut self.channels[index];
        let account = channel.channel_id.clone();
        let old_utxo = format!("{}:{}", channel.funding_txid, channel.funding_outnum);
        channel.fund_anew(txid.clone(), 1, height, index as u32 + 1);
        (channel.funding_local_msat, channel.funding_remote_msat) = (after, capacity - after);
        channel.pushed_msat = 0;
        channel.note_balance(after);
        let scid = channel.scid;
        let before_capacity = (capacity as i64 - delta_msat) as u64;
        let old = ChainEvent::credit(&account, "channel_open", before_capacity, old_utxo, at, height);
        let close = ChainEvent {
            extra_tags: vec!["splice"],
            ..old.spent("channel_close", before, &txid, at, height)
        };
        let new = ChainEvent::credit(&account, "channel_open", after, format!("{txid}:1"), at, height);
        let opener = if channel.opener == Opener::Local { vec!["opener"] } else { Vec::new() };
        let open = ChainEvent { output_msat: capacity, extra_tags: opener, ..new };
        channel.costs.splice_msat += SPLICE_FEE_MSAT;
        if delta_msat >= 0 {
            self.books.withdraw(&txid, 0, delta_msat.unsigned_abs() + SPLICE_FEE_MSAT, at, height);
        } else {
            self.books.receive(&txid, 0, delta_msat.unsigned_abs() - SPLICE_FEE_MSAT, at, height);
        }
        self.books.book(close);
        self.books.book(open);
        self.change_state(index, ChannelState::Normal, "user", "Lockin complete");
        scid
    }

    /// Connects or disconnects a peer, with all its channels.
    pub fn set_connected(&mut self, peer_id: &str, connected: bool) {
        let mut changed = false;
        for (index, channel) in self.channels.iter_mut().enumerate() {
            if channel.peer_id == peer_id && channel.connected != connected {
                channel.connected = connected;
                self.market.channel_mut(index).usable = connected && channel.state.carries_payments();
                changed = true;
            }
        }
        if changed {
            self.notify_connect(peer_id, connected);
        }
    }

    /// Turns `getinfo`'s warning of a node that is still syncing on or off.
    pub fn set_sync_warning(&mut self, warning: Option<SyncWarning>) {
        self.sync_warning = warning;
    }
}
