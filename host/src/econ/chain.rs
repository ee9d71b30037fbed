//! What a channel cost on the chain, from bookkeeper's events.
//!
//! bookkeeper spreads a transaction's fee over the accounts that took part, and corrects itself with
//! debits as it learns more: what counts is credit less debit per account and transaction. A fee is
//! for opening, splicing, closing or sweeping by what its transaction did to the channel:
//!
//! | transaction | kind |
//! |---|---|
//! | made the first `channel_open` | open |
//! | spent one funding output of the channel and made the next | splice |
//! | spent the last funding output | close |
//! | any other, once the channel is closed | sweep |
//!
//! A breach is booked as one penalty: what the closing transaction's outputs brought us beyond our
//! last balance is a gain (negative); of what it brought less, the part that the peer took by
//! penalties is a loss and only the rest is a closing cost.

use super::closure::CloseTrace;
use crate::model::ledger::{Cost, CostKind, CostSource};
use crate::model::life::{Account, BookEvent, BookKind, FundingRecord};
use crate::model::{ChannelId, Msat, SignedMsat, Txid, UnixTime};
use std::collections::{BTreeMap, BTreeSet};

/// External outputs that a penalty, ours lost, made.
const LOST_TAGS: [&str; 3] = ["penalty", "penalized", "stolen"];

/// The books of one channel, as its events tell them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountBooks {
    /// Never of amount zero.
    pub costs: Vec<Cost>,
    /// Oldest first: the opening, then splices.
    pub fundings: Vec<FundingRecord>,
    /// Our part of the first funding output.
    pub local_funds: Option<Msat>,
    /// What was pushed to the peer at opening: negative when it came to us.
    pub pushed: SignedMsat,
    pub closing: Option<(Txid, UnixTime)>,
    pub trace: Option<CloseTrace>,
    /// When the last of the events happened.
    pub latest: UnixTime,
}

/// Reads a channel's books from the events of all accounts, or of its own and, for a channel that is
/// closed, those of the wallet and of `external` as well. Their order does not matter.
pub fn read_account(channel_id: ChannelId, events: &[BookEvent]) -> AccountBooks {
    let own: Vec<&BookEvent> =
        events.iter().filter(|event| event.account == Account::Channel(channel_id)).collect();
    let chain = Chain::of(channel_id, events, &own);
    let mut books = AccountBooks {
        fundings: chain.fundings(&own),
        local_funds: chain.opens.first().map(|open| open.credit),
        pushed: -net_of(&own, "pushed"),
        closing: chain.closing.map(|close| (chain.closing_txid, close.at)),
        trace: chain.trace(),
        latest: own.iter().map(|event| event.at).max().unwrap_or_default(),
        costs: Vec::new(),
    };
    let mut penalty = chain.won();
    for (txid, (fee, at)) in fees(&own) {
        let kind = chain.kind_of(&txid);
        let lost = if kind == CostKind::Close { fee.min(chain.lost()) } else { SignedMsat::ZERO };
        penalty += lost;
        books.book(channel_id, kind, Some(txid), fee - lost, at);
    }
    let closed_at = books.closing.map_or(books.latest, |(_, at)| at);
    books.book(channel_id, CostKind::Penalty, chain.closing.map(|_| chain.closing_txid), penalty, closed_at);
    let lease_at = own.iter().filter(|event| event.tag == "lease_fee").map(|event| event.at).min();
    books.book(channel_id, CostKind::Lease, None, -net_of(&own, "lease_fee"), lease_at.unwrap_or_default());
    books
}

impl AccountBooks {
    fn book(
        &mut self,
        channel_id: ChannelId,
        kind: CostKind,
        txid: Option<Txid>,
        amount: SignedMsat,
        at: UnixTime,
    ) {
        if amount != SignedMsat::ZERO {
            self.costs.push(Cost { channel_id, kind, txid, amount, at, source: CostSource::Bookkeeper });
        }
    }
}

/// What happened to the funding outputs of one channel.
struct Chain<'a> {
    channel_id: ChannelId,
    all: &'a [BookEvent],
    /// Events that made a funding output, oldest first.
    opens: Vec<&'a BookEvent>,
    splices: BTreeSet<Txid>,
    /// The spend of the last funding output.
    closing: Option<&'a BookEvent>,
    closing_txid: Txid,
}

impl<'a> Chain<'a> {
    fn of(channel_id: ChannelId, all: &'a [BookEvent], own: &[&'a BookEvent]) -> Chain<'a> {
        let opens = opens(own);
        let made: BTreeSet<Txid> =
            opens.iter().filter_map(|open| open.outpoint).map(|out| out.txid).collect();
        let spends =
            || own.iter().filter(|event| event.kind == BookKind::Chain && event.tag == "channel_close");
        let splices: BTreeSet<Txid> =
            spends().filter_map(|spend| spend.txid).filter(|txid| made.contains(txid)).collect();
        let closing = spends()
            .filter(|spend| spend.txid.is_some_and(|txid| !splices.contains(&txid)))
            .min_by_key(|spend| (spend.height, spend.at, spend.txid));
        Chain {
            channel_id,
            all,
            opens,
            splices,
            closing: closing.copied(),
            closing_txid: closing.and_then(|spend| spend.txid).unwrap_or(Txid([0; 32])),
        }
    }

    fn kind_of(&self, txid: &Txid) -> CostKind {
        let first = self.opens.iter().find_map(|open| open.outpoint).map(|outpoint| outpoint.txid);
        match (first, self.closing) {
            _ if self.splices.contains(txid) => CostKind::Splice,
            (Some(first), _) if first == *txid => CostKind::Open,
            (_, Some(_)) if self.closing_txid == *txid => CostKind::Close,
            (_, Some(_)) => CostKind::Sweep,
            (None, None) => CostKind::Open,
            // The output that it made is not recorded yet.
            (Some(_), None) => CostKind::Splice,
        }
    }

    fn fundings(&self, own: &[&BookEvent]) -> Vec<FundingRecord> {
        let record = |open: &&BookEvent| {
            let outpoint = open.outpoint?;
            let spent =
                own.iter().find(|event| event.tag == "channel_close" && event.txid == Some(outpoint.txid));
            let change = spent.map(|spent| SignedMsat::from(open.credit) - SignedMsat::from(spent.debit));
            let fee = own
                .iter()
                .filter(|event| event.kind == BookKind::OnchainFee && event.txid == Some(outpoint.txid));
            let local_delta = match change {
                None => SignedMsat::from(open.credit),
                // What went out paid the fee from our side of the channel; what came in, from the wallet.
                Some(change) if change < SignedMsat::ZERO => change + fee.map(|event| event.net()).sum(),
                Some(change) => change,
            };
            Some(FundingRecord { outpoint, at: open.at, height: open.height, local_delta })
        };
        self.opens.iter().filter_map(record).collect()
    }

    /// Outputs of the closing transaction.
    fn closing_outputs(&self) -> impl Iterator<Item = &'a BookEvent> {
        let made_by_close = self.closing.map(|_| self.closing_txid);
        self.all.iter().filter(move |event| {
            event.kind == BookKind::Chain
                && made_by_close.is_some()
                && event.outpoint.map(|outpoint| outpoint.txid) == made_by_close
        })
    }

    fn is_own(&self, event: &BookEvent) -> bool {
        event.account == Account::Channel(self.channel_id)
    }

    fn trace(&self) -> Option<CloseTrace> {
        self.closing?;
        if self.closing_outputs().any(|event| self.is_own(event) && event.tag == "penalty")
            || self.lost() != SignedMsat::ZERO
        {
            return Some(CloseTrace::Breach);
        }
        if self.closing_outputs().any(|event| self.is_own(event) && event.tag == "delayed_to_us") {
            return Some(CloseTrace::Delayed);
        }
        self.came_home().next().map(|_| CloseTrace::Home)
    }

    /// Outputs of the closing transaction that the wallet owned at once. An anchor is no such
    /// output: the opener paid for it.
    fn came_home(&self) -> impl Iterator<Item = &'a BookEvent> {
        self.closing_outputs().filter(|event| event.account == Account::Wallet && event.tag == "deposit")
    }

    /// What a breach by the peer brought us beyond our last balance, as a cost: zero or negative.
    fn won(&self) -> SignedMsat {
        let Some(closing) = self.closing else { return SignedMsat::ZERO };
        if !self.closing_outputs().any(|event| self.is_own(event) && event.tag == "penalty") {
            return SignedMsat::ZERO;
        }
        let swept = self.closing_outputs().filter(|event| self.is_own(event) && event.tag != "anchor");
        let brought: SignedMsat =
            swept.chain(self.came_home()).map(|event| SignedMsat::from(event.credit)).sum();
        (SignedMsat::from(closing.debit) - brought).min(SignedMsat::ZERO)
    }

    /// What the peer took from us by penalties.
    fn lost(&self) -> SignedMsat {
        self.closing_outputs()
            .filter(|event| event.account == Account::External && event.origin == Some(self.channel_id))
            .filter(|event| LOST_TAGS.contains(&event.tag.as_str()))
            .map(|event| SignedMsat::from(event.credit))
            .sum()
    }
}

/// The events that made funding outputs, oldest first. One that is only proposed counts until it is in
/// the chain.
fn opens<'a>(own: &[&'a BookEvent]) -> Vec<&'a BookEvent> {
    let with_tag = |tag: &'static str| {
        own.iter().copied().filter(move |event| event.kind == BookKind::Chain && event.tag == tag)
    };
    let mut opens: Vec<&BookEvent> = with_tag("channel_open").collect();
    let proposed: Vec<&BookEvent> = with_tag("channel_proposed")
        .filter(|event| opens.iter().all(|open| open.outpoint != event.outpoint))
        .collect();
    opens.extend(proposed);
    opens.sort_by_key(|open| (open.height.unwrap_or(u32::MAX), open.at, open.outpoint));
    opens
}

/// The share of each transaction's fee that is on the account, and when it was first put there.
fn fees(own: &[&BookEvent]) -> BTreeMap<Txid, (SignedMsat, UnixTime)> {
    let mut fees: BTreeMap<Txid, (SignedMsat, UnixTime)> = BTreeMap::new();
    for event in own.iter().filter(|event| event.kind == BookKind::OnchainFee) {
        let Some(txid) = event.txid else { continue };
        let (fee, at) = fees.entry(txid).or_insert((SignedMsat::ZERO, event.at));
        *fee += event.net();
        *at = (*at).min(event.at);
    }
    fees
}

fn net_of(own: &[&BookEvent], tag: &str) -> SignedMsat {
    own.iter()
        .filter(|event| event.kind == BookKind::Channel && event.tag == tag)
        .map(|event| event.net())
        .sum()
}

#[cfg(test)]
mod tests;
