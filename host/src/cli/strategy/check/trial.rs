//! Made-up nodes, each for a few cycles, every call made twice.

use super::draw::Draw;
use super::fuzz::Fuzz;
use super::report::{Finding, Report};
use super::{Options, input};
use crate::cli::strategy::bench::Bench;
use crate::cli::strategy::kind::{Kind, Memory, decision_json};
use crate::config::Config;
use crate::engine::{Module, StrategyFault};
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// Cycles that each node goes through.
const CYCLES: u64 = 4;
/// Channels of a node.
const ROWS: [usize; 6] = [0, 1, 2, 3, 12, 40];
/// Faults that are told one by one.
const MOST_TOLD: usize = 3;
const START_S: u64 = 1_760_000_000;

/// What the calls came to.
#[derive(Default)]
struct Tally {
    calls: u64,
    faults: Vec<String>,
    differing: Vec<String>,
    proposals: usize,
    beyond: usize,
    base_fees: usize,
    htlc_maxs: usize,
    reasons: BTreeSet<String>,
    /// The first snapshot that a fault came of.
    saved: Option<String>,
}

/// Tries a module with `options.cases` nodes, every other one extreme.
pub(super) fn run<K: Fuzz>(
    options: &Options,
    bench: &Bench,
    module: &Module<K>,
    report: &mut Report,
) -> Result<()> {
    let mut tally = Tally::default();
    for case in 0..options.cases {
        node(options.seed, case, bench, module, &mut tally)?;
    }
    if let (Some(path), Some(text)) = (&options.save_fault, &tally.saved) {
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    for finding in tally.findings(options.cases) {
        report.add(finding);
    }
    report.note(tally.notes(&module.description.reasons));
    Ok(())
}

/// One node through its cycles.
fn node<K: Fuzz>(seed: u64, case: u64, bench: &Bench, module: &Module<K>, tally: &mut Tally) -> Result<()> {
    let mut draw = Draw::new(seed, case, case % 2 == 1);
    let rows = draw.pick(&ROWS);
    let mut memory = Memory::default();
    let mut now_s = START_S;
    for cycle in 0..CYCLES {
        now_s += draw.u64(86_400).min(86_400 * 365);
        let mut form = K::draw(&mut draw, rows, now_s, &module.description);
        memory.hand_over(&mut form);
        let given = input::<K>(&form, module)?;
        let [first, second] = [(); 2].map(|()| bench.engine.measure(module, &given));
        tally.calls += 1;
        let place = format!("node {case}, cycle {cycle}");
        if shown::<K>(&first.0) != shown::<K>(&second.0) || first.1 != second.1 {
            tally.differing.push(place.clone());
        }
        match first.0 {
            Ok(decision) => {
                let (proposals, beyond) = K::wishes(&decision, &form);
                tally.proposals += proposals;
                tally.beyond += beyond;
                let (base_fees, htlc_maxs) = K::terms(&decision);
                tally.base_fees += base_fees;
                tally.htlc_maxs += htlc_maxs;
                tally.reasons.extend(K::reasons(&decision).into_iter().map(str::to_owned));
                memory.keep::<K>(&mut form, &decision);
            }
            Err(fault) => {
                tally.faults.push(format!("{place}: {fault}"));
                if tally.saved.is_none() {
                    tally.saved = Some(serde_json::to_string(&form)?);
                }
            }
        }
    }
    Ok(())
}

/// All that a call gave, so that two of them can be compared.
fn shown<K: Kind>(decided: &Result<K::Decision, StrategyFault>) -> String {
    match decided {
        Ok(decision) => decision_json::<K>(decision).to_string(),
        Err(fault) => fault.to_string(),
    }
}

impl Tally {
    fn findings(&self, cases: u64) -> [Finding; 2] {
        let calls = self.calls;
        let determinism = match self.differing.first() {
            None => Finding::good(
                "determinism",
                format!("{calls} calls gave the same twice, fuel and memory too"),
            ),
            Some(place) => Finding::bad(
                "determinism",
                format!(
                    "{} of {calls} calls gave something else the second time, first: {place}",
                    self.differing.len()
                ),
            ),
        };
        let snapshots = match self.faults.len() {
            0 => Finding::good(
                "snapshots",
                format!("{cases} made-up nodes, half of them extreme, for {CYCLES} cycles each: no fault"),
            ),
            faults => {
                let told = self.faults.iter().take(MOST_TOLD).cloned().collect::<Vec<_>>().join("\n");
                Finding::bad("snapshots", format!("{faults} of {calls} calls ended in a fault\n{told}"))
            }
        };
        [determinism, snapshots]
    }

    /// Facts that are no faults, but that an author may not expect.
    fn notes(&self, reasons: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        if self.proposals == 0 {
            notes.push("it never proposed anything".to_owned());
        }
        if self.beyond > 0 {
            notes.push(format!(
                "{} of {} proposals were beyond what their row allows: the host moves or refuses those",
                self.beyond, self.proposals
            ));
        }
        if self.base_fees > 0 {
            let most = Config::default().max_base_fee_msat;
            notes.push(format!(
                "{} of {} proposals name a base fee: the host sets at most max-base-fee-msat, {most} by default, and \
                 takes it back when another module decides",
                self.base_fees, self.proposals
            ));
        }
        if self.htlc_maxs > 0 {
            notes.push(format!(
                "{} of {} proposals name a largest HTLC: the host sets no less than a typical forward, 1 % of the \
                 capacity within 10000 and 1000000 sat, and takes it back when another module decides",
                self.htlc_maxs, self.proposals
            ));
        }
        let unused: Vec<&str> =
            reasons.iter().filter(|reason| !self.reasons.contains(*reason)).map(String::as_str).collect();
        if !unused.is_empty() {
            notes.push(format!("reasons that never came up: {}", unused.join(", ")));
        }
        notes
    }
}
