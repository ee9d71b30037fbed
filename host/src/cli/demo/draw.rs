//! Views as text, at most 100 columns wide.

use super::view::{Decision, Row, Tallies, View};
use std::fmt::Write;

/// Cells of a balance bar.
const BAR: usize = 12;

/// What the visitor is about to see.
pub(super) fn introduction(days: f64, seconds: f64) -> String {
    format!(
        "cl-revenue-ops {} on a simulated lightningd v26.06: {days} days of traffic in about {seconds:.0} s.\n\
         The plugin runs as lightningd would run it; strategies decide in the sandbox, the host sets limits.\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The node now: a line per channel, and the totals.
pub(super) fn table(view: &View, tallies: &Tallies, passed_s: f64) -> String {
    let mut out = String::new();
    let hours = (passed_s / 3600.0) as u64;
    let written = writeln!(
        out,
        "day {} {:02}:00   earned {:.3} sat   {} fee changes   on-chain {:.0} sat/vB",
        hours / 24 + 1,
        hours % 24,
        view.earned_msat as f64 / 1000.0,
        tallies.changes,
        view.feerate
    )
    .and_then(|()| writeln!(out, "{:<14} {:<8} {:<17} {:>5}  why", "channel", "strategy", "ours", "ppm"))
    .and_then(|()| view.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row))));
    written.expect("writing to a String does not fail");
    out
}

fn line(row: &Row) -> String {
    let text = format!(
        "{:<14} {:<8} {} {:>3.0} % {:>5}  {}",
        row.alias,
        row.strategy,
        bar(row.share),
        row.share * 100.0,
        row.fee_ppm,
        row.decision.as_ref().map_or_else(|| quiet(row).to_owned(), why)
    );
    text.chars().take(100).collect()
}

/// A channel nothing was decided for.
fn quiet(row: &Row) -> &'static str {
    match row.strategy.as_str() {
        "passive" => "hands off",
        _ => "-",
    }
}

fn bar(share: f64) -> String {
    let full = (share * BAR as f64).round() as usize;
    (0..BAR).map(|cell| if cell < full { '█' } else { '░' }).collect()
}

/// The numbers behind a decision, and what the host made of it.
fn why(decision: &Decision) -> String {
    let mut parts = vec![decision.reason.clone()];
    let terms: Vec<String> = decision.factors.iter().filter_map(|(name, value)| term(name, *value)).collect();
    if !terms.is_empty() {
        parts.push(terms.join(" "));
    }
    if !decision.applied && decision.verdict != "unchanged" {
        parts.push(format!("[{} {}]", decision.proposed_ppm, decision.verdict));
    }
    parts.join(": ").replace("]:", "]").replace(": [", " [")
}

/// A factor that tells something: those that change nothing are left out.
fn term(name: &str, value: f64) -> Option<String> {
    match name {
        "base-ppm" => Some(format!("{value:.0}")),
        "scarcity" | "congestion" if value > 1.0 => Some(format!("x {value:.2} {name}")),
        "vegas-floor-ppm" | "floor-ppm" => Some(format!(">= {value:.0} {}", name.trim_end_matches("-ppm"))),
        "ceiling-ppm" => Some(format!("<= {value:.0} ceiling")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(verdict: &str, applied: bool) -> Decision {
        Decision {
            cycle: 1,
            reason: "scarcity".to_owned(),
            factors: vec![("base-ppm".to_owned(), 210.4), ("scarcity".to_owned(), 1.4), ("congestion".to_owned(), 1.0)],
            proposed_ppm: 295,
            verdict: verdict.to_owned(),
            applied,
        }
    }

    #[test]
    fn reasons_read_as_a_formula() {
        assert_eq!(why(&decision("approved", true)), "scarcity: 210 x 1.40 scarcity");
        assert_eq!(why(&decision("suppressed", false)), "scarcity: 210 x 1.40 scarcity [295 suppressed]");
    }

    #[test]
    fn lines_fit_in_a_hundred_columns() {
        let mut long = decision("rate_limited", false);
        long.factors.push(("vegas-floor-ppm".to_owned(), 123_456.0));
        long.factors.push(("ceiling-ppm".to_owned(), 123_456.0));
        let row = Row { alias: "a-peer".to_owned(), share: 0.25, fee_ppm: 300, decision: Some(long), ..Row::default() };
        let line = line(&row);
        assert!(line.chars().count() <= 100, "{line}");
        assert!(line.contains("███░░░░░░░░░  25 %   300"), "{line}");
    }
}
