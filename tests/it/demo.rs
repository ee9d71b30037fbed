//! `cl-revenue-ops demo`, as somebody sees it who runs it for the first time.

#![allow(clippy::unwrap_used)]

use crate::support::{DEADLINE, TempDir};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cl-revenue-ops");

/// A directory of its own under the system's temporary one, short enough for a socket.
fn directory() -> TempDir {
    TempDir::new(&std::env::temp_dir(), "demo-test")
}

fn demo(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("demo").args(arguments).env("TMPDIR", temporary).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn left_in(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_short_run_shows_channels_reasons_refusals_and_what_to_do_next() {
    let directory = directory();
    let temporary = directory.path();
    let shown = text(&demo(temporary, &["--days", "1", "--seconds", "8"]).output().unwrap());
    for alias in lab::MarketSpec::demo().channels.iter().map(|channel| &channel.alias) {
        assert!(shown.lines().any(|line| line.starts_with(alias.as_str())), "{alias} in {shown}");
    }
    for expect in [
        "1 day of traffic at 10800 x real time, seed 1",
        "policy: hands off",
        "policy: one fixed rate",
        "policy: a fleet member",
        ": base ",
        "x scarcity ",
        "operator asks 50000 ppm; refused: outside the allowed 10 to 5000 ppm",
        "falls behind the chain",
        "After 1.0 simulated days",
        "1 x out_of_bounds",
        "calls of setchannel",
        "0 failed",
        "lightning-cli plugin start /",
        "lightning-cli revenue-policy set <peer_id> strategy=static fee_ppm=300",
        "lightning-cli revenue-fee-debug",
        "lightning-cli revenue-status",
    ] {
        assert!(shown.contains(expect), "no '{expect}' in {shown}");
    }
    assert!(!shown.contains('\x1b'), "plain text only");
    let paths = |line: &&str| !line.contains("plugin") && !line.contains('/');
    let widest = shown.lines().filter(paths).map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} columns");
    assert_eq!(left_in(temporary), Vec::<PathBuf>::new());
}

#[test]
fn what_cannot_be_played_is_explained() {
    let directory = directory();
    let temporary = directory.path();
    let output = demo(temporary, &["--days", "30", "--seconds", "1"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said.trim_end(),
        "cl-revenue-ops: --days 30 --seconds 1: use 129.6 to 2592000 seconds for that many days"
    );
}

/// Waits until `look` sees something; gives up loudly.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn rpc(socket: &Path, words: &[&str]) -> Option<Value> {
    let output = Command::new(PROGRAM).arg("rpc").arg("--socket").arg(socket).args(words).output().unwrap();
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_served_node_answers_until_interrupted() {
    let directory = directory();
    let temporary = directory.path();
    let dir = temporary.join("node");
    let arguments = ["--days", "0.1", "--seconds", "2", "--serve", "--dir", dir.to_str().unwrap()];
    let log = std::fs::File::create(temporary.join("out")).unwrap();
    let mut child = demo(temporary, &arguments).stdout(log).spawn().unwrap();
    let shown = wait_for("the end of the run", || {
        let shown = std::fs::read_to_string(temporary.join("out")).unwrap();
        shown.contains("listpeerchannels").then_some(shown)
    });
    let socket = dir.join("regtest/lightning-rpc");
    assert!(shown.contains(&format!("rpc --socket {} revenue-status", socket.display())), "{shown}");
    assert_eq!(rpc(&socket, &["revenue-status"]).unwrap()["ready"], true);
    let channels = rpc(&socket, &["listpeerchannels"]).unwrap();
    let peer = channels["channels"][0]["peer_id"].as_str().unwrap().to_owned();
    let set = rpc(&socket, &["revenue-policy", "set", &peer, "strategy=static", "fee_ppm=77"]).unwrap();
    assert_eq!(set["policy"]["fee_ppm_target"], 77, "{set}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let status = wait_for("the end", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    assert!(rpc(&socket, &["getinfo"]).is_none(), "nobody answers any more");
    assert!(dir.join("regtest/revenue-ops/revenue_ops.db").exists(), "a directory that was named stays");
}
