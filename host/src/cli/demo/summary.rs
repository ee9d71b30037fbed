//! The end of the demo: what came of it, and how to do the same on a node of one's own.

use super::books::Books;
use super::compare::with_constant_fees;
use super::draw::{Paint, cut, thousands};
use super::stage::Stage;
use super::tally::listed;
use super::watch::Scene;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// Figures that only the end shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Forwards that our node refused, mostly for lack of liquidity.
    pub local_failed: u64,
    /// Fee cycles that ran, and those of them that failed.
    pub cycles: (u64, u64),
    /// What the latest fee cycle took, ms.
    pub cycle_ms: u64,
    /// Faults of strategies.
    pub faults: u64,
    /// What the node would have earned with constant fees, msat.
    pub constant_msat: u64,
    pub books: Books,
}

impl Report {
    /// Asks plugin and node.
    pub async fn gather(stage: &Stage, scene: &Scene) -> Result<Report> {
        let status = stage.call("revenue-status", json!([])).await?;
        let failed = stage.call("listforwards", json!({ "status": "local_failed" })).await?;
        let managed = |strategy: &str| !matches!(strategy, "static" | "hive");
        let rows = scene.rows.iter().filter(|row| managed(&row.strategy));
        let managed: Vec<usize> =
            rows.filter_map(|row| stage.names.iter().position(|name| name.scid == row.name.scid)).collect();
        let until_s = stage.opened_s + scene.hours * 3600.0;
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        Ok(Report {
            local_failed: failed["forwards"].as_array().map_or(0, |forwards| forwards.len() as u64),
            cycles: (number(&status["jobs"]["fees"]["runs"]), number(&status["jobs"]["fees"]["failures"])),
            cycle_ms: number(&status["last_fee_cycle"]["duration_ms"]),
            faults: number(&status["strategies"]["faults_total"]),
            constant_msat: with_constant_fees(stage, &managed, until_s),
            books: Books::gather(stage, scene).await?,
        })
    }
}

/// What came of it.
pub fn lines(report: &Report, scene: &Scene, paint: Paint) -> Vec<String> {
    let tally = &scene.tally;
    let row = |name: &str, text: String| format!("  {name:<15} {}", cut(&text, 80));
    let days = scene.hours / 24.0;
    let earned = tally.fees_msat / 1000;
    let ppm = tally.fees_msat as f64 * 1e6 / tally.volume_msat.max(1) as f64;
    let mut lines = vec![
        String::new(),
        paint.bold(&format!("After {days:.1} simulated days")),
        row(
            "earned",
            format!(
                "{} sat, {ppm:.0} ppm of {} sat forwarded",
                thousands(earned),
                thousands(tally.volume_msat / 1000)
            ),
        ),
        row(
            "",
            format!(
                "{} sat from the same senders, had the dynamic channels kept",
                thousands(report.constant_msat / 1000)
            ),
        ),
        row("", "their first fees, with no rebalance (both figures come from a simulation)".to_owned()),
        row(
            "forwards",
            format!(
                "{} settled, {} refused by the node (no liquidity or slots)",
                thousands(tally.settled),
                thousands(report.local_failed)
            ),
        ),
        row("fee changes", format!("{} calls of setchannel, each for one channel", scene.setchannels)),
    ];
    let mut reasons = listed(tally.changes.iter().map(|(word, count)| (word, *count)));
    if let unseen @ 1.. = scene.setchannels.saturating_sub(tally.changes_total()) {
        reasons.push_str(&format!(", {unseen} that the demo did not see in time"));
    }
    lines.extend(wrapped(&reasons, 80).into_iter().map(|line| row("", line)));
    if !tally.limited.is_empty() {
        lines.push(row("limited", listed(tally.limited.iter().map(|(word, count)| (word, *count)))));
    }
    let refusals = tally.refusals.iter().enumerate();
    lines.extend(refusals.map(|(index, (code, refusals))| {
        let name = if index == 0 { "refused" } else { "" };
        row(name, format!("{} x {code}: {}", refusals.count, refusals.example))
    }));
    lines.push(row("rebalances", report.books.rebalances_line()));
    lines.push(row("net profit", report.books.profit_line()));
    let (cycles, failed) = report.cycles;
    lines.push(row(
        "fee cycles",
        format!("{cycles} ran, {failed} failed; the last took {} ms", report.cycle_ms),
    ));
    lines.push(row("sandbox faults", report.faults.to_string()));
    lines
}

/// A list in lines of at most `width` characters, broken after commas.
fn wrapped(list: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in list.split_inclusive(", ") {
        match lines.last_mut() {
            Some(line) if line.len() + word.trim_end().len() <= width => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The same on one's own node.
pub fn own_node(program: &Path, paint: Paint) -> Vec<String> {
    let lines = [
        String::new(),
        paint.bold("On your own node"),
        format!("  lightning-cli plugin start {}", program.display()),
        "  lightning-cli revenue-policy set <peer_id> strategy=dynamic fee_multiplier_max=0.2".to_owned(),
        "  lightning-cli revenue-policy set <peer_id> strategy=static fee_ppm=300".to_owned(),
        "  lightning-cli revenue-policy set <peer_id> strategy=passive".to_owned(),
        "  lightning-cli revenue-policy set <peer_id> strategy=hive".to_owned(),
        "  lightning-cli revenue-fee-debug <short_channel_id>".to_owned(),
        "  lightning-cli revenue-status".to_owned(),
        "To look first, with nothing touched".to_owned(),
        format!("  lightning-cli -k plugin subcommand=start plugin={} \\", program.display()),
        "      revenue-ops-dry-run=true".to_owned(),
    ];
    lines.to_vec()
}

/// How to reach the node that stays up.
pub fn serving(stage: &Stage) -> Vec<String> {
    let (program, socket) = (stage.program.display(), stage.lab.rpc_path());
    let socket = socket.display();
    let scid = stage.names.first().map_or("", |name| name.scid.as_str());
    let peer = stage.names.first().map_or("", |name| name.peer_id.as_str());
    let lines = [
        String::new(),
        format!("The node stays up until Ctrl-C, and its traffic goes on. Its socket: {socket}"),
        format!("  {program} rpc --socket {socket} revenue-status"),
        format!("  {program} rpc --socket {socket} revenue-fee-debug {scid}"),
        format!("  {program} rpc --socket {socket} revenue-policy set {peer} strategy=static fee_ppm=77"),
        format!("  {program} rpc --socket {socket} listpeerchannels"),
    ];
    lines.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_breaks_after_commas() {
        assert_eq!(wrapped("climb 12, vegas 3, bounds 1", 18), ["climb 12, vegas 3,", "bounds 1"]);
        assert_eq!(wrapped("", 18), [""]);
    }

    #[test]
    fn the_summary_tells_what_counts() {
        let mut scene = Scene { hours: 48.0, setchannels: 3, ..Scene::default() };
        scene.tally.changed("climb");
        scene.tally.refused("out_of_bounds", "outside the allowed 10 to 5000 ppm");
        (scene.tally.fees_msat, scene.tally.volume_msat, scene.tally.settled) =
            (1_500_000, 5_000_000_000, 1_234);
        let report = Report {
            constant_msat: 900_000,
            faults: 2,
            cycles: (97, 1),
            cycle_ms: 16,
            local_failed: 5,
            books: Books { net_profit_msat: 1_400_000, ..Books::default() },
        };
        let text = lines(&report, &scene, Paint { colour: false }).join("\n");
        for expect in [
            "After 2.0 simulated days",
            "1,500 sat, 300 ppm of 5,000,000 sat",
            "900 sat from the same senders",
            "1,234 settled, 5 refused",
            "3 calls of setchannel",
            "climb 1, 2 that the demo did not see in time",
            "1 x out_of_bounds: outside",
            "rebalances      none was worth its cost",
            "net profit      1,400 sat",
            "97 ran, 1 failed; the last took 16 ms",
            "sandbox faults  2",
        ] {
            assert!(text.contains(expect), "no '{expect}' in {text}");
        }
    }
}
