//! The journal of a database that another process may be writing, to look at and nothing else.

use super::journal::{self, Kept};
use super::open;
use super::sql::{Unsigned, word};
use crate::model::{CycleKind, StrategyName, UnixTime};
use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use std::path::Path;

/// A database opened for reading.
pub struct Past(Connection);

impl Past {
    /// Opens the plugin's database.
    ///
    /// # Errors
    /// When it is not one, or of a newer version.
    pub fn open(path: &Path) -> Result<Past> {
        open::connect_reader(path).map(Past).context("the database")
    }

    /// The strategies whose calls about fees are kept, the one with most first, and how many each has.
    pub fn strategies(&self) -> Result<Vec<(StrategyName, u64)>> {
        let mut select = self.0.prepare(
            "SELECT strategy, count(*) AS calls FROM journal WHERE kind = ?1 GROUP BY strategy ORDER BY calls DESC, strategy",
        )?;
        let rows = select.query_map([CycleKind::Fee.name()], |row| {
            Ok((word(row, "strategy", |text| text.parse().ok())?, row.get::<_, Unsigned>("calls")?.0))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The cycles in which a strategy was asked about fees, oldest first, and when.
    pub fn cycles(&self, strategy: &StrategyName) -> Result<Vec<(i64, UnixTime)>> {
        let mut select = self.0.prepare(
            "SELECT DISTINCT cycle_id, at_s FROM journal WHERE kind = ?1 AND strategy = ?2 ORDER BY cycle_id",
        )?;
        let rows = select.query_map(params![CycleKind::Fee.name(), strategy.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The first call about fees that a strategy got in a cycle: that of the module in force.
    pub fn call(&self, cycle: i64, strategy: &StrategyName) -> Result<Option<Kept>> {
        let calls = journal::calls(&self.0, CycleKind::Fee, u64::try_from(cycle)?, Some(strategy))?;
        Ok(calls.into_iter().next())
    }
}
