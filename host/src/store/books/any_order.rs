//! Whole histories, told in any order, again and again, with the file closed and opened in between:
//! the books are always the same, and their net is the sum of what happened.

use super::{Books, all};
use crate::econ::chain::AccountBooks;
use crate::econ::pnl::Pnl;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::ledger::{Cost, CostKind, CostSource, PaymentSide, Rebalance, Way};
use crate::model::life::{ClosedChannel, FundingRecord, LiveChannel, Outpoint, Terms};
use crate::model::{Channel, ChannelId, Msat, Scid, SignedMsat, SteadyTime, Txid, UnixTime};
use crate::store::testing::{channel, channel_id, peer, scid};
use crate::store::{Store, Transaction, accounts, forwards, lives, rebalances};
use proptest::prelude::*;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

const CHANNELS: u8 = 4;
const START: UnixTime = UnixTime(1_700_000_000);
/// When it is told; all has stood still for long.
const NOW: UnixTime = UnixTime(START.0 + 30 * UnixTime::DAY);

/// What became of one channel, amounts in msat.
#[derive(Clone, Debug)]
struct Fate {
    open: i64,
    /// Each gives the channel another name.
    splices: Vec<i64>,
    /// Of the closing transaction, and of bringing the money home.
    close: Option<(i64, i64)>,
    lease: i64,
}

/// A node's life.
#[derive(Clone, Debug)]
struct History {
    fates: Vec<Fate>,
    forwards: Vec<Forward>,
    /// Completed payments to ourselves: out of a channel, into another, fee, parts.
    payments: Vec<(u8, u8, u64, u64)>,
}

/// One thing that a list or a notification says.
#[derive(Clone, Debug)]
enum Told {
    /// The node lists a channel under one of its names.
    Live(u8, usize),
    /// The node remembers a channel as closed.
    Closed(u8),
    Forwards(Vec<Forward>),
    Payments(Vec<Rebalance>),
    Side(PaymentSide),
    /// bookkeeper is asked about what is due.
    Accounts,
    /// The plugin ends, and starts again.
    Restart,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fee = 1i64..400_000;
    let fate = (
        fee.clone(),
        prop::collection::vec(fee.clone(), 0..3),
        prop::option::of((fee.clone(), fee)),
        -5_000i64..5_000,
    )
        .prop_map(|(open, splices, close, lease)| Fate { open, splices, close, lease });
    prop::collection::vec(fate, usize::from(CHANNELS))
}

/// The names that a channel had, one after another.
fn name(n: u8, splices: usize) -> Scid {
    scid(u32::from(n) + 100 * splices as u32)
}

/// Forwards, some alike and in one second as the parts of a payment are, some for less than a sat.
fn some_forwards(fates: &[Fate]) -> impl Strategy<Value = Vec<Forward>> + use<> {
    let names: Vec<Scid> = (1..=CHANNELS)
        .flat_map(|n| (0..=fates[usize::from(n) - 1].splices.len()).map(move |splices| name(n, splices)))
        .collect();
    let name = prop::sample::select(names);
    let fee = prop_oneof![0u64..1_000, 0u64..50_000];
    let one = (name.clone(), name, fee, 0u64..20 * UnixTime::DAY, 1usize..4, 0usize..4);
    prop::collection::vec(one, 0..25).prop_map(|rows| {
        let mut forwards = Vec::new();
        for (into, out, fee, at, parts, end) in rows {
            for _ in 0..parts {
                forwards.push(forward(forwards.len() as u64, (into, out), fee, START.plus(at), end));
            }
        }
        forwards
    })
}

fn forward(id: u64, (into, out): (Scid, Scid), fee: u64, at: UnixTime, end: usize) -> Forward {
    const ENDS: [ForwardStatus; 4] =
        [ForwardStatus::Settled, ForwardStatus::Settled, ForwardStatus::Failed, ForwardStatus::LocalFailed];
    Forward {
        in_channel: into,
        in_htlc_id: id,
        out_channel: Some(out),
        in_msat: Msat(1_000_000 + fee),
        out_msat: Msat(1_000_000),
        fee_msat: Msat(fee),
        status: ENDS[end],
        received_ms: at.0 * 1000,
        resolved_ms: Some(at.0 * 1000 + 900),
        failcode: None,
        created_index: Some(id + 1),
        updated_index: Some(id + 1),
    }
}

fn histories() -> impl Strategy<Value = History> {
    let payment = (1..=CHANNELS, 1..CHANNELS, 0u64..60_000, 1u64..4);
    let payments = prop::collection::vec(payment, 0..8);
    fates().prop_flat_map(move |fates| {
        (some_forwards(&fates), payments.clone()).prop_map(move |(forwards, payments)| History {
            fates: fates.clone(),
            forwards,
            payments: payments
                .into_iter()
                .map(|(out, step, fee, parts)| (out, 1 + (out - 1 + step) % CHANNELS, fee, parts))
                .collect(),
        })
    })
}

fn txid(n: u8, step: u8) -> Txid {
    let mut bytes = [n; 32];
    bytes[0] = step;
    Txid(bytes)
}

impl History {
    fn fate(&self, n: u8) -> &Fate {
        &self.fates[usize::from(n) - 1]
    }

    /// Earned less everything paid, straight from what happened.
    fn net(&self) -> i64 {
        let settled = self.forwards.iter().filter(|forward| forward.status == ForwardStatus::Settled);
        let earned: i64 = settled.map(|forward| forward.fee_msat.0 as i64).sum();
        let chain = |fate: &Fate| {
            let (close, sweep) = fate.close.unwrap_or_default();
            fate.open + fate.splices.iter().sum::<i64>() + close + sweep + fate.lease
        };
        let rebalances: i64 = self.payments.iter().map(|(_, _, fee, parts)| (fee * parts) as i64).sum();
        earned - self.fates.iter().map(chain).sum::<i64>() - rebalances
    }

    fn funding(&self, n: u8, splices: usize) -> Outpoint {
        Outpoint { txid: txid(n, splices as u8), output: 0 }
    }

    /// What bookkeeper records of a channel.
    fn account(&self, n: u8) -> AccountBooks {
        let fate = self.fate(n);
        let at = |step: usize| START.plus(step as u64 * UnixTime::DAY);
        let cost = |kind, step: u8, amount: i64| Cost {
            channel_id: channel_id(n),
            kind,
            txid: (kind != CostKind::Lease).then(|| txid(n, step)),
            amount: SignedMsat(amount),
            at: at(usize::from(step)),
            source: CostSource::Bookkeeper,
        };
        let mut costs = vec![cost(CostKind::Open, 0, fate.open)];
        let splices = fate.splices.iter().zip(1..);
        costs.extend(splices.map(|(fee, step)| cost(CostKind::Splice, step, *fee)));
        if let Some((close, sweep)) = fate.close {
            costs.extend([cost(CostKind::Close, 8, close), cost(CostKind::Sweep, 9, sweep)]);
        }
        costs.extend((fate.lease != 0).then(|| cost(CostKind::Lease, 0, fate.lease)));
        let funding = |splices| FundingRecord {
            outpoint: self.funding(n, splices),
            at: at(splices),
            height: None,
            local_delta: SignedMsat(1_000_000),
        };
        AccountBooks {
            costs,
            fundings: (0..=fate.splices.len()).map(funding).collect(),
            closing: fate.close.map(|_| (txid(n, 8), at(8))),
            latest: at(9),
            ..AccountBooks::default()
        }
    }

    fn live(&self, n: u8, splices: usize) -> LiveChannel {
        LiveChannel {
            channel: Channel { scid: Some(name(n, splices)), ..channel(n) },
            funding: Some(self.funding(n, splices)),
            local_funds: None,
            remote_funds: None,
            terms: Terms::default(),
            path: Vec::new(),
            closer: None,
        }
    }

    fn closed(&self, n: u8) -> ClosedChannel {
        let splices = self.fate(n).splices.len();
        ClosedChannel {
            channel_id: channel_id(n),
            peer_id: Some(peer(n)),
            scid: Some(name(n, splices)),
            alias_local: None,
            opener: channel(n).opener,
            closer: None,
            total: channel(n).total,
            final_to_us: None,
            terms: Terms::default(),
            funding: Some(self.funding(n, splices)),
            last_commitment_txid: None,
            last_commitment_fee: None,
            close_cause: None,
        }
    }

    fn payment(&self, number: usize) -> (Vec<Rebalance>, Vec<PaymentSide>) {
        let (out, into, fee, parts) = self.payments[number];
        let payment_hash = [number as u8 + 1; 32];
        let amount = Msat(5_000_000);
        let part = |partid| Rebalance {
            payment_hash,
            groupid: 1,
            partid,
            amount,
            fee: Msat(fee),
            completed_at: START.plus(number as u64 * UnixTime::HOUR),
            created_index: None,
            out_channel: None,
            in_channel: None,
            job_id: None,
        };
        let side = |way, n, partid, amount| PaymentSide {
            payment_hash,
            channel_id: channel_id(n),
            way,
            groupid: 1,
            partid,
            amount,
        };
        let sides = (0..parts).flat_map(|partid| {
            [side(Way::Out, out, partid, amount + Msat(fee)), side(Way::In, into, partid, amount)]
        });
        ((0..parts).map(part).collect(), sides.collect())
    }

    /// Everything there is to tell, once, forwards in pages of this size.
    fn tellings(&self, page: usize) -> Vec<Told> {
        let mut told = vec![Told::Accounts, Told::Restart];
        for n in 1..=CHANNELS {
            told.extend((0..=self.fate(n).splices.len()).map(|splices| Told::Live(n, splices)));
            told.extend(self.fate(n).close.map(|_| Told::Closed(n)));
        }
        told.extend(self.forwards.chunks(page).map(|page| Told::Forwards(page.to_vec())));
        // A notification tells of one forward before it ends.
        let offered = |forward: &Forward| Forward {
            status: ForwardStatus::Offered,
            resolved_ms: None,
            ..forward.clone()
        };
        told.extend(self.forwards.iter().step_by(3).map(|one| Told::Forwards(vec![offered(one)])));
        for number in 0..self.payments.len() {
            let (parts, sides) = self.payment(number);
            told.push(Told::Payments(parts));
            told.extend(sides.into_iter().map(Told::Side));
        }
        told
    }

    fn tell(&self, tx: &Transaction<'_>, told: &Told) -> anyhow::Result<()> {
        match told {
            Told::Live(n, splices) => lives::observe_live(tx, &[self.live(*n, *splices)], NOW)?,
            Told::Closed(n) => lives::observe_closed(tx, &[self.closed(*n)], NOW)?,
            Told::Forwards(page) => drop(forwards::ingest(tx, page)?),
            Told::Payments(parts) => {
                rebalances::put(tx, parts, SteadyTime(NOW.0))?;
                rebalances::match_sides(tx, NOW)?;
            }
            Told::Side(side) => rebalances::put_sides(tx, std::slice::from_ref(side), NOW)?,
            Told::Accounts => self.read_accounts(tx)?,
            Told::Restart => {}
        }
        Ok(())
    }

    fn read_accounts(&self, tx: &Transaction<'_>) -> anyhow::Result<()> {
        let ended = |n: &u8| self.fate(*n).close.is_some();
        let resolved: HashSet<ChannelId> = (1..=CHANNELS).filter(ended).map(channel_id).collect();
        for due in accounts::unsettled(tx, &resolved, NOW)? {
            let n = due.channel_id.0[0];
            accounts::apply(tx, &due, &self.account(n), resolved.contains(&due.channel_id), NOW)?;
        }
        Ok(())
    }
}

/// A database that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("revops-orders-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        // An earlier process with this one's number may have left one behind.
        let _ = std::fs::remove_dir_all(&dir);
        Scratch(dir)
    }

    fn open(&self) -> Store {
        Store::open(&self.0.join("books.db"), &peer(200), "regtest").expect("our database")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is the system's to clear away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The books after all of this was told, each telling in a transaction of its own.
async fn books_of(history: &History, tellings: &[Told]) -> Books {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    // The round that follows finds what no notification hastened.
    for told in tellings.iter().chain([&Told::Accounts]) {
        if matches!(told, Told::Restart) {
            store.close().expect("closed");
            store = scratch.open();
        }
        let (history, told) = (history.clone(), told.clone());
        store.write(move |tx| history.tell(tx, &told)).await.expect("told");
    }
    let matched = store.write(|tx| Ok(rebalances::match_sides(tx, NOW)?)).await;
    matched.expect("matched");
    let books = store.read(|conn| Ok(all(conn)?)).await.expect("the books");
    store.close().expect("closed");
    books
}

fn by_channel(books: &Books) -> Vec<(ChannelId, Pnl)> {
    books.accounts.iter().map(|account| (account.channel.channel_id, account.pnl)).collect()
}

/// A history, and two ways to tell it.
fn told_twice() -> impl Strategy<Value = (History, Vec<Told>, Vec<Told>)> {
    histories().prop_flat_map(|history| {
        let order = |page, twice: bool| {
            let mut told = history.tellings(page);
            if twice {
                told.extend(history.tellings(page + 2));
            }
            Just(told).prop_shuffle()
        };
        (Just(history.clone()), order(1, true), order(7, false))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_books_are_the_sum_of_what_happened_in_whatever_order_it_is_told(
        (history, one_way, another_way) in told_twice(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let first = runtime.block_on(books_of(&history, &one_way));
        prop_assert_eq!(first.total().net(), SignedMsat(history.net()));
        prop_assert_eq!(first.elsewhere, Pnl::default(), "every name and every channel is known");
        let second = runtime.block_on(books_of(&history, &another_way));
        prop_assert_eq!(by_channel(&first), by_channel(&second));
    }
}
