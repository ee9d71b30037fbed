//! Settings that were changed while the plugin ran. They outlive a restart.

use super::cursors;
use super::sql::{Unsigned, int};
use crate::model::UnixTime;
use rusqlite::{Connection, Result, Transaction, params};

/// One changed setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub key: String,
    /// As text, in the form that the setting's kind accepts.
    pub value: String,
    /// The version of the settings that this change made.
    pub version: u64,
    pub updated_at: UnixTime,
}

/// All changed settings, by key.
pub fn load_all(conn: &Connection) -> Result<Vec<Override>> {
    conn.prepare_cached("SELECT key, value, version, updated_at_s FROM config_overrides ORDER BY key")?
        .query_map([], |row| {
            let Unsigned(version) = row.get("version")?;
            Ok(Override {
                key: row.get("key")?,
                value: row.get("value")?,
                version,
                updated_at: row.get("updated_at_s")?,
            })
        })?
        .collect()
}

/// Keeps a changed setting. Returns the new version, higher than any before.
pub fn put(tx: &Transaction<'_>, key: &str, value: &str, now: UnixTime) -> Result<u64> {
    let version = cursors::rise(tx, cursors::CONFIG_VERSION, 1)?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO config_overrides (key, value, version, updated_at_s) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![key, value, int(version)?, now])?;
    Ok(version)
}

/// Forgets a changed setting, which also makes a new version. Returns whether
/// there was one.
pub fn delete(tx: &Transaction<'_>, key: &str) -> Result<bool> {
    let deleted = tx.prepare_cached("DELETE FROM config_overrides WHERE key = ?1")?.execute([key])? > 0;
    if deleted {
        cursors::rise(tx, cursors::CONFIG_VERSION, 1)?;
    }
    Ok(deleted)
}

/// The version of the settings; 0 before the first change.
pub fn version(conn: &Connection) -> Result<u64> {
    cursors::get(conn, cursors::CONFIG_VERSION).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::memory;

    #[test]
    fn versions_only_rise() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        assert_eq!(version(&tx), Ok(0));
        assert_eq!(put(&tx, "min_fee_ppm", "20", UnixTime(5)), Ok(1));
        assert_eq!(put(&tx, "min_fee_ppm", "30", UnixTime(6)), Ok(2));
        assert_eq!(delete(&tx, "min_fee_ppm"), Ok(true));
        assert_eq!(delete(&tx, "min_fee_ppm"), Ok(false));
        assert_eq!(version(&tx), Ok(3));
        assert_eq!(put(&tx, "dry", "é", UnixTime(4)), Ok(4));
        let kept =
            Override { key: "dry".to_owned(), value: "é".to_owned(), version: 4, updated_at: UnixTime(4) };
        assert_eq!(load_all(&tx), Ok(vec![kept]));
    }
}
