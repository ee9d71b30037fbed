//! Facts about the file itself.

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, Error, OptionalExtension, Result, Transaction};

pub(super) const NODE_ID: &str = "node_id";
pub(super) const NETWORK: &str = "network";
const PSEUDONYM_KEY: &str = "pseudonym_key";

/// The value under `key`, if there is one.
pub fn get<T: FromSql>(conn: &Connection, key: &str) -> Result<Option<T>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Keeps `value` under `key`.
pub fn set(tx: &Transaction<'_>, key: &str, value: &dyn ToSql) -> Result<()> {
    tx.prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?
        .execute(rusqlite::params![key, value])?;
    Ok(())
}

/// The secret from which the pseudonyms shown to strategies are made. Drawn at
/// random when the file is made, and the same ever after.
pub fn pseudonym_key(conn: &Connection) -> Result<[u8; 32]> {
    get(conn, PSEUDONYM_KEY)?.ok_or(Error::QueryReturnedNoRows)
}

pub(super) fn create_pseudonym_key(tx: &Transaction<'_>) -> Result<()> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Error::ToSqlConversionFailure(error.to_string().into()))?;
    set(tx, PSEUDONYM_KEY, &key)
}
