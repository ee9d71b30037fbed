//! One file per family of tables.

mod costs;
mod days;
mod rebalances;
mod snapshots;
mod wishes;

use super::found::{Found, Part, Tally};
use super::original::Horizons;
use super::table::each_row;
use crate::model::{PeerId, Scid};
use rusqlite::{Connection, Result};
use std::collections::BTreeMap;

/// Tables that name a channel together with its peer.
const NAMING: [&str; 5] =
    ["channel_states", "channel_costs", "closed_channels", "channel_closure_costs", "splice_costs"];

pub(super) fn channels(conn: &Connection) -> Result<BTreeMap<Scid, PeerId>> {
    let mut channels = BTreeMap::new();
    for table in NAMING {
        // Rows that make no sense are counted where they are taken over, not here.
        let mut ignored = Tally::default();
        let names = ["channel_id", "peer_id"];
        each_row(conn, table, &names, (&mut ignored, Part::ClosedChannels), |cells, _| {
            channels.insert(cells.scid("channel_id")?, cells.peer("peer_id")?);
            Ok(())
        })?;
    }
    Ok(channels)
}

pub(super) fn everything(conn: &Connection, horizons: Horizons) -> Result<Found> {
    let mut found = Found::default();
    wishes::policies(conn, &mut found)?;
    wishes::ignored_peers(conn, &mut found)?;
    wishes::overrides(conn, &mut found)?;
    costs::all(conn, &mut found)?;
    rebalances::all(conn, horizons.payments, &mut found)?;
    days::all(conn, horizons.forwards, &mut found)?;
    snapshots::all(conn, &mut found)?;
    Ok(found)
}
