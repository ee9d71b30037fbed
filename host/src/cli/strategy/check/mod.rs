//! `strategy check`: may it be loaded, does it keep the contract whatever it is told, and what does
//! it cost.

mod cost;
mod draw;
mod fuzz;
mod golden;
mod report;
mod trial;

pub(super) use golden::Golden;

use super::Verdict;
use super::bench::{Bench, Source, Subject};
use super::inspect::class;
use super::kind::{Candidate, Kind, WorldName};
use crate::cli::print;
use crate::engine::{LimitClass, Module};
use anyhow::Result;
use fuzz::Fuzz;
use report::{Finding, Report};
use std::path::PathBuf;

/// Which file, and how hard to try it.
#[derive(clap::Args)]
pub struct Options {
    /// A `.wasm` file, or the name of a built-in strategy.
    pub(super) file: PathBuf,
    /// Made-up nodes to try, each for several cycles with the states carried over.
    #[arg(long, default_value_t = 200)]
    pub(super) cases: u64,
    /// Where the made-up nodes come from: the same seed makes the same ones.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Compare with the decisions that `run --record` wrote into this directory.
    #[arg(long, value_name = "DIR")]
    pub(super) golden: Option<PathBuf>,
    /// Try it in this world only; with --golden a module for both worlds needs it.
    #[arg(long, value_enum)]
    pub(super) world: Option<WorldName>,
    /// Write the first snapshot that a fault came of into this file, for `run`.
    #[arg(long, value_name = "FILE")]
    pub(super) save_fault: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Give it the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    pub(super) interpreted: bool,
}

impl Options {
    /// What is tried when nothing more is said.
    pub(super) fn of(file: PathBuf, interpreted: bool) -> Options {
        Options {
            file,
            interpreted,
            cases: 200,
            seed: 1,
            golden: None,
            world: None,
            save_fault: None,
            json: false,
        }
    }
}

/// Tries a module and prints the report.
pub(super) fn run(options: &Options) -> Result<Verdict> {
    let source = Source::open(&options.file)?;
    let report = examine(options, &source)?;
    if options.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        print(&report.to_string())?;
    }
    Ok(Verdict::from(report.ok))
}

fn examine(options: &Options, source: &Source) -> Result<Report> {
    let class = class(options.interpreted);
    let bench = Bench::new(class)?;
    let mut report = Report::new(source, class);
    let subject = match bench.load(source)? {
        Ok(subject) => subject,
        Err(fault) => {
            report.add(Finding::bad("load", format!("{}: {fault}", fault.code())));
            return Ok(report);
        }
    };
    report.add(Finding::good("load", loaded(&subject, source, class)));
    // Golden vectors are of one world.
    if options.world.is_some() || options.golden.is_some() {
        match subject.candidate(options.world)? {
            Candidate::Fees(module) => world(options, &bench, &module, &mut report)?,
            Candidate::Rebalances(module) => world(options, &bench, &module, &mut report)?,
        }
        return Ok(report);
    }
    if let Some(module) = &subject.fees {
        world(options, &bench, module, &mut report)?;
    }
    if let Some(module) = &subject.rebalances {
        world(options, &bench, module, &mut report)?;
    }
    Ok(report)
}

fn loaded(subject: &Subject, source: &Source, class: LimitClass) -> String {
    let imports = match subject.names.imports.len() {
        0 => "imports nothing".to_owned(),
        _ => format!("imports only types ({})", subject.names.imports.join(", ")),
    };
    format!("{} of {} bytes, {imports}", source.wasm.len(), class.limits().wasm_bytes)
}

/// Everything about the module in one of its worlds.
fn world<K: Fuzz>(options: &Options, bench: &Bench, module: &Module<K>, report: &mut Report) -> Result<()> {
    report.begin(K::WORLD, &module.description);
    trial::run(options, bench, module, report)?;
    if let Some(dir) = &options.golden {
        report.add(match golden::compare::<K>(bench, module, dir)? {
            Ok(1) => Finding::good("golden", "1 decision is as recorded".to_owned()),
            Ok(count) => Finding::good("golden", format!("{count} decisions are as recorded")),
            Err(why) => Finding::bad("golden", why),
        });
    }
    cost::measure(options.seed, bench, module, report)
}

/// The input that a made-up form stands for.
fn input<K: Kind>(form: &K::Form, module: &Module<K>) -> Result<K::Input> {
    K::read(form, &module.description).map_err(|why| anyhow::anyhow!("a made-up snapshot: {why}"))
}
