//! Channels that come, change and go while the node runs.

use super::books::{ChainEvent, Move};
use super::channel::{Channel, ChannelState, Ending, Origin};
use super::{NodeState, SyncWarning};
use crate::ids::Scid;
use crate::market::{ChannelSpec, DemandSpec, Opener};

/// What a mutual close costs, msat.
const MUTUAL_FEE_MSAT: u64 = 195_000;
/// What a splice costs, msat.
const SPLICE_FEE_MSAT: u64 = 258_000;
/// Fee of a commitment transaction, msat.
const COMMITMENT_FEE_MSAT: u64 = 1_411_000;

/// How a channel is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// Both sides agree; we asked for it.
    Mutual,
    /// We publish our commitment.
    Local,
    /// The peer publishes its commitment.
    Remote,
}

impl NodeState {
    /// Opens a channel now, with its notifications, and returns its index.
    pub fn add_channel(&mut self, spec: ChannelSpec) -> usize {
        let index = self.market.add_channel(spec.clone());
        let peer_id = self.peer(spec.peer);
        let fresh = ChannelSpec { age_days: 0.0, ..spec };
        let our_msat = self.market.channel(index).our_msat;
        let (now, height) = (self.now(), self.block_height);
        let origin = Origin { rng: &mut self.rng, peer_id, index, now, height };
        let mut channel = Channel::new(&fresh, our_msat, origin);
        channel.state = ChannelState::AwaitingLockin;
        channel.state_changes.clear();
        self.books.opened(&channel);
        if channel.pushed_msat > 0 {
            self.books.moves.push(Move::Pushed { channel: index, msat: channel.pushed_msat });
        }
        let cause = if channel.opener == Opener::Local { "user" } else { "remote" };
        self.channels.push(channel);
        self.notify_opening(index);
        self.change_state(index, ChannelState::Normal, cause, "Lockin complete");
        index
    }

    /// Adds demand for payments, from now on.
    pub fn add_demand(&mut self, demand: DemandSpec) {
        self.market.add_demand(demand);
    }

    /// Splices `delta_msat` of ours in (or out, if negative): the scid and the funding change, the
    /// channel id stays. Returns the new scid.
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
        channel.funding_txid = txid.clone();
        channel.funding_outnum = 1;
        channel.scid = Scid::new(height, index as u32 + 1, 1);
        (channel.funding_local_msat, channel.funding_remote_msat) = (after, capacity - after);
        channel.pushed_msat = 0;
        channel.note_balance(after);
        let scid = channel.scid;
        let event = |tag, credit_msat, debit_msat, utxo: String, spent_by| ChainEvent {
            account: account.clone(),
            tag,
            credit_msat,
            debit_msat,
            at,
            height,
            utxo: Some(utxo),
            output_msat: capacity,
            txid: spent_by,
            origin: None,
            extra_tags: if tag == "channel_open" { vec!["opener"] } else { vec!["splice"] },
            external: false,
        };
        let close = event("channel_close", 0, before, old_utxo, Some(txid.clone()));
        let open = event("channel_open", after, 0, format!("{txid}:1"), None);
        if delta_msat >= 0 {
            self.books.withdraw(&txid, 0, delta_msat.unsigned_abs() + SPLICE_FEE_MSAT, at, height);
        } else {
            let out = delta_msat.unsigned_abs().saturating_sub(SPLICE_FEE_MSAT);
            self.books.receive(&txid, 0, out, at, height);
        }
        self.books.chain.extend([close, open]);
        self.books.onchain_fee(&account, &txid, SPLICE_FEE_MSAT, at);
        self.change_state(index, ChannelState::Normal, "user", "Lockin complete");
        scid
    }

    /// Closes a channel. It stays `ONCHAIN` in `listpeerchannels` for 100 blocks, then only
    /// `listclosedchannels` knows it.
    pub fn close_channel(&mut self, index: usize, kind: CloseKind) {
        use ChannelState::{AwaitingUnilateral, ClosingComplete, ClosingSigexchange, FundingSpendSeen};
        use ChannelState::{Onchain, ShuttingDown};
        self.clear_flights(index);
        self.market.channel_mut(index).usable = false;
        let steps: &[(ChannelState, &str, &str)] = match kind {
            CloseKind::Mutual => &[
                (ShuttingDown, "user", "User or plugin invoked close command"),
                (ClosingSigexchange, "user", "Start closingd"),
                (ClosingComplete, "user", "Closing complete"),
                (FundingSpendSeen, "user", "Onchain funding spend"),
                (Onchain, "user", "Onchain init reply"),
            ],
            CloseKind::Local => &[
                (ShuttingDown, "user", "User or plugin invoked close command"),
                (AwaitingUnilateral, "user", "Forcibly closed by `close` command timeout"),
                (FundingSpendSeen, "user", "Onchain funding spend"),
                (Onchain, "user", "Onchain init reply"),
            ],
            CloseKind::Remote => &[
                (FundingSpendSeen, "remote", "Onchain funding spend"),
                (Onchain, "remote", "Onchain init reply"),
            ],
        };
        let closer = if kind == CloseKind::Remote { "remote" } else { "local" };
        let cause = if kind == CloseKind::Remote { "remote" } else { "user" };
        let fee_msat = if kind == CloseKind::Mutual { MUTUAL_FEE_MSAT } else { COMMITMENT_FEE_MSAT };
        let ending = Ending { txid: self.rng.hex(32), fee_msat, closer, cause, height: self.block_height };
        self.book_close(index, &ending);
        self.channels[index].ending = Some(ending);
        for &(state, cause, message) in steps {
            self.change_state(index, state, cause, message);
        }
    }

    fn book_close(&mut self, index: usize, ending: &Ending) {
        let (at, height) = (self.now(), self.block_height);
        let our_msat = self.market.channel(index).our_msat;
        let channel = &self.channels[index];
        let account = channel.channel_id.clone();
        // The opener pays; whole sats only reach the wallet.
        let paid = if channel.opener == Opener::Local { ending.fee_msat.min(our_msat) } else { 0 };
        let received = (our_msat - paid) / 1000 * 1000;
        self.books.chain.push(ChainEvent {
            account: account.clone(),
            tag: "channel_close",
            credit_msat: 0,
            debit_msat: our_msat,
            at,
            height,
            utxo: Some(format!("{}:{}", channel.funding_txid, channel.funding_outnum)),
            output_msat: self.market.channel(index).capacity_msat,
            txid: Some(ending.txid.clone()),
            origin: None,
            extra_tags: Vec::new(),
            external: false,
        });
        let theirs = self.market.channel(index).capacity_msat - our_msat;
        if theirs > 0 {
            self.books.chain.push(ChainEvent {
                account: "external".into(),
                tag: "to_them",
                credit_msat: theirs,
                debit_msat: 0,
                at,
                height,
                utxo: Some(format!("{}:1", ending.txid)),
                output_msat: theirs,
                txid: None,
                origin: Some(account.clone()),
                extra_tags: Vec::new(),
                external: false,
            });
        }
        if received > 0 {
            self.books.receive(&ending.txid, 0, received, at, height);
        }
        if our_msat > received {
            self.books.onchain_fee(&account, &ending.txid, our_msat - received, at);
        }
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
