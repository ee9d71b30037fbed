//! What came of a backtest, as a table and as JSON.

use super::market::Stage;
use super::world::{Outcome, Path};
use crate::cli::strategy::tally::{Tally, codes};
use serde_json::{Value, json};
use std::fmt::Write;

/// One market, played by everybody in the same order.
pub(super) struct Game {
    pub stage: Stage,
    /// The best constant rate comes first.
    pub outcomes: Vec<Outcome>,
}

impl Path {
    /// Changes of the rate per day.
    fn churn(&self, days: u32) -> f64 {
        (self.rates.len() - 1) as f64 / f64::from(days)
    }

    pub fn last_ppm(&self) -> u32 {
        self.rates.last().map_or(0, |(_, ppm)| *ppm)
    }
}

/// Earned as a share of what the best constant rates earned.
fn share(earned: u64, best: u64) -> Option<f64> {
    (best > 0).then(|| earned as f64 / best as f64)
}

fn earned(outcome: &Outcome) -> u64 {
    outcome.channels.iter().map(|path| path.earned.0).sum()
}

/// A strategy's sums over all markets.
struct Total<'a> {
    player: &'a str,
    earned: u64,
    best: u64,
    changes: usize,
    tally: Tally,
    faults: Vec<&'a String>,
}

fn totals(games: &[Game]) -> Vec<Total<'_>> {
    let count = games.first().map_or(0, |game| game.outcomes.len());
    (0..count)
        .map(|player| {
            let mine = || games.iter().map(|game| &game.outcomes[player]);
            let mut tally = Tally::default();
            mine().for_each(|outcome| tally += &outcome.tally);
            Total {
                player: &games[0].outcomes[player].player,
                earned: mine().map(earned).sum(),
                best: games.iter().map(|game| earned(&game.outcomes[0])).sum(),
                changes: mine().flat_map(|outcome| &outcome.channels).map(|path| path.rates.len() - 1).sum(),
                tally,
                faults: mine().flat_map(|outcome| &outcome.faults).collect(),
            }
        })
        .collect()
}

/// For programs.
pub(super) fn json(days: u32, seed: u64, games: &[Game]) -> Value {
    let mut channels = Vec::new();
    for game in games {
        for (row, (_, title)) in game.stage.channels.iter().enumerate() {
            let best = game.outcomes[0].channels[row].earned.0;
            for outcome in &game.outcomes {
                let path = &outcome.channels[row];
                channels.push(json!({
                    "channel": title,
                    "player": outcome.player,
                    "earned_msat": path.earned.0,
                    "share_of_best_constant": share(path.earned.0, best),
                    "forwards": path.forwards,
                    "changes_per_day": path.churn(days),
                    "rates": path.rates,
                }));
            }
        }
    }
    let totals: Vec<Value> = totals(games)
        .iter()
        .map(|total| {
            json!({
                "player": total.player,
                "earned_msat": total.earned,
                "share_of_best_constant": share(total.earned, total.best),
                "changes": total.changes,
                "proposals": total.tally.proposals,
                "limited": total.tally.limited,
                "refused": total.tally.refused,
                "faults": total.faults,
            })
        })
        .collect();
    json!({ "days": days, "seed": seed, "channels": channels, "totals": totals })
}

/// For people.
pub(super) fn text(days: u32, seed: u64, games: &[Game]) -> String {
    let mut out = String::new();
    write(&mut out, days, seed, games).expect("writing to a String does not fail");
    out
}

fn write(out: &mut String, days: u32, seed: u64, games: &[Game]) -> std::fmt::Result {
    writeln!(
        out,
        "{days} days, seed {seed}, simulated; share: of what the best constant rates earned from the same senders,\n\
         chosen by somebody who knows the demand\n"
    )?;
    writeln!(
        out,
        "{:30} {:16} {:>10} {:>6} {:>8} {:>9} {:>8}",
        "channel", "rates by", "earned sat", "share", "forwards", "changes/d", "last ppm"
    )?;
    for game in games {
        for (row, (_, title)) in game.stage.channels.iter().enumerate() {
            let best = game.outcomes[0].channels[row].earned.0;
            for (line, outcome) in game.outcomes.iter().enumerate() {
                let path = &outcome.channels[row];
                writeln!(
                    out,
                    "{:30} {:16} {:10} {:>6} {:8} {:9.2} {:8}",
                    if line == 0 { title } else { "" },
                    outcome.player,
                    path.earned.sats(),
                    shown(share(path.earned.0, best)),
                    path.forwards,
                    path.churn(days),
                    path.last_ppm()
                )?;
            }
        }
    }
    writeln!(out)?;
    for total in totals(games) {
        let share = shown(share(total.earned, total.best));
        writeln!(out, "{:16} {} sat, share {share}", total.player, total.earned / 1_000)?;
        if total.tally.proposals > 0 {
            writeln!(
                out,
                "{:16} {} proposals; {}; {}; {} changes; faults {}",
                "",
                total.tally.proposals,
                codes("moved to a limit", &total.tally.limited),
                codes("refused", &total.tally.refused),
                total.changes,
                total.faults.len()
            )?;
        }
        for fault in total.faults.iter().take(3) {
            writeln!(out, "{:16} fault: {fault}", "")?;
        }
    }
    Ok(())
}

fn shown(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}"))
}
