//! Named numbers: positions in the node's lists, and counters that only rise.

use super::sql::{Unsigned, int};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

pub(super) const POLICY_CHANGES: &str = "policy_changes";
pub(super) const CONFIG_VERSION: &str = "config_version";

/// The number under `name`, if it was ever set.
pub fn get(conn: &Connection, name: &str) -> Result<Option<u64>> {
    conn.prepare_cached("SELECT value FROM cursors WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .map(|Unsigned(value)| value)
        .optional()
}

/// Sets the number, in the same transaction as what it stands for.
pub fn set(tx: &Transaction<'_>, name: &str, value: u64) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO cursors (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![name, int(value)?])?;
    Ok(())
}

/// Forgets the number, as if it had never been set.
pub(super) fn forget(tx: &Transaction<'_>, name: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM cursors WHERE name = ?1")?.execute([name])?;
    Ok(())
}

/// Raises the number to `at_least`, or by one if it is there already, and returns it.
pub(super) fn rise(tx: &Transaction<'_>, name: &str, at_least: u64) -> Result<u64> {
    tx.prepare_cached(
        "INSERT INTO cursors (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = max(excluded.value, value + 1) RETURNING value",
    )?
    .query_row(params![name, int(at_least)?], |row| row.get(0))
    .map(|Unsigned(value)| value)
}
