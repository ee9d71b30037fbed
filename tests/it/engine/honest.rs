//! A guest that behaves gets its way.

use super::place::{self, Place, guest, input, load, name};
use crate::support::DEADLINE;
use cl_revenue_ops::engine::{LimitClass, LoadFault, Origin, Tier};
use cl_revenue_ops::model::strategy::FeeInput;
use cl_revenue_ops::model::{Ppm, StrategyName};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_decision_comes_back_whole() {
    let decision = place::decide("honest", 3).unwrap();
    let fees: Vec<Ppm> = decision.proposals.iter().map(|proposal| proposal.fee).collect();
    assert_eq!(fees, [Ppm(107), Ppm(108), Ppm(109)], "each fee plus the parameter 'step'");
    let last = &decision.proposals[2];
    assert_eq!((last.row, last.reason.as_str()), (2, "step"));
    assert_eq!(
        last.factors,
        [("old-ppm".to_owned(), 102.0), ("share".to_owned(), 2_000_002_000.0 / 5_000_000_000.0)]
    );
    assert_eq!(decision.states, [[1], [1], [1]].into_iter().collect());
    assert!(decision.fuel > 1_000, "{}", decision.fuel);
}

#[test]
fn states_come_back_to_the_guest_and_nothing_else_does() {
    let (_place, engine, module) = load("honest").unwrap();
    let mut input = input(2);
    for call in 1..=5_u8 {
        let decision = engine.decide_fees(&module, &input).unwrap();
        assert_eq!(decision.states, [[call], [call]].into_iter().collect(), "the guest counts in the states");
        assert_eq!(decision.node_state, [1], "its own memory is new in each call");
        for (channel, state) in input.channels.iter_mut().zip(decision.states.iter()) {
            channel.state = state.to_vec();
        }
    }
}

#[test]
fn no_channels_and_ten_thousand_are_decided() {
    let (_place, engine, module) = load("honest").unwrap();
    for rows in [0, 1, 10_000] {
        let decision = engine.decide_fees(&module, &input(rows)).unwrap();
        assert_eq!((decision.proposals.len(), decision.states.len()), (rows, rows));
    }
}

#[test]
fn the_fullest_answer_that_the_contract_allows_passes() {
    let (_place, engine, module) = load("full").unwrap();
    for rows in [2, 1_000] {
        let decision = engine.decide_fees(&module, &input(rows)).unwrap();
        assert!(decision.states.iter().all(|state| state.len() == 1024));
        assert!(decision.proposals.iter().all(|proposal| proposal.factors.len() == 16));
        assert_eq!(decision.node_state.len(), 65_536);
    }
}

#[test]
fn equal_calls_give_equal_answers_for_equal_fuel() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let input = input(200);
    let mut decisions = Vec::new();
    for engine in [place.engine(), place.on_demand()] {
        let module = engine.load(&name("guest")).unwrap();
        decisions.push(engine.decide_fees(&module, &input).unwrap());
        decisions.push(engine.decide_fees(&module, &input).unwrap());
    }
    assert!(decisions.windows(2).all(|pair| pair[0] == pair[1]), "pooled and on demand, first and again");
}

#[test]
fn a_changed_file_is_loaded_anew_and_an_unchanged_one_is_not() {
    let place = Place::new();
    let engine = place.engine();
    assert!(matches!(engine.load(&name("guest")), Err(LoadFault::NotFound { .. })));
    place.install("guest", &guest("honest"));
    let first = engine.load(&name("guest")).unwrap();
    assert!(
        matches!(first.origin, Origin::Compiled { tier: Tier::Speed, not_cached: None }),
        "{:?}",
        first.origin
    );
    assert!(Arc::ptr_eq(&first, &engine.load(&name("guest")).unwrap()));

    place.install("guest", &guest("honest"));
    assert!(Arc::ptr_eq(&first, &engine.load(&name("guest")).unwrap()), "the same bytes, written again");

    place.install("guest", &guest("row-twice"));
    let second = engine.load(&name("guest")).unwrap();
    assert_ne!(first.digest, second.digest);
    assert!(engine.decide_fees(&second, &input(2)).is_err());
    assert!(engine.decide_fees(&first, &input(2)).is_ok(), "whoever holds the old one can finish with it");

    fs::remove_file(place.path("strategies/guest.wasm")).unwrap();
    assert!(matches!(engine.load(&name("guest")), Err(LoadFault::NotFound { .. })));
}

#[test]
fn only_the_operators_word_gives_the_larger_limits() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let engine = place.engine();
    assert_eq!(engine.load(&name("guest")).unwrap().class, LimitClass::Native);
    engine.set_interpreted(["guest".to_owned()].into());
    assert_eq!(engine.load(&name("guest")).unwrap().class, LimitClass::Interpreted);
    engine.set_interpreted(Default::default());
    assert_eq!(engine.load(&name("guest")).unwrap().class, LimitClass::Native);
}

#[test]
fn the_modules_of_the_directory_are_listed() {
    let place = Place::new();
    for file in ["b", "a-1", "dynamic"] {
        place.install(file, b"x");
    }
    fs::write(place.path("strategies/readme.txt"), "").unwrap();
    fs::write(place.path("strategies/no name.wasm"), "").unwrap();
    fs::create_dir(place.path("strategies/c.wasm")).unwrap();
    let listed: Vec<String> = place.engine().available().unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(listed, ["a-1", "b"]);
}

#[test]
fn every_built_in_strategy_decides() {
    let place = Place::new();
    let engine = place.engine();
    for strategy in StrategyName::BUILT_IN {
        let module = engine.built_in(strategy).unwrap();
        assert!(module.built_in);
        let decision = engine.decide_fees(&module, &input(50)).unwrap();
        assert_eq!(decision.states.len(), 50, "{strategy}");
        assert!(Arc::ptr_eq(&module, &engine.load(&name(strategy)).unwrap()));
    }
    assert!(matches!(engine.built_in("clever"), Err(LoadFault::NotFound { .. })));
}

#[test]
fn many_threads_may_call_at_once() {
    let (_place, engine, module) = load("honest").unwrap();
    let input: FeeInput = input(300);
    let expected = engine.decide_fees(&module, &input).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(engine.decide_fees(&module, &input).unwrap(), expected));
        }
    });
}

#[test]
fn an_engine_that_ends_leaves_no_thread_behind() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().filter(is_engines_thread).count();
    let wait = |what: &str, reached: &dyn Fn(usize) -> bool| {
        let start = Instant::now();
        while !reached(threads()) {
            assert!(start.elapsed() < DEADLINE, "{what}: {} threads", threads());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let place = Place::new();
    let engines: Vec<_> = (0..64).map(|_| place.on_demand()).collect();
    wait("each engine has a thread", &|count| count >= 64);
    drop(engines);
    wait("none is left but those of other tests", &|count| count < 64);
}

fn is_engines_thread(task: &std::io::Result<fs::DirEntry>) -> bool {
    let comm = task.as_ref().map(|task| fs::read_to_string(task.path().join("comm")));
    // A thread may end while it is looked at.
    matches!(comm, Ok(Ok(comm)) if comm.trim() == "start-workers")
}
