//! Calls in worker processes: the same answers as in this process, and
//! whatever becomes of a worker costs one call at most.

use super::place::{Place, guest, input, load, name};
use cl_revenue_ops::engine::{Engine, FaultKind, LoadFault, Module, WorkerStatus};
use cl_revenue_ops::model::strategy::{FeeInput, ParamValue};
use cl_revenue_ops::model::{Msat, Opener, Ppm};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Far longer than anything here takes on a busy machine.
const GENEROUS: Duration = Duration::from_secs(60);

pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < GENEROUS, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn workers(engine: &Engine) -> Vec<WorkerStatus> {
    engine.place().workers.expect("calls run in workers").workers
}

pub fn signal(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// The letter for what a process does, if there is one.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether all of a killed process is gone: its first thread may be so before the others.
fn is_over(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, |threads| threads.count());
    state(pid).is_none_or(|state| state == 'Z') && threads <= 1
}

/// One guest, in a worker and here.
struct Pair {
    _place: Place,
    away: (Engine, Arc<Module>),
    here: (Engine, Arc<Module>),
}

impl Pair {
    fn of(wasm: &[u8]) -> Pair {
        let place = Place::new();
        place.install("guest", wasm);
        let [away, here] = [place.quick_engine(), place.engine_here()].map(|engine| {
            let module = engine.load(&name("guest")).unwrap();
            (engine, module)
        });
        assert!(away.0.place().workers.is_some() && here.0.place().workers.is_none());
        assert_eq!(away.1.description, here.1.description);
        Pair { _place: place, away, here }
    }

    fn compare(&self, input: &FeeInput) -> Result<(), TestCaseError> {
        let [away, here] = [&self.away, &self.here].map(|(engine, module)| engine.measure(module, input));
        prop_assert_eq!(away, here);
        Ok(())
    }
}

/// Any number that a row may hold, odd ones more often than not.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), Just((1 << 53) - 1), 0..5_000_000_000_u64, any::<u64>()]
}

prop_compose! {
    fn inputs()(
        mut given in (0..40_usize).prop_map(input),
        numbers in prop::collection::vec((number(), number(), any::<u32>(), any::<bool>()), 40),
        floats in prop::collection::vec(any::<f64>(), 40),
        states in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 40),
        text in ".{0,20}",
        node_state in prop::collection::vec(any::<u8>(), 0..100),
    ) -> FeeInput {
        for (row, channel) in given.channels.iter_mut().enumerate() {
            let (large, larger, small, flag) = numbers[row];
            channel.capacity = Msat(large);
            channel.local = Msat(larger);
            channel.fee = Ppm(small);
            channel.connected = flag;
            channel.opener = if flag { Opener::Local } else { Opener::Remote };
            channel.peer_fee = flag.then_some(Ppm(small));
            channel.velocity = floats[row];
            channel.state.clone_from(&states[row]);
            channel.intervals.truncate(row % 3);
        }
        given.signals[0].1.copy_from_slice(&floats[..given.channels.len()]);
        given.params.push(("text".to_owned(), ParamValue::Text(text)));
        given.node_state = node_state;
        given
    }
}

/// Every answer and every fault that does not depend on time.
const MODES: [&str; 13] = [
    "honest",
    "panic",
    "divide",
    "wild-read",
    "loop",
    "memory",
    "recurse",
    "rows-many",
    "error-text",
    "factor-nan",
    "states-few",
    "state-long",
    "fee-absurd",
];

#[test]
fn a_worker_answers_as_this_process_does_fuel_and_faults_included() {
    for mode in MODES {
        let pair = Pair::of(&guest(mode));
        let cases = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(cases);
        runner.run(&inputs(), |input| pair.compare(&input)).unwrap_or_else(|why| panic!("{mode}: {why}"));
        assert_eq!(pair.away.0.place().workers.unwrap().deaths, 0, "{mode}");
    }
}

#[test]
fn a_sealed_worker_has_its_socket_and_nothing_else() {
    let (_place, engine, module) = load("honest").unwrap();
    engine.decide_fees(&module, &input(3)).unwrap();
    let [worker] = workers(&engine).try_into().unwrap();
    assert_eq!((worker.module.as_deref(), worker.doing), (Some("guest"), None));
    let status = fs::read_to_string(format!("/proc/{}/status", worker.pid)).unwrap();
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "Name:\tstrategy-worker"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", worker.pid)).unwrap();
    for limit in ["Max open files", "Max processes", "Max file size", "Max core file size"] {
        let line = limits.lines().find(|line| line.starts_with(limit)).expect(limit);
        assert_eq!(line[limit.len()..].split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
    }
    // Only root may look at the descriptors of a process that cannot be debugged.
    if let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", worker.pid)) {
        let names: Vec<_> = descriptors.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["0"]);
    }
    let environment = fs::read(format!("/proc/{}/environ", worker.pid)).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&environment).contains("HOME="));
}

#[test]
fn a_worker_serves_one_module_and_ends_with_its_engine() {
    let place = Place::new();
    place.install("one", &guest("honest"));
    place.install("two", &guest("error-text"));
    let engine = place.quick_engine();
    let [one, two] = ["one", "two"].map(|module| engine.load(&name(module)).unwrap());
    for _ in 0..3 {
        assert!(engine.decide_fees(&one, &input(3)).is_ok());
        assert!(engine.decide_fees(&two, &input(3)).is_err());
    }
    // Both worlds of one file share a worker.
    engine.load_evaluator(&name("one")).unwrap();
    let workers = workers(&engine);
    let modules: Vec<_> = workers.iter().map(|worker| worker.module.clone().unwrap()).collect();
    assert_eq!(modules, ["two", "one"]);
    drop((engine, one, two));
    for worker in workers {
        wait_for("the worker ends", || state(worker.pid).is_none().then_some(()));
    }
}

#[test]
fn a_worker_that_is_killed_costs_its_call_and_no_other() {
    let place = Place::new();
    place.install("guest", &guest("grow"));
    place.install("honest", &guest("honest"));
    let engine = place.quick_engine();
    engine.set_interpreted(BTreeSet::from(["guest".to_owned()]));
    let [long, honest] = ["guest", "honest"].map(|module| engine.load(&name(module)).unwrap());
    let fault = std::thread::scope(|scope| {
        let call = scope.spawn(|| engine.decide_fees(&long, &input(10_000)).unwrap_err());
        let worker = wait_for("the call begins", || {
            workers(&engine).into_iter().find(|worker| worker.doing == Some("decide"))
        });
        assert_eq!(worker.module.as_deref(), Some("guest"));
        assert!(engine.decide_fees(&honest, &input(3)).is_ok(), "a long call does not keep others waiting");
        signal(worker.pid, "-KILL");
        call.join().unwrap()
    });
    assert_eq!((fault.kind, fault.fuel), (FaultKind::WorkerDied, None));
    assert_eq!(fault.detail, "the worker process was killed");
    let crew = engine.place().workers.unwrap();
    assert_eq!((crew.deaths, crew.last_death.unwrap().why.as_str()), (1, "was killed"));

    // One that dies while nobody needs it costs nothing.
    let before = engine.decide_fees(&honest, &input(3)).unwrap();
    let idle =
        workers(&engine).into_iter().find(|worker| worker.module.as_deref() == Some("honest")).unwrap();
    signal(idle.pid, "-KILL");
    wait_for("it is dead", || is_over(idle.pid).then_some(()));
    assert_eq!(engine.decide_fees(&honest, &input(3)).unwrap(), before);
    assert_eq!(engine.place().workers.unwrap().deaths, 2);
}

#[test]
fn a_worker_that_hangs_is_ended_at_the_deadline_and_nobody_waits_for_it() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let engine = place.quick_engine();
    let module = engine.load(&name("guest")).unwrap();
    let [stuck] = workers(&engine).try_into().unwrap();
    signal(stuck.pid, "-STOP");
    let other = engine.built_in("passive").unwrap();
    let fault = std::thread::scope(|scope| {
        let call = scope.spawn(|| engine.decide_fees(&module, &input(3)).unwrap_err());
        wait_for("the call begins", || {
            workers(&engine).iter().any(|worker| worker.doing == Some("decide")).then_some(())
        });
        assert!(engine.decide_fees(&other, &input(3)).is_ok());
        call.join().unwrap()
    });
    assert_eq!((fault.kind, fault.fuel), (FaultKind::Deadline, None));
    assert_eq!(fault.detail, "the worker process did not answer in time and was ended");
    assert_eq!(state(stuck.pid), None);
    assert!(engine.decide_fees(&module, &input(3)).is_ok(), "the next call has a new one");
}

/// What is no worker, and what is said of it.
const NO_WORKERS: [(&str, &str); 5] = [
    ("exit 3", "ended with status 3"),
    ("kill -SEGV $$", "crashed"),
    ("echo a word that is no length >&0; exec sleep 60", "sent a message of"),
    ("head -c 100 /dev/zero >&0; exec sleep 60", "sent a message that makes no sense"),
    ("exec /nonexistent 2>/dev/null", "ended with status 127"),
];

#[test]
fn where_no_worker_can_be_set_up_the_place_decides() {
    for (script, told) in NO_WORKERS {
        let place = Place::new();
        let here = place.with_worker(script, true);
        let status = here.place();
        assert!(status.workers.is_none() && status.problem.unwrap().contains(told), "{script}");
        let module = here.built_in("passive").unwrap();
        assert!(here.decide_fees(&module, &input(3)).is_ok(), "{script}");

        let nowhere = place.with_worker(script, false);
        let fault = nowhere.built_in("passive").unwrap_err();
        assert!(matches!(&fault, LoadFault::Host { why } if why.contains(told)), "{script}: {fault}");
        assert!(nowhere.place().workers.unwrap().workers.is_empty());
        assert!(nowhere.place().problem.unwrap().contains(told), "{script}");
    }
    let place = Place::new();
    let program = place.path("missing");
    let missing = cl_revenue_ops::engine::Place::Worker { program, or_here: true };
    let options = cl_revenue_ops::engine::EngineOptions { place: missing, ..place.options() };
    let problem = Engine::new(options).unwrap().place().problem.unwrap();
    assert!(problem.contains("cannot be started: No such file"), "{problem}");
}

#[test]
fn a_worker_does_nothing_without_the_plugin() {
    let program = env!("CARGO_BIN_EXE_cl-revenue-ops");
    let output = Command::new(program)
        .arg(cl_revenue_ops::engine::WORKER_SUBCOMMAND)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!((output.status.success(), output.stdout.as_slice()), (false, &b""[..]));
}
