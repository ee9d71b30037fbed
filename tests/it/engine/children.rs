//! The processes that compile modules and make recorded calls again: shut off before they are given
//! anything.

use super::place::{Place, guest, name};
use super::worker::wait_for;
use cl_revenue_ops::engine::{COMPILE_SUBCOMMAND, REPLAY_SUBCOMMAND};
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

const COMPILER: (&str, &str, &str) = (COMPILE_SUBCOMMAND, "CL_REVENUE_OPS_COMPILE", "native speed wide");
const REPLAYER: (&str, &str, &str) = (REPLAY_SUBCOMMAND, "CL_REVENUE_OPS_REPLAY", "native native");

/// A child that waits for what it is to work on.
fn start((subcommand, variable, job): (&str, &str, &str)) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cl-revenue-ops"));
    child.arg(subcommand).env_clear().env(variable, job);
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn children_can_open_nothing_before_they_read_the_first_byte() {
    for kind in [COMPILER, REPLAYER] {
        let mut child = start(kind);
        let about = |file: &str| format!("/proc/{}/{file}", child.id());
        let status = wait_for("the child shuts itself off", || {
            let status = fs::read_to_string(about("status")).unwrap();
            status.contains("Seccomp:\t2").then_some(status)
        });
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        let limits = fs::read_to_string(about("limits")).unwrap();
        for limit in ["Max open files", "Max processes", "Max file size", "Max core file size"] {
            let line = limits.lines().find(|line| line.starts_with(limit)).expect(limit);
            assert_eq!(line[limit.len()..].split_whitespace().next(), Some("0"), "{line}");
        }
        let mut open: Vec<_> =
            fs::read_dir(about("fd")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        child.stdin.take().unwrap().write_all(b"rubbish").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "it works on: {output:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_child_compiles_to_the_same_bytes_as_this_process() {
    let wasm = guest("honest");
    let artefact = |place: Place| {
        let cached = fs::read_dir(place.path("cache")).unwrap().next().unwrap().unwrap().path();
        fs::read(cached).unwrap()[..].split_last_chunk::<32>().unwrap().0.to_vec()
    };
    let [here, there] = [true, false].map(|is_here| {
        let place = Place::new();
        place.install("guest", &wasm);
        let engine = if is_here { place.quick_engine() } else { place.engine() };
        engine.load(&name("guest")).unwrap();
        artefact(place)
    });
    assert!(here == there, "{} and {} bytes", here.len(), there.len());
}

#[test]
fn a_child_that_does_what_it_may_not_is_told_from_one_at_its_limits() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let fault = place.with_compiler("kill -SYS $$").load(&name("guest")).unwrap_err();
    let told = "the module is not valid here: it made its process do what none may, which ended it";
    assert_eq!(fault.to_string(), told);
}
