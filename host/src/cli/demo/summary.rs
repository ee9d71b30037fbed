//! What the days came to, and how to do the same on one's own node.

use super::Options;
use super::draw;
use super::stage::Stage;
use super::view::{Tallies, View};
use std::collections::BTreeMap;

/// The end of the demo.
pub(super) fn text(stage: &Stage, view: &View, tallies: &Tallies, options: &Options) -> String {
    let (settled, failed) = stage.lab.with_node(|node| {
        let settled = node.forwards().filter(|forward| forward.status == lab::market::Status::Settled).count();
        (settled, node.forwards().count() - settled)
    });
    let (untouched_msat, untouched) = stage.untouched(options);
    format!(
        "{table}\n\
         After {days} days: {settled} forwards settled ({failed} failed), {earned:.3} sat earned.\n\
         The same simulated senders, had every fee stayed as it began: {untouched} settled, {constant:.3} sat.\n\
         (A simulation: its market is a model, not a promise.)\n\n\
         fee changes   {changes}{reasons}\n\
         held back     {held}{refusals}\n\
         faults        {faults}\n\n{own}",
        table = draw::table(view, tallies, options.days * 86_400.0),
        days = options.days,
        earned = view.earned_msat as f64 / 1000.0,
        constant = untouched_msat as f64 / 1000.0,
        changes = tallies.changes,
        reasons = list(&tallies.reasons),
        held = tallies.refusals.values().sum::<u64>(),
        refusals = list(&tallies.refusals),
        faults = view.faults,
        own = ON_YOUR_NODE,
    )
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    let words: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if words.is_empty() { String::new() } else { format!("   ({})", words.join(", ")) }
}

/// The same with lightning-cli.
const ON_YOUR_NODE: &str = "\
On your own node (add revenue-ops-dry-run=true to look before anything is set):
  lightning-cli -k plugin subcommand=start plugin=/path/to/cl-revenue-ops
  lightning-cli revenue-policy set <peer_id> strategy=static fee_ppm=350
  lightning-cli revenue-policy set <peer_id> strategy=passive
  lightning-cli revenue-policy set <peer_id> strategy=hive
  lightning-cli revenue-wake-all
  lightning-cli revenue-status
  lightning-cli revenue-fee-debug
";

/// How to reach a demo that stays up.
pub(super) fn serving(stage: &Stage) -> String {
    let socket = stage.lab.rpc_path();
    let socket = socket.display();
    format!(
        "The node stays up, and its time goes on, until Ctrl-C. Its socket: {socket}\n  \
         cl-revenue-ops rpc --socket {socket} revenue-status\n  \
         cl-revenue-ops rpc --socket {socket} revenue-fee-debug\n  \
         cl-revenue-ops rpc --socket {socket} revenue-policy list"
    )
}
