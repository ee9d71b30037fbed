//! What was spent, by cause and time.

use crate::econ::capacity::Mempool;
use crate::econ::pnl::Costs;
use crate::model::ledger::{CostKind, SignedMsat};
use crate::model::{Msat, UnixTime};
use crate::rpc::sheet::{Sheet, as_of, days_back, two, unsettled};
use crate::store::Connection;
use crate::store::books::{self, Splices};
use serde_json::Value;

/// Windows of the report: name and days.
const WINDOWS: [(&str, u64); 3] = [("last_24h", 1), ("last_7d", 7), ("last_30d", 30)];
/// Size that a splicing transaction is assumed to have, vbytes.
const SPLICE_VBYTES: u64 = 300;
/// What a splice is assumed to cost while no feerate is known.
const UNPRICED_SPLICE: Msat = Msat::from_sats(2_000);

/// Costs of the last day, week and month, and of all time.
pub fn report(conn: &Connection, now: UnixTime, assumed_open_sats: u64) -> anyhow::Result<Value> {
    let windows = WINDOWS
        .into_iter()
        .map(|(name, days)| Ok((name, books::costs_since(conn, days_back(now, days))?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let books = books::all(conn)?;
    let total = books.total().costs;
    let splices = books::splices(conn, UnixTime(0))?;
    let by_time = |of: &dyn Fn(&Costs) -> SignedMsat| {
        let sheet = windows.iter().fold(Sheet::new(), |sheet, (name, costs)| sheet.money(name, of(costs)));
        sheet.money("total", of(&total))
    };
    let feerate = books.funds.and_then(|funds| funds.feerate_perkb);
    Ok(Sheet::new()
        .with("type", "costs")
        .with("opening_costs", by_time(&Costs::opening))
        .with("closure_costs", by_time(&Costs::closure))
        .with("close_fees", by_time(&|costs| costs.of(CostKind::Close)))
        .with("sweep_fees", by_time(&|costs| costs.of(CostKind::Sweep)))
        .with("penalties", by_time(&|costs| costs.of(CostKind::Penalty)))
        .with(
            "splice_costs",
            by_time(&|costs| costs.of(CostKind::Splice)).with("summary", summary(&splices, &total)),
        )
        .with("lease_costs", by_time(&|costs| costs.of(CostKind::Lease)))
        .with("rebalance_costs", by_time(&|costs| costs.rebalance.into()))
        .with("total_costs", by_time(&Costs::total))
        .with("sources", sources(&total))
        .with("unsettled_closes", unsettled(&books))
        .with("estimated_defaults", defaults(feerate, assumed_open_sats))
        .with("as_of", as_of(&books))
        .with("generated_at", now.0)
        .done())
}

fn summary(splices: &Splices, total: &Costs) -> Value {
    Sheet::new()
        .with("splice_count", splices.count)
        .with("splice_in_count", splices.in_count)
        .with("splice_out_count", splices.out_count)
        .money("total_splice_in", splices.put_in)
        .money("total_splice_out", splices.taken_out)
        .money("total_fees", total.of(CostKind::Splice))
        .done()
}

/// How much of the costs is no record of the node.
fn sources(total: &Costs) -> Value {
    Sheet::new()
        .money("recorded", total.total() - total.estimated - total.imported)
        .money("estimated", total.estimated)
        .with("estimated_pct", two(total.estimated_pct()))
        .money("imported", total.imported)
        .done()
}

/// What is assumed where the node has no record, and what new transactions would cost now.
fn defaults(feerate: Option<u32>, assumed_open_sats: u64) -> Value {
    let (close, priced) = Mempool::at(feerate).close_cost();
    let splice = feerate.map_or(UNPRICED_SPLICE, |perkb| Msat(u64::from(perkb) * SPLICE_VBYTES));
    Sheet::new()
        .with("channel_open_sats", assumed_open_sats)
        .with("channel_close_sats", close.sats())
        .with("splice_sats", splice.sats())
        .with(
            "basis",
            if priced { "the present feerate; the opening as configured" } else { "no feerate is known" },
        )
        .done()
}
