//! The same senders at fees that never change.

use super::stage::Stage;
use lab::Market;
use lab::market::{Forward, Status};

/// What the node would have earned, msat, between the opening and `until_s` (simulated unix
/// time, seconds) if the channels in `managed` had kept the fees they had at the start and all
/// others the fees that they have now.
///
/// A market's senders follow from its seed alone, so this is the same traffic; what differs is
/// what senders make of the fees, and the balances that follow.
pub fn with_constant_fees(stage: &Stage, managed: &[usize], until_s: f64) -> u64 {
    let mut market = Market::new(stage.spec.clone(), stage.seed, stage.started_s);
    // The node's own market stood still before the opening, too.
    market.skip(stage.opened_s);
    for channel in (0..stage.names.len()).filter(|channel| !managed.contains(channel)) {
        let fee = stage.lab.with_node(|node| node.fee(channel));
        market.set_fee(channel, fee, stage.started_s);
    }
    let settled = |forward: &Forward| forward.status == Status::Settled;
    market.advance(until_s).iter().filter(|forward| settled(forward)).map(Forward::fee_msat).sum()
}
