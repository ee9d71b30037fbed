//! A directory with modules, an engine over it, and inputs to call it with.

use crate::support::TempDir;
use cl_revenue_ops::engine::{
    Allocation, COMPILE_SUBCOMMAND, Compiler, Engine, EngineOptions, LoadFault, Module, Place as Site,
    StrategyFault,
};
use cl_revenue_ops::model::flow::FlowClass;
use cl_revenue_ops::model::strategy::{
    ChannelRow, FeeInput, FeeInterval, LastVerdict, ParamValue, StrategyDecision,
};
use cl_revenue_ops::model::{Msat, Opener, Ppm, StrategyName, UnixTime};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

const MARK: &[u8] = b"hostile-mode:";
const MODE_BYTES: usize = 48;

/// The guest in the given mode.
pub fn guest(mode: &str) -> Vec<u8> {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    let mut wasm = BUILT.get_or_init(build).clone();
    let mut marks = wasm.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let start = marks.next().expect("the guest carries its mode").0 + MARK.len();
    assert!(marks.next().is_none(), "the mode stands in one place");
    let field = &mut wasm[start..start + MODE_BYTES - MARK.len()];
    assert!(mode.len() < field.len(), "{mode} is too long");
    field.fill(0);
    field[..mode.len()].copy_from_slice(mode.as_bytes());
    wasm
}

fn build() -> Vec<u8> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hostile/Cargo.toml");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--target",
        "wasm32-unknown-unknown",
        "--manifest-path",
    ]);
    cargo.arg(&manifest).arg("--target-dir").arg(&target_dir);
    for (key, _) in
        std::env::vars().filter(|(key, _)| key.contains("RUSTFLAGS") || key.starts_with("CARGO_TARGET_"))
    {
        cargo.env_remove(key);
    }
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-component-ld");
    let status = cargo.status().unwrap();
    assert!(status.success(), "the guest in {} builds", manifest.display());
    fs::read(target_dir.join("wasm32-unknown-unknown/release/hostile.wasm")).unwrap()
}

/// A directory of one test, with an engine's files; removed at its end.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        let dir = TempDir::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "engine");
        fs::create_dir(dir.path().join("strategies")).unwrap();
        Place(dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn install(&self, name: &str, wasm: &[u8]) {
        fs::write(self.0.path().join("strategies").join(format!("{name}.wasm")), wasm).unwrap();
    }

    pub fn options(&self) -> EngineOptions {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_cl-revenue-ops"));
        let site = Site::Worker { program: program.clone(), or_here: false };
        let options = EngineOptions::in_dir(self.0.path()).unwrap();
        EngineOptions { compiler: Compiler::Child { program, or_unsealed: false }, place: site, ..options }
    }

    pub fn engine(&self) -> Engine {
        Engine::new(self.options()).unwrap()
    }

    /// Compiles without a child: for what is not about compiling.
    pub fn quick_engine(&self) -> Engine {
        Engine::new(EngineOptions { compiler: Compiler::InProcess, ..self.options() }).unwrap()
    }

    /// An engine whose compiler is a shell script.
    pub fn with_compiler(&self, script: &str) -> Engine {
        let compiler = Compiler::Child { program: self.script("compiler", script), or_unsealed: false };
        Engine::new(EngineOptions { compiler, ..self.options() }).unwrap()
    }

    /// An engine whose worker is a shell script.
    pub fn with_worker(&self, script: &str, or_here: bool) -> Engine {
        let site = Site::Worker { program: self.script("worker", script), or_here };
        Engine::new(EngineOptions { place: site, compiler: Compiler::InProcess, ..self.options() }).unwrap()
    }

    /// An engine that runs calls in this process.
    pub fn engine_here(&self) -> Engine {
        let options = self.options();
        Engine::new(EngineOptions { place: Site::InProcess, compiler: Compiler::InProcess, ..options })
            .unwrap()
    }

    /// A program made of a shell script. It is written by another process: were it open for writing here,
    /// a child that another test starts meanwhile would hold it open too, and it could not be run.
    fn script(&self, name: &str, script: &str) -> PathBuf {
        let (text, program) = (self.path(&format!("{name}.text")), self.path(name));
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut install = Command::new("install");
        assert!(install.args(["-m", "755"]).args([&text, &program]).status().unwrap().success());
        program
    }

    pub fn on_demand(&self) -> Engine {
        Engine::new(EngineOptions { allocation: Allocation::OnDemand, ..self.options() }).unwrap()
    }
}

pub fn name(name: &str) -> StrategyName {
    name.parse().unwrap()
}

/// Loads the guest in `mode` in an engine of its own.
pub fn load(mode: &str) -> Result<(Place, Engine, Arc<Module>), LoadFault> {
    let place = Place::new();
    place.install("guest", &guest(mode));
    let engine = place.quick_engine();
    let module = engine.load(&name("guest"))?;
    Ok((place, engine, module))
}

/// What the guest in `mode` decides about `rows` channels.
pub fn decide(mode: &str, rows: usize) -> Result<StrategyDecision, StrategyFault> {
    let (_place, engine, module) = load(mode).unwrap();
    engine.decide_fees(&module, &input(rows))
}

/// Channels with 100, 101, ... ppm.
pub fn input(rows: usize) -> FeeInput {
    FeeInput {
        now: UnixTime(1_790_000_000),
        cycle_s: 1800,
        seed: 42,
        block_height: 900_000,
        feerate_perkb: 4_000,
        feerate_mean_day_perkb: 3_500,
        feerate_hours_perkb: vec![3_000; 24],
        node_capacity: Msat(5_000_000_000 * rows as u64),
        node_local: Msat(2_000_000_000 * rows as u64),
        node_earned_day: Msat(1_000),
        node_earned_week: Msat(9_000),
        params: vec![
            ("step".to_owned(), ParamValue::Integer(7)),
            ("host.scarcity-threshold".to_owned(), ParamValue::Number(0.35)),
            ("host.vegas-reflex".to_owned(), ParamValue::Flag(true)),
            ("host.hive-fee-ppm".to_owned(), ParamValue::Integer(0)),
        ],
        channels: (0..rows).map(channel).collect(),
        signals: vec![
            ("peer.uptime-day".to_owned(), vec![1.0; rows]),
            ("not.wanted".to_owned(), vec![0.0; rows]),
        ],
        node_state: vec![],
    }
}

fn channel(row: usize) -> ChannelRow {
    let row = row as u64;
    ChannelRow {
        pseudonym: row * 7919,
        // More than a guest is ever told.
        peer_pseudonym: u64::MAX - row,
        opener: if row.is_multiple_of(3) { Opener::Remote } else { Opener::Local },
        public: true,
        connected: true,
        age_blocks: 10_000,
        capacity: Msat(5_000_000_000),
        local: Msat(2_000_000_000 + row * 1_000),
        spendable: Msat(1_900_000_000),
        receivable: Msat(2_900_000_000),
        htlcs_in: 0,
        htlcs_out: 1,
        htlc_slots: 30,
        fee: Ppm(100 + row as u32),
        base_fee: Msat(0),
        htlc_max: Msat(4_900_000_000),
        peer_fee: Some(Ppm(250)),
        min_fee: Ppm(10),
        max_fee: Ppm(5_000),
        target: None,
        in_day: Msat(10_000_000),
        out_day: Msat(12_000_000),
        in_week: Msat(70_000_000),
        out_week: Msat(80_000_000),
        earned_day: Msat(1_200),
        earned_week: Msat(8_000),
        sourced_week: Msat(7_000),
        forwards_out_week: 12,
        forwards_in_week: 9,
        forwards_out_total: 120,
        last_out: Some(UnixTime(1_789_999_000)),
        flow: FlowClass::Source,
        flow_ratio: 0.01,
        velocity: 0.0,
        confidence: 0.8,
        rebalance_cost: None,
        last_verdict: LastVerdict::Published,
        last_proposed: Some(Ppm(100)),
        last_change: UnixTime(1_789_900_000),
        updates_left: 3,
        intervals: vec![interval(1_789_800_000), interval(1_789_900_000)],
        state: vec![],
    }
}

fn interval(start: u64) -> FeeInterval {
    FeeInterval {
        start: UnixTime(start),
        end: UnixTime(start + 100_000),
        fee: Ppm(100),
        live_s: 90_000,
        settled: 6,
        failed_liquidity: 0,
        failed_downstream: 1,
        out: Msat(40_000_000),
        earned: Msat(4_000),
    }
}

/// Runs the binary as the compiling child with a job that it cannot know.
pub fn child_without_a_job() -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_cl-revenue-ops")).arg(COMPILE_SUBCOMMAND).output().unwrap()
}

/// Whether the test of this name is alone in its process, so that what it measures there is its own. If
/// not, it is run so, and must pass.
pub fn is_alone(test: &str) -> bool {
    const ALONE: &str = "REVENUE_OPS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let done = again.args([test, "--exact"]).env(ALONE, "1").output().unwrap();
    let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// The most memory that this process has held so far, bytes.
pub fn peak_rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
