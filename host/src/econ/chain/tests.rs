use super::*;
use crate::model::life::Outpoint;
use proptest::prelude::*;

const US: ChannelId = ChannelId([7; 32]);
const OPEN: Txid = Txid([1; 32]);
const SPLICE: Txid = Txid([2; 32]);
const CLOSE: Txid = Txid([3; 32]);
const SWEEP: Txid = Txid([4; 32]);

fn event(account: Account, kind: BookKind, tag: &str, credit: u64, debit: u64) -> BookEvent {
    let (credit, debit) = (Msat(credit), Msat(debit));
    BookEvent {
        account,
        origin: None,
        kind,
        tag: tag.to_owned(),
        credit,
        debit,
        at: UnixTime(1_000),
        outpoint: None,
        txid: None,
        height: None,
    }
}

fn made(account: Account, tag: &str, txid: Txid, output: u32, credit: u64) -> BookEvent {
    let outpoint = Some(Outpoint { txid, output });
    let height = Some(100 + u32::from(txid.0[0]));
    BookEvent { outpoint, height, ..event(account, BookKind::Chain, tag, credit, 0) }
}

fn spent(tag: &str, made_by: Txid, output: u32, by: Txid, debit: u64) -> BookEvent {
    BookEvent {
        outpoint: Some(Outpoint { txid: made_by, output }),
        txid: Some(by),
        height: Some(100 + u32::from(by.0[0])),
        ..event(Account::Channel(US), BookKind::Chain, tag, 0, debit)
    }
}

fn fee(account: Account, txid: Txid, credit: u64, debit: u64) -> BookEvent {
    BookEvent { txid: Some(txid), ..event(account, BookKind::OnchainFee, "onchain_fee", credit, debit) }
}

/// A channel that we opened, spliced into and closed by force, as lightningd v26.06 recorded one.
fn life() -> Vec<BookEvent> {
    let us = Account::Channel(US);
    vec![
        made(us, "channel_open", OPEN, 0, 2_000_000_000),
        fee(us, OPEN, 166_000, 0),
        fee(Account::Wallet, OPEN, 2_000_166_000, 0),
        fee(Account::Wallet, OPEN, 0, 2_000_166_000),
        spent("channel_close", OPEN, 0, SPLICE, 782_402_305),
        made(us, "channel_open", SPLICE, 1, 1_282_402_305),
        fee(us, SPLICE, 1_282_660_305, 0),
        fee(us, SPLICE, 0, 1_282_402_305),
        spent("channel_close", SPLICE, 1, CLOSE, 1_216_744_978),
        fee(us, CLOSE, 978, 0),
        made(us, "delayed_to_us", CLOSE, 3, 1_216_744_000),
        spent("to_wallet", CLOSE, 3, SWEEP, 1_216_744_000),
        fee(us, SWEEP, 134_000, 0),
    ]
}

fn amounts(books: &AccountBooks) -> Vec<(CostKind, i64)> {
    let mut amounts: Vec<_> = books.costs.iter().map(|cost| (cost.kind, cost.amount.0)).collect();
    amounts.sort_unstable();
    amounts
}

#[test]
fn a_life_is_booked_by_what_each_transaction_did() {
    let books = read_account(US, &life());
    let expected = [
        (CostKind::Open, 166_000),
        (CostKind::Splice, 258_000),
        (CostKind::Close, 978),
        (CostKind::Sweep, 134_000),
    ];
    assert_eq!(amounts(&books), expected);
    assert_eq!((books.local_funds, books.trace), (Some(Msat(2_000_000_000)), Some(CloseTrace::Delayed)));
    assert_eq!(books.closing.map(|(txid, _)| txid), Some(CLOSE));
    let deltas: Vec<_> =
        books.fundings.iter().map(|funding| (funding.outpoint.txid, funding.local_delta.0)).collect();
    assert_eq!(deltas, [(OPEN, 2_000_000_000), (SPLICE, 500_000_000)]);
}

#[test]
fn what_is_not_settled_yet_is_booked_as_far_as_it_is() {
    let mut events = life();
    events.truncate(7);
    // The correction of the splice's fee has not come: the next reading replaces what is booked now.
    assert_eq!(
        amounts(&read_account(US, &events)),
        [(CostKind::Open, 166_000), (CostKind::Splice, 1_282_660_305)]
    );
    events.truncate(1);
    let books = read_account(US, &events);
    assert!(books.costs.is_empty() && books.closing.is_none() && books.trace.is_none());
}

#[test]
fn a_splice_out_pays_its_fee_from_the_channel() {
    let us = Account::Channel(US);
    let books = read_account(
        US,
        &[
            made(us, "channel_open", OPEN, 0, 1_000_000),
            spent("channel_close", OPEN, 0, SPLICE, 900_000),
            made(us, "channel_open", SPLICE, 0, 700_000),
            fee(us, SPLICE, 10_000, 0),
        ],
    );
    assert_eq!(books.fundings[1].local_delta, SignedMsat(-190_000));
    assert_eq!(amounts(&books), [(CostKind::Splice, 10_000)]);
}

#[test]
fn leases_and_pushes_are_signed_and_apart() {
    let us = Account::Channel(US);
    for (tag, credit, debit, lease, pushed) in [
        ("lease_fee", 0, 5_000, vec![(CostKind::Lease, 5_000)], 0),
        ("lease_fee", 7_000, 0, vec![(CostKind::Lease, -7_000)], 0),
        ("pushed", 0, 1_000_000, vec![], 1_000_000),
        ("pushed", 1_000_000, 0, vec![], -1_000_000),
    ] {
        let books = read_account(US, &[event(us, BookKind::Channel, tag, credit, debit)]);
        assert_eq!((amounts(&books), books.pushed.0), (lease, pushed), "{tag} {credit} {debit}");
    }
}

#[test]
fn a_breach_is_one_penalty() {
    let us = Account::Channel(US);
    let closing = spent("channel_close", OPEN, 0, CLOSE, 400_000);
    let lost = BookEvent { origin: Some(US), ..made(Account::External, "penalty", CLOSE, 1, 350_000) };
    let of_others = BookEvent { origin: Some(ChannelId([8; 32])), ..lost.clone() };
    let home = made(Account::Wallet, "deposit", CLOSE, 0, 300_000);
    for (events, expected, trace) in [
        // The peer cheated: 300,000 came home, 700,000 by a penalty; 400,000 were ours.
        (
            vec![home.clone(), made(us, "penalty", CLOSE, 1, 700_000), fee(us, SWEEP, 9_000, 0)],
            vec![(CostKind::Sweep, 9_000), (CostKind::Penalty, -600_000)],
            CloseTrace::Breach,
        ),
        // We did, and lost all but the fee of the commitment.
        (
            vec![lost, of_others, fee(us, CLOSE, 400_000, 0)],
            vec![(CostKind::Close, 50_000), (CostKind::Penalty, 350_000)],
            CloseTrace::Breach,
        ),
        (vec![home, fee(us, CLOSE, 100_000, 0)], vec![(CostKind::Close, 100_000)], CloseTrace::Home),
    ] {
        let mut all = vec![made(us, "channel_open", OPEN, 0, 1_000_000), closing.clone()];
        all.extend(events);
        let books = read_account(US, &all);
        assert_eq!((amounts(&books), books.trace), (expected, Some(trace)));
    }
}

proptest! {
    #[test]
    fn the_order_of_events_does_not_matter(events in Just(life()).prop_shuffle()) {
        prop_assert_eq!(read_account(US, &events), read_account(US, &life()));
    }
}
