//! The node's ledger: what happened on chain, and what moved inside channels.

use serde_json::{Value, json};

use super::fees::FeeBook;
use crate::market::Micros;
use crate::rng::Rng;

/// Money in the wallet before the first channel, msat.
const FIRST_DEPOSIT_MSAT: u64 = 10_000_000_000_000;

/// An on-chain event, or a fee that bookkeeper derives from some.
#[derive(Debug, Clone)]
pub(super) struct ChainEvent {
    pub account: String,
    pub tag: &'static str,
    pub credit_msat: u64,
    pub debit_msat: u64,
    pub at: Micros,
    pub height: u32,
    /// The output it is about; none for a derived fee.
    pub utxo: Option<String>,
    pub output_msat: u64,
    /// The spending transaction, or the one that a fee paid for.
    pub txid: Option<String>,
    pub origin: Option<String>,
    pub extra_tags: Vec<&'static str>,
    /// Money from outside, which is income.
    pub external: bool,
}

impl ChainEvent {
    /// Money that an output brings an account.
    pub fn credit(
        account: &str,
        tag: &'static str,
        msat: u64,
        utxo: String,
        at: Micros,
        height: u32,
    ) -> Self {
        Self {
            account: account.into(),
            tag,
            credit_msat: msat,
            debit_msat: 0,
            at,
            height,
            utxo: Some(utxo),
            output_msat: msat,
            txid: None,
            origin: None,
            extra_tags: Vec::new(),
            external: false,
        }
    }

    /// The same money leaving the account again, or other money of the same output.
    pub fn spent(self, tag: &'static str, msat: u64, by: &str, at: Micros, height: u32) -> Self {
        Self { tag, credit_msat: 0, debit_msat: msat, txid: Some(by.into()), at, height, ..self }
    }

    /// The transaction that it is part of: the one that spends the output, else the one that made it.
    pub fn transaction(&self) -> &str {
        let made = || self.utxo.as_deref().and_then(|utxo| utxo.split(':').next()).unwrap_or_default();
        self.txid.as_deref().unwrap_or_else(made)
    }
}

/// A movement inside a channel; details are where the index points.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    /// A settled forward, by position, on its outgoing or incoming side.
    Routed { position: usize, incoming: bool },
    /// A payment of ours, by position, on its outgoing or incoming side.
    Circular { position: usize, incoming: bool },
    /// The gift or the lease fee at the opening of a channel, by index.
    Pushed { channel: usize, msat: u64 },
    /// Either half of the entry that names what a penalty brought.
    Penalty { channel: usize, msat: u64, credit: bool, at: Micros },
}

/// A wallet output.
#[derive(Debug, Clone)]
struct Output {
    txid: String,
    vout: u32,
    msat: u64,
    height: u32,
    spent: bool,
}

#[derive(Debug)]
pub(super) struct Books {
    pub chain: Vec<ChainEvent>,
    pub moves: Vec<Move>,
    pub(super) fees: FeeBook,
    outputs: Vec<Output>,
}

impl Books {
    pub fn new(rng: &mut Rng, start: Micros, height: u32) -> Self {
        let (chain, moves, outputs) = (Vec::new(), Vec::new(), Vec::new());
        let mut books = Self { chain, moves, outputs, fees: FeeBook::default() };
        let long_ago = start.saturating_sub(1000 * 86_400_000_000);
        let height = height.saturating_sub(144_000).max(1);
        books.deposit(&rng.hex(32), FIRST_DEPOSIT_MSAT, long_ago, height);
        books
    }

    /// Adds money from outside to the wallet.
    pub fn deposit(&mut self, txid: &str, msat: u64, at: Micros, height: u32) {
        self.add_output(txid, 0, msat, at, height, true);
    }

    fn add_output(&mut self, txid: &str, vout: u32, msat: u64, at: Micros, height: u32, external: bool) {
        let event = ChainEvent::credit("wallet", "deposit", msat, format!("{txid}:{vout}"), at, height);
        self.outputs.push(Output { txid: txid.into(), vout, msat, height, spent: false });
        self.book(ChainEvent { external, ..event });
    }

    /// Adds an output from a closed channel or the like to the wallet.
    pub fn receive(&mut self, txid: &str, vout: u32, msat: u64, at: Micros, height: u32) {
        self.add_output(txid, vout, msat, at, height, false);
    }

    /// Takes `msat` out of the wallet by transaction `txid`, out of as many outputs as it takes; the
    /// change comes back in output `vout`. A wallet that has too little is filled from outside first.
    pub fn withdraw(&mut self, txid: &str, vout: u32, msat: u64, at: Micros, height: u32) {
        if self.wallet_msat() < msat {
            let origin = txid.chars().rev().collect::<String>();
            self.deposit(&origin, msat + FIRST_DEPOSIT_MSAT, at, height);
        }
        let mut taken = 0;
        while taken < msat {
            let Some(output) = self.outputs.iter_mut().find(|output| !output.spent) else { break };
            output.spent = true;
            taken += output.msat;
            let utxo = format!("{}:{}", output.txid, output.vout);
            let event = ChainEvent::credit("wallet", "deposit", output.msat, utxo, at, height);
            let spent = event.spent("withdrawal", output.msat, txid, at, height);
            self.book(spent);
        }
        if taken > msat {
            self.receive(txid, vout, taken - msat, at, height);
        }
    }

    /// Everything that is about an output, oldest first: fees that bookkeeper derived are not.
    pub fn chain_moves(&self) -> impl Iterator<Item = &ChainEvent> {
        self.chain.iter().filter(|event| event.utxo.is_some())
    }

    /// What the wallet holds, msat.
    pub fn wallet_msat(&self) -> u64 {
        self.outputs.iter().filter(|output| !output.spent).map(|output| output.msat).sum()
    }

    /// What bookkeeper says that the wallet holds, msat: until v25.09 it counts anchors.
    pub fn booked_wallet_msat(&self) -> u64 {
        let moved = self.chain.iter().filter(|event| event.account == "wallet" && event.utxo.is_some());
        moved.map(|event| event.credit_msat as i64 - event.debit_msat as i64).sum::<i64>() as u64
    }

    /// The wallet as `listfunds` shows it.
    pub fn outputs_json(&self, coin: &str, with_spent: bool) -> Value {
        let listed = self.outputs.iter().filter(|output| with_spent || !output.spent);
        let json = |output: &Output| {
            json!({
                "txid": output.txid, "output": output.vout, "amount_msat": output.msat,
                "scriptpubkey": format!("0014{}", &output.txid[..40]),
                "address": format!("{coin}1q{}", &output.txid[..38]),
                "status": if output.spent { "spent" } else { "confirmed" },
                "blockheight": output.height, "reserved": false,
            })
        };
        listed.map(json).collect()
    }
}
