//! `strategy backtest --history`: strategies on the past of a node, as its plugin's journal tells it.
//!
//! Rates, changes, limits and refusals are facts of the replay; what would have been earned is not known,
//! and is told as a range under the assumption of `econ::whatif`.

mod play;
mod report;

use super::Verdict;
use super::backtest::{Entrant, Options};
use super::plot::{Panel, Picture};
use crate::cli::print;
use crate::engine::Engine;
use crate::model::strategy::{FeeInput, FeeInterval};
use crate::model::{Msat, Ppm, StrategyName, UnixTime};
use crate::store::journal;
use crate::store::past::Past;
use anyhow::{Context, Result, bail, ensure};
use play::Played;
use std::collections::BTreeMap;
use std::path::Path;

/// Most channels that are drawn: those that earned most.
const DRAWN: usize = 12;

/// What the journal tells of one channel, which goes by its pseudonym.
#[derive(Default)]
pub(super) struct Channel {
    /// Stretches of constant rate that end within the time that is played, oldest first.
    pub stretches: BTreeMap<UnixTime, FeeInterval>,
    /// The rates that were in force, with the instants from which they are known.
    pub rates: Vec<(UnixTime, Ppm)>,
}

impl Channel {
    fn earned(&self) -> Msat {
        self.stretches.values().map(|stretch| stretch.earned).sum()
    }

    fn see(&mut self, at: UnixTime, fee: Ppm) {
        if self.rates.last().is_none_or(|(_, last)| *last != fee) {
            self.rates.push((at, fee));
        }
    }
}

/// The past of one strategy's channels.
pub(super) struct History {
    past: Past,
    pub strategy: StrategyName,
    pub cycles: Vec<(i64, UnixTime)>,
    pub channels: BTreeMap<u64, Channel>,
}

/// Plays the past with every strategy; a fault makes the verdict bad.
pub(super) fn run(
    database: &Path,
    options: &Options,
    entrants: &[Entrant],
    engine: &Engine,
) -> Result<Verdict> {
    let history = History::read(database, options)?;
    let mut played = Vec::new();
    for entrant in entrants {
        played.push(play::play(&history, entrant, engine)?);
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, picture(&history, &played).draw())
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if options.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report::json(&history, &played))?))?;
    } else {
        print(&report::text(&history, &played))?;
    }
    Ok(Verdict::from(played.iter().all(|one| one.faults.is_empty())))
}

impl History {
    fn read(database: &Path, options: &Options) -> Result<History> {
        let past = Past::open(database)?;
        let asked = past.strategies()?;
        let strategy = match &options.strategy {
            Some(wanted) if asked.iter().any(|(name, _)| name == wanted) => wanted.clone(),
            Some(wanted) => bail!("the journal has no call of '{wanted}'; it has: {}", names(&asked)),
            None => asked.first().map(|(name, _)| name.clone()).context(
                "the journal is empty: it fills with each fee cycle unless revenue-ops-journal-mb is 0",
            )?,
        };
        let mut cycles = past.cycles(&strategy)?;
        let end = cycles.last().map_or(UnixTime(0), |(_, at)| *at);
        let begin = end.minus(u64::from(options.days) * UnixTime::DAY);
        cycles.retain(|(_, at)| *at >= begin);
        ensure!(cycles.len() > 1, "the journal has {} call of '{strategy}': a past needs two", cycles.len());
        let mut history = History { past, strategy, cycles, channels: BTreeMap::new() };
        history.learn()?;
        Ok(history)
    }

    /// The input of one cycle; none when the journal has let go of it meanwhile.
    pub(super) fn input(&self, cycle: i64) -> Result<Option<FeeInput>> {
        let Some(kept) = self.past.call(cycle, &self.strategy)? else { return Ok(None) };
        ensure!(
            journal::is_readable(&kept.transcript),
            "cycle {cycle} was written by version {} in another form: its days cannot be played",
            kept.program
        );
        let input = postcard::from_bytes(&kept.transcript.input)
            .with_context(|| format!("the input of cycle {cycle}"))?;
        Ok(Some(input))
    }

    fn learn(&mut self) -> Result<()> {
        let begin = self.begin();
        for (cycle, at) in self.cycles.clone() {
            let Some(input) = self.input(cycle)? else { continue };
            for row in input.channels {
                let channel = self.channels.entry(row.pseudonym).or_default();
                channel.see(at, row.fee);
                let within = row.intervals.into_iter().filter(|stretch| stretch.end > begin);
                channel.stretches.extend(within.map(|stretch| (stretch.start, stretch)));
            }
        }
        Ok(())
    }

    pub(super) fn begin(&self) -> UnixTime {
        self.cycles.first().map_or(UnixTime(0), |(_, at)| *at)
    }

    pub(super) fn end(&self) -> UnixTime {
        self.cycles.last().map_or(UnixTime(0), |(_, at)| *at)
    }

    pub(super) fn days(&self) -> f64 {
        self.end().since(self.begin()) as f64 / UnixTime::DAY as f64
    }

    /// What the stretches that are played earned.
    pub(super) fn earned(&self) -> Msat {
        self.channels.values().map(Channel::earned).sum()
    }
}

fn names(asked: &[(StrategyName, u64)]) -> String {
    let names: Vec<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn picture(history: &History, played: &[Played]) -> Picture {
    let mut channels: Vec<_> = history.channels.iter().collect();
    channels.sort_by_key(|(_, channel)| std::cmp::Reverse(channel.earned()));
    let since = |rates: &[(UnixTime, Ppm)]| {
        let point = |(at, fee): &(UnixTime, Ppm)| (at.since(history.begin()), fee.0);
        rates.iter().map(point).collect::<Vec<_>>()
    };
    let panels = channels.into_iter().take(DRAWN).map(|(pseudonym, channel)| {
        let of_played = played.iter().map(|one| one.rates.get(pseudonym).map_or(&[][..], Vec::as_slice));
        Panel {
            name: format!("channel {pseudonym:x}"),
            rates: std::iter::once(channel.rates.as_slice()).chain(of_played).map(since).collect(),
        }
    });
    Picture {
        title: format!("{:.1} days of '{}', as the journal tells them", history.days(), history.strategy),
        seconds: history.end().since(history.begin()),
        players: std::iter::once("in force".to_owned())
            .chain(played.iter().map(|one| one.label.clone()))
            .collect(),
        panels: panels.collect(),
        earned: Vec::new(),
    }
}
