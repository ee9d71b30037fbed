//! What channels cost on chain, and what is told of closed ones.

use crate::model::ledger::{CloseKind, CostKind};
use crate::model::{Msat, Scid};
use crate::store::adopt::found::{Found, FoundClosed, FoundCost, Part};
use crate::store::adopt::table::each_row;
use rusqlite::{Connection, Result};
use std::collections::BTreeSet;

/// Why a row without any cost is left out.
const FREE: &str = "it cost nothing";

pub(super) fn all(conn: &Connection, found: &mut Found) -> Result<()> {
    openings(conn, found)?;
    closures(conn, found)?;
    splices(conn, found)?;
    closed_channels(conn, found)
}

fn openings(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { costs, tally, .. } = found;
    let names = ["channel_id", "open_cost_sats", "opened_at"];
    each_row(conn, "channel_costs", &names, (tally, Part::OpenCosts), |cells, _| {
        let amount = cells.sats("open_cost_sats")?;
        let scid = cells.scid("channel_id")?;
        if amount == Msat::ZERO {
            return Err(FREE.to_owned());
        }
        costs.push(FoundCost {
            scid,
            kind: CostKind::Open,
            txid: None,
            amount,
            at: cells.time("opened_at")?,
        });
        Ok(())
    })
}

fn closures(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { costs, tally, .. } = found;
    let names = [
        "channel_id",
        "closure_fee_sats",
        "htlc_sweep_fee_sats",
        "penalty_fee_sats",
        "total_closure_cost_sats",
        "closing_txid",
        "closed_at",
    ];
    each_row(conn, "channel_closure_costs", &names, (tally, Part::ClosureCosts), |cells, _| {
        let (scid, txid, at) =
            (cells.scid("channel_id")?, cells.txid("closing_txid"), cells.time("closed_at")?);
        let mut parts = [
            (CostKind::Close, cells.sats("closure_fee_sats")?),
            (CostKind::Sweep, cells.sats("htlc_sweep_fee_sats")?),
            (CostKind::Penalty, cells.sats("penalty_fee_sats")?),
        ];
        if parts.iter().all(|(_, amount)| *amount == Msat::ZERO) {
            parts[0].1 = cells.sats("total_closure_cost_sats")?;
        }
        let before = costs.len();
        let paid = parts.into_iter().filter(|(_, amount)| *amount > Msat::ZERO);
        costs.extend(paid.map(|(kind, amount)| FoundCost { scid, kind, txid, amount, at }));
        if costs.len() == before { Err(FREE.to_owned()) } else { Ok(()) }
    })
}

fn splices(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { costs, tally, .. } = found;
    let names = ["channel_id", "fee_sats", "txid", "timestamp"];
    each_row(conn, "splice_costs", &names, (tally, Part::SpliceCosts), |cells, _| {
        let (scid, txid, at) = (cells.scid("channel_id")?, cells.txid("txid"), cells.time("timestamp")?);
        let amount = cells.sats("fee_sats")?;
        if amount == Msat::ZERO {
            return Err(FREE.to_owned());
        }
        costs.push(FoundCost { scid, kind: CostKind::Splice, txid, amount, at });
        Ok(())
    })
}

const CLOSED: [&str; 13] = [
    "channel_id",
    "peer_id",
    "capacity_sats",
    "opened_at",
    "closed_at",
    "close_type",
    "closer",
    "closing_txid",
    "open_cost_sats",
    "closure_cost_sats",
    "total_revenue_sats",
    "total_rebalance_cost_sats",
    "forward_count",
];

/// Costs that only this table tells are counted from here.
fn closed_channels(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { costs, closed, tally, .. } = found;
    let opened: BTreeSet<Scid> = of_kind(costs, |kind| kind == CostKind::Open);
    let ended: BTreeSet<Scid> = of_kind(costs, |kind| !matches!(kind, CostKind::Open | CostKind::Splice));
    each_row(conn, "closed_channels", &CLOSED, (tally, Part::ClosedChannels), |cells, tally| {
        let kind = cells.opt_text("close_type")?.unwrap_or_default();
        let one = FoundClosed {
            scid: cells.scid("channel_id")?,
            peer_id: cells.peer("peer_id")?,
            capacity: cells.sats("capacity_sats")?,
            opened_at: cells.opt_time("opened_at")?,
            closed_at: cells.time("closed_at")?,
            close_kind: CloseKind::from_name(&kind).unwrap_or(CloseKind::Unknown),
            closer: cells.opt_text("closer")?,
            closing_txid: cells.txid("closing_txid"),
            open_cost: cells.sats("open_cost_sats")?,
            closure_cost: cells.sats("closure_cost_sats")?,
            rebalance_cost: cells.sats("total_rebalance_cost_sats")?,
            revenue: cells.sats("total_revenue_sats")?,
            forward_count: cells.count("forward_count")?,
        };
        let mut cost = |kind, amount, txid, at| {
            costs.push(FoundCost { scid: one.scid, kind, txid, amount, at });
        };
        if one.open_cost > Msat::ZERO && !opened.contains(&one.scid) {
            cost(CostKind::Open, one.open_cost, None, one.opened_at.unwrap_or(one.closed_at));
        }
        if one.closure_cost > Msat::ZERO && !ended.contains(&one.scid) {
            cost(CostKind::Close, one.closure_cost, one.closing_txid, one.closed_at);
        }
        tally.taken(Part::ClosedChannels, 1);
        closed.push(one);
        Ok(())
    })
}

fn of_kind(costs: &[FoundCost], wanted: impl Fn(CostKind) -> bool) -> BTreeSet<Scid> {
    costs.iter().filter(|cost| wanted(cost.kind)).map(|cost| cost.scid).collect()
}
