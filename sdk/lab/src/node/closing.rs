//! How channels end: the closing transaction, and what becomes of its outputs.

use super::NodeState;
use super::books::{ChainEvent, Move};
use super::channel::{ChannelState, Ending};
use super::channel_json::COMMITMENT_FEE_MSAT;
use crate::market::Opener;

/// What a mutual close costs, msat.
const MUTUAL_FEE_MSAT: u64 = 195_000;
/// Fee of a commitment transaction without anchors, msat.
const PLAIN_COMMITMENT_FEE_MSAT: u64 = 184_000;
/// The two anchors of a commitment transaction, msat; the opener pays them.
const ANCHOR_MSAT: u64 = 330_000;
/// Fee of bringing one output home, msat.
const SWEEP_FEE_MSAT: u64 = 134_000;
/// Outputs below this are left out of transactions, msat.
const DUST_MSAT: u64 = 546_000;
/// Blocks until we may spend our output of our own commitment.
const TO_SELF_DELAY: u32 = 144;
/// Blocks until a penalty is confirmed.
const PENALTY_BLOCKS: u32 = 2;
/// Blocks that a resolved channel is still listed as one of the peer's.
const FORGET_BLOCKS: u32 = 100;

/// How a channel is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// Both sides agree; we asked for it.
    Mutual,
    /// We publish our commitment: our money comes home 144 blocks later.
    Local,
    /// The peer publishes its commitment.
    Remote,
    /// The peer publishes an old commitment, in which we had half of what we have, and loses
    /// everything by it two blocks later.
    Breach,
}

impl CloseKind {
    fn steps(self) -> &'static [(ChannelState, &'static str, &'static str)] {
        use ChannelState::{AwaitingUnilateral, ClosingComplete, ClosingSigexchange, FundingSpendSeen};
        use ChannelState::{Onchain, ShuttingDown};
        match self {
            Self::Mutual => &[
                (ShuttingDown, "user", "User or plugin invoked close command"),
                (ClosingSigexchange, "user", "Start closingd"),
                (ClosingComplete, "user", "Closing complete"),
                (FundingSpendSeen, "user", "Onchain funding spend"),
                (Onchain, "user", "Onchain init reply"),
            ],
            Self::Local => &[
                (ShuttingDown, "user", "User or plugin invoked close command"),
                (AwaitingUnilateral, "user", "Forcibly closed by `close` command timeout"),
                (FundingSpendSeen, "user", "Onchain funding spend"),
                (Onchain, "user", "Onchain init reply"),
            ],
            Self::Remote | Self::Breach => &[
                (FundingSpendSeen, "remote", "Onchain funding spend"),
                (Onchain, "remote", "Onchain init reply"),
            ],
        }
    }

    /// Who closed, and why, in the words of `listclosedchannels`.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Mutual | Self::Local => ("local", "user"),
            Self::Remote | Self::Breach => ("remote", "remote"),
        }
    }
}

/// What a transaction makes of an amount: whole sats, and nothing at all below the dust limit.
fn output(msat: u64) -> u64 {
    let whole = msat / 1000 * 1000;
    if whole < DUST_MSAT { 0 } else { whole }
}

impl NodeState {
    fn commitment_fee_msat(&self) -> u64 {
        if self.flavour.has(2308) { COMMITMENT_FEE_MSAT } else { PLAIN_COMMITMENT_FEE_MSAT }
    }

    /// Closes a channel in the current block. It stays `ONCHAIN` in `listpeerchannels` for 100 blocks
    /// after its last output is resolved, then only `listclosedchannels` knows it. What is under way through
    /// it ends first: forwards fail and held HTLCs go. Payments begun by
    /// [`NodeState::begin_payment`] are to be ended before.
    pub fn close_channel(&mut self, index: usize, kind: CloseKind) {
        self.clear_flights(index);
        self.market.release_htlcs(index);
        for forward in self.market.fail_through(index) {
            self.record(&forward);
        }
        self.market.channel_mut(index).usable = false;
        let (closer, cause) = kind.words();
        let fee_msat = if kind == CloseKind::Mutual { MUTUAL_FEE_MSAT } else { self.commitment_fee_msat() };
        let ending = Ending {
            kind,
            txid: self.rng.hex(32),
            fee_msat,
            closer,
            cause,
            height: self.block_height,
            swept_msat: 0,
            due: None,
            resolved: None,
            net_msat: 0,
        };
        self.channels[index].ending = Some(ending.clone());
        self.book_close(index, ending);
        for &(state, cause, message) in kind.steps() {
            self.change_state(index, state, cause, message);
        }
    }

    fn book_close(&mut self, index: usize, mut ending: Ending) {
        let (at, height) = (self.now(), self.block_height);
        let money = self.market.channel(index);
        let (ours, capacity) = (money.our_msat, money.capacity_msat);
        let channel = &self.channels[index];
        let (account, opener) = (channel.channel_id.clone(), channel.opener);
        let funding = format!("{}:{}", channel.funding_txid, channel.funding_outnum);
        let unilateral = ending.kind != CloseKind::Mutual;
        let anchors = if unilateral && self.flavour.has(2308) { 2 * ANCHOR_MSAT } else { 0 };
        let burden = |payer| if opener == payer { ending.fee_msat + anchors } else { 0 };
        let home = if ending.kind == CloseKind::Breach { ours / 2 } else { ours };
        let mine = output(home.saturating_sub(burden(Opener::Local)));
        let theirs = output((capacity - home).saturating_sub(burden(Opener::Remote)));
        let opening = ChainEvent::credit(&account, "channel_open", capacity, funding, at, height);
        self.books.book(opening.spent("channel_close", ours, &ending.txid, at, height));
        self.book_anchors(&account, &ending, anchors > 0);
        let utxo = |vout: u32| format!("{}:{vout}", ending.txid);
        if theirs > 0 && ending.kind != CloseKind::Breach {
            let event = ChainEvent::credit("external", "to_them", theirs, utxo(2), at, height);
            self.books.book(ChainEvent { origin: Some(account.clone()), ..event });
        }
        if mine > 0 && ending.kind != CloseKind::Local {
            self.books.receive(&ending.txid, 3, mine, at, height);
        }
        match ending.kind {
            CloseKind::Local => (ending.swept_msat, ending.due) = (mine, Some(height + TO_SELF_DELAY)),
            CloseKind::Breach => (ending.swept_msat, ending.due) = (theirs, Some(height + PENALTY_BLOCKS)),
            CloseKind::Mutual | CloseKind::Remote => {}
        }
        let cost = ours as i64 - mine as i64;
        let taken = if ending.kind == CloseKind::Breach { theirs as i64 } else { 0 };
        ending.net_msat = taken - cost;
        let waits = ending.swept_msat > 0;
        self.channels[index].ending = Some(ending);
        if !waits {
            self.resolve(index);
        }
    }

    fn book_anchors(&mut self, account: &str, ending: &Ending, there: bool) {
        let (at, height) = (self.now(), self.block_height);
        // Ours was booked as the wallet's until v25.09.
        let owner = if self.flavour.has(2509) { "external" } else { "wallet" };
        for (vout, owner) in [owner, "external"].into_iter().enumerate().filter(|_| there) {
            let utxo = format!("{}:{vout}", ending.txid);
            let event = ChainEvent::credit(owner, "anchor", ANCHOR_MSAT, utxo, at, height);
            self.books.book(ChainEvent { origin: Some(account.to_owned()), ..event });
        }
    }

    /// Brings home what waits in the outputs of closed channels, and forgets channels.
    pub(super) fn work_on_closes(&mut self) {
        for index in 0..self.channels.len() {
            let Some(ending) = &self.channels[index].ending else { continue };
            let (due, resolved) = (ending.due, ending.resolved);
            if resolved.is_none() && due.is_some_and(|due| due <= self.block_height) {
                self.sweep(index);
            }
            let forget = resolved.is_some_and(|resolved| resolved + FORGET_BLOCKS <= self.block_height);
            if forget && self.channels[index].state == ChannelState::Onchain {
                self.change_state(index, ChannelState::Closed, "unknown", "");
            }
        }
    }

    fn sweep(&mut self, index: usize) {
        let Some(ending) = self.channels[index].ending.clone() else { return };
        let (at, height) = (self.now(), self.block_height);
        let account = self.channels[index].channel_id.clone();
        let (sweep, msat) = (self.rng.hex(32), ending.swept_msat);
        let fee_msat = SWEEP_FEE_MSAT.min(msat - 1000);
        let (tag, vout) =
            if ending.kind == CloseKind::Breach { ("penalty", 2) } else { ("delayed_to_us", 3) };
        let utxo = format!("{}:{vout}", ending.txid);
        let event = ChainEvent::credit(&account, tag, msat, utxo, at, ending.height);
        self.books.receive(&sweep, 0, msat - fee_msat, at, height);
        self.books.book(event.clone());
        self.books.book(event.spent("to_wallet", msat, &sweep, at, height));
        if ending.kind == CloseKind::Breach {
            for credit in [true, false] {
                self.books.moves.push(Move::Penalty { channel: index, msat, credit, at });
            }
        }
        self.channels[index].costs.sweep_msat += fee_msat;
        self.resolve(index);
    }

    /// Every output of a closed channel is accounted for.
    fn resolve(&mut self, index: usize) {
        let height = self.block_height;
        let channel = &mut self.channels[index];
        let Some(ending) = &mut channel.ending else { return };
        ending.resolved = Some(height);
        // A breach that brought less than we had is a close that cost something.
        if ending.net_msat > 0 {
            channel.costs.penalty_msat += ending.net_msat;
        } else {
            channel.costs.close_msat += ending.net_msat.unsigned_abs();
        }
        let account = channel.channel_id.clone();
        self.books.resolved(&account);
    }
}
