//! Taking in a node's history of forwards, of two years and in the order of its list, into a database on
//! disk: how fast a first ingest is, and how little an idle poll costs.
//!
//! `LEDGER_BENCH_ROWS=10000000` takes in so many forwards of 10,000 channels once instead, and prints the
//! time of each million and the most memory the process had. `LEDGER_BENCH_CHANNELS` sets another number
//! of channels, `LEDGER_BENCH_KEEP_DAYS` for how many days single forwards are kept: 3650 keeps all.

#![allow(clippy::unwrap_used)]

use cl_revenue_ops::cycles::forwards::STORED_AT_ONCE;
use cl_revenue_ops::cycles::upkeep::KEEP_HOURS_S;
use cl_revenue_ops::model::forward::{Forward, ForwardStatus};
use cl_revenue_ops::model::{
    Channel, ChannelId, ChannelState, Htlcs, Msat, Opener, PeerId, Ppm, Scid, UnixTime,
};
use cl_revenue_ops::node::pages::PAGE;
use cl_revenue_ops::store::forwards::Kept;
use cl_revenue_ops::store::{Store, cursors, forwards, intervals, names};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const NOW: UnixTime = UnixTime(1_800_000_000);
const LIFE_S: u64 = 730 * UnixTime::DAY;
const CURSOR: &str = "forwards.created";
/// Days for which single forwards are kept, as the plugin's settings have it, and with every one kept.
const USUAL_DAYS: u64 = 90;
const ALL_DAYS: u64 = 3_650;

/// A node's history.
#[derive(Clone, Copy)]
struct History {
    channels: u64,
    forwards: u64,
}

const USUAL: History = History { channels: 1_000, forwards: 1_000_000 };

fn scid(n: u64) -> Scid {
    Scid { block: 700_000 + n as u32, transaction: n as u32 % 2_000, output: 0 }
}

fn channel(n: u64) -> Channel {
    let (mut peer, mut id) = ([2; 33], [0; 32]);
    peer[25..].copy_from_slice(&n.to_be_bytes());
    id[24..].copy_from_slice(&n.to_be_bytes());
    let total = Msat(1_000_000_000 * (1 + n % 10));
    Channel {
        channel_id: ChannelId(id),
        scid: Some(scid(n)),
        alias_local: None,
        peer_id: PeerId(peer),
        peer_connected: true,
        state: ChannelState::Normal,
        opener: Opener::Local,
        private: false,
        total,
        to_us: Msat(total.0 / 2),
        spendable: Msat(total.0 / 2),
        receivable: Msat(total.0 / 2),
        fee_base: Msat(0),
        fee_ppm: Ppm(200),
        htlc_min: Msat(0),
        htlc_max: total,
        peer_fee_ppm: None,
        htlcs: Htlcs::default(),
        funding_txid: None,
    }
}

impl History {
    /// Forward number `n`: two of three settle, and each channel numbers its HTLCs by itself.
    fn forward(self, n: u64) -> Forward {
        let received_ms = (NOW.0 - LIFE_S) * 1000 + n * (LIFE_S * 1000 / self.forwards);
        let out_msat = Msat(10_000_000 + n * 7919 % 90_000_000);
        let fee_msat = Ppm(200).fee(Msat(0), out_msat);
        let (into, out) = (n * 7_919 % self.channels, (n * 6_101 + 1) % self.channels);
        Forward {
            in_channel: scid(into),
            in_htlc_id: n,
            out_channel: Some(scid(out)),
            in_msat: out_msat + fee_msat,
            out_msat,
            fee_msat,
            status: if n % 3 < 2 { ForwardStatus::Settled } else { ForwardStatus::LocalFailed },
            received_ms,
            resolved_ms: Some(received_ms + 1_500),
            failcode: (n % 3 == 2).then_some(0x1007),
            created_index: Some(n + 1),
            updated_index: Some(n + 1),
        }
    }

    /// A new database in which the channels are known and their fees observed.
    fn store(self, runtime: &Runtime, at: &Scratch) -> Store {
        let us = channel(self.channels).peer_id;
        let store = Store::open(&at.0.join("bench.db"), &us, "regtest").unwrap();
        let known = store.write(move |tx| {
            let channels: Vec<Channel> = (0..self.channels).map(channel).collect();
            names::observe(tx, &channels, NOW)?;
            Ok(intervals::observe(tx, NOW.minus(LIFE_S / 2), &channels, |_| Msat(0))?)
        });
        runtime.block_on(known).unwrap();
        store
    }

    /// Takes in the forwards from `first` up to `end`, as `ingest_forwards` does.
    fn take_in(self, runtime: &Runtime, store: &Store, (first, end): (u64, u64), keep_days: u64) {
        let kept = Kept { rows: NOW.minus(keep_days * UnixTime::DAY), hours: NOW.minus(KEEP_HOURS_S) };
        for start in (first..end).step_by(STORED_AT_ONCE) {
            let last = end.min(start + STORED_AT_ONCE as u64);
            let part: Vec<Forward> = (start..last).map(|n| self.forward(n)).collect();
            let stored = store.write(move |tx| {
                let stats = forwards::ingest_listed(tx, &part, last, kept)?;
                cursors::set(tx, CURSOR, last)?;
                Ok(stats.new)
            });
            assert_eq!(runtime.block_on(stored).unwrap(), last - start);
        }
    }
}

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let dir = std::env::temp_dir().join(format!("revops-bench-ledger-{}", std::process::id()));
        // A run that was broken off may have left something.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ingest(criterion: &mut Criterion) {
    if std::env::var_os("LEDGER_BENCH_ROWS").is_some() {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("ledger, 1,000 channels");
    group.sample_size(10).measurement_time(Duration::from_secs(30));
    group.throughput(Throughput::Elements(USUAL.forwards));
    for (name, keep_days) in
        [("first ingest of 1,000,000 forwards", USUAL_DAYS), ("the same, every single one kept", ALL_DAYS)]
    {
        group.bench_function(name, |bencher| {
            let fresh = || {
                let dir = Scratch::new();
                (USUAL.store(&runtime, &dir), dir)
            };
            let run = |(store, dir): (Store, Scratch)| {
                USUAL.take_in(&runtime, &store, (0, USUAL.forwards), keep_days);
                store.close().unwrap();
                dir
            };
            bencher.iter_batched(fresh, run, BatchSize::PerIteration);
        });
    }
    group.throughput(Throughput::Elements(1));
    let dir = Scratch::new();
    let store = USUAL.store(&runtime, &dir);
    USUAL.take_in(&runtime, &store, (0, USUAL.forwards), ALL_DAYS);
    group.bench_function("a poll that finds nothing new", |bencher| {
        bencher.iter(|| {
            let cursor = runtime.block_on(store.read(|conn| Ok(cursors::get(conn, CURSOR)?))).unwrap();
            assert_eq!(cursor, Some(USUAL.forwards));
        });
    });
    group.bench_function("a page told again", |bencher| {
        let page: Vec<Forward> = (0..PAGE).map(|n| USUAL.forward(n * 997)).collect();
        bencher.iter(|| {
            let page = page.clone();
            let stats = runtime.block_on(store.write(move |tx| Ok(forwards::ingest(tx, &page)?))).unwrap();
            assert_eq!((stats.new, stats.changed), (0, 0));
        });
    });
    group.finish();
    store.close().unwrap();
}

/// The most memory the process had in RAM, MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn linear(_: &mut Criterion) {
    const STEP: u64 = 1_000_000;
    let set = |name, usual| std::env::var(name).map_or(usual, |number| number.parse().unwrap());
    let forwards = set("LEDGER_BENCH_ROWS", 0);
    let history = History { channels: set("LEDGER_BENCH_CHANNELS", 10_000), forwards };
    let keep_days = set("LEDGER_BENCH_KEEP_DAYS", USUAL_DAYS);
    if forwards == 0 {
        return;
    }
    let (runtime, dir) = (Runtime::new().unwrap(), Scratch::new());
    let store = history.store(&runtime, &dir);
    for first in (0..history.forwards).step_by(STEP as usize) {
        let start = Instant::now();
        let end = history.forwards.min(first + STEP);
        history.take_in(&runtime, &store, (first, end), keep_days);
        let seconds = start.elapsed().as_secs_f64();
        println!("forwards {first} to {end}: {seconds:.1} s, {:.0}/s", (end - first) as f64 / seconds);
    }
    store.close().unwrap();
    let bytes = std::fs::metadata(dir.0.join("bench.db")).unwrap().len();
    println!("peak memory {} MiB, file {} MiB", peak_mib(), bytes >> 20);
}

criterion_group!(benches, ingest, linear);
criterion_main!(benches);
