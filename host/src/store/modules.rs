//! How often modules of strategies failed, and which are in quarantine. A module
//! is its digest: a corrected file starts with a clean record. One that can do
//! both counts for what it decides, fees or rebalances.

use crate::model::{CycleKind, Digest, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

/// The record of one module that ever failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFaults {
    pub digest: Digest,
    pub decides: CycleKind,
    /// The name under which it last failed.
    pub strategy: StrategyName,
    pub faults_total: u32,
    pub faults_in_row: u32,
    pub quarantined_at: Option<UnixTime>,
    pub last_code: String,
    pub last_text: String,
    pub last_fault_at: UnixTime,
}

/// One fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    pub digest: Digest,
    pub decides: CycleKind,
    pub strategy: &'a StrategyName,
    pub code: &'a str,
    pub text: &'a str,
}

const COLUMNS: &str = "digest, decides, strategy, faults_total, faults_in_row, quarantined_at_s, last_code, last_text, last_fault_s";

/// Counts a fault. The fault that makes `most_in_row` of them puts the module in
/// quarantine. Returns the record with this fault.
pub fn fault(
    tx: &Transaction<'_>,
    fault: Fault<'_>,
    most_in_row: u32,
    now: UnixTime,
) -> Result<ModuleFaults> {
    tx.prepare_cached(&format!(
        "INSERT INTO module_faults ({COLUMNS})
         VALUES (?1, ?7, ?2, 1, 1, CASE WHEN ?6 <= 1 THEN ?5 END, ?3, ?4, ?5)
         ON CONFLICT (digest, decides) DO UPDATE SET strategy = excluded.strategy, faults_total = faults_total + 1,
             faults_in_row = faults_in_row + 1, last_code = excluded.last_code, last_text = excluded.last_text,
             last_fault_s = excluded.last_fault_s, quarantined_at_s =
                 coalesce(quarantined_at_s, CASE WHEN faults_in_row + 1 >= ?6 THEN ?5 END)
         RETURNING {COLUMNS}"
    ))?
    .query_row(
        params![
            fault.digest,
            fault.strategy.as_str(),
            fault.code,
            fault.text,
            now,
            most_in_row,
            fault.decides.name()
        ],
        read,
    )
}

/// Notes a call without a fault: the next fault is the first in a row. A
/// quarantine stays until an operator ends it.
pub fn ok(tx: &Transaction<'_>, digest: &Digest, decides: CycleKind) -> Result<()> {
    tx.prepare_cached(
        "UPDATE module_faults SET faults_in_row = 0 WHERE digest = ?1 AND decides = ?2 AND faults_in_row > 0",
    )?
    .execute(params![digest, decides.name()])?;
    Ok(())
}

/// The record of one module, if it ever failed.
pub fn get(conn: &Connection, digest: &Digest, decides: CycleKind) -> Result<Option<ModuleFaults>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM module_faults WHERE digest = ?1 AND decides = ?2"))?
        .query_row(params![digest, decides.name()], read)
        .optional()
}

/// Modules in quarantine, each with what it may not decide.
pub fn quarantined(conn: &Connection) -> Result<Vec<(Digest, CycleKind)>> {
    conn.prepare_cached("SELECT digest, decides FROM module_faults WHERE quarantined_at_s IS NOT NULL")?
        .query_map([], |row| Ok((row.get("digest")?, decides(row)?)))?
        .collect()
}

/// The records of all modules that ever failed, latest fault first.
pub fn list(conn: &Connection) -> Result<Vec<ModuleFaults>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM module_faults ORDER BY last_fault_s DESC, digest, decides"
    ))?
    .query_map([], read)?
    .collect()
}

/// Ends the quarantine of a module, named by its digest, in one world.
/// Returns whether it was in quarantine.
pub fn clear(tx: &Transaction<'_>, digest: &Digest, decides: CycleKind) -> Result<bool> {
    let cleared = tx.execute(
        "UPDATE module_faults SET quarantined_at_s = NULL, faults_in_row = 0
         WHERE digest = ?1 AND decides = ?2 AND quarantined_at_s IS NOT NULL",
        params![digest, decides.name()],
    )?;
    Ok(cleared > 0)
}

/// Ends the quarantine of every module that failed under this name. Returns how
/// many were in quarantine.
pub fn clear_strategy(tx: &Transaction<'_>, strategy: &StrategyName) -> Result<usize> {
    tx.execute(
        "UPDATE module_faults SET quarantined_at_s = NULL, faults_in_row = 0
         WHERE strategy = ?1 AND quarantined_at_s IS NOT NULL",
        [strategy.as_str()],
    )
}

fn decides(row: &Row<'_>) -> Result<CycleKind> {
    super::sql::word(row, "decides", CycleKind::from_name)
}

fn read(row: &Row<'_>) -> Result<ModuleFaults> {
    Ok(ModuleFaults {
        digest: row.get("digest")?,
        decides: decides(row)?,
        strategy: super::sql::word(row, "strategy", |text| text.parse().ok())?,
        faults_total: row.get("faults_total")?,
        faults_in_row: row.get("faults_in_row")?,
        quarantined_at: row.get("quarantined_at_s")?,
        last_code: row.get("last_code")?,
        last_text: row.get("last_text")?,
        last_fault_at: row.get("last_fault_s")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::memory;

    const DIGEST: Digest = Digest([7; 32]);
    const FEE: CycleKind = CycleKind::Fee;

    fn fail(tx: &Transaction<'_>, at: u64) -> ModuleFaults {
        fail_in(tx, FEE, at)
    }

    fn fail_in(tx: &Transaction<'_>, decides: CycleKind, at: u64) -> ModuleFaults {
        let strategy: StrategyName = "mine".parse().expect("a name");
        let one =
            Fault { digest: DIGEST, decides, strategy: &strategy, code: "out_of_fuel", text: "ran dry" };
        fault(tx, one, 3, UnixTime(at)).expect("stored")
    }

    #[test]
    fn doing_well_in_one_world_ends_no_row_in_the_other() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        for at in 1..=3 {
            fail(&tx, at);
            ok(&tx, &DIGEST, CycleKind::Rebalance).expect("stored");
        }
        assert_eq!(fail_in(&tx, CycleKind::Rebalance, 4).faults_in_row, 1);
        assert_eq!(quarantined(&tx), Ok(vec![(DIGEST, FEE)]));
        assert_eq!(clear(&tx, &DIGEST, CycleKind::Rebalance), Ok(false));
        let of = |decides| get(&tx, &DIGEST, decides).expect("a record").map(|record| record.faults_total);
        assert_eq!((of(FEE), of(CycleKind::Rebalance)), (Some(3), Some(1)));
    }

    #[test]
    fn three_in_a_row_are_quarantined_until_cleared() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        fail(&tx, 1);
        fail(&tx, 2);
        ok(&tx, &DIGEST, FEE).expect("stored");
        assert_eq!(fail(&tx, 3).faults_in_row, 1);
        assert_eq!(fail(&tx, 4).quarantined_at, None);
        assert_eq!(quarantined(&tx), Ok(vec![]));
        let third = fail(&tx, 5);
        assert_eq!(
            (third.quarantined_at, third.faults_in_row, third.faults_total),
            (Some(UnixTime(5)), 3, 5)
        );
        assert_eq!(fail(&tx, 6).quarantined_at, Some(UnixTime(5)));
        ok(&tx, &DIGEST, FEE).expect("stored");
        assert_eq!(quarantined(&tx), Ok(vec![(DIGEST, FEE)]));

        assert_eq!(clear(&tx, &DIGEST, FEE), Ok(true));
        assert_eq!(clear(&tx, &DIGEST, FEE), Ok(false));
        assert_eq!(quarantined(&tx), Ok(vec![]));
        let kept = list(&tx).expect("records");
        assert_eq!(
            (kept[0].faults_total, kept[0].faults_in_row, kept[0].last_code.as_str()),
            (6, 0, "out_of_fuel")
        );
        assert_eq!(get(&tx, &Digest([8; 32]), FEE), Ok(None));
    }

    #[test]
    fn a_limit_of_one_quarantines_at_once_and_a_name_clears() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let strategy: StrategyName = "mine".parse().expect("a name");
        let one =
            Fault { digest: DIGEST, decides: FEE, strategy: &strategy, code: "trap", text: "unreachable" };
        assert_eq!(fault(&tx, one, 1, UnixTime(9)).expect("stored").quarantined_at, Some(UnixTime(9)));
        assert_eq!(clear_strategy(&tx, &StrategyName::dynamic()), Ok(0));
        assert_eq!(clear_strategy(&tx, &strategy), Ok(1));
        assert_eq!(quarantined(&tx), Ok(vec![]));
    }
}
