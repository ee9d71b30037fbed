//! `revenue-history`: profit and loss over the node's whole life.

use super::args::Args;
use super::sheet::{Sheet, as_of, pct, two, unsettled};
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::econ::networth::Phase;
use crate::econ::pnl::Pnl;
use crate::model::ledger::{CostKind, SignedMsat};
use crate::model::{Msat, UnixTime};
use crate::store::Connection;
use crate::store::books::{self, Account, Books, ImportedChannel};
use serde_json::Value;
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-history",
    usage: "",
    description: "Shows what was earned and spent over all time, closed channels included.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    let now = services.now();
    Ok(services.store.read(move |conn| report(conn, now)).await?)
}

/// The whole history.
pub fn report(conn: &Connection, now: UnixTime) -> anyhow::Result<Value> {
    let books = books::all(conn)?;
    let total = books.total();
    let costs = &total.costs;
    Ok(Sheet::new()
        .money("lifetime_revenue", total.traffic.earned)
        .money("lifetime_opening_costs", costs.opening())
        .money("lifetime_closure_costs", costs.closure())
        .money("lifetime_splice_costs", costs.of(CostKind::Splice))
        .money("lifetime_rebalance_costs", costs.rebalance)
        .money("lifetime_lease_costs", costs.of(CostKind::Lease))
        .money("lifetime_total_costs", costs.total())
        .money("lifetime_net_profit", total.net())
        .with("lifetime_roi_percent", pct(total.roi()))
        .with("lifetime_forward_count", total.traffic.out_count)
        .money("lifetime_forwarded", total.traffic.out_msat)
        .with("closure_parts", closure_parts(&total))
        .money("estimated_costs", costs.estimated)
        .with("estimated_costs_pct", two(costs.estimated_pct()))
        .money("imported_costs", costs.imported)
        .money("pushed_at_opening", pushed(&books))
        .with("closed_channels_summary", closed(&books, &books.imported(conn)?, now))
        .with("unattributed", unattributed(&books.elsewhere))
        .with("unsettled_closes", unsettled(&books))
        .with("as_of", as_of(&books))
        .done())
}

fn closure_parts(total: &Pnl) -> Value {
    Sheet::new()
        .money("close_fees", total.costs.of(CostKind::Close))
        .money("sweep_fees", total.costs.of(CostKind::Sweep))
        .money("penalties", total.costs.of(CostKind::Penalty))
        .done()
}

/// Given away, less received, at openings: a gift, not a cost of routing.
fn pushed(books: &Books) -> SignedMsat {
    books.accounts.iter().map(|account| account.life.pushed).sum()
}

/// Closed channels, those that are known from an import alone among them. The node's sums above have the
/// money of these as far as it counts, as part of what is unattributed.
fn closed(books: &Books, imported: &[ImportedChannel], now: UnixTime) -> Value {
    let closed: Vec<&Account> = books.in_phase(Phase::Closed).collect();
    let sum: Pnl =
        closed.iter().map(|account| &account.pnl).chain(imported.iter().map(|channel| &channel.pnl)).sum();
    let known = closed.iter().map(|account| account.channel.capacity);
    let capacity: Msat = known.chain(imported.iter().map(|channel| channel.capacity)).sum();
    let days: Vec<u64> = closed
        .iter()
        .map(|account| account.days(now))
        .chain(imported.iter().filter_map(ImportedChannel::days))
        .collect();
    let average = if days.is_empty() { 0.0 } else { days.iter().sum::<u64>() as f64 / days.len() as f64 };
    Sheet::new()
        .with("channel_count", closed.len() + imported.len())
        .with("imported_count", imported.len())
        .bare("total_capacity", capacity)
        .bare("total_open_costs", sum.costs.opening())
        .bare("total_closure_costs", sum.costs.closure())
        .bare("total_splice_costs", sum.costs.of(CostKind::Splice))
        .bare("total_lease_costs", sum.costs.of(CostKind::Lease))
        .bare("total_revenue", sum.traffic.earned)
        .bare("total_rebalance_costs", sum.costs.rebalance)
        .with("total_forwards", sum.traffic.out_count)
        .bare("total_net_pnl", sum.net())
        .with("avg_days_open", two(average))
        .done()
}

/// What is in the sums above but belongs to no channel that is known.
pub(super) fn unattributed(elsewhere: &Pnl) -> Value {
    Sheet::new()
        .money("revenue", elsewhere.traffic.earned)
        .with("forward_count", elsewhere.traffic.out_count)
        .money("costs", elsewhere.costs.total())
        .money("net_profit", elsewhere.net())
        .with(
            "note",
            "forwards of channels that nothing places any more, and rebalances whose channels are not known",
        )
        .done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_nothing() {
        let empty = Books::default();
        assert_eq!(closed(&empty, &[], UnixTime(5))["avg_days_open"], json!(0.0));
        assert_eq!(pushed(&empty), SignedMsat::ZERO);
    }
}
