//! What came of a replay of the past, as a table and as JSON.

use super::play::Played;
use super::{Channel, History};
use crate::cli::strategy::tally::codes;
use crate::econ::whatif::{ELASTICITIES, MOST_MORE, Range};
use crate::model::{Ppm, UnixTime};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The assumption behind every range.
fn assumption() -> String {
    let most = ELASTICITIES.iter().copied().fold(0.0, f64::max);
    format!(
        "had the rate been p instead of p0, the volume v would have been v x (p0 / p)^e, e between 0 and {most}, at most \
         {MOST_MORE} v"
    )
}

/// For programs.
pub(super) fn json(history: &History, played: &[Played]) -> Value {
    json!({
        "strategy": history.strategy.as_str(),
        "from": history.begin().0,
        "to": history.end().0,
        "cycles": history.cycles.len(),
        "earned_msat": history.earned().0,
        "assumption": assumption(),
        "channels": history.channels.iter().map(|(id, channel)| channel_json(*id, channel, played)).collect::<Vec<_>>(),
        "players": played.iter().map(|one| player_json(one, history)).collect::<Vec<_>>(),
    })
}

fn player_json(one: &Played, history: &History) -> Value {
    json!({
        "player": one.label,
        "changes": one.changes(),
        "changes_per_channel_day": per_day(one.changes(), history),
        "proposals": one.tally.proposals,
        "below_floor": one.below_floor(),
        "limited": one.tally.limited,
        "refused": one.tally.refused,
        "faults": one.faults,
        "revenue_msat": { "low": one.revenue.low.round(), "high": one.revenue.high.round() },
    })
}

fn channel_json(id: u64, channel: &Channel, played: &[Played]) -> Value {
    let rates =
        |rates: &[(UnixTime, Ppm)]| -> Value { rates.iter().map(|(at, fee)| json!([at.0, fee.0])).collect() };
    let of_players: BTreeMap<&str, Value> = played
        .iter()
        .map(|one| (one.label.as_str(), rates(one.rates.get(&id).map_or(&[][..], Vec::as_slice))))
        .collect();
    json!({
        "pseudonym": id,
        "earned_msat": channel.stretches.values().map(|stretch| stretch.earned.0).sum::<u64>(),
        "rates": rates(&channel.rates),
        "rates_of": of_players,
    })
}

fn per_day(changes: usize, history: &History) -> f64 {
    let channel_days = history.channels.len() as f64 * history.days();
    if channel_days > 0.0 { (changes as f64 / channel_days * 100.0).round() / 100.0 } else { 0.0 }
}

/// For people.
pub(super) fn text(history: &History, played: &[Played]) -> String {
    let mut out = String::new();
    write(&mut out, history, played).expect("writing to a String does not fail");
    out
}

fn write(out: &mut String, history: &History, played: &[Played]) -> std::fmt::Result {
    writeln!(
        out,
        "the past of '{}': {} cycles over {:.1} days, {} channels",
        history.strategy,
        history.cycles.len(),
        history.days(),
        history.channels.len()
    )?;
    writeln!(out, "revenue is a range: {}\n", assumption())?;
    writeln!(
        out,
        "{:20} {:>11} {:>9} {:>11} {:>7} {:>7}  revenue, sat",
        "rates by", "changes/d", "proposals", "below floor", "refused", "faults"
    )?;
    let was: usize = history.channels.values().map(|channel| channel.rates.len() - 1).sum();
    writeln!(
        out,
        "{:20} {:11.2} {:>9} {:>11} {:>7} {:>7}  {} (as it was)",
        "in force",
        per_day(was, history),
        "-",
        "-",
        "-",
        "-",
        history.earned().sats()
    )?;
    for one in played {
        let Range { low, high } = one.revenue;
        writeln!(
            out,
            "{:20} {:11.2} {:9} {:11} {:7} {:7}  {:.0} to {:.0}",
            one.label,
            per_day(one.changes(), history),
            one.tally.proposals,
            one.below_floor(),
            one.tally.refused.values().sum::<u32>(),
            one.faults.len(),
            low / 1_000.0,
            high / 1_000.0
        )?;
    }
    writeln!(out)?;
    for one in played {
        details(out, one)?;
    }
    Ok(())
}

fn details(out: &mut String, one: &Played) -> std::fmt::Result {
    for (what, counts) in [("moved to a limit", &one.tally.limited), ("refused", &one.tally.refused)] {
        if !counts.is_empty() {
            writeln!(out, "{:20} {}", one.label, codes(what, counts))?;
        }
    }
    for fault in one.faults.iter().take(3) {
        writeln!(out, "{:20} fault: {fault}", one.label)?;
    }
    Ok(())
}
