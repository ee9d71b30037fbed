//! Closed channels that only the Python plugin's database tells of.

use crate::econ::pnl::{Costs, Pnl, Traffic};
use crate::model::ledger::{CloseKind, CostKind, CostSource};
use crate::model::{Msat, PeerId, Scid, Txid, UnixTime};
use crate::store::sql::{Unsigned, word};
use rusqlite::{Connection, Result, Row};

/// A channel that closed before the node's own record begins, as that file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedChannel {
    pub scid: Scid,
    pub peer_id: PeerId,
    pub capacity: Msat,
    pub opened_at: Option<UnixTime>,
    pub closed_at: UnixTime,
    pub close_kind: CloseKind,
    pub closer: Option<String>,
    pub closing_txid: Option<Txid>,
    /// The file tells fees and how many forwards left, not the amounts that were forwarded.
    pub pnl: Pnl,
}

impl ImportedChannel {
    /// Whole days that it was open; none when its opening is not told.
    pub fn days(&self) -> Option<u64> {
        self.opened_at.map(|opened| self.closed_at.since(opened) / UnixTime::DAY)
    }
}

/// All that the node does not list, by when they closed.
pub(super) fn channels(conn: &Connection) -> Result<Vec<ImportedChannel>> {
    conn.prepare_cached(
        "SELECT * FROM imported_closed_channels WHERE channel_id IS NULL ORDER BY closed_at_s, scid",
    )?
    .query_map([], read)?
    .collect()
}

fn read(row: &Row<'_>) -> Result<ImportedChannel> {
    let forwards: Unsigned = row.get("forward_count")?;
    let traffic = Traffic { out_count: forwards.0, earned: row.get("revenue_msat")?, ..Traffic::default() };
    let mut costs = Costs::default();
    for (kind, column) in [(CostKind::Open, "open_cost_msat"), (CostKind::Close, "closure_cost_msat")] {
        costs.book(kind, CostSource::Imported, row.get::<_, Msat>(column)?.into());
    }
    costs.book_rebalance(row.get("rebalance_cost_msat")?, true);
    Ok(ImportedChannel {
        scid: word(row, "scid", |text| text.parse().ok())?,
        peer_id: row.get("peer_id")?,
        capacity: row.get("capacity_msat")?,
        opened_at: row.get("opened_at_s")?,
        closed_at: row.get("closed_at_s")?,
        close_kind: word(row, "close_kind", CloseKind::from_name)?,
        closer: row.get("closer")?,
        closing_txid: row.get("closing_txid")?,
        pnl: Pnl { traffic, costs },
    })
}
