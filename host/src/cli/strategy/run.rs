//! `strategy run`: snapshots in, decisions out, so that any program can drive a strategy.

use super::Verdict;
use super::bench::{Bench, Source};
use super::check::Golden;
use super::inspect::class;
use super::kind::{Candidate, Kind, Memory, WorldName, decision_json};
use crate::cli::print;
use crate::engine::Module;
use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use std::io::{BufRead, Read};
use std::path::PathBuf;

/// Longest snapshot that is read, bytes.
const MAX_SNAPSHOT: u64 = 64 << 20;

/// Which strategy, and how its snapshots come.
#[derive(clap::Args)]
pub struct Options {
    /// A `.wasm` file, or the name of a built-in strategy.
    file: PathBuf,
    /// One snapshot per line, answered by one line each; states are carried from line to line.
    #[arg(long)]
    lines: bool,
    /// Write each snapshot and its decision into this directory, for `check --golden`.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// The world, for a module that is for both.
    #[arg(long, value_enum)]
    world: Option<WorldName>,
    /// Give it the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
}

/// Decides; a fault or an unreadable snapshot makes the verdict bad.
pub(super) fn run(options: &Options) -> Result<Verdict> {
    let source = Source::open(&options.file)?;
    let bench = Bench::new(class(options.interpreted))?;
    match bench.subject(&source)?.candidate(options.world)? {
        Candidate::Fees(module) => Runner { bench: &bench, module: &module }.run(options),
        Candidate::Rebalances(module) => Runner { bench: &bench, module: &module }.run(options),
    }
}

struct Runner<'a, K: Kind> {
    bench: &'a Bench,
    module: &'a Module<K>,
}

impl<K: Kind> Runner<'_, K> {
    fn run(&self, options: &Options) -> Result<Verdict> {
        let mut record = options.record.as_deref().map(Golden::create).transpose()?;
        if options.lines {
            return self.lines(record.as_mut());
        }
        let mut text = String::new();
        std::io::stdin().lock().take(MAX_SNAPSHOT).read_to_string(&mut text).context("reading stdin")?;
        let form = serde_json::from_str(&text).context("the snapshot on stdin")?;
        let (answer, good) = self.answer(form, &mut Memory::default(), record.as_mut())?;
        print(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
        Ok(good)
    }

    /// A line that is no snapshot is answered by its error, so that whoever writes the lines stays
    /// in step.
    fn lines(&self, mut record: Option<&mut Golden>) -> Result<Verdict> {
        let mut memory = Memory::default();
        let mut verdict = Verdict::Good;
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let line = line.context("reading stdin")?;
            let form = serde_json::from_str(&line).map_err(anyhow::Error::from);
            let answer = form.and_then(|form| self.answer(form, &mut memory, record.as_deref_mut()));
            let (answer, good) = answer.unwrap_or_else(|error| {
                (json!({ "error": format!("line {}: {error:#}", number + 1) }), Verdict::Bad)
            });
            if good == Verdict::Bad {
                verdict = Verdict::Bad;
            }
            print(&format!("{answer}\n"))?;
        }
        Ok(verdict)
    }

    /// The decision about a snapshot, or the fault; after a fault the states are as they were.
    fn answer(
        &self,
        mut form: K::Form,
        memory: &mut Memory,
        record: Option<&mut Golden>,
    ) -> Result<(Value, Verdict)> {
        memory.hand_over(&mut form);
        let input = K::read(&form, &self.module.description).map_err(|why| anyhow!(why))?;
        let (decided, cost) = self.bench.engine.measure(self.module, &input);
        let spent = json!({ "fuel": cost.fuel, "memory_bytes": cost.memory_bytes });
        Ok(match decided {
            Ok(decision) => {
                let mut answer = decision_json::<K>(&decision);
                if let Some(record) = record {
                    record.add(&form, &answer)?;
                }
                memory.keep::<K>(&mut form, &decision);
                answer["cost"] = spent;
                (answer, Verdict::Good)
            }
            Err(fault) => {
                let shown = json!({ "kind": fault.kind.code(), "detail": fault.detail });
                (json!({ "fault": shown, "cost": spent }), Verdict::Bad)
            }
        })
    }
}
