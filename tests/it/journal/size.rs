//! What the journal takes.

use super::nodes::Node;
use crate::engine::place::{Place, name};
use cl_revenue_ops::model::{CycleKind, PeerId, Transcript, UnixTime};
use cl_revenue_ops::store::Store;
use cl_revenue_ops::store::journal::{self, Ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Keeps a call as a cycle does.
async fn keep(store: &Store, cycle: i64, call: &Transcript) {
    let (call, asked) = (Arc::new(call.clone()), call.clone());
    let base = store.read(move |conn| journal::base(conn, &asked)).await.unwrap();
    let ready = Ready::new(call, base).unwrap();
    store.write(move |tx| journal::record(tx, cycle, UnixTime(1), &ready)).await.unwrap();
}

/// Bytes per call, and how long keeping one takes, on a node with this many channels.
async fn measure(channels: usize, cycles: i64) -> (u64, Duration) {
    let place = Place::new();
    let engine = place.quick_engine();
    let dynamic = name("dynamic");
    let module = engine.load(&dynamic).unwrap();
    let store = Store::open(&place.path("books.db"), &PeerId([2; 33]), "regtest").unwrap();
    let (mut node, mut took, mut raw) = (Node::new(channels, 1), Duration::ZERO, 0);
    for cycle in 1..=cycles {
        let (decision, _, transcript) = engine.transcribe(&dynamic, &module, &node.input);
        raw += transcript.input.len();
        let start = Instant::now();
        keep(&store, cycle, &transcript).await;
        took += start.elapsed();
        let read =
            store.read(move |conn| journal::calls(conn, CycleKind::Fee, cycle as u64, None)).await.unwrap();
        assert_eq!(read[0].transcript, transcript);
        node.step(decision.unwrap());
    }
    let (calls, bytes) = store.read(journal::size).await.unwrap();
    assert_eq!(calls, cycles as u64);
    println!("{channels} channels: {} bytes raw", raw / cycles as usize);
    (bytes / calls, took / cycles as u32)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_little_room() {
    let (bytes, took) = measure(100, 60).await;
    println!("100 channels: {bytes} bytes in {took:?}");
    assert!(bytes < 8_000, "{bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_evaluators_are_kept_too() {
    let place = Place::new();
    let engine = place.quick_engine();
    let evaluator = name("rebalance-ev");
    let module = engine.load_evaluator(&evaluator).unwrap();
    let store = Store::open(&place.path("books.db"), &PeerId([2; 33]), "regtest").unwrap();
    let (_, _, transcript) = engine.transcribe(&evaluator, &module, &Node::new(20, 1).rebalances());
    keep(&store, 1, &transcript).await;
    let read = store.read(|conn| journal::calls(conn, CycleKind::Rebalance, 1, None)).await.unwrap();
    assert_eq!(read[0].transcript, transcript);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: run with --nocapture"]
async fn what_a_thousand_channels_take() {
    for channels in [10, 1_000, 10_000] {
        let (bytes, took) = measure(channels, 100).await;
        println!("{channels} channels: {bytes} bytes in {took:?}");
    }
}
