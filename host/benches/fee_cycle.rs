//! A whole fee cycle in a dry run: reading the node, the facts, the sandbox, the guard and
//! the record. The node is a socket with answers serialised ahead, so that what is measured
//! is the plugin's own work.

#![allow(clippy::unwrap_used)]

use cl_revenue_ops::clock::Clock;
use cl_revenue_ops::config::Config;
use cl_revenue_ops::cycles::schedule::{Jobs, Trigger};
use cl_revenue_ops::cycles::settings::Settings;
use cl_revenue_ops::cycles::{Parts, Services};
use cl_revenue_ops::engine::{Compiler, Engine, EngineOptions, Place};
use cl_revenue_ops::model::SteadyTime;
use cl_revenue_ops::node::{Node, Patience};
use cl_revenue_ops::store::Store;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const US: &str = "03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn channel(n: usize) -> Value {
    let capacity = 1_000_000_000u64 * (1 + n as u64 % 10);
    let local = capacity / 100 * (n as u64 * 37 % 100);
    json!({
        "peer_id": format!("02{n:064x}"),
        "peer_connected": true,
        "state": "CHANNELD_NORMAL",
        "opener": if n.is_multiple_of(2) { "local" } else { "remote" },
        "short_channel_id": format!("{}x{}x0", 700_000 + n, n % 2000),
        "channel_id": format!("{n:064x}"),
        "private": false,
        "to_us_msat": local,
        "total_msat": capacity,
        "spendable_msat": local.saturating_sub(capacity / 100),
        "receivable_msat": (capacity - local).saturating_sub(capacity / 100),
        "fee_base_msat": 0,
        "fee_proportional_millionths": 100 + n % 400,
        "maximum_htlc_out_msat": capacity / 100 * 99,
        "updates": { "remote": { "fee_proportional_millionths": 200 } },
        "max_accepted_htlcs": 483,
        "htlcs": [],
    })
}

/// A week of ten forwards per channel.
fn forwards(channels: usize, now: u64) -> Vec<Value> {
    let scid = |n: usize| format!("{}x{}x0", 700_000 + n % channels, n % channels % 2000);
    (0..channels * 10)
        .map(|n| {
            let received = now - 7 * 86_400 + (n as u64 * 7919) % (7 * 86_400);
            json!({
                "created_index": n + 1, "updated_index": n + 1,
                "in_channel": scid(n), "in_htlc_id": n, "out_channel": scid(n * 31 + 1), "out_htlc_id": n,
                "in_msat": 50_010_000, "out_msat": 50_000_000, "fee_msat": 10_000,
                "status": "settled", "received_time": received as f64, "resolved_time": received as f64 + 1.5,
            })
        })
        .collect()
}

/// A lightningd that answers what it is asked from ready-made texts.
fn serve(listener: UnixListener, channels: usize, now: u64) {
    let forwards = forwards(channels, now);
    let feerates = json!({ "perkb": { "estimates": [{ "blockcount": 12, "feerate": 5000, "smoothed_feerate": 5000 }] } });
    let answers: HashMap<&str, String> = HashMap::from([
        (
            "getinfo",
            json!({ "id": US, "network": "regtest", "version": "v26.06.6", "blockheight": 800_000 })
                .to_string(),
        ),
        (
            "listpeerchannels",
            json!({ "channels": (0..channels).map(channel).collect::<Vec<_>>() }).to_string(),
        ),
        ("listclosedchannels", json!({ "closedchannels": [] }).to_string()),
        ("feerates", feerates.to_string()),
    ]);
    let shared = Arc::new((answers, forwards));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, shared.clone()));
        }
    });
}

async fn converse(mut stream: UnixStream, shared: Arc<(HashMap<&'static str, String>, Vec<Value>)>) {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..read]);
        let Ok(request) = serde_json::from_slice::<Value>(&text) else { continue };
        text.clear();
        let method = request["method"].as_str().unwrap();
        let result = match method {
            "listforwards" => {
                let start = request["params"]["start"].as_u64().unwrap_or(1) as usize - 1;
                let page: Vec<_> = shared.1.iter().skip(start).take(1_000).collect();
                json!({ "forwards": page }).to_string()
            }
            "wait" => json!({ "subsystem": "forwards", "updated": shared.1.len() }).to_string(),
            _ => shared.0.get(method).unwrap_or_else(|| panic!("a fee cycle asks for {method}")).clone(),
        };
        let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}\n\n", request["id"]);
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn services(dir: &Path, channels: usize) -> Services {
    let clock = Clock::for_network("regtest").unwrap();
    let socket = dir.join("rpc");
    serve(UnixListener::bind(&socket).unwrap(), channels, clock.now().0);
    let config = Config { dry_run: true, ..Config::default() };
    let node = Node::new(socket, Patience { timeout: Duration::from_secs(60), rest: Duration::ZERO });
    let identity = node.identity().await.unwrap();
    let options = EngineOptions {
        compiler: Compiler::InProcess,
        place: Place::InProcess,
        ..EngineOptions::in_dir(dir).unwrap()
    };
    Services::new(Parts {
        store: Store::open(&dir.join("db"), &identity.node_id, &identity.network).unwrap(),
        identity,
        node,
        engine: Engine::new(options).unwrap(),
        steady_start: SteadyTime(clock.started().0),
        clock,
        settings: Arc::new(Settings::new(config)),
        jobs: Arc::new(Jobs::default()),
        pseudonym_key: [7; 32],
        not_imported: None,
    })
}

fn fee_cycle(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("fee_cycle");
    group.sample_size(10);
    for channels in [100, 1_000, 10_000] {
        let dir = std::env::temp_dir().join(format!("fee-cycle-{}-{channels}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let services = runtime.block_on(services(&dir, channels));
        // The first cycle reads the history and compiles the strategy.
        runtime.block_on(services.fee_cycle(Trigger::Timer)).unwrap();
        group.bench_function(BenchmarkId::from_parameter(channels), |bencher| {
            bencher.iter(|| runtime.block_on(services.fee_cycle(Trigger::Timer)).unwrap());
        });
        drop(services);
        std::fs::remove_dir_all(&dir).unwrap();
    }
    group.finish();
}

criterion_group!(benches, fee_cycle);
criterion_main!(benches);
