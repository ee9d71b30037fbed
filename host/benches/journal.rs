//! What writing a cycle's call down costs, on a node with 1,000 channels that lives from cycle to
//! cycle: making it ready (beside the cycle) and keeping it (with the database's writer).

#[path = "../../tests/it/journal/nodes.rs"]
#[allow(dead_code)]
mod nodes;

use cl_revenue_ops::engine::{Compiler, Engine, EngineOptions, Place};
use cl_revenue_ops::model::{PeerId, StrategyName, Transcript, UnixTime};
use cl_revenue_ops::store::Store;
use cl_revenue_ops::store::journal::{self, Base, Ready};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use nodes::Node;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

const CHANNELS: usize = 1_000;
/// As many as share a base, and some more.
const CYCLES: usize = 60;

/// The calls of a node's cycles.
fn calls(dir: &Path) -> Vec<Arc<Transcript>> {
    let options = EngineOptions::in_dir(dir).expect("a directory to work in");
    let options = EngineOptions { compiler: Compiler::InProcess, place: Place::InProcess, ..options };
    let engine = Engine::new(options).expect("an engine");
    let dynamic = StrategyName::dynamic();
    let module = engine.load(&dynamic).expect("the built-in strategy");
    let mut node = Node::new(CHANNELS, 1);
    let mut cycle = || {
        let (decision, _, transcript) = engine.transcribe(&dynamic, &module, &node.input);
        node.step(decision.expect("a decision"));
        Arc::new(transcript)
    };
    (0..CYCLES).map(|_| cycle()).collect()
}

/// What a call is compressed against now.
fn base(runtime: &Runtime, store: &Store, call: &Arc<Transcript>) -> Option<Base> {
    let call = Arc::clone(call);
    runtime.block_on(store.read(move |conn| journal::base(conn, &call))).expect("looked for")
}

fn keep(runtime: &Runtime, store: &Store, cycle: usize, ready: Ready) {
    let kept = store.write(move |tx| journal::record(tx, cycle as i64, UnixTime(1), &ready));
    runtime.block_on(kept).expect("kept");
}

fn journal(criterion: &mut Criterion) {
    let dir = std::env::temp_dir().join(format!("revops-bench-journal-{}", std::process::id()));
    let runtime = Runtime::new().expect("a runtime");
    let calls = calls(&dir);
    let store = Store::open(&dir.join("books.db"), &PeerId([2; 33]), "regtest").expect("a database");
    for (cycle, call) in calls.iter().enumerate() {
        let ready = Ready::new(Arc::clone(call), base(&runtime, &store, call)).expect("ready");
        keep(&runtime, &store, cycle + 1, ready);
    }
    let (kept, bytes) = runtime.block_on(store.read(journal::size)).expect("a sum");
    let raw: usize = calls.iter().map(|call| call.input.len()).sum();
    println!("journal: {} bytes per cycle, of {} told", bytes / kept, raw / calls.len());

    let (mut group, last) = (criterion.benchmark_group("journal"), calls.last().expect("a call"));
    group.sample_size(20);
    group.bench_function("make ready/1000", |bencher| {
        let ready = || Ready::new(Arc::clone(last), base(&runtime, &store, last)).expect("ready");
        bencher.iter_with_large_drop(ready);
    });
    let ready = Ready::new(Arc::clone(last), base(&runtime, &store, last)).expect("ready");
    group.bench_function("keep/1000", |bencher| {
        bencher.iter_batched(
            || ready.clone(),
            |ready| keep(&runtime, &store, CYCLES, ready),
            BatchSize::PerIteration,
        );
    });
    group.finish();
    store.close().expect("closed");
    std::fs::remove_dir_all(&dir).expect("this run's files");
}

criterion_group!(benches, journal);
criterion_main!(benches);
