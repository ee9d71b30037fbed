//! What the status says of the books: cheap to ask, however long the history is.

use super::forwards::ROLLED_UNTIL;
use super::sql::Unsigned;
use super::{accounts, costs, cursors};
use crate::model::ledger::CostSource;
use crate::model::{SignedMsat, UnixTime};
use rusqlite::{Connection, Result};

/// How complete the books are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BooksState {
    pub forwards_settled: u64,
    /// The first UTC day with a forward that ended.
    pub since: Option<UnixTime>,
    /// Single forwards are kept from here on.
    pub forwards_kept_since: Option<UnixTime>,
    pub channels_closed: u64,
    pub rebalances: u64,
    /// Of these, parts whose channels are not known yet.
    pub rebalances_unpaired: u64,
    /// Channels of whose accounts no record was looked at to the end.
    pub accounts_unread: u64,
    /// Closes that bookkeeper has not resolved.
    pub accounts_closing: u64,
    /// Rows and sum by source.
    pub costs: Vec<(CostSource, u64, SignedMsat)>,
    /// The latest UTC day with a snapshot.
    pub last_snapshot: Option<UnixTime>,
}

impl BooksState {
    /// The share of the costs that is not from a record, 0 to 1.
    pub fn estimated_share(&self) -> f64 {
        let sum = |wanted: &[CostSource]| -> u64 {
            let costs = self.costs.iter().filter(|(source, ..)| wanted.contains(source));
            costs.map(|(.., amount)| amount.0.unsigned_abs()).sum()
        };
        let all = sum(CostSource::ALL);
        if all == 0 { 0.0 } else { sum(&[CostSource::Estimate]) as f64 / all as f64 }
    }
}

/// How complete the books are.
pub fn load(conn: &Connection) -> Result<BooksState> {
    let number =
        |sql: &str| conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).map(|Unsigned(number)| number);
    let (accounts_unread, accounts_closing) = accounts::open_ends(conn)?;
    Ok(BooksState {
        forwards_settled: number("SELECT coalesce(sum(out_count), 0) FROM flow_totals")?,
        since: conn.query_row("SELECT min(day_s) FROM flow_days", [], |row| row.get(0))?,
        forwards_kept_since: cursors::get(conn, ROLLED_UNTIL)?.map(UnixTime),
        channels_closed: number("SELECT count(*) FROM channel_lives WHERE closed_at_s IS NOT NULL")?,
        rebalances: number("SELECT count(*) FROM rebalances")?,
        rebalances_unpaired: number(
            "SELECT count(*) FROM rebalances WHERE (out_channel IS NULL OR in_channel IS NULL) AND payment_hash
                 NOT IN (SELECT payment_hash FROM imported_rebalances WHERE payment_hash IS NOT NULL)",
        )?,
        accounts_unread,
        accounts_closing,
        costs: costs::by_source(conn)?,
        last_snapshot: super::snapshots::last_day(conn)?,
    })
}
