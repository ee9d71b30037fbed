//! The node's ledger: what happened on chain, and what moved inside channels.

use serde_json::{Value, json};

use super::channel::Channel;
use crate::market::{Micros, Opener};
use crate::rng::Rng;

/// What one funding or closing transaction of ours costs, msat.
pub(super) const TX_FEE_MSAT: u64 = 166_000;
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

/// A movement inside a channel; details are where the index points.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    /// A settled forward, by position, on its outgoing or incoming side.
    Routed { position: usize, incoming: bool },
    /// A payment to ourselves, by position, on its outgoing or incoming side.
    Circular { position: usize, incoming: bool },
    /// The gift at the opening of a channel, by index.
    Pushed { channel: usize, msat: u64 },
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
    outputs: Vec<Output>,
}

impl Books {
    pub fn new(rng: &mut Rng, start: Micros, height: u32) -> Self {
        let mut books = Self { chain: Vec::new(), moves: Vec::new(), outputs: Vec::new() };
        let long_ago = start.saturating_sub(1000 * 86_400_000_000);
        let height = height.saturating_sub(144_000).max(1);
        let output = Output { txid: rng.hex(32), vout: 0, msat: FIRST_DEPOSIT_MSAT, height, spent: false };
        books.deposit(output, long_ago, true);
        books
    }

    fn deposit(&mut self, output: Output, at: Micros, external: bool) {
        self.chain.push(ChainEvent {
            account: "wallet".into(),
            tag: "deposit",
            credit_msat: output.msat,
            debit_msat: 0,
            at,
            height: output.height,
            utxo: Some(format!("{}:{}", output.txid, output.vout)),
            output_msat: output.msat,
            txid: None,
            origin: None,
            extra_tags: Vec::new(),
            external,
        });
        self.outputs.push(output);
    }

    /// Adds an output from a closed channel or the like to the wallet.
    pub fn receive(&mut self, txid: &str, vout: u32, msat: u64, at: Micros, height: u32) {
        self.deposit(Output { txid: txid.into(), vout, msat, height, spent: false }, at, false);
    }

    /// Takes `msat` out of the wallet by transaction `txid`; the change comes back in output `vout`.
    pub fn withdraw(&mut self, txid: &str, vout: u32, msat: u64, at: Micros, height: u32) {
        let Some(output) = self.outputs.iter_mut().find(|output| !output.spent && output.msat >= msat) else {
            return;
        };
        output.spent = true;
        let (utxo, had) = (format!("{}:{}", output.txid, output.vout), output.msat);
        self.chain.push(ChainEvent {
            account: "wallet".into(),
            tag: "withdrawal",
            credit_msat: 0,
            debit_msat: had,
            at,
            height,
            utxo: Some(utxo),
            output_msat: had,
            txid: Some(txid.into()),
            origin: None,
            extra_tags: Vec::new(),
            external: false,
        });
        self.receive(txid, vout, had - msat, at, height);
    }

    /// Books what a transaction cost us on behalf of an account.
    pub fn onchain_fee(&mut self, account: &str, txid: &str, msat: u64, at: Micros) {
        self.chain.push(ChainEvent {
            account: account.into(),
            tag: "onchain_fee",
            credit_msat: msat,
            debit_msat: 0,
            at,
            height: 0,
            utxo: None,
            output_msat: 0,
            txid: Some(txid.into()),
            origin: None,
            extra_tags: Vec::new(),
            external: false,
        });
    }

    /// Books the opening of a channel.
    pub fn opened(&mut self, channel: &Channel) {
        let (at, height) = (channel.opened, channel.opened_height);
        let ours = channel.opener == Opener::Local;
        if ours {
            let spent = channel.funding_local_msat + TX_FEE_MSAT;
            self.withdraw(&channel.funding_txid, u32::from(channel.funding_outnum ^ 1), spent, at, height);
        }
        self.chain.push(ChainEvent {
            account: channel.channel_id.clone(),
            tag: "channel_open",
            credit_msat: channel.funding_local_msat,
            debit_msat: 0,
            at,
            height,
            utxo: Some(format!("{}:{}", channel.funding_txid, channel.funding_outnum)),
            output_msat: channel.funding_local_msat + channel.funding_remote_msat,
            txid: None,
            origin: None,
            extra_tags: if ours { vec!["opener"] } else { Vec::new() },
            external: false,
        });
        if ours {
            self.onchain_fee(&channel.channel_id, &channel.funding_txid, TX_FEE_MSAT, at);
        }
    }

    /// What the wallet holds, msat.
    pub fn wallet_msat(&self) -> u64 {
        self.outputs.iter().filter(|output| !output.spent).map(|output| output.msat).sum()
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
