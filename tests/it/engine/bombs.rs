//! Components that are small to send and dear to compile: the child that
//! compiles them dies or comes through, and the plugin does not notice.

pub mod shapes;

use super::place::{Place, guest, input, is_alone, name, peak_rss};
use cl_revenue_ops::engine::{Compiler, Engine, EngineOptions, LoadFault, Origin, Tier};
use shapes::Shape;
use std::fs;
use std::time::{Duration, Instant};

/// The longest that a load may block, with room for a busy machine.
const BOUND: Duration = Duration::from_secs(40);

/// A bomb's name, and what it is.
const BOMBS: [(&str, Shape); 5] = [
    ("loops", Shape::Loops(200, 500)),
    ("more-loops", Shape::Loops(500, 1_000)),
    ("tables", Shape::Tables(400, 400)),
    ("ranges", Shape::Ranges(300, 500)),
    // The first look finds nothing odd about it, and neither tier gets
    // through within the child's memory.
    ("more-ranges", Shape::Ranges(3_000, 6_000)),
];

#[test]
fn bombs_are_settled_in_time_and_outside_this_process() {
    if !is_alone("engine::bombs::bombs_are_settled_in_time_and_outside_this_process") {
        return;
    }
    let place = Place::new();
    // The compiler, and a line for each of its runs.
    let (program, runs) = (env!("CARGO_BIN_EXE_cl-revenue-ops"), place.path("runs"));
    let engine = place.with_compiler(&format!("echo >> {}; exec {program} \"$@\"", runs.display()));
    let runs = || fs::read_to_string(&runs).unwrap_or_default().lines().count();
    let honest = guest("honest");
    let before = peak_rss();
    for (bomb, shape) in BOMBS {
        place.install(bomb, &shape.around(&honest));
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
        let so_far = runs();
        assert!(so_far > 0, "the child compiles");
        assert_eq!(engine.load(&name(bomb)).err(), loaded.err());
        assert_eq!(runs(), so_far, "{bomb}: what was settled is not settled again");
    }
    let grown = peak_rss() - before;
    assert!(grown < 500 << 20, "{grown} bytes: compiling them here takes more than 1 GiB");
}

#[test]
fn a_function_that_is_dear_to_optimise_is_compiled_by_the_quick_tier() {
    let place = Place::new();
    place.install("loops", &Shape::Loops(100, 100).around(&guest("honest")));
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
    // Its end is not waited for: it would come when somebody reads the rest.
    let fault = place.with_compiler("exec cat /dev/zero").load(&name("guest")).unwrap_err();
    let told =
        "compiling the module answered with more than 16777216 bytes; 16 MiB of machine code are allowed";
    assert_eq!(fault.to_string(), told);
    for script in ["echo odd >&2; exit 7", "true", "echo not an artefact"] {
        let fault = place.with_compiler(script).load(&name("guest")).unwrap_err();
        assert!(
            matches!(fault, LoadFault::Host { .. } | LoadFault::CompileLimit { .. }),
            "{script}: {fault}"
        );
    }
    let compiler = Compiler::Child { program: place.path("missing"), or_unsealed: false };
    let missing = EngineOptions { compiler, ..place.options() };
    let fault = Engine::new(missing).unwrap().load(&name("guest")).unwrap_err();
    assert!(fault.to_string().contains("could not be run"), "{fault}");
}

#[test]
fn a_compiler_that_hangs_is_ended() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let pids = place.path("pids");
    let engine = place.with_compiler(&format!("echo $$ >> {}; exec sleep 1000", pids.display()));
    let start = Instant::now();
    let fault = engine.load(&name("guest")).unwrap_err();
    assert!(fault.to_string().contains("was not done after 12 s"), "{fault}");
    assert!(start.elapsed() < BOUND);
    let sleepers = fs::read_to_string(pids).unwrap();
    assert!(sleepers.lines().count() > 0, "it was started");
    let stays = |pid: &str| fs::exists(format!("/proc/{pid}")).unwrap();
    assert!(!sleepers.lines().any(stays), "no process stays behind: {sleepers}");
}
