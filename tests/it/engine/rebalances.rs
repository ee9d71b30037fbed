//! Evaluators of rebalances in the sandbox: the same limits and faults as for fees.

use super::place::{Place, guest, input as fee_input, name};
use cl_revenue_ops::engine::FaultKind::{self, *};
use cl_revenue_ops::engine::{Engine, Evaluator, LimitClass, LoadFault, Origin};
use cl_revenue_ops::model::flow::FlowClass;
use cl_revenue_ops::model::rebalance::{Attempt, RebalanceInput, RebalanceRow, Sender};
use cl_revenue_ops::model::strategy::ParamValue;
use cl_revenue_ops::model::{Msat, Opener, Ppm, SignedMsat, StrategyName, UnixTime};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NOW: u64 = 1_790_000_000;
/// Far more than any attack may last on a busy machine.
const GENEROUS: Duration = Duration::from_secs(60);

/// Channels that are empty and sell, and full ones that do not, in turn.
pub fn input(rows: usize) -> RebalanceInput {
    RebalanceInput {
        now: UnixTime(NOW),
        cycle_s: 900,
        seed: 42,
        block_height: 900_000,
        feerate_perkb: 4_000,
        feerate_mean_day_perkb: 3_500,
        node_capacity: Msat(5_000_000_000 * rows as u64),
        node_local: Msat(2_000_000_000 * rows as u64),
        node_earned_day: Msat(1_000),
        node_earned_week: Msat(9_000),
        budget_left: Msat(50_000_000),
        slots_free: 5,
        params: vec![
            ("host.inbound-fee-estimate-ppm".to_owned(), ParamValue::Integer(300)),
            ("host.max-ppm".to_owned(), ParamValue::Integer(5_000)),
        ],
        channels: (0..rows as u64).map(row).collect(),
        signals: vec![("peer.uptime-day".to_owned(), vec![0.5; rows])],
        node_state: vec![],
    }
}

fn row(row: u64) -> RebalanceRow {
    let empty = row.is_multiple_of(2);
    let (local, out) = if empty { (100_000_000, 6_000_000_000) } else { (4_800_000_000, 0) };
    RebalanceRow {
        pseudonym: row + 1,
        peer_pseudonym: row + 1,
        opener: Opener::Local,
        public: true,
        connected: true,
        fleet: false,
        age_s: 100 * 86_400,
        capacity: Msat(5_000_000_000),
        local: Msat(local),
        spendable: Msat(local - 50_000_000),
        receivable: Msat(4_950_000_000 - local),
        htlcs_in: 0,
        htlcs_out: 1,
        htlc_slots: 30,
        fee: Ppm(1_500),
        base_fee: Msat(0),
        peer_fee: Some(Ppm(100)),
        peer_base_fee: Some(Msat(1_000)),
        in_week: Msat(0),
        out_week: Msat(out / 4),
        in_month: Msat(0),
        out_month: Msat(out),
        live_week_s: 604_800,
        live_month_s: 2_592_000,
        earned_week: Msat(out / 4 * 1_500 / 1_000_000),
        earned_month: Msat(out * 1_500 / 1_000_000),
        sourced_week: Msat(0),
        sourced_month: Msat(0),
        forwards_in_month: 0,
        forwards_out_month: 60,
        last_out: Some(UnixTime(NOW - 5_000)),
        flow: FlowClass::Balanced,
        flow_ratio: 0.04,
        velocity: 0.0,
        confidence: 0.9,
        settled_sent: 50.0 + row as f64,
        failed_sent: 1.0,
        may_fill: true,
        may_drain: true,
        fill_most: Msat(4_900_000_000 - local),
        drain_most: Msat(local - 60_000_000),
        budget_left: Msat(20_000_000),
        attempts: vec![Attempt {
            ended: UnixTime(NOW - 90_000),
            amount: Msat(500_000_000),
            moved: Msat(500_000_000),
            fee: Msat(150_000),
            max_fee: Ppm(900),
        }],
        senders: vec![Sender { row: 1, out: Msat(out / 2) }],
        state: vec![],
    }
}

/// Loads the guest in `mode` as an evaluator, in an engine of its own.
fn load(mode: &str) -> Result<(Place, Engine, Arc<Evaluator>), LoadFault> {
    let place = Place::new();
    place.install("guest", &guest(mode));
    let engine = place.quick_engine();
    let module = engine.load_evaluator(&name("guest"))?;
    Ok((place, engine, module))
}

#[test]
fn a_decision_comes_back_whole() {
    let (_place, engine, module) = load("honest").unwrap();
    let mut input = input(3);
    let decision = engine.decide_rebalances(&module, &input).unwrap();
    let job = &decision.proposals[0];
    assert_eq!((job.to, job.from.as_slice(), job.reason.as_str()), (0, &[1][..], "step"));
    assert_eq!((job.amount, job.max_fee), (Msat(4_740_000_000), Ppm(1_500)));
    assert_eq!((job.value, job.cost, job.success), (SignedMsat(-5), Msat(3), 0.25));
    assert_eq!(job.factors, [("old-ppm".to_owned(), 1_500.0)]);
    let told: Vec<_> = decision.not_filled.iter().map(|row| (row.row, row.factors[0].1)).collect();
    assert_eq!(told, [(1, 51.0), (2, 52.0)], "each with what the host said of it");
    assert!(decision.fuel > 1_000, "{}", decision.fuel);
    for call in 1..=3_u8 {
        let decision = engine.decide_rebalances(&module, &input).unwrap();
        assert_eq!(decision.states, [[call]; 3].into_iter().collect(), "the guest counts in the states");
        for (channel, state) in input.channels.iter_mut().zip(decision.states.iter()) {
            channel.state = state.to_vec();
        }
    }
}

#[test]
fn the_built_in_evaluator_buys_what_sells_and_says_why_not() {
    let place = Place::new();
    let engine = place.quick_engine();
    for evaluator in StrategyName::EVALUATORS {
        let module = engine.load_evaluator(&name(evaluator)).unwrap();
        assert!(module.built_in);
        let input = input(50);
        let decision = engine.decide_rebalances(&module, &input).unwrap();
        assert!((1..=5).contains(&decision.proposals.len()), "{:?}", decision.not_filled);
        for job in &decision.proposals {
            assert!(job.to % 2 == 0 && job.from.iter().all(|row| row % 2 == 1), "{job:?}");
            assert!(job.value > SignedMsat::ZERO && job.cost_at_most() <= input.channels[job.to].budget_left);
            assert_eq!(job.reason, "sale");
        }
        assert_eq!(decision.proposals.len() + decision.not_filled.len(), 50, "a word on every channel");
        assert_eq!(engine.decide_rebalances(&module, &input).unwrap(), decision, "and the same again");
    }
}

#[test]
fn a_module_of_the_other_world_is_refused_in_one_sentence() {
    let place = Place::new();
    place.install("fees", include_bytes!(env!("COMPONENT_PASSIVE")));
    place.install("jobs", include_bytes!(env!("COMPONENT_REBALANCE_EV")));
    let not_fees = "the component exports revenue-ops:strategy/rebalance@1.0.0 but nothing that sets fees; \
                    the interface revenue-ops:strategy/fee@1.0.0 is needed";
    let not_jobs = "the component exports revenue-ops:strategy/fee@1.0.0 but nothing that evaluates rebalances; \
                    the interface revenue-ops:strategy/rebalance@1.0.0 is needed";
    // The second engine finds both compiled.
    for _ in 0..2 {
        let engine = place.quick_engine();
        assert!(engine.load(&name("fees")).is_ok() && engine.load_evaluator(&name("jobs")).is_ok());
        for (fault, sentence) in [
            (engine.load(&name("jobs")).unwrap_err(), not_fees),
            (engine.load(&name("rebalance-ev")).unwrap_err(), not_fees),
            (engine.load_evaluator(&name("fees")).unwrap_err(), not_jobs),
            (engine.load_evaluator(&name("dynamic")).unwrap_err(), not_jobs),
        ] {
            assert!(matches!(fault, LoadFault::WrongWorld { .. }), "{fault}");
            assert_eq!(fault.to_string(), sentence);
        }
        // A refusal in one world is none in the other.
        assert!(engine.load(&name("fees")).is_ok() && engine.load_evaluator(&name("jobs")).is_ok());
    }
}

#[test]
fn one_file_may_serve_both_worlds_and_is_compiled_once() {
    let (_place, engine, evaluator) = load("honest").unwrap();
    let fees = engine.load(&name("guest")).unwrap();
    assert_eq!(fees.digest, evaluator.digest, "a fault of one counts for the other");
    assert_eq!(fees.origin, Origin::Cached);
    assert!(engine.decide_fees(&fees, &fee_input(2)).is_ok());
    assert!(engine.decide_rebalances(&evaluator, &input(2)).is_ok());
}

#[test]
fn a_changed_file_is_loaded_anew_and_a_forgotten_name_is_looked_at_again() {
    let (place, engine, first) = load("honest").unwrap();
    assert!(Arc::ptr_eq(&first, &engine.load_evaluator(&name("guest")).unwrap()));
    engine.forget(&name("guest"));
    assert!(!Arc::ptr_eq(&first, &engine.load_evaluator(&name("guest")).unwrap()));
    place.install("guest", &guest("panic"));
    let second = engine.load_evaluator(&name("guest")).unwrap();
    assert_ne!(first.digest, second.digest);
    engine.set_interpreted(["guest".to_owned()].into());
    assert_eq!(engine.load_evaluator(&name("guest")).unwrap().class, LimitClass::Interpreted);
}

#[test]
fn no_channels_ten_thousand_and_the_fullest_answer_are_taken() {
    let (_place, engine, module) = load("honest").unwrap();
    for rows in [0, 1, 10_000] {
        let decision = engine.decide_rebalances(&module, &input(rows)).unwrap();
        assert_eq!((decision.states.len(), decision.not_filled.len()), (rows, rows.saturating_sub(1)));
    }
    let (_place, engine, module) = load("full").unwrap();
    for rows in [2, 1_000] {
        let decision = engine.decide_rebalances(&module, &input(rows)).unwrap();
        assert_eq!((decision.proposals.len(), decision.not_filled.len()), (rows / 2, rows / 2));
        assert!(decision.not_filled.iter().all(|row| row.factors.len() == 16));
        assert!(
            decision.states.iter().all(|state| state.len() == 1024) && decision.node_state.len() == 65_536
        );
    }
}

/// Mode, rows, fault, and a part of what the operator is told.
const ATTACKS: [(&str, usize, FaultKind, &str); 37] = [
    ("panic", 2, Trap, "unreachable"),
    ("divide", 2, Trap, ""),
    ("wild-read", 2, Trap, "out of bounds memory access"),
    ("loop", 100, OutOfFuel, "fuel"),
    ("grow", 10_000, Deadline, "interrupt"),
    ("memory", 1_000, Memory, "33554432 bytes of memory"),
    ("recurse", 1_000, Stack, "stack"),
    ("rows-many", 1_000, OutputTooLarge, "too much data"),
    ("states-bomb", 1_000, OutputTooLarge, "too much data"),
    ("sources-bomb", 1_000, OutputTooLarge, "too much data"),
    ("error-bomb", 1_000, OutputTooLarge, "too much data"),
    ("error-bytes", 2, BadOutput, "utf-8"),
    ("error-text", 2, GuestError, "cannot decide\\n\\u{1b}[2J today"),
    ("row-unknown", 2, BadOutput, "fill row 4294967295 of 2"),
    ("row-twice", 2, BadOutput, "fill row 0, which is named already"),
    ("source-unknown", 2, BadOutput, "take from row 4294967295 of 2"),
    ("source-itself", 2, BadOutput, "take from row 0, which is named already"),
    ("source-none", 2, BadOutput, "no source"),
    ("refusal-filled", 2, BadOutput, "row 0, a channel that a proposal would fill"),
    ("refusals-twice", 2, BadOutput, "row 1 after one for row 1"),
    ("amount-none", 2, BadOutput, "an amount of 0 msat"),
    ("amount-beyond", 2, BadOutput, "an amount of 4740000001 msat; its sources have 4740000000"),
    ("amount-huge", 2, BadOutput, "an amount of 18446744073709551615 msat; at most 4800000000 fit"),
    ("fee-huge", 2, BadOutput, "18446744073709551615 ppm"),
    ("fee-beyond-u32", 2, BadOutput, "4294967296 ppm"),
    ("fee-absurd", 2, BadOutput, "1000001 ppm"),
    ("value-huge", 2, BadOutput, "a value of -9223372036854775808 msat"),
    ("cost-huge", 2, BadOutput, "an expected cost of 18446744073709551615 msat"),
    ("success-nan", 2, BadOutput, "success of NaN"),
    ("success-two", 2, BadOutput, "success of 2"),
    ("factor-nan", 2, BadOutput, "factor 'share' is NaN"),
    ("factor-unknown", 2, BadOutput, "factor 9 of 2"),
    ("reason-unknown", 2, BadOutput, "reason 2 of 2"),
    ("states-few", 2, BadOutput, "1 states for 2"),
    ("states-falling", 3, BadOutput, "state of row 1"),
    ("state-long", 2, BadOutput, "1025 bytes; 1024"),
    ("node-state-long", 0, BadOutput, "65537 bytes; 65536"),
];

#[test]
fn each_attack_ends_as_its_fault() {
    let place = Place::new();
    let engine = place.quick_engine();
    for (mode, rows, kind, told) in ATTACKS {
        place.install(mode, &guest(mode));
        let module = engine.load_evaluator(&name(mode)).unwrap();
        let start = Instant::now();
        let fault = engine.decide_rebalances(&module, &input(rows)).expect_err(mode);
        assert!(start.elapsed() < GENEROUS, "{mode} took {:?}", start.elapsed());
        assert_eq!(fault.kind, kind, "{mode}: {fault}");
        assert!(fault.detail.contains(told), "{mode}: {fault}, expected {told}");
        let fuel = fault.fuel.expect("the call had begun");
        assert!(fuel > 0 && fuel <= LimitClass::Native.fuel(rows), "{mode}: {fuel}");
    }
    place.install("honest", &guest("honest"));
    let honest = engine.load_evaluator(&name("honest")).unwrap();
    assert!(engine.decide_rebalances(&honest, &input(2)).is_ok(), "the engine has survived them all");
}

#[test]
fn equal_calls_give_equal_answers_for_equal_fuel() {
    let place = Place::new();
    let mut decisions = Vec::new();
    for engine in [place.engine(), place.on_demand()] {
        let module = engine.load_evaluator(&StrategyName::rebalance_ev()).unwrap();
        decisions.push(engine.decide_rebalances(&module, &input(200)).unwrap());
    }
    assert_eq!(decisions[0], decisions[1], "pooled and on demand");
}

#[test]
fn a_thousand_channels_take_a_small_part_of_their_fuel() {
    let place = Place::new();
    let engine = place.quick_engine();
    let module = engine.load_evaluator(&StrategyName::rebalance_ev()).unwrap();
    for rows in [1_000, 10_000] {
        let decision = engine.decide_rebalances(&module, &input(rows)).unwrap();
        assert_eq!(decision.proposals.len(), 5);
        let tank = LimitClass::Native.fuel(rows);
        assert!(decision.fuel < tank / 2, "{rows} channels: {} of {tank}", decision.fuel);
    }
}
