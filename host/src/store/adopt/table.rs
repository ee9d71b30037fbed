//! Reading tables whose columns and types are not to be relied on: SQLite stores a text in an INTEGER
//! column without complaint, and older versions of the file lack columns.

use super::found::{Part, Tally};
use crate::model::{Msat, PeerId, Scid, Txid, UnixTime};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result, Row};
use std::collections::BTreeSet;

/// The most that any amount can be: 21 million bitcoin, msat.
const MOST_MSAT: u64 = 2_100_000_000_000_000_000;
/// The year 2242: what is later is no time in seconds.
const LATEST_S: u64 = 1 << 33;

/// Why a row, or a value in it, is left out.
pub(super) type Odd = String;

/// The names of a table's columns; none when there is no such table.
pub(super) fn columns(conn: &Connection, table: &str) -> Result<BTreeSet<String>> {
    conn.prepare("SELECT name FROM pragma_table_info(?1)")?.query_map([table], |row| row.get(0))?.collect()
}

/// A row's values, in the order in which they were asked for.
pub(super) struct Cells<'a> {
    row: &'a Row<'a>,
    names: &'a [&'a str],
}

/// Calls `each` with every row of the table; what it refuses is counted under `part`.
pub(super) fn each_row(
    conn: &Connection,
    table: &str,
    names: &[&str],
    (tally, part): (&mut Tally, Part),
    mut each: impl FnMut(&Cells<'_>, &mut Tally) -> std::result::Result<(), Odd>,
) -> Result<()> {
    let present = columns(conn, table)?;
    if present.is_empty() {
        return Ok(());
    }
    let wanted: Vec<String> = names
        .iter()
        .map(|name| if present.contains(*name) { format!("\"{name}\"") } else { "NULL".to_owned() })
        .collect();
    let mut select = conn.prepare(&format!("SELECT {} FROM \"{table}\"", wanted.join(", ")))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(why) = each(&Cells { row, names }, tally) {
            tally.skipped(part, &why, 1);
        }
    }
    Ok(())
}

impl Cells<'_> {
    fn value(&self, name: &str) -> ValueRef<'_> {
        let index = self.names.iter().position(|own| *own == name);
        index.and_then(|index| self.row.get_ref(index).ok()).unwrap_or(ValueRef::Null)
    }

    /// A text; blank is absent.
    pub fn opt_text(&self, name: &str) -> std::result::Result<Option<String>, Odd> {
        match self.value(name) {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(|text| Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
                .map_err(|_| format!("{name} is not text")),
            ValueRef::Integer(number) => Ok(Some(number.to_string())),
            ValueRef::Real(number) => Ok(Some(number.to_string())),
            ValueRef::Blob(_) => Err(format!("{name} is not text")),
        }
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> std::result::Result<String, Odd> {
        self.opt_text(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// A whole number.
    pub fn opt_int(&self, name: &str) -> std::result::Result<Option<i64>, Odd> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let odd = || format!("{name} is not a whole number");
        match self.value(name) {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < EXACT => {
                Ok(Some(number as i64))
            }
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .map(Some)
                .ok_or_else(odd),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(odd()),
        }
    }

    /// A number.
    pub fn opt_real(&self, name: &str) -> std::result::Result<Option<f64>, Odd> {
        let odd = || format!("{name} is not a number");
        let number = match self.value(name) {
            ValueRef::Null => return Ok(None),
            ValueRef::Integer(number) => number as f64,
            ValueRef::Real(number) => number,
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(odd)?
            }
            ValueRef::Blob(_) => return Err(odd()),
        };
        if number.is_finite() { Ok(Some(number)) } else { Err(odd()) }
    }

    /// A count; absent is zero.
    pub fn count(&self, name: &str) -> std::result::Result<u64, Odd> {
        let number = self.opt_int(name)?.unwrap_or(0);
        u64::try_from(number).map_err(|_| format!("{name} is below zero"))
    }

    /// An amount in msat; absent is zero.
    pub fn msat(&self, name: &str) -> std::result::Result<Msat, Odd> {
        let amount = self.count(name)?;
        if amount > MOST_MSAT { Err(format!("{name} is more than there is")) } else { Ok(Msat(amount)) }
    }

    /// An amount in sat; absent is absent.
    pub fn opt_sats(&self, name: &str) -> std::result::Result<Option<Msat>, Odd> {
        let Some(_) = self.opt_int(name)? else { return Ok(None) };
        let amount = Msat::from_sats(self.count(name)?);
        if amount.0 > MOST_MSAT { Err(format!("{name} is more than there is")) } else { Ok(Some(amount)) }
    }

    /// An amount in sat; absent is zero.
    pub fn sats(&self, name: &str) -> std::result::Result<Msat, Odd> {
        Ok(self.opt_sats(name)?.unwrap_or_default())
    }

    /// An instant; absent and zero are absent.
    pub fn opt_time(&self, name: &str) -> std::result::Result<Option<UnixTime>, Odd> {
        match self.opt_int(name)? {
            None | Some(0) => Ok(None),
            Some(at) => u64::try_from(at)
                .ok()
                .filter(|at| *at <= LATEST_S)
                .map(|at| Some(UnixTime(at)))
                .ok_or_else(|| format!("{name} is not a time")),
        }
    }

    /// An instant that must be there.
    pub fn time(&self, name: &str) -> std::result::Result<UnixTime, Odd> {
        self.opt_time(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// A node's id, in any case.
    pub fn peer(&self, name: &str) -> std::result::Result<PeerId, Odd> {
        self.text(name)?.parse().map_err(|_| format!("{name} is not a node's id"))
    }

    /// A short channel id.
    pub fn scid(&self, name: &str) -> std::result::Result<Scid, Odd> {
        read_scid(&self.text(name)?).ok_or_else(|| format!("{name} is not a short channel id"))
    }

    /// A transaction's id; what is none is absent.
    pub fn txid(&self, name: &str) -> Option<Txid> {
        self.opt_text(name).ok().flatten().and_then(|text| text.parse().ok())
    }
}

/// Reads `1x2x3`, and `1:2:3` as nodes of 2018 wrote it.
pub(super) fn read_scid(text: &str) -> Option<Scid> {
    text.replace(':', "x").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `read` makes of the one row of a table with the column `v`.
    fn of<T>(
        value: &str,
        read: impl Fn(&Cells<'_>) -> std::result::Result<T, Odd>,
    ) -> std::result::Result<T, Odd> {
        let conn = Connection::open_in_memory().expect("in memory");
        conn.execute_batch(&format!("CREATE TABLE t (v); INSERT INTO t VALUES ({value})")).expect("a row");
        let (mut tally, mut found) = (Tally::default(), None);
        each_row(&conn, "t", &["v", "gone"], (&mut tally, Part::Days), |cells, _| {
            assert_eq!(cells.opt_text("gone"), Ok(None));
            found = Some(read(cells)?);
            Ok(())
        })
        .expect("readable");
        let why = tally.iter().map(|(_, _, why, _)| why.to_owned()).next();
        found.ok_or_else(|| why.expect("a reason"))
    }

    #[test]
    fn numbers_come_in_any_type() {
        for value in ["5", "5.0", "'5'", "' 5 '"] {
            assert_eq!(of(value, |cells| cells.opt_int("v")), Ok(Some(5)), "{value}");
            assert_eq!(of(value, |cells| cells.opt_sats("v")), Ok(Some(Msat(5000))), "{value}");
        }
        assert_eq!(of("NULL", |cells| cells.opt_sats("v")), Ok(None));
        assert_eq!(of("'0.5'", |cells| cells.opt_real("v")), Ok(Some(0.5)));
        for (value, why) in [("'five'", "whole number"), ("x'05'", "whole number"), ("5.5", "whole number")] {
            assert!(of(value, |cells| cells.opt_int("v")).expect_err(value).contains(why));
        }
        assert!(of("-1", |cells| cells.msat("v")).expect_err("below zero").contains("below zero"));
        assert!(
            of("21000001 * 100000000", |cells| cells.sats("v")).expect_err("too much").contains("more than")
        );
        assert!(of("9e999", |cells| cells.opt_real("v")).is_err());
    }

    #[test]
    fn times_are_seconds() {
        assert_eq!(of("1700000000", |cells| cells.time("v")), Ok(UnixTime(1_700_000_000)));
        assert_eq!(of("0", |cells| cells.opt_time("v")), Ok(None));
        for value in ["-5", "1700000000000"] {
            assert!(of(value, |cells| cells.opt_time("v")).expect_err(value).contains("not a time"));
        }
        assert!(of("NULL", |cells| cells.time("v")).expect_err("missing").contains("missing"));
    }

    #[test]
    fn ids_are_checked() {
        let peer = format!("'02{}'", "AB".repeat(32));
        assert!(of(&peer, |cells| cells.peer("v")).expect("a peer").to_string().starts_with("02ab"));
        assert!(of("'02ab'", |cells| cells.peer("v")).is_err());
        assert_eq!(of("'1:2:3'", |cells| cells.scid("v")).expect("a scid").to_string(), "1x2x3");
        assert!(of("'node'", |cells| cells.scid("v")).is_err());
        assert_eq!(of("'zz'", |cells| Ok(cells.txid("v"))), Ok(None));
    }

    #[test]
    fn a_missing_table_holds_nothing() {
        let conn = Connection::open_in_memory().expect("in memory");
        let mut tally = Tally::default();
        each_row(&conn, "t", &["v"], (&mut tally, Part::Days), |_, _| panic!("a row of no table"))
            .expect("nothing to read");
        assert_eq!(tally, Tally::default());
    }
}
