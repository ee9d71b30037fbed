//! The schema, as the steps that lead to it.

use rusqlite_migration::{M, Migrations};

/// Marks a file as ours: `RevO` in the header of the SQLite file.
pub(super) const APPLICATION_ID: i32 = 0x5265_764f;

const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/01_node.sql")),
    M::up(include_str!("migrations/02_policies.sql")),
    M::up(include_str!("migrations/03_flow.sql")),
    M::up(include_str!("migrations/04_fees.sql")),
    M::up(include_str!("migrations/05_modules.sql")),
    M::up(include_str!("migrations/06_ledger.sql")),
    M::up(include_str!("migrations/07_import.sql")),
    M::up(include_str!("migrations/08_rebalance.sql")),
];

/// All steps; the file's `user_version` counts those it has taken.
pub(super) const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// The newest schema that this program knows.
pub(super) const VERSION: usize = STEPS.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_valid() {
        assert_eq!(MIGRATIONS.validate(), Ok(()));
    }

    #[test]
    fn every_table_is_strict() {
        let conn = crate::store::testing::memory();
        let loose: Vec<String> = conn
            .prepare("SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite%'")
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .expect("the list of tables");
        assert_eq!(loose, Vec::<String>::new());
    }
}
