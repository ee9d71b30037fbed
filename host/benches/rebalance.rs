//! What evaluating rebalances costs in the sandbox, with every limit on.
//!
//! One call of the built-in `rebalance-ev` on a new instance, input and output
//! converted and checked: half of the channels are empty and sell, the other
//! half is full, so that every pair of one with the other is a candidate. Each
//! channel brings eight attempts and four senders.

use cl_revenue_ops::engine::{Compiler, Engine, EngineOptions, LimitClass, Place};
use cl_revenue_ops::model::flow::FlowClass;
use cl_revenue_ops::model::rebalance::{Attempt, RebalanceInput, RebalanceRow, Sender};
use cl_revenue_ops::model::strategy::ParamValue;
use cl_revenue_ops::model::{Msat, Opener, Ppm, StrategyName, UnixTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::path::PathBuf;

const ROWS: [usize; 3] = [100, 1_000, 10_000];
const NOW: u64 = 1_790_000_000;

/// A directory of this run alone.
fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-rebalance-{}", std::process::id()))
}

fn evaluate(criterion: &mut Criterion) {
    let options = EngineOptions::in_dir(&place()).expect("a directory to work in");
    let engine =
        Engine::new(EngineOptions { compiler: Compiler::InProcess, place: Place::InProcess, ..options })
            .expect("an engine");
    let module = engine.load_evaluator(&StrategyName::rebalance_ev()).expect("the built-in evaluator");
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(30);
    for rows in ROWS {
        let input = input(rows);
        let decision = engine.decide_rebalances(&module, &input).expect("a decision");
        println!(
            "{rows} channels: {} jobs, {} fuel of {}",
            decision.proposals.len(),
            decision.fuel,
            LimitClass::Native.fuel(rows)
        );
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(rows.to_string(), |bencher| {
            bencher.iter(|| engine.decide_rebalances(&module, &input));
        });
    }
    group.finish();
    std::fs::remove_dir_all(place()).expect("this run's files");
}

fn input(rows: usize) -> RebalanceInput {
    RebalanceInput {
        now: UnixTime(NOW),
        cycle_s: 900,
        seed: 42,
        block_height: 900_000,
        feerate_perkb: 4_000,
        feerate_mean_day_perkb: 3_500,
        node_capacity: Msat(5_000_000_000 * rows as u64),
        node_local: Msat(2_500_000_000 * rows as u64),
        node_earned_day: Msat(1_000_000),
        node_earned_week: Msat(7_000_000),
        // Scarce, so that the price of budget is looked for.
        budget_left: Msat(5_000_000),
        slots_free: 5,
        params: vec![("host.max-ppm".to_owned(), ParamValue::Integer(5_000))],
        channels: (0..rows as u64).map(|number| row(number, rows as u64)).collect(),
        signals: vec![],
        node_state: vec![],
    }
}

fn row(number: u64, rows: u64) -> RebalanceRow {
    let empty = number.is_multiple_of(2);
    let (local, sold) = if empty { (100_000_000, 4_000_000_000) } else { (4_700_000_000, 500_000_000) };
    let sold = sold + number % 97 * 10_000_000;
    let fee = 500 + number % 83 * 20;
    RebalanceRow {
        pseudonym: number + 1,
        peer_pseudonym: number + 1,
        opener: Opener::Local,
        public: true,
        connected: true,
        fleet: false,
        age_s: 200 * 86_400,
        capacity: Msat(5_000_000_000),
        local: Msat(local),
        spendable: Msat(local - 50_000_000),
        receivable: Msat(4_950_000_000 - local),
        htlcs_in: 0,
        htlcs_out: 1,
        htlc_slots: 30,
        fee: Ppm(fee as u32),
        base_fee: Msat(0),
        peer_fee: Some(Ppm((number % 61 * 10) as u32)),
        peer_base_fee: Some(Msat(1_000)),
        in_week: Msat(sold / 20),
        out_week: Msat(sold / 4),
        in_month: Msat(sold / 5),
        out_month: Msat(sold),
        live_week_s: 604_800,
        live_month_s: 2_592_000,
        earned_week: Msat(sold / 4 * fee / 1_000_000),
        earned_month: Msat(sold * fee / 1_000_000),
        sourced_week: Msat(0),
        sourced_month: Msat(0),
        forwards_in_month: 20,
        forwards_out_month: 80,
        last_out: Some(UnixTime(NOW - 5_000)),
        flow: FlowClass::Balanced,
        flow_ratio: 0.03,
        velocity: 0.0,
        confidence: 0.9,
        settled_sent: 40.0,
        failed_sent: (number % 7) as f64,
        may_fill: true,
        may_drain: true,
        fill_most: Msat(4_900_000_000 - local),
        drain_most: Msat(local - 60_000_000),
        budget_left: Msat(5_000_000),
        attempts: (0..8).map(|count| attempt(number + count)).collect(),
        senders: (1..5)
            .map(|step| Sender { row: ((number + step) % rows) as usize, out: Msat(sold / 4) })
            .collect(),
        state: vec![],
    }
}

fn attempt(number: u64) -> Attempt {
    let moved = if number.is_multiple_of(3) { 0 } else { 500_000_000 };
    Attempt {
        ended: UnixTime(NOW - number % 29 * 86_400),
        amount: Msat(500_000_000),
        moved: Msat(moved),
        fee: Msat(moved / 1_000_000 * (200 + number % 400)),
        max_fee: Ppm(900),
    }
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
