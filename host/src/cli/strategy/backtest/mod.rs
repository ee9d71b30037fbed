//! `strategy backtest`: strategies on simulated markets, under the limits of the plugin at its
//! defaults, beside a constant rate chosen by somebody who knows the demand.

mod book;
mod market;
mod plot;
mod table;
mod view;
mod world;

use super::Verdict;
use super::bench::{Bench, Source};
use super::form::fee_host_params;
use super::inspect::class;
use super::kind::{Candidate, WorldName};
use crate::cli::print;
use crate::engine::Module;
use crate::model::strategy::ParamValue;
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::sync::Arc;
use world::{Outcome, Player, World};

/// Which strategies, and where.
#[derive(clap::Args)]
pub struct Options {
    /// `.wasm` files, or names of built-in strategies that set fees.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What is simulated: six demand shapes of one channel each, or the 13 channels of the demo.
    #[arg(long, value_enum, default_value_t = market::Name::Shapes)]
    market: market::Name,
    /// Simulated days.
    #[arg(long, default_value_t = 60)]
    days: u32,
    /// Where all chance comes from: the same seed brings the same senders to every strategy.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A parameter, for every strategy that has it.
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Draw rates and earnings over time into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Give them the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
}

/// A strategy that takes part.
struct Entrant {
    label: String,
    module: Arc<Module>,
    params: Vec<(String, ParamValue)>,
}

/// Plays every market with every strategy; a fault makes the verdict bad.
pub(super) fn run(options: &Options) -> Result<Verdict> {
    ensure!((1..=3_650).contains(&options.days), "--days {}: use 1 to 3650", options.days);
    let bench = Bench::new(class(options.interpreted))?;
    let entrants = entrants(options, &bench)?;
    let mut games = Vec::new();
    for stage in market::stages(options.market) {
        let mut outcomes = Vec::new();
        for player in players(&entrants) {
            let world = World::new(&stage, options.seed, options.days, &bench.engine);
            outcomes.push(world.play(&player)?);
        }
        games.push(table::Game { stage, outcomes });
    }
    if let Some(path) = &options.svg {
        let title = format!("{} days, seed {}", options.days, options.seed);
        std::fs::write(path, plot::draw(&title, options.days, &games))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if options.json {
        print(&format!(
            "{}\n",
            serde_json::to_string_pretty(&table::json(options.days, options.seed, &games))?
        ))?;
    } else {
        print(&table::text(options.days, options.seed, &games))?;
    }
    let faults = games.iter().flat_map(|game| &game.outcomes).map(|outcome: &Outcome| outcome.faults.len());
    Ok(Verdict::from(faults.sum::<usize>() == 0))
}

/// Those that do not move come first: the best constant rate, by which the others are measured, and
/// the rates of the beginning.
fn players(entrants: &[Entrant]) -> Vec<Player<'_>> {
    let strategies = entrants.iter().map(Player::Strategy);
    [Player::BestConstant, Player::FirstRates].into_iter().chain(strategies).collect()
}

fn entrants(options: &Options, bench: &Bench) -> Result<Vec<Entrant>> {
    let mut entrants = Vec::<Entrant>::new();
    for file in &options.files {
        let subject = bench.subject(&Source::open(file)?)?;
        let Candidate::Fees(module) = subject.candidate(Some(WorldName::Fee))? else {
            bail!("{} does not set fees", subject.label);
        };
        let taken = entrants.iter().filter(|entrant| entrant.label == subject.label).count();
        ensure!(taken == 0, "two strategies are called {}: rename a file", subject.label);
        let params = host_params();
        entrants.push(Entrant { label: subject.label, module, params });
    }
    for text in &options.param {
        set_param(&mut entrants, text)?;
    }
    Ok(entrants)
}

fn host_params() -> Vec<(String, ParamValue)> {
    fee_host_params().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn set_param(entrants: &mut [Entrant], text: &str) -> Result<()> {
    let (name, value) = text.split_once('=').with_context(|| format!("--param {text}: use NAME=VALUE"))?;
    let mut known = false;
    for entrant in entrants {
        let specs = &entrant.module.description.params;
        if specs.iter().any(|spec| spec.name == name) {
            known = true;
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            let given = [(name.to_owned(), value)].into_iter().collect();
            entrant.params =
                super::form::read_params(&given, specs, &fee_host_params()).map_err(anyhow::Error::msg)?;
        }
    }
    ensure!(known, "--param {text}: none of the strategies has a parameter '{name}'");
    Ok(())
}
