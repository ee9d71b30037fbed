//! How bookkeeper works out what transactions cost, and whom it charges.
//!
//! After every chain event of a transaction it compares what went in with what came out: the
//! difference is the fee, split evenly between the channels that took part, or charged to the
//! wallet if no channel did. An estimate that changes with the next event is corrected by a row that
//! takes back the difference. What a closing transaction cost is booked when the channel is resolved.
//! (plugins/bkpr/onchain_fee.c of Core Lightning.)

use std::collections::{BTreeMap, HashMap};

use super::books::{Books, ChainEvent};
use crate::market::Micros;

/// What is known of transactions and their fees.
#[derive(Debug, Default)]
pub(super) struct FeeBook {
    /// Positions of the chain events that make or spend outputs in a transaction.
    events: HashMap<String, Vec<usize>>,
    /// What accounts are charged for transactions by now, msat.
    charged: HashMap<(String, String), u64>,
    /// The close of each closed channel: its position among the chain events.
    closes: HashMap<String, usize>,
}

impl Books {
    /// Books a chain event, and what follows from it about fees.
    pub fn book(&mut self, event: ChainEvent) {
        let position = self.chain.len();
        let txid = event.transaction().to_owned();
        if event.tag == "channel_close" && !event.extra_tags.contains(&"splice") {
            self.fees.closes.insert(event.account.clone(), position);
        }
        self.chain.push(event);
        self.fees.events.entry(txid.clone()).or_default().push(position);
        self.reckon(&txid);
    }

    /// The accounts of a transaction, `external` left out, in bookkeeper's order, each with the time
    /// of its first event.
    fn accounts_of(&self, positions: &[usize]) -> BTreeMap<String, Micros> {
        let mut accounts = BTreeMap::new();
        for event in positions.iter().map(|&position| &self.chain[position]) {
            if event.account != "external" {
                accounts.entry(event.account.clone()).or_insert(event.at);
            }
        }
        accounts
    }

    fn reckon(&mut self, txid: &str) {
        let positions = self.fees.events.get(txid).cloned().unwrap_or_default();
        let closes = |account: &str| {
            self.fees.closes.get(account).is_some_and(|&close| self.chain[close].transaction() == txid)
        };
        let events = || positions.iter().map(|&position| &self.chain[position]);
        let spent: u64 = events().filter(|event| event.txid.is_some()).map(|event| event.debit_msat).sum();
        let made: u64 = events().filter(|event| event.txid.is_none()).map(|event| event.credit_msat).sum();
        let unclear = spent == 0 || made == 0 || spent < made;
        if unclear || events().any(|event| closes(&event.account)) {
            return;
        }
        let accounts = self.accounts_of(&positions);
        let channels = accounts.keys().filter(|account| *account != "wallet").count() as u64;
        let payers = channels.max(1);
        let mut odd = (spent - made) % payers;
        for (account, at) in accounts {
            let spared = account == "wallet" && channels > 0;
            let share = (spent - made) / payers + u64::from(odd > 0);
            if !spared {
                odd = odd.saturating_sub(1);
            }
            self.charge(&account, txid, if spared { 0 } else { share }, at);
        }
    }

    /// Books what the close of a channel that is resolved now cost.
    pub fn resolved(&mut self, account: &str) {
        let Some(&close) = self.fees.closes.get(account) else { return };
        let (txid, at) = (self.chain[close].transaction().to_owned(), self.chain[close].at);
        let made = self.fees.events[&txid].iter().map(|&position| &self.chain[position]);
        let ours = made.filter(|event| event.account != "external" && event.tag != "anchor");
        let came_out: u64 = ours.map(|event| event.credit_msat).sum();
        if let Some(fee_msat) = self.chain[close].debit_msat.checked_sub(came_out) {
            self.charge(account, &txid, fee_msat, at);
        }
    }

    /// Brings what an account is charged for a transaction to `msat`.
    fn charge(&mut self, account: &str, txid: &str, msat: u64, at: Micros) {
        let charged = self.fees.charged.entry((account.to_owned(), txid.to_owned())).or_default();
        let before = std::mem::replace(charged, msat);
        if before == msat {
            return;
        }
        self.chain.push(ChainEvent {
            account: account.into(),
            tag: "onchain_fee",
            credit_msat: msat.saturating_sub(before),
            debit_msat: before.saturating_sub(msat),
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

    /// What accounts are charged for transactions: account, txid and msat, and when it was booked last.
    pub fn charges(&self) -> Vec<(String, String, u64, Micros)> {
        let mut last: BTreeMap<(&str, &str), Micros> = BTreeMap::new();
        for event in self.chain.iter().filter(|event| event.utxo.is_none()) {
            let at = last.entry((&event.account, event.transaction())).or_default();
            *at = event.at.max(*at);
        }
        let charged = last.into_iter().map(|((account, txid), at)| {
            let msat = self.fees.charged.get(&(account.to_owned(), txid.to_owned())).copied();
            (account.to_owned(), txid.to_owned(), msat.unwrap_or(0), at)
        });
        charged.filter(|(_, _, msat, _)| *msat > 0).collect()
    }
}
