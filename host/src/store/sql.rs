//! How the model's types stand in SQL: amounts and instants as INTEGER, ids as
//! BLOB, a short channel id as the INTEGER `block << 40 | transaction << 16 | output`.

use crate::model::{ChannelId, Digest, Msat, PeerId, Ppm, Scid, SignedMsat, SteadyTime, Txid, UnixTime};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Error, Result, Row, RowIndex, Transaction, ffi};
use std::fmt::Display;

/// SQLite's integers are signed: what does not fit is an error, never a wrap.
pub(super) fn int(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// The same for a value that may be absent.
pub(super) fn opt_int(value: Option<u64>) -> Result<Option<i64>> {
    value.map(int).transpose()
}

/// Fails in a transaction that a power failure could undo: what it notes is acted on at once.
pub(super) fn require_durable(tx: &Transaction<'_>) -> Result<()> {
    const FULL: u8 = 2;
    if tx.pragma_query_value(None, "synchronous", |row| row.get::<_, u8>(0))? >= FULL {
        return Ok(());
    }
    let why = "what others act on at once must be written durably".to_owned();
    Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_MISUSE), Some(why)))
}

/// A stored integer that is never negative.
pub(super) struct Unsigned(pub u64);

impl FromSql for Unsigned {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let stored = value.as_i64()?;
        u64::try_from(stored).map(Unsigned).map_err(|_| FromSqlError::OutOfRange(stored))
    }
}

macro_rules! integers {
    ($($name:ident),*) => {
        $(impl ToSql for $name {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                int(self.0).map(ToSqlOutput::from)
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Unsigned::column_result(value).map(|stored| $name(stored.0))
            }
        })*
    };
}

integers!(Msat, UnixTime, SteadyTime);

impl ToSql for SignedMsat {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0))
    }
}

impl FromSql for SignedMsat {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(SignedMsat)
    }
}

impl ToSql for Ppm {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0))
    }
}

impl FromSql for Ppm {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u32::column_result(value).map(Ppm)
    }
}

macro_rules! blobs {
    ($($name:ident: $bytes:literal),*) => {
        $(impl ToSql for $name {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.0.as_slice()))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; $bytes]>::column_result(value).map($name)
            }
        })*
    };
}

blobs!(ChannelId: 32, PeerId: 33, Digest: 32, Txid: 32);

impl ToSql for Scid {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        // An alias may use all 64 bits: they are kept, not the number's sign.
        Ok(ToSqlOutput::from(self.packed() as i64))
    }
}

impl FromSql for Scid {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let packed = value.as_i64()? as u64;
        Ok(Scid {
            block: (packed >> 40) as u32,
            transaction: (packed >> 16) as u32 & 0xff_ffff,
            output: packed as u16,
        })
    }
}

/// A column, by name or position, with one of a fixed set of words.
pub(super) fn word<T>(
    row: &Row<'_>,
    column: impl RowIndex + Copy + Display,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    read(text).ok_or_else(|| unreadable(row, column, format!("'{text}' is not a value of {column}")))
}

/// A column with JSON text.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(row, column, format!("{column}: {error}")))
}

/// JSON text for a column.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

fn unreadable(row: &Row<'_>, column: impl RowIndex, why: String) -> Error {
    let index = column.idx(row.as_ref()).unwrap_or_default();
    Error::FromSqlConversionFailure(index, Type::Text, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusqlite::Connection;

    #[test]
    fn amounts_beyond_sqlite_are_refused() {
        let conn = Connection::open_in_memory().expect("in memory");
        let stored: Result<Msat> = conn.query_row("SELECT ?1", [Msat(1 << 63)], |row| row.get(0));
        assert!(matches!(stored, Err(Error::ToSqlConversionFailure(_))), "{stored:?}");
        let stored: Result<Msat> = conn.query_row("SELECT -1", [], |row| row.get(0));
        assert!(stored.is_err(), "{stored:?}");
    }

    proptest! {
        #[test]
        fn scids_come_back(block in 0u32..1 << 24, transaction in 0u32..1 << 24, output: u16) {
            let conn = Connection::open_in_memory().expect("in memory");
            let scid = Scid { block, transaction, output };
            let back: Scid = conn.query_row("SELECT ?1", [scid], |row| row.get(0)).expect("one row");
            prop_assert_eq!(back, scid);
        }
    }
}
