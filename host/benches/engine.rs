//! What the sandbox costs, with every limit on.
//!
//! `decide` is one call of the built-in `dynamic` on a new instance, input and
//! output converted and checked; `quiet` when no channel brings news, `news`
//! when one in fifty does. `worker` is the same call in a worker process, `native`
//! the same code on the same input without a sandbox. `load` and `swap` are what
//! comes before the first call of a module.

#[path = "engine/input.rs"]
mod input;
#[path = "engine/native.rs"]
mod native;

use cl_revenue_ops::engine::{Compiler, Engine, EngineOptions, Fees, Module, Place, built_in_component};
use cl_revenue_ops::model::StrategyName;
use cl_revenue_ops::model::strategy::FeeInput;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use revenue_strategy::FeeStrategy;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use strategy_dynamic::Dynamic;

const ROWS: [usize; 3] = [100, 1_000, 10_000];

/// A directory of this run alone.
fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-engine-{}", std::process::id()))
}

fn engine_in(site: Place) -> Engine {
    let options = EngineOptions::in_dir(&place()).expect("a directory to work in");
    Engine::new(EngineOptions { compiler: Compiler::InProcess, place: site, ..options }).expect("an engine")
}

fn engine() -> Engine {
    engine_in(Place::InProcess)
}

/// The place of the plugin.
fn worker() -> Place {
    Place::Worker { program: env!("CARGO_BIN_EXE_cl-revenue-ops").into(), or_here: false }
}

fn dynamic(engine: &Engine) -> Arc<Module> {
    engine.built_in("dynamic").expect("the built-in strategy")
}

/// The input one cycle on, with the states that `dynamic` wrote.
fn settled(engine: &Engine, module: &Module, mut input: FeeInput) -> FeeInput {
    let decision = engine.decide_fees(module, &input).expect("a decision");
    input.now.0 += 1800;
    input.node_state = decision.node_state;
    for (row, state) in input.channels.iter_mut().zip(decision.states.iter()) {
        row.state = state.to_vec();
    }
    input
}

fn decide(criterion: &mut Criterion) {
    let (engine, away) = (engine(), engine_in(worker()));
    let (module, module_away) = (dynamic(&engine), dynamic(&away));
    let mut group = criterion.benchmark_group("decide");
    for rows in ROWS {
        group.throughput(Throughput::Elements(rows as u64));
        let quiet = settled(&engine, &module, input::quiet(rows));
        let news = input::with_news(quiet.clone(), 50);
        for (name, input) in [("quiet", &quiet), ("news", &news)] {
            let fuel = engine.decide_fees(&module, input).expect("a decision").fuel;
            println!("{name}/{rows}: {fuel} fuel, {} per channel", fuel / rows as u64);
            group.bench_function(format!("{name}/{rows}"), |bencher| {
                bencher.iter(|| engine.decide_fees(&module, input));
            });
            group.bench_function(format!("worker-{name}/{rows}"), |bencher| {
                bencher.iter(|| away.decide_fees(&module_away, input));
            });
            let native = native::input(input);
            group.bench_function(format!("native-{name}/{rows}"), |bencher| {
                bencher.iter(|| Dynamic::decide(&native).and_then(revenue_strategy::Decision::finish));
            });
        }
    }
    group.finish();
}

fn instance(criterion: &mut Criterion) {
    let engine = engine();
    let passive = engine.built_in("passive").expect("the built-in strategy");
    let nothing = input::quiet(0);
    criterion.bench_function("instance", |bencher| bencher.iter(|| engine.instantiate(&passive)));
    criterion.bench_function("instance and a call without channels", |bencher| {
        bencher.iter(|| engine.decide_fees(&passive, &nothing));
    });
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(20);
    engine();
    group.bench_function("compile dynamic", |bencher| {
        let fresh = || {
            fs::remove_dir_all(place().join("cache")).expect("the cache of the engine before");
            engine()
        };
        bencher.iter_batched_ref(fresh, |engine| dynamic(engine), BatchSize::PerIteration);
    });
    dynamic(&engine());
    group.bench_function("dynamic from the cache", |bencher| {
        bencher.iter_batched_ref(engine, |engine| dynamic(engine), BatchSize::PerIteration);
    });
    let running = engine();
    let name: StrategyName = "copy".parse().expect("a name");
    fs::write(place().join("strategies/copy.wasm"), input::component()).expect("a module");
    group.bench_function("a module that is loaded already", |bencher| {
        bencher.iter(|| running.load(&name));
    });
    group.bench_function("engine", |bencher| bencher.iter_with_large_drop(engine));
    group.bench_function("engine with a worker", |bencher| {
        bencher.iter_with_large_drop(|| engine_in(worker()));
    });
    group.bench_function("dynamic from the cache, in a new worker", |bencher| {
        bencher.iter_batched_ref(|| engine_in(worker()), |engine| dynamic(engine), BatchSize::PerIteration);
    });
    group.finish();
    fs::remove_dir_all(place()).expect("this run's files");
}

/// What a module that is put in force costs the next cycle, at worst and as a rule.
fn swap(criterion: &mut Criterion) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_cl-revenue-ops"));
    let as_plugin = || {
        let options = EngineOptions::in_dir(&place()).expect("a directory to work in");
        Engine::new(EngineOptions {
            compiler: Compiler::Child { program: program.clone(), or_unsealed: false },
            place: worker(),
            ..options
        })
        .expect("an engine")
    };
    let load = |engine: &Engine, wasm: &[u8]| {
        let name: StrategyName = "mine".parse().expect("a name");
        let digest = engine.receive(wasm).expect("kept");
        engine.load_kept::<Fees>(&name, digest).expect("a module")
    };
    let (old, new) = (input::component(), built_in_component("dynamic").expect("the built-in strategy"));
    let mut group = criterion.benchmark_group("swap");
    group.sample_size(20);
    as_plugin();
    group.bench_function("a new module, compiled in a child", |bencher| {
        let fresh = || {
            fs::remove_dir_all(place().join("cache")).expect("the cache of the engine before");
            as_plugin()
        };
        bencher.iter_batched_ref(fresh, |engine| load(engine, new), BatchSize::PerIteration);
    });
    group.bench_function("a module compiled before, in a new worker", |bencher| {
        bencher.iter_batched_ref(as_plugin, |engine| load(engine, new), BatchSize::PerIteration);
    });
    let running = as_plugin();
    group.bench_function("to a module that is loaded, and back", |bencher| {
        bencher.iter(|| (load(&running, new), load(&running, old)));
    });
    group.finish();
    fs::remove_dir_all(place()).expect("this run's files");
}

criterion_group!(benches, decide, instance, load, swap);
criterion_main!(benches);
