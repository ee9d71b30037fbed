//! Reports on a node with 1,000 channels, 1,000,000 forwards over two years, 20,000 rebalances and
//! the costs of every channel, read from a database on disk.

#![allow(clippy::unwrap_used)]

use cl_revenue_ops::model::forward::{Forward, ForwardStatus};
use cl_revenue_ops::model::{
    Channel, ChannelId, ChannelName, ChannelState, Htlcs, Msat, Opener, PeerId, Ppm, Scid, UnixTime,
};
use cl_revenue_ops::rpc::{capacity_report, dashboard, history, profitability, report};
use cl_revenue_ops::store::{Store, Transaction, forwards, names};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::Value;
use std::hint::black_box;
use std::time::Duration;

const CHANNELS: u64 = 1_000;
const FORWARDS: u64 = 1_000_000;
const REBALANCES: u64 = 20_000;
const NOW: UnixTime = UnixTime(1_800_000_000);
const LIFE_S: u64 = 730 * UnixTime::DAY;
/// Forwards per transaction of the ingest.
const PAGE: u64 = 50_000;

fn peer(n: u64) -> PeerId {
    let mut bytes = [2; 33];
    bytes[25..].copy_from_slice(&n.to_be_bytes());
    PeerId(bytes)
}

fn channel_id(n: u64) -> ChannelId {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&n.to_be_bytes());
    ChannelId(bytes)
}

fn scid(n: u64) -> Scid {
    Scid { block: 700_000 + n as u32, transaction: n as u32 % 2_000, output: 0 }
}

fn channel(n: u64) -> Channel {
    let total = Msat(1_000_000_000 * (1 + n % 10));
    Channel {
        channel_id: channel_id(n),
        scid: Some(scid(n)),
        alias_local: None,
        peer_id: peer(n / 2),
        peer_connected: true,
        state: ChannelState::Normal,
        opener: if n.is_multiple_of(2) { Opener::Local } else { Opener::Remote },
        private: false,
        total,
        to_us: Msat(total.0 / 100 * (n * 37 % 100)),
        spendable: Msat(0),
        receivable: Msat(0),
        fee_base: Msat(0),
        fee_ppm: Ppm(200),
        htlc_min: Msat(0),
        htlc_max: total,
        peer_fee_ppm: None,
        htlcs: Htlcs::default(),
        funding_txid: None,
    }
}

fn forward(n: u64) -> Forward {
    let received_ms = (NOW.0 - LIFE_S) * 1000 + n * (LIFE_S * 1000 / FORWARDS);
    let out_msat = Msat(10_000_000 + n * 7919 % 90_000_000);
    let fee_msat = Ppm(200).fee(Msat(0), out_msat);
    Forward {
        in_channel: scid(n * 31 % CHANNELS),
        in_htlc_id: n,
        out_channel: Some(scid((n * 17 + 1) % CHANNELS)),
        in_msat: out_msat + fee_msat,
        out_msat,
        fee_msat,
        status: ForwardStatus::Settled,
        received_ms,
        resolved_ms: Some(received_ms + 1_500),
        failcode: None,
        created_index: Some(n + 1),
        updated_index: Some(n + 1),
    }
}

/// What the ledger would have written for these channels.
fn seed_books(tx: &Transaction<'_>) {
    tx.execute("INSERT INTO node_funds VALUES (1, ?1, 5000000000, 0, 0, 900000, 5000)", [NOW.0 as i64])
        .unwrap();
    for n in 0..CHANNELS {
        let id = channel_id(n).0.to_vec();
        let opened = (NOW.0 - LIFE_S) as i64;
        tx.execute("INSERT INTO channel_lives (channel_id, opened_at_s) VALUES (?1, ?2)", (&id, opened))
            .unwrap();
        tx.execute(
            "INSERT INTO channel_funds VALUES (?1, ?2, 'CHANNELD_NORMAL', 1, 500000000, 1000000000, 0, 0, 200, 0, 1)",
            (&id, NOW.0 as i64),
        )
        .unwrap();
        for kind in ["open", "splice"] {
            tx.execute(
                "INSERT INTO costs (channel_id, kind, txid, msat, at_s, source)
                 VALUES (?1, ?2, randomblob(32), 200000, ?3, 'bookkeeper')",
                (&id, kind, opened + n as i64),
            )
            .unwrap();
        }
    }
    for n in 0..REBALANCES {
        let (out, into) =
            (channel_id(n % CHANNELS).0.to_vec(), channel_id((n * 7 + 3) % CHANNELS).0.to_vec());
        let at = (NOW.0 - n * (LIFE_S / REBALANCES)) as i64;
        tx.execute(
            "INSERT INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s, out_channel, in_channel)
             VALUES (randomblob(32), 0, 0, 100000000, 20000, ?1, ?2, ?3)",
            (at, out, into),
        )
        .unwrap();
    }
}

async fn seeded(store: &Store) {
    store
        .write(|tx| {
            let channels: Vec<Channel> = (0..CHANNELS).map(channel).collect();
            names::observe(tx, &channels, NOW)?;
            seed_books(tx);
            Ok(())
        })
        .await
        .unwrap();
    for first in (0..FORWARDS).step_by(PAGE as usize) {
        let page: Vec<Forward> = (first..first + PAGE).map(forward).collect();
        store.write(move |tx| Ok(forwards::ingest(tx, &page)?)).await.unwrap();
    }
}

type Report = (&'static str, fn(&cl_revenue_ops::store::Connection) -> anyhow::Result<Value>);

const REPORTS: [Report; 9] = [
    ("dashboard, 7 days", |conn| dashboard::report(conn, NOW, 7)),
    ("dashboard, 30 days", |conn| dashboard::report(conn, NOW, 30)),
    ("dashboard, 365 days", |conn| dashboard::report(conn, NOW, 365)),
    ("report summary", |conn| report::summary(conn, NOW)),
    ("report peer", |conn| report::peer(conn, NOW, peer(7))),
    ("report costs", |conn| report::costs(conn, NOW, 5_000)),
    ("profitability", |conn| profitability::ranking(conn, NOW)),
    ("profitability of one", |conn| {
        Ok(profitability::single(conn, ChannelName::Scid(scid(7)), NOW)?.expect("a channel of the bench"))
    }),
    ("history", |conn| history::report(conn, NOW)),
];

fn reports(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = std::env::temp_dir().join(format!("revops-bench-reports-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let store = Store::open(&dir.join("bench.db"), &peer(0), "regtest").unwrap();
    runtime.block_on(seeded(&store));
    let mut group = criterion.benchmark_group("reports, 1,000 channels, 1,000,000 forwards");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    let run = |report: fn(&cl_revenue_ops::store::Connection) -> anyhow::Result<Value>| {
        runtime.block_on(store.read(report)).unwrap()
    };
    for (name, report) in REPORTS {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run(report))));
    }
    group.bench_function("capacity-report", |bencher| {
        bencher.iter(|| {
            let settings = capacity_report::Settings { window_days: 7, grace_days: 7 };
            let report = store.read(move |conn| capacity_report::report(conn, NOW, settings));
            black_box(runtime.block_on(report).unwrap())
        });
    });
    group.finish();
    store.close().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

criterion_group!(benches, reports);
criterion_main!(benches);
