//! `strategy backtest`: strategies on simulated markets, under the limits of the plugin at its
//! defaults, beside a constant rate chosen by somebody who knows the demand.

mod book;
mod market;
mod table;
mod view;
mod world;

pub(super) use book::updates_today;

use super::Verdict;
use super::bench::{Bench, Source};
use super::form::{Params, read_params};
use super::inspect::class;
use super::kind::{Candidate, WorldName};
use super::plot::{Panel, Picture};
use crate::cli::print;
use crate::config::Config;
use crate::cycles::told;
use crate::engine::Module;
use crate::model::StrategyName;
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
    /// Instead of a market: the past of a node, from its plugin's database, as its journal and its
    /// stretches of constant rate tell it.
    #[arg(long, value_name = "DATABASE", conflicts_with_all = ["market", "seed"])]
    history: Option<PathBuf>,
    /// With --history: the strategy whose channels are played; without it the one asked most often.
    #[arg(long, value_name = "NAME", requires = "history")]
    pub(super) strategy: Option<StrategyName>,
    /// What is simulated: six demand shapes of one channel each, or the 13 channels of the demo.
    #[arg(long, value_enum, default_value_t = market::Name::Shapes)]
    market: market::Name,
    /// Simulated days; with --history the latest days that are played.
    #[arg(long, default_value_t = 60)]
    pub(super) days: u32,
    /// Where all chance comes from: the same seed brings the same senders to every strategy.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A parameter, for every strategy that has it.
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Draw rates and earnings over time into this file.
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Give them the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
}

/// A strategy that takes part.
pub(super) struct Entrant {
    pub label: String,
    pub module: Arc<Module>,
    pub params: Vec<(String, ParamValue)>,
}

/// Plays every market with every strategy; a fault makes the verdict bad.
pub(super) fn run(options: &Options) -> Result<Verdict> {
    ensure!((1..=3_650).contains(&options.days), "--days {}: use 1 to 3650", options.days);
    let bench = Bench::new(class(options.interpreted))?;
    let entrants = entrants(options, &bench)?;
    if let Some(database) = &options.history {
        return super::history::run(database, options, &entrants, &bench.engine);
    }
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
        std::fs::write(path, picture(options, &games).draw())
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

fn picture(options: &Options, games: &[table::Game]) -> Picture {
    let players = games.first().map_or(0, |game| game.outcomes.len());
    let panels = games.iter().flat_map(|game| {
        game.stage.channels.iter().enumerate().map(|(row, (_, name))| Panel {
            name: name.clone(),
            rates: game.outcomes.iter().map(|outcome| outcome.channels[row].rates.clone()).collect(),
        })
    });
    let earned = |player: usize| {
        let paths = || games.iter().flat_map(move |game| &game.outcomes[player].channels);
        let days = paths().map(|path| path.days.len()).min().unwrap_or(0);
        (0..days).map(|day| paths().map(|path| path.days[day] as f64 / 1_000.0).sum()).collect()
    };
    Picture {
        title: format!("{} days, seed {}, simulated", options.days, options.seed),
        seconds: u64::from(options.days) * 86_400,
        players: games.first().map_or_else(Vec::new, |game| {
            game.outcomes.iter().map(|outcome| outcome.player.clone()).collect()
        }),
        panels: panels.collect(),
        earned: (0..players).map(earned).collect(),
    }
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
        entrants.push(Entrant { label: subject.label, module, params: Vec::new() });
    }
    set_params(&mut entrants, &options.param)?;
    Ok(entrants)
}

/// Gives each strategy all values that are for it; of two for one parameter the later counts.
fn set_params(entrants: &mut [Entrant], texts: &[String]) -> Result<()> {
    let mut given = Params::new();
    for text in texts {
        let (name, value) =
            text.split_once('=').with_context(|| format!("--param {text}: use NAME=VALUE"))?;
        let known = entrants.iter().any(|entrant| entrant.has(name));
        ensure!(known, "--param {text}: none of the strategies has a parameter '{name}'");
        given.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into()));
    }
    for entrant in entrants {
        let own = given.iter().filter(|(name, _)| entrant.has(name));
        let own: Params = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        let specs = &entrant.module.description.params;
        entrant.params = read_params(&own, specs, &told::to_fee_strategies(&Config::default()))
            .map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

impl Entrant {
    /// Whether it describes such a parameter.
    fn has(&self, name: &str) -> bool {
        self.module.description.params.iter().any(|spec| spec.name == name)
    }
}
