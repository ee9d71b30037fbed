//! What the node owned, day by day.

use crate::model::{Msat, UnixTime};
use crate::store::adopt::found::{Found, FoundSnapshot, Part};
use crate::store::adopt::table::each_row;
use rusqlite::{Connection, Result};
use std::collections::BTreeMap;

const SNAPSHOT: [&str; 6] = [
    "timestamp",
    "total_local_balance_sats",
    "total_remote_balance_sats",
    "total_onchain_sats",
    "total_capacity_sats",
    "channel_count",
];

/// The last one of each UTC day. Its sums over all time are not read: they are made from the books.
pub(super) fn all(conn: &Connection, found: &mut Found) -> Result<()> {
    let mut days: BTreeMap<UnixTime, FoundSnapshot> = BTreeMap::new();
    let mut replaced = 0;
    each_row(conn, "financial_snapshots", &SNAPSHOT, (&mut found.tally, Part::Snapshots), |cells, _| {
        let taken_at = cells.time("timestamp")?;
        // Zero where it was never filled in.
        let filled = |amount: Option<Msat>| amount.filter(|amount| *amount > Msat::ZERO);
        let day = taken_at.minus(taken_at.0 % UnixTime::DAY);
        let one = FoundSnapshot {
            day,
            taken_at,
            onchain: cells.opt_sats("total_onchain_sats")?,
            local: filled(cells.opt_sats("total_local_balance_sats")?),
            remote: filled(cells.opt_sats("total_remote_balance_sats")?),
            capacity: filled(cells.opt_sats("total_capacity_sats")?),
            channels: Some(cells.count("channel_count")?),
        };
        match days.get_mut(&day) {
            None => drop(days.insert(day, one)),
            Some(kept) => {
                replaced += 1;
                if kept.taken_at < taken_at {
                    *kept = one;
                }
            }
        }
        Ok(())
    })?;
    found.tally.skipped(Part::Snapshots, "a later one of the same day counts", replaced);
    found.snapshots = days.into_values().collect();
    Ok(())
}
