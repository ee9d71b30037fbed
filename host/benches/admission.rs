//! What letting a signed module in costs: its signatures, and the chunks of 1 MiB on their way through
//! the database.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cl_revenue_ops::guard::admission::{ModuleFacts, Terms, admit, fits};
use cl_revenue_ops::guard::upload::{MAX_BYTES, MAX_CHUNK_BYTES};
use cl_revenue_ops::model::manifest::{Manifest, Signature, Version};
use cl_revenue_ops::model::upload::{Upload, UploadId, UploadState};
use cl_revenue_ops::model::{Digest, PeerId, UnixTime};
use cl_revenue_ops::store::{Store, uploads};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lab::keys::NodeKey;
use std::hint::black_box;
use tokio::runtime::Runtime;

const NOW: UnixTime = UnixTime(1_800_000_000);
const MIB: usize = 1 << 20;
const ABI: &str = "revenue-ops:strategy/fee@1.0.0";

fn manifest(wasm: &[u8]) -> Manifest {
    Manifest {
        network: "bitcoin".to_owned(),
        name: "mine".parse().expect("a name"),
        version: Version([1, 0, 0]),
        abi: ABI.to_owned(),
        digest: Digest::of(wasm),
        bytes: wasm.len() as u64,
        not_after: NOW,
    }
}

fn signed(manifest: &Manifest, signers: u64) -> (Vec<Signature>, Terms) {
    let keys: Vec<NodeKey> = (0..signers).map(NodeKey::of_seed).collect();
    let id = |key: &NodeKey| key.id().parse::<PeerId>().expect("a key");
    let sign = |key: &NodeKey| Signature { signer: id(key), zbase: key.sign(&manifest.to_string()).zbase };
    let terms = Terms {
        network: manifest.network.clone(),
        trusted: keys.iter().map(id).collect(),
        needed: keys.len(),
        now: NOW,
        interfaces: vec![ABI.to_owned()],
        most_bytes: MAX_BYTES,
    };
    (keys.iter().map(sign).collect(), terms)
}

fn verifying(bench: &mut Criterion) {
    let wasm = vec![7; MIB];
    let manifest = manifest(&wasm);
    for signers in [1, 9] {
        let (signatures, terms) = signed(&manifest, signers);
        bench.bench_function(&format!("verify/{signers}-signers"), |bench| {
            bench.iter(|| admit(black_box(&manifest), &signatures, &terms, None).expect("let in"))
        });
    }
    let exports = [ABI.to_owned()];
    bench.bench_function("verify/1-MiB", |bench| {
        bench.iter(|| {
            let digest = Digest::of(black_box(&wasm));
            fits(&manifest, &ModuleFacts { digest, bytes: MIB as u64, exports: &exports }, None)
                .expect("it fits")
        });
    });
}

/// An upload of which nothing has come, in a new database.
fn opened(runtime: &Runtime, path: &std::path::Path, wasm: &[u8]) -> (Store, Upload) {
    let _ = std::fs::remove_file(path);
    let store = Store::open(path, &PeerId([2; 33]), "bitcoin").expect("a database");
    let upload = Upload {
        id: UploadId([1; 16]),
        manifest: manifest(wasm),
        signatures: vec![],
        state: UploadState::Open,
        chunks: 0,
        bytes: 0,
        touched_at: NOW,
        signers: vec![],
    };
    let stored = upload.clone();
    runtime.block_on(store.write(move |tx| Ok(uploads::put(tx, &stored)?))).expect("stored");
    (store, upload)
}

/// Takes the chunks, a transaction each as calls come, and reads them again.
async fn take(store: &Store, mut upload: Upload, chunks: &[String]) -> Vec<u8> {
    for chunk in chunks {
        let bytes = STANDARD.decode(chunk).expect("base64");
        let seq = upload.chunks;
        upload.chunks += 1;
        upload.bytes += bytes.len() as u64;
        let stored = upload.clone();
        let kept = store.write(move |tx| {
            uploads::put_chunk(tx, &stored.id, seq, &bytes)?;
            Ok(uploads::put(tx, &stored)?)
        });
        kept.await.expect("stored");
    }
    store.read(move |conn| Ok(uploads::bytes(conn, &upload.id)?)).await.expect("read")
}

fn pushing(bench: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let wasm: Vec<u8> = (0..MIB).map(|at| (at * 31 % 251) as u8).collect();
    let chunks: Vec<String> = wasm.chunks(MAX_CHUNK_BYTES).map(|bytes| STANDARD.encode(bytes)).collect();
    let path = std::env::temp_dir().join(format!("revops-bench-push-{}.db", std::process::id()));
    let mut group = bench.benchmark_group("push");
    group.throughput(Throughput::Bytes(MIB as u64)).sample_size(10);
    group.bench_function("1-MiB", |bench| {
        bench.iter_batched(
            || opened(&runtime, &path, &wasm),
            |(store, upload)| {
                assert_eq!(runtime.block_on(take(&store, upload, &chunks)).len(), MIB);
                store.close().expect("closed");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
}

criterion_group!(benches, verifying, pushing);
criterion_main!(benches);
