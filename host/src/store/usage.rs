//! What modules cost in the recorded cycles.

use super::sql::Unsigned;
use crate::model::{Digest, UnixTime};
use rusqlite::{Connection, Result, params};

/// Calls of one module, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub calls: u64,
    pub faults: u64,
    /// Channels summed over the calls.
    pub channels: u64,
    pub fuel: u64,
    pub took_us: u64,
    pub last: Option<UnixTime>,
}

/// A module's calls in cycles since `since`, while it was in force.
pub fn of(conn: &Connection, digest: &Digest, since: UnixTime) -> Result<Usage> {
    conn.prepare_cached(
        "WITH calls AS (
             SELECT c.at_s, m.fault_code, m.channels, m.fuel, m.took_us
             FROM cycle_modules m JOIN fee_cycles c ON c.id = m.cycle_id WHERE m.digest = ?1 AND c.at_s >= ?2
             UNION ALL
             SELECT c.at_s, m.fault_code, m.channels, m.fuel, m.took_us
             FROM rebalance_calls m JOIN rebalance_cycles c ON c.id = m.cycle_id WHERE m.digest = ?1 AND c.at_s >= ?2
         )
         SELECT count(*) AS calls, count(fault_code) AS faults, coalesce(sum(channels), 0) AS channels,
             coalesce(sum(fuel), 0) AS fuel, coalesce(sum(took_us), 0) AS took_us, max(at_s) AS last FROM calls",
    )?
    .query_row(params![digest, since], |row| {
        let count = |column: &str| row.get::<_, Unsigned>(column).map(|count| count.0);
        Ok(Usage {
            calls: count("calls")?,
            faults: count("faults")?,
            channels: count("channels")?,
            fuel: count("fuel")?,
            took_us: count("took_us")?,
            last: row.get("last")?,
        })
    })
}
