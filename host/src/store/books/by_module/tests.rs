use super::*;
use crate::model::forward::{Forward, ForwardStatus};
use crate::store::books;
use crate::store::forwards;
use crate::store::tenures::InForce;
use crate::store::testing::{channel, channel_id, memory, scid};
use crate::store::{Transaction, names};
use proptest::prelude::*;
use rusqlite::params;
use std::collections::HashMap;

const CHANNELS: u8 = 3;
/// The start of a UTC day.
const START: u64 = 20_000 * UnixTime::DAY;
const DAYS: u64 = 12;
const NOW: UnixTime = UnixTime(START + DAYS * UnixTime::DAY);
/// The name of a channel that nobody knows.
const STRANGER: u8 = 9;

fn held(n: u8, digest: u8) -> InForce {
    InForce {
        channel_id: channel_id(n),
        capacity: Msat(1_000_000_000 * u64::from(n)),
        strategy: StrategyName::dynamic(),
        digest: Digest([digest; 32]),
    }
}

fn forward(id: u64, out: u8, at: u64, fee: u64) -> Forward {
    Forward {
        in_channel: scid(u32::from(out % CHANNELS) + 1),
        in_htlc_id: id,
        out_channel: Some(scid(u32::from(out))),
        in_msat: Msat(1_000_000 + fee),
        out_msat: Msat(1_000_000),
        fee_msat: Msat(fee),
        status: ForwardStatus::Settled,
        received_ms: at * 1000 + id % 1000,
        resolved_ms: Some(at * 1000 + 2_000),
        failcode: None,
        created_index: Some(id + 1),
        updated_index: Some(id + 1),
    }
}

/// What happened on a node, times in seconds since its start.
#[derive(Clone, Debug)]
struct History {
    /// A module (1 to 3) comes into force on a channel, or (0) the channel ends.
    turns: Vec<(u64, u8, u8)>,
    /// Channel, time, fee.
    forwards: Vec<(u8, u64, u64)>,
    /// Channel, time, msat, kind.
    costs: Vec<(u8, u64, i64, CostKind)>,
    /// Channel filled, time, fee.
    rebalances: Vec<(u8, u64, u64)>,
}

fn histories() -> impl Strategy<Value = History> {
    let time = 0..DAYS * UnixTime::DAY;
    let any_channel = prop_oneof![6 => 1..=CHANNELS, 1 => Just(STRANGER)];
    let turns = prop::collection::vec((time.clone(), 1..=CHANNELS, 0u8..=3), 0..12);
    let forwards = prop::collection::vec((any_channel.clone(), time.clone(), 0u64..9_000), 0..60);
    let kind = prop::sample::select(CostKind::ALL);
    let costs = prop::collection::vec((any_channel.clone(), time.clone(), -900i64..9_000, kind), 0..12);
    let rebalances = prop::collection::vec((any_channel, time, 0u64..9_000), 0..12);
    (turns, forwards, costs, rebalances).prop_map(|(mut turns, forwards, costs, rebalances)| {
        turns.sort_unstable();
        History { turns, forwards, costs, rebalances }
    })
}

impl History {
    fn tell(&self, tx: &Transaction<'_>) {
        let channels: Vec<_> = (1..=CHANNELS).map(channel).collect();
        names::observe(tx, &channels, UnixTime(START)).expect("names");
        for (at, n, digest) in &self.turns {
            let at = UnixTime(START + at);
            if *digest == 0 {
                let others: Vec<_> = (1..=CHANNELS).filter(|other| other != n).map(channel).collect();
                tenures::end_of_gone(tx, &others, at).expect("kept");
            } else {
                tenures::note(tx, &[held(*n, *digest)], at).expect("kept");
            }
        }
        let listed: Vec<Forward> =
            (0..).zip(&self.forwards).map(|(id, (n, at, fee))| forward(id, *n, START + at, *fee)).collect();
        forwards::ingest(tx, &listed).expect("stored");
        for (n, at, msat, kind) in &self.costs {
            tx.execute(
                "INSERT INTO costs (channel_id, kind, txid, msat, at_s, source)
                 VALUES (?1, ?2, randomblob(32), ?3, ?4, 'node')",
                params![channel_id(*n), kind.name(), msat, UnixTime(START + at)],
            )
            .expect("a cost");
        }
        for (n, at, fee) in &self.rebalances {
            tx.execute(
                "INSERT INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s, in_channel)
                 VALUES (randomblob(32), 0, 0, 1000, ?1, ?2, ?3)",
                params![Msat(*fee), UnixTime(START + at), channel_id(*n)],
            )
            .expect("a rebalance");
        }
    }

    /// The module in force on a channel at an instant, or the last before if `ended` will do: the latest
    /// turn, the last of those in one second.
    fn module(&self, n: u8, at: u64, ended: bool) -> Option<u8> {
        let turns = self.turns.iter().filter(|(when, channel, _)| *when <= at && *channel == n);
        let turns: Vec<(u64, u8)> = turns.map(|(when, _, digest)| (*when, *digest)).collect();
        // What ended in the second in which it began never was.
        let lasting = turns
            .iter()
            .enumerate()
            .filter(|(place, (when, _))| turns.get(place + 1).is_none_or(|(next, _)| next != when));
        let lasting: Vec<u8> = lasting.map(|(_, (_, digest))| *digest).collect();
        match lasting.last() {
            Some(0) if ended => lasting.iter().rev().find(|digest| **digest != 0).copied(),
            Some(0) | None => None,
            Some(digest) => Some(*digest),
        }
    }

    /// Net by module (0 for none) of what happened from `since` on.
    fn nets(&self, since: u64) -> HashMap<u8, i64> {
        let mut nets: HashMap<u8, i64> = HashMap::new();
        let mut add = |module: Option<u8>, msat: i64| *nets.entry(module.unwrap_or(0)).or_default() += msat;
        for (n, at, fee) in self.forwards.iter().filter(|(_, at, _)| *at >= since) {
            add(self.module(*n, *at, false), *fee as i64);
        }
        for (n, at, msat, kind) in self.costs.iter().filter(|(_, at, ..)| *at >= since) {
            let ends = matches!(kind, CostKind::Close | CostKind::Sweep | CostKind::Penalty);
            add(self.module(*n, *at, ends), -msat);
        }
        for (n, at, fee) in self.rebalances.iter().filter(|(_, at, _)| *at >= since) {
            add(self.module(*n, *at, false), -(*fee as i64));
        }
        nets.retain(|_, net| *net != 0);
        nets
    }
}

fn nets(found: &ByModule) -> HashMap<u8, i64> {
    let mut nets: HashMap<u8, i64> =
        found.modules.iter().map(|module| (module.digest.0[0], module.total().net().0)).collect();
    nets.insert(0, found.unattributed.net().0);
    nets.retain(|_, net| *net != 0);
    nets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_msat_is_booked_once_and_to_whom_was_in_force(
        history in histories(), since in 0..DAYS * UnixTime::DAY,
    ) {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        history.tell(&tx);
        let books = books::all(&tx).expect("books");
        for since in [0, since] {
            let from = UnixTime(START + since);
            let found = books.by_module(&tx, from, NOW).expect("sums");
            prop_assert_eq!(found.from, from);
            prop_assert_eq!(found.total(), books.window(&tx, from).expect("a window").total());
            prop_assert_eq!(nets(&found), history.nets(since));
        }
    }

    /// With rows and hours forgotten, still nothing is lost, and what is kept in full is exact.
    #[test]
    fn coarser_sums_lose_nothing(
        history in histories(), rows_day in 0..DAYS, hours_day in 0..DAYS, since in 0..DAYS * UnixTime::DAY,
    ) {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        history.tell(&tx);
        let day = |days: u64| UnixTime(START + days * UnixTime::DAY);
        forwards::roll(&tx, day(rows_day), Some(1_000), 1_000).expect("rolled");
        flow::prune_hours(&tx, day(hours_day.min(rows_day))).expect("pruned");
        let books = books::all(&tx).expect("books");
        let from = UnixTime(START + since);
        let found = books.by_module(&tx, from, NOW).expect("sums");
        prop_assert_eq!(found.total(), books.window(&tx, from).expect("a window").total());
        if from >= found.exact_from {
            prop_assert_eq!(nets(&found), history.nets(since));
        }
    }
}

/// A node where module 1 held channel 1 for two days and module 2 since; module 1 holds channel 2 too.
fn handed_over(tx: &Transaction<'_>) {
    let day = |days: u64| UnixTime(START + days * UnixTime::DAY);
    names::observe(tx, &[channel(1), channel(2)], day(0)).expect("names");
    tenures::note_version(tx, Digest([1; 32]), "1.0.0", day(0)).expect("kept");
    tenures::note(tx, &[held(1, 1), held(2, 1)], day(0)).expect("kept");
    tenures::note(tx, &[held(1, 2)], day(2)).expect("kept");
}

#[test]
fn time_and_capacity_in_force_are_told_by_day() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    handed_over(&tx);
    let now = UnixTime(START + 3 * UnixTime::DAY + 600);
    let found = books::all(&tx).expect("books").by_module(&tx, UnixTime(START), now).expect("sums");
    let [one, two] = found.modules.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.channels, one.channels_now, one.capacity_now), (2, 1, Msat(2_000_000_000)));
    assert_eq!((two.channels, two.channels_now, two.capacity_now), (1, 1, Msat(1_000_000_000)));
    assert_eq!((one.to, two.from), (None, UnixTime(START + 2 * UnixTime::DAY)));
    assert_eq!((one.version.as_deref(), two.version.as_deref()), (Some("1.0.0"), None));
    let days: Vec<_> = one.days.values().map(|day| (day.channel_s, day.in_force_s)).collect();
    assert_eq!(days, [(172_800, 86_400), (172_800, 86_400), (86_400, 86_400), (600, 600)]);
    assert_eq!(one.days[&UnixTime(START)].capacity_s, 3_000_000_000 * 86_400);
    assert_eq!(two.channel_s(), 87_000);
    // What came into force in this very second is there.
    let at_once = UnixTime(START + 2 * UnixTime::DAY);
    let found = books::all(&tx).expect("books").by_module(&tx, UnixTime(START), at_once).expect("sums");
    assert_eq!((found.modules.len(), found.modules[1].channels_now), (2, 1));
    // The window begins where it is asked to.
    let late = books::all(&tx).expect("books").by_module(&tx, UnixTime(now.0 - 100), now).expect("sums");
    assert_eq!(late.modules.iter().map(ModuleBooks::channel_s).collect::<Vec<_>>(), [100, 100]);
}

#[test]
fn a_forward_counts_for_whom_was_in_force_when_it_was_received() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    handed_over(&tx);
    let turn = START + 2 * UnixTime::DAY;
    forwards::ingest(&tx, &[forward(1, 1, turn - 1, 70), forward(2, 1, turn, 8_000)]).expect("stored");
    let found = books::all(&tx).expect("books").by_module(&tx, UnixTime(START), NOW).expect("sums");
    let earned: Vec<_> = found.modules.iter().map(|module| module.total().traffic.earned).collect();
    assert_eq!(earned, [Msat(70), Msat(8_000)]);
    // What came in by channel 2 was sourced by the module there.
    let sourced: Vec<_> = found.modules.iter().map(|module| module.total().traffic.sourced).collect();
    assert_eq!(sourced, [Msat(8_070), Msat(0)]);
    assert_eq!(found.unattributed, Pnl::default());
}

#[test]
fn rebalances_are_told_by_who_proposed_them() {
    let conn = memory();
    let job = |id: u8, evaluator: Option<&str>, digest: Option<u8>| {
        conn.execute(
            "INSERT INTO rebalance_jobs (id, state, evaluator, forced, to_channel, to_scid, to_peer, amount_msat,
                 payment_msat, max_ppm, max_hops, keep_share, keep_most_msat, reserved_msat, fleet, reserved_at_s,
                 deadline_s, evaluator_digest)
             VALUES (?1, 'stopped', ?2, 0, ?3, 7, zeroblob(33), 1, 1, 1, 1, 0.1, 1, 1, 0, 1, 1, ?4)",
            params![id, evaluator, channel_id(1), digest.map(|digest| Digest([digest; 32]))],
        )
        .expect("a job");
    };
    job(1, Some("rebalance-ev"), Some(1));
    job(2, Some("rebalance-ev"), Some(1));
    job(3, Some("rebalance-ev"), Some(2));
    job(4, None, None);
    for (payment, job, at) in [
        (1, Some(1), 10),
        (2, Some(1), 20),
        (3, Some(2), 20),
        (4, Some(3), 20),
        (5, Some(4), 20),
        (6, None, 20),
    ] {
        conn.execute(
            "INSERT INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s, job_id)
             VALUES (?1, 0, 0, 1000, ?2, ?3, ?4)",
            params![[payment as u8; 32], 1i64 << payment, UnixTime(at), job],
        )
        .expect("a payment");
    }
    let found: Vec<_> = by_evaluator(&conn, UnixTime(20))
        .expect("sums")
        .into_iter()
        .map(|one| {
            let digest = match one.by {
                Proposer::Evaluator { digest, .. } => digest.map_or(0, |digest| digest.0[0]),
                Proposer::Operator => 77,
                Proposer::Others => 99,
            };
            (digest, one.jobs, one.payments, one.moved.0, one.fee.0)
        })
        .collect();
    let expected = [(77, 1, 1, 1000, 32), (1, 2, 2, 2000, 12), (2, 1, 1, 1000, 16), (99, 0, 1, 1000, 64)];
    assert_eq!(found, expected);
    assert_eq!(expected.iter().map(|row| row.4).sum::<u64>(), 4 + 8 + 16 + 32 + 64);
}
