//! What modules cost in the recorded cycles, and which could not be asked.

use super::sql::{Unsigned, word};
use crate::model::strategy::NOT_THE_MODULES;
use crate::model::{CycleKind, Digest, StrategyName, UnixTime};
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

/// A module's calls in cycles of one world since `since`, while it was in force for this strategy.
pub fn of(
    conn: &Connection,
    digest: &Digest,
    (decides, place): (CycleKind, &StrategyName),
    since: UnixTime,
) -> Result<Usage> {
    let (calls, cycles, strategy) = match decides {
        CycleKind::Fee => ("cycle_modules", "fee_cycles", "strategy"),
        CycleKind::Rebalance => ("rebalance_calls", "rebalance_cycles", "evaluator"),
    };
    conn.prepare_cached(&format!(
        "SELECT count(*) AS calls, count(fault_code) AS faults, coalesce(sum(m.channels), 0) AS channels,
             coalesce(sum(fuel), 0) AS fuel, coalesce(sum(took_us), 0) AS took_us, max(at_s) AS last
         FROM {calls} m JOIN {cycles} c ON c.id = m.cycle_id
         WHERE m.digest = ?1 AND m.{strategy} = ?2 AND c.at_s >= ?3"
    ))?
    .query_row(params![digest, place.as_str(), since], |row| {
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

/// Strategies whose modules could not be asked when all channels were last looked at, for a reason of the
/// host's or the machine's, each with that reason.
pub fn not_asked(conn: &Connection) -> Result<Vec<(StrategyName, String)>> {
    conn.prepare_cached(&format!(
        "WITH calls AS (
             SELECT strategy, fault_code, fault_text FROM cycle_modules
             WHERE cycle_id = (SELECT max(id) FROM fee_cycles WHERE trigger IN ('timer', 'woken'))
             UNION
             SELECT evaluator, fault_code, fault_text FROM rebalance_calls
             WHERE cycle_id = (SELECT max(id) FROM rebalance_cycles)
         )
         SELECT strategy, fault_code || ': ' || fault_text AS why FROM calls WHERE fault_code IN ('{}') ORDER BY strategy",
        NOT_THE_MODULES.join("', '")
    ))?
    .query_map([], |row| Ok((word(row, "strategy", |text| text.parse().ok())?, row.get("why")?)))?
    .collect()
}
