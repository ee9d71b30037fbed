//! Components that are small to send and dear to compile: the child that
//! compiles them dies or comes through, and the plugin does not notice.

use super::place::{Place, guest, input, name, peak_rss};
use cl_revenue_ops::engine::{Compiler, Engine, EngineOptions, LoadFault, Origin, Tier};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The longest that a load may block, with room for a busy machine.
const BOUND: Duration = Duration::from_secs(40);

/// `component`'s bytes with one more core module, which is compiled with the
/// rest and never instantiated.
fn with_module(component: &[u8], module: &[u8]) -> Vec<u8> {
    const CORE_MODULE_SECTION: u8 = 1;
    let mut bytes = component.to_vec();
    bytes.push(CORE_MODULE_SECTION);
    let mut rest = module.len();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.extend_from_slice(module);
    bytes
}

/// Loops in each other, all touching all locals.
fn nested_loops(loops: usize, locals: usize) -> String {
    let mut text = String::from("(module (func (param i32) (result i32) ");
    for local in 1..=locals {
        write!(text, "(local $l{local} i32)").unwrap();
    }
    for depth in 0..loops {
        let local = depth % locals + 1;
        write!(text, "(loop $d{depth} (local.set $l{local} (i32.add (local.get $l{local}) (local.get 0)))")
            .unwrap();
    }
    for depth in (0..loops).rev() {
        let local = depth % locals + 1;
        write!(text, "(br_if $d{depth} (local.get $l{local})))").unwrap();
    }
    text.push_str("local.get 1))");
    text
}

/// Many tables of many branches.
fn branch_tables(tables: usize, targets: usize) -> String {
    let mut text = String::from("(module (func (param i32) (result i32) (local i32)");
    for block in 0..targets {
        write!(text, "(block $b{block} ").unwrap();
    }
    for _ in 0..tables {
        text.push_str("(block $out (br_table ");
        for block in 0..targets {
            write!(text, "$b{block} ").unwrap();
        }
        text.push_str("$out (local.get 0))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))");
    }
    text.push_str(&")".repeat(targets));
    text.push_str("local.get 1))");
    text
}

/// Values that all live across many branches.
fn live_ranges(values: usize, branches: usize) -> String {
    let mut text = String::from("(module (func (param i32) (result i32)");
    for value in 1..=values {
        write!(text, "(local $v{value} i32)").unwrap();
    }
    for value in 1..=values {
        write!(text, "(local.set $v{value} (i32.mul (local.get 0) (i32.const {value})))").unwrap();
    }
    for branch in 0..branches {
        let value = branch % values + 1;
        write!(
            text,
            "(if (i32.and (local.get 0) (i32.const {branch}))
                (then (local.set $v{value} (i32.xor (local.get $v{value}) (local.get 0)))))"
        )
        .unwrap();
    }
    text.push_str("local.get 0");
    for value in 1..=values {
        write!(text, " local.get $v{value} i32.add").unwrap();
    }
    text.push_str("))");
    text
}

/// A bomb's name, and what it is.
fn bombs() -> [(&'static str, String); 5] {
    [
        ("loops", nested_loops(200, 500)),
        ("more-loops", nested_loops(500, 1_000)),
        ("tables", branch_tables(400, 400)),
        ("ranges", live_ranges(300, 500)),
        // The first look finds nothing odd about it, and neither tier gets
        // through within the child's memory.
        ("more-ranges", live_ranges(3_000, 6_000)),
    ]
}

#[test]
fn bombs_are_settled_in_time_and_outside_this_process() {
    let place = Place::new();
    let engine = place.engine();
    let honest = guest("honest");
    let before = peak_rss();
    for (bomb, text) in bombs() {
        place.install(bomb, &with_module(&honest, &wat::parse_str(text).unwrap()));
        let start = Instant::now();
        let loaded = engine.load(&name(bomb));
        let took = start.elapsed();
        assert!(took < BOUND, "{bomb} took {took:?}");
        match &loaded {
            Ok(module) => {
                assert!(engine.decide_fees(module, &input(3)).is_ok(), "{bomb} hides an honest guest")
            }
            Err(LoadFault::CompileLimit { .. }) => {}
            Err(other) => panic!("{bomb}: {other}"),
        }
        assert!(bomb != "more-ranges" || loaded.is_err(), "the child's limits hold");
        let again = Instant::now();
        assert_eq!(engine.load(&name(bomb)).err(), loaded.err());
        assert!(again.elapsed() < Duration::from_secs(2), "{bomb}: what was settled is not settled again");
    }
    let grown = peak_rss() - before;
    assert!(grown < 500 << 20, "{grown} bytes: compiling them here takes more than 1 GiB");
}

#[test]
fn a_function_that_is_dear_to_optimise_is_compiled_by_the_quick_tier() {
    let place = Place::new();
    place.install("loops", &with_module(&guest("honest"), &wat::parse_str(nested_loops(100, 100)).unwrap()));
    place.install("plain", &guest("honest"));
    let engine = place.engine();
    let quick = engine.load(&name("loops")).unwrap();
    assert_eq!(quick.origin, Origin::Compiled { tier: Tier::Quick, not_cached: None });
    let plain = engine.load(&name("plain")).unwrap();
    let decisions = [&quick, &plain].map(|module| engine.decide_fees(module, &input(100)).unwrap());
    assert_eq!(decisions[0], decisions[1], "both tiers give the same answer for the same fuel");

    let again = place.engine().load(&name("loops")).unwrap();
    assert_eq!(again.origin, Origin::Cached);
}

#[test]
fn a_compiler_that_dies_is_told_from_a_module_that_is_wrong() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    for (script, told) in [
        ("kill -XCPU $$", "used up its processor time"),
        ("kill -ABRT $$", "used up its memory"),
        ("kill -KILL $$", "was killed"),
        ("kill -SEGV $$", "crashed the compiler"),
    ] {
        let fault = place.with_compiler(script).load(&name("guest")).unwrap_err();
        assert!(matches!(fault, LoadFault::CompileLimit { .. }), "{script}: {fault}");
        assert!(fault.to_string().contains(told), "{script}: {fault}");
    }
    let fault = place.with_compiler("echo no good >&2; exit 3").load(&name("guest")).unwrap_err();
    assert_eq!(fault, LoadFault::Invalid { why: "no good".to_owned() });
    for script in ["echo odd >&2; exit 7", "true", "exec head -c 20000000 /dev/zero", "echo not an artefact"]
    {
        let fault = place.with_compiler(script).load(&name("guest")).unwrap_err();
        assert!(
            matches!(fault, LoadFault::Host { .. } | LoadFault::CompileLimit { .. }),
            "{script}: {fault}"
        );
    }
    let missing = EngineOptions { compiler: Compiler::Child(place.path("missing")), ..place.options() };
    let fault = Engine::new(missing).unwrap().load(&name("guest")).unwrap_err();
    assert!(fault.to_string().contains("could not be run"), "{fault}");
}

#[test]
fn a_compiler_that_hangs_is_ended() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let engine = place.with_compiler("exec sleep 1000");
    let start = Instant::now();
    let fault = engine.load(&name("guest")).unwrap_err();
    assert!(fault.to_string().contains("was not done after 12 s"), "{fault}");
    assert!(start.elapsed() < BOUND);
    let sleepers = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(|process| {
        let parent = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        parent.contains("(sleep)") && parent.contains(&format!(" {} ", std::process::id()))
    });
    assert_eq!(sleepers.count(), 0, "no process stays behind");
}
