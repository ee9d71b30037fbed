use super::*;
use crate::guard::rebalance::{Case, check};
use crate::model::job::{JobOrigin, JobOutcome, RebalanceProposal, StopReason};
use crate::model::ledger::Rebalance;
use crate::model::list::{List, ListIndex};
use crate::model::{Channel, NodeSnapshot, PeerId, Ppm, Tick};
use crate::store::testing::{channel, channel_id, memory};
use crate::store::{lists, rebalances};
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const CHANNELS: u8 = 8;
/// With more HTLCs than this sling leaves a channel alone, unless somebody changes that.
const HTLCS: u64 = 3;

fn config() -> Config {
    Config {
        enable_proportional_budget: false,
        daily_budget_sats: 1_000,
        rebalance_channel_share: 1.0,
        rebalance_peer_share: 1.0,
        min_wallet_reserve: 0,
        sling_chunk_size_sats: 100_000,
        ..Config::default()
    }
}

/// What somebody wants in payments of 100,000 sat.
struct Wish<'a> {
    to: u8,
    from: &'a [u8],
    payments: u64,
    ppm: u32,
}

/// What an operator asks for, as far as the guard lets it.
fn approved(to: u8, from: u8, payments: u64, ppm: u32, now: UnixTime) -> Approved<StartRebalance> {
    let channels = (1..=CHANNELS).map(channel).collect();
    let wish = Wish { to, from: &[from], payments, ppm };
    judged(channels, &wish, HTLCS, now).expect("within the guard's limits")
}

fn judged(
    channels: Vec<Channel>,
    wish: &Wish<'_>,
    htlcs: u64,
    now: UnixTime,
) -> Option<Approved<StartRebalance>> {
    let snapshot = NodeSnapshot {
        tick: Tick { now, seed: 1 },
        node_id: PeerId([3; 33]),
        network: "regtest".to_owned(),
        blockheight: 800_000,
        not_synced: None,
        feerate_perkb: None,
        channels,
    };
    let config = config();
    let (policies, past, busy, wallet) = (HashMap::new(), HashMap::new(), HashMap::new(), Ok(Msat::ZERO));
    let case = Case {
        config: &config,
        snapshot: &snapshot,
        policies: &policies,
        past: &past,
        busy: &busy,
        most_htlcs: Ok(htlcs),
        payments_unread: None,
        wallet: &wallet,
    };
    let proposal = RebalanceProposal {
        to: channel_id(wish.to),
        from: wish.from.iter().map(|from| channel_id(*from)).collect(),
        amount: Msat::from_sats(100_000 * wish.payments),
        max_fee: Ppm(wish.ppm),
        origin: JobOrigin::Operator { force: true },
        value: None,
        cost: None,
        success: None,
        reason: String::new(),
        factors: Vec::new(),
    };
    check(proposal, case).result.ok()
}

fn try_reserve(
    conn: &mut Connection,
    to: u8,
    from: u8,
    payments: u64,
    ppm: u32,
    now: UnixTime,
) -> Option<JobId> {
    reserve_for(conn, approved(to, from, payments, ppm, now), moment(now))
}

fn reserve_for(conn: &mut Connection, approved: Approved<StartRebalance>, at: Moment) -> Option<JobId> {
    let tx = conn.transaction().expect("a transaction");
    let reserved = reserve(&tx, approved, &config(), at).expect("books");
    tx.commit().expect("committed");
    reserved.ok().map(|reserved| reserved.job())
}

/// An instant at which the clock is right.
fn moment(now: UnixTime) -> Moment {
    Moment { now, steady: SteadyTime(now.0) }
}

/// One payment, as the node's records have it.
struct Payment {
    hash: u8,
    amount: u64,
    fee: u64,
    at: UnixTime,
    index: Option<u64>,
    ends: Option<(u8, u8)>,
}

/// 100,000 sat, from a lightningd that does not number its payments.
const PAID: Payment = Payment { hash: 1, amount: 100_000_000, fee: 60_015, at: NOW, index: None, ends: None };

fn book(conn: &Connection, payment: &Payment) {
    book_at(conn, payment, SteadyTime(payment.at.0));
}

fn book_at(conn: &Connection, payment: &Payment, at: SteadyTime) {
    let row = Rebalance {
        payment_hash: [payment.hash; 32],
        groupid: 0,
        partid: 0,
        amount: Msat(payment.amount),
        fee: Msat(payment.fee),
        completed_at: payment.at,
        created_index: payment.index,
        out_channel: None,
        in_channel: None,
        job_id: None,
    };
    let tx = conn.unchecked_transaction().expect("a transaction");
    rebalances::put(&tx, &[row], at).expect("booked");
    tx.commit().expect("committed");
    if let Some(ends) = payment.ends {
        learn(conn, payment.hash, ends);
    }
}

/// The channels of a payment become known.
fn learn(conn: &Connection, hash: u8, (from, to): (u8, u8)) {
    conn.execute(
        "UPDATE rebalances SET out_channel = ?1, in_channel = ?2 WHERE payment_hash = ?3",
        params![channel_id(from), channel_id(to), [hash; 32]],
    )
    .expect("learned");
}

/// lightningd told of all payments up to this number.
fn told(conn: &mut Connection, index: u64) {
    in_tx(conn, |tx| lists::set_reach(tx, List::Payments, ListIndex::Created, index));
}

fn in_tx<T>(conn: &mut Connection, job: impl FnOnce(&Transaction<'_>) -> Result<T>) -> T {
    let tx = conn.transaction().expect("a transaction");
    let result = job(&tx).expect("books");
    tx.commit().expect("committed");
    result
}

fn stop(conn: &mut Connection, id: JobId, at: Moment) {
    in_tx(conn, |tx| {
        jobs::started(tx, id, at.now)?;
        jobs::stopping(tx, id, StopReason::Deadline, Some("1:NoCheapRoute"))?;
        jobs::stopped(tx, id, at)
    });
}

#[test]
fn a_job_comes_back_whole_and_costs_what_its_payments_cost() {
    let mut conn = memory();
    let id = try_reserve(&mut conn, 1, 2, 3, 1_000, NOW).expect("room");
    let job = jobs::get(&conn, id).expect("books").expect("there");
    assert_eq!((job.state, job.reserved, job.held()), (JobState::Reserved, Msat(700_000), Msat(700_000)));
    assert_eq!(job.start, *approved(1, 2, 3, 1_000, NOW).get());

    stop(&mut conn, id, moment(NOW.plus(60)));
    for (hash, ends) in [(1, Some((2, 1))), (2, None), (3, Some((3, 1))), (4, Some((2, 4)))] {
        book(&conn, &Payment { hash, at: NOW.plus(30), ends, ..PAID });
    }
    assert_eq!(in_tx(&mut conn, assign), 1, "other channels are others' business");
    assert_eq!(in_tx(&mut conn, |tx| settle(tx, id, false, NOW.plus(90))), None, "one payment is undecided");
    learn(&conn, 2, (2, 1));
    in_tx(&mut conn, assign);
    let settled = in_tx(&mut conn, |tx| settle(tx, id, false, NOW.plus(95))).expect("ready");
    assert_eq!((settled.moved, settled.fee), (Msat(200_000_000), Msat(120_030)));
    assert_eq!((settled.outcome, settled.held()), (Some(JobOutcome::Partial), Msat::ZERO));
    let ledger = ledger(&conn, moment(NOW.plus(95))).expect("books");
    assert_eq!(ledger.spent.iter().map(|one| one.fee).sum::<Msat>(), Msat(120_030));
    assert!(ledger.held.is_empty());
}

#[test]
fn a_payment_whose_channels_nobody_can_tell_counts_as_ours_in_the_end() {
    let mut conn = memory();
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, id, moment(NOW.plus(60)));
    for (hash, fee) in
        [(1, 100_000), (2, 100_001), (3, 90_000), (4, 80_000), (5, 70_000), (6, 60_000), (7, 50_000)]
    {
        book(&conn, &Payment { hash, fee, at: NOW.plus(30), ..PAID });
    }
    let settled = in_tx(&mut conn, |tx| settle(tx, id, true, NOW.plus(90))).expect("assumed");
    assert_eq!(settled.moved, Msat(500_000_000), "no more than is reserved for, and none beyond its rate");
    assert!(settled.fee <= settled.reserved, "{settled:?}");
}

#[test]
fn channels_learned_since_payments_were_last_given_count_at_the_settlement() {
    let mut conn = memory();
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, id, moment(NOW.plus(60)));
    in_tx(&mut conn, assign);
    book(&conn, &Payment { at: NOW.plus(30), ends: Some((2, 1)), ..PAID });
    let settled = in_tx(&mut conn, |tx| settle(tx, id, false, NOW.plus(90))).expect("ready");
    assert_eq!((settled.outcome, settled.fee), (Some(JobOutcome::Success), Msat(60_015)));
}

#[test]
fn channels_learned_after_the_settlement_correct_it() {
    let mut conn = memory();
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, id, moment(NOW.plus(60)));
    told(&mut conn, 8);
    in_tx(&mut conn, |tx| settle(tx, id, false, NOW.plus(90))).expect("nothing was moved");
    book(&conn, &Payment { fee: 5, at: NOW.plus(30), index: Some(8), ends: Some((2, 1)), ..PAID });
    assert_eq!(in_tx(&mut conn, assign), 1);
    let job = jobs::get(&conn, id).expect("books").expect("there");
    assert_eq!((job.outcome, job.fee), (Some(JobOutcome::Success), Msat(5)));
}

#[test]
fn channels_learned_after_the_settlement_count_before_more_is_reserved() {
    let mut conn = memory();
    let id = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, id, moment(NOW.plus(60)));
    told(&mut conn, 8);
    in_tx(&mut conn, |tx| settle(tx, id, false, NOW.plus(90))).expect("nothing was moved");
    book(&conn, &Payment { fee: 999_000, at: NOW.plus(30), index: Some(8), ends: Some((2, 1)), ..PAID });
    assert_eq!(try_reserve(&mut conn, 3, 4, 1, 1_000, NOW.plus(100)), None, "1,000 sat a day");
    assert_eq!(jobs::get(&conn, id).expect("books").expect("there").fee, Msat(999_000));
}

#[test]
fn a_payment_of_a_settled_job_is_not_the_next_ones() {
    let mut conn = memory();
    let first = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    stop(&mut conn, first, moment(NOW));
    book(&conn, &Payment { ends: Some((2, 1)), ..PAID });
    in_tx(&mut conn, assign);
    in_tx(&mut conn, |tx| settle(tx, first, false, NOW)).expect("ready");
    // The same channels, the same second.
    let next = try_reserve(&mut conn, 1, 2, 1, 1_000, NOW).expect("room");
    assert_eq!(in_tx(&mut conn, assign), 0);
    let fee = |id| jobs::get(&conn, id).expect("books").expect("there").fee;
    assert_eq!((fee(first), fee(next)), (Msat(60_015), Msat::ZERO));
}

#[test]
fn failures_count_in_a_row_and_interruptions_do_not() {
    let mut conn = memory();
    let mut end = |n: u64, why: StopReason, moved: bool| {
        let at = NOW.plus(n * 1_000);
        let id = try_reserve(&mut conn, 1, 2, 1, 10, at).expect("room");
        in_tx(&mut conn, |tx| {
            jobs::stopping(tx, id, why, None)?;
            jobs::stopped(tx, id, moment(at.plus(10)))
        });
        if moved {
            let hash = u8::try_from(n).expect("few");
            book(&conn, &Payment { hash, fee: 1, at: at.plus(5), ends: Some((2, 1)), ..PAID });
        }
        in_tx(&mut conn, assign);
        in_tx(&mut conn, |tx| settle(tx, id, false, at.plus(50))).expect("settled");
        past(&conn).expect("books")[&channel_id(1)]
    };
    assert_eq!(end(1, StopReason::Deadline, false).failures, 1);
    assert_eq!(end(2, StopReason::Refused, false).failures, 2);
    assert_eq!(end(3, StopReason::SlingRestarted, false).failures, 2);
    let filled = end(4, StopReason::Deadline, true);
    assert_eq!((filled.failures, filled.last_success), (0, Some(NOW.plus(4_050))));
    assert_eq!(end(5, StopReason::Deadline, false).failures, 1);
}

/// Callers at the same time on one file: as many as there is room for, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_at_once_never_get_more_than_there_is() {
    let dir = std::env::temp_dir().join(format!("revops-reserve-{}", std::process::id()));
    // An earlier process with this one's number may have left one behind.
    let _ = std::fs::remove_dir_all(&dir);
    let path = dir.join("books.db");
    let store = crate::store::Store::open(&path, &PeerId([3; 33]), "regtest").expect("books");
    let calls = (0..24u8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let (to, from) = (1 + 2 * (n % 4), 2 + 2 * (n % 4));
            let approved = approved(to, from, 3, 400, NOW);
            let reserve = move |tx: &Transaction<'_>| Ok(reserve(tx, approved, &config(), moment(NOW))?);
            store.write_durably(reserve).await.expect("books").is_ok()
        })
    });
    let mut granted = 0;
    for call in calls.collect::<Vec<_>>() {
        granted += usize::from(call.await.expect("no panic"));
    }
    assert_eq!(granted, 3, "280 sat each of 1,000");
    let ledger = store.read(|conn| Ok(ledger(conn, moment(NOW))?)).await.expect("books");
    assert_eq!(budget::overall(&config(), &ledger).reserved, Msat::from_sats(840));
    store.close().expect("closed");
    std::fs::remove_dir_all(&dir).expect("removed");
}

mod law;
mod marks;
