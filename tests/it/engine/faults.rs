//! Each attack ends as the fault that names it, and the engine goes on.

use super::place::{Place, decide, guest, input, is_alone, load, name, peak_rss};
use cl_revenue_ops::engine::FaultKind::{self, *};
use cl_revenue_ops::engine::{LimitClass, LoadFault};
use std::time::{Duration, Instant};

/// Far more than any attack may last on a busy machine.
const GENEROUS: Duration = Duration::from_secs(60);

/// Mode, rows, fault, and a part of what the operator is told.
const ATTACKS: [(&str, usize, FaultKind, &str); 29] = [
    ("panic", 2, Trap, "unreachable"),
    ("divide", 2, Trap, ""),
    ("wild-read", 2, Trap, "out of bounds memory access"),
    ("loop", 2, OutOfFuel, "fuel"),
    ("loop", 100, OutOfFuel, "fuel"),
    ("grow", 10_000, Deadline, "interrupt"),
    ("memory", 1_000, Memory, "33554432 bytes of memory"),
    ("recurse", 1_000, Stack, "stack"),
    ("rows-many", 1_000, OutputTooLarge, "too much data"),
    ("states-bomb", 1_000, OutputTooLarge, "too much data"),
    ("error-bomb", 1_000, OutputTooLarge, "too much data"),
    ("error-bytes", 2, BadOutput, "utf-8"),
    ("error-text", 2, GuestError, "cannot decide\\n\\u{1b}[2J today"),
    ("row-unknown", 2, BadOutput, "row 4294967295 of 2"),
    ("row-twice", 2, BadOutput, "row 0 after one for row 0"),
    ("rows-falling", 2, BadOutput, "row 0 after one for row 1"),
    ("factor-nan", 2, BadOutput, "factor 'share' is NaN"),
    ("factor-infinite", 2, BadOutput, "factor 'share' is inf"),
    ("factor-unknown", 2, BadOutput, "factor 9 of 2"),
    ("reason-unknown", 2, BadOutput, "reason 2 of 2"),
    ("fee-huge", 2, BadOutput, "18446744073709551615 ppm"),
    ("fee-beyond-u32", 2, BadOutput, "4294967296 ppm"),
    ("fee-absurd", 2, BadOutput, "1000001 ppm"),
    ("states-few", 2, BadOutput, "1 states for 2"),
    ("states-falling", 3, BadOutput, "state of row 1"),
    ("state-long", 2, BadOutput, "1025 bytes; 1024"),
    ("node-state-long", 2, BadOutput, "65537 bytes; 65536"),
    ("panic", 0, Trap, "unreachable"),
    ("node-state-long", 0, BadOutput, "65537 bytes; 65536"),
];

#[test]
fn each_attack_ends_as_its_fault() {
    let place = Place::new();
    let engine = place.quick_engine();
    for (mode, rows, kind, told) in ATTACKS {
        place.install(mode, &guest(mode));
        let module = engine.load(&name(mode)).unwrap();
        let start = Instant::now();
        let fault = engine.decide_fees(&module, &input(rows)).expect_err(mode);
        assert!(start.elapsed() < GENEROUS, "{mode} took {:?}", start.elapsed());
        assert_eq!(fault.kind, kind, "{mode}: {fault}");
        assert!(fault.detail.contains(told), "{mode}: {fault}, expected {told}");
        assert!(
            fault.detail.len() <= 1_000 && fault.detail.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{fault}"
        );
        let fuel = fault.fuel.expect("the call had begun");
        assert!(fuel > 0 && fuel <= LimitClass::Native.fuel(rows), "{mode}: {fuel}");
        let again = engine.decide_fees(&module, &input(rows)).expect_err(mode);
        assert_eq!(again.kind, kind, "{mode}, again: {again}");
    }
    place.install("honest", &guest("honest"));
    let honest = engine.load(&name("honest")).unwrap();
    assert!(engine.decide_fees(&honest, &input(2)).is_ok(), "the engine has survived them all");
}

#[test]
fn a_trap_names_the_guests_functions() {
    let fault = decide("recurse", 2).unwrap_err();
    assert!(fault.detail.contains("recurse"), "{fault}");
}

#[test]
fn the_budget_of_fuel_is_exact() {
    let (_place, engine, module) = load("loop").unwrap();
    for rows in [0, 2, 100] {
        let fault = engine.decide_fees(&module, &input(rows)).unwrap_err();
        let tank = LimitClass::Native.fuel(rows);
        let used = fault.fuel.unwrap();
        assert!(used.abs_diff(tank) < 100, "{used} of {tank}");
    }
}

#[test]
fn attacks_at_the_same_time_do_not_disturb_an_honest_call() {
    let place = Place::new();
    for mode in ["honest", "loop", "memory", "panic"] {
        place.install(mode, &guest(mode));
    }
    let engine = place.quick_engine();
    let honest = engine.load(&name("honest")).unwrap();
    let expected = engine.decide_fees(&honest, &input(100)).unwrap();
    std::thread::scope(|scope| {
        for mode in ["loop", "memory", "panic"].repeat(6) {
            let (engine, module) = (&engine, engine.load(&name(mode)).unwrap());
            scope.spawn(move || assert!(engine.decide_fees(&module, &input(100)).is_err(), "{mode}"));
        }
        for _ in 0..20 {
            assert_eq!(engine.decide_fees(&honest, &input(100)).unwrap(), expected);
        }
    });
}

#[test]
fn a_memory_bomb_stays_within_its_limit() {
    if !is_alone("engine::faults::a_memory_bomb_stays_within_its_limit") {
        return;
    }
    let (_place, engine, module) = load("memory").unwrap();
    let before = peak_rss();
    for _ in 0..20 {
        assert_eq!(engine.decide_fees(&module, &input(1_000)).unwrap_err().kind, Memory);
    }
    let grown = peak_rss() - before;
    assert!(grown < 500 << 20, "{grown} bytes for 20 bombs of 32 MiB");
}

#[test]
fn what_fails_to_describe_itself_is_not_loaded() {
    for (mode, fault) in
        [("describe-loop", OutOfFuel), ("describe-panic", Trap), ("describe-alias", OutputTooLarge)]
    {
        match load(mode).map(|_| ()).unwrap_err() {
            LoadFault::Describe(found) => assert_eq!(found.kind, fault, "{mode}: {found}"),
            other => panic!("{mode}: {other}"),
        }
    }
    let told = |mode| load(mode).map(|_| ()).unwrap_err().to_string();
    assert!(
        told("describe-name").contains("'../../etc/passwd\\u{1b}[31m' is not 1 to 64"),
        "{}",
        told("describe-name")
    );
    assert!(told("describe-params").contains("65 parameters; 64"), "{}", told("describe-params"));
    assert!(told("describe-bound").contains("'step' has a bound"), "{}", told("describe-bound"));
}
