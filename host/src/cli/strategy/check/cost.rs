//! What a call takes, by the number of channels.

use super::draw::Draw;
use super::fuzz::Fuzz;
use super::input;
use super::report::{CostLine, Finding, Report};
use crate::cli::strategy::bench::Bench;
use crate::engine::Module;
use anyhow::Result;
use std::time::Instant;

/// Channels of the measured nodes.
const ROWS: [usize; 3] = [1, 100, 1_000];
/// Calls per measurement; the shortest time counts, as the one least disturbed.
const CALLS: usize = 5;
const NOW_S: u64 = 1_760_000_000;

/// Measures nodes of several sizes; a fault there is a finding.
pub(super) fn measure<K: Fuzz>(
    seed: u64,
    bench: &Bench,
    module: &Module<K>,
    report: &mut Report,
) -> Result<()> {
    let class = module.class;
    let mut dearest = 0.0_f64;
    for rows in ROWS {
        let mut draw = Draw::new(seed, u64::MAX - rows as u64, false);
        let given = input::<K>(&K::draw(&mut draw, rows, NOW_S, &module.description), module)?;
        let mut line = CostLine { world: K::WORLD, channels: rows, ..CostLine::default() };
        line.us_per_channel = f64::INFINITY;
        for _ in 0..CALLS {
            let begin = Instant::now();
            let (decided, cost) = bench.engine.measure(module, &given);
            let took = begin.elapsed().as_secs_f64() * 1e6 / rows as f64;
            if let Err(fault) = decided {
                report.add(Finding::bad("cost", format!("{rows} channels: {fault}")));
                return Ok(());
            }
            line.us_per_channel = line.us_per_channel.min(took);
            (line.fuel, line.memory_bytes) = (cost.fuel, cost.memory_bytes);
        }
        line.fuel_allowed = class.fuel(rows);
        dearest = dearest.max(line.fuel as f64 / line.fuel_allowed as f64);
        report.cost(line);
    }
    let limits = class.limits();
    report.add(Finding::good(
        "cost",
        format!(
            "at most {:.1} % of the fuel that it may use; {} bytes of memory and {} ms are allowed",
            dearest * 100.0,
            limits.memory_bytes,
            limits.deadline.as_millis()
        ),
    ));
    Ok(())
}
