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
    M::up(include_str!("migrations/09_strategies.sql")),
    M::up(include_str!("migrations/10_journal.sql")),
    M::up(include_str!("migrations/11_trust.sql")),
    M::up(include_str!("migrations/12_tenures.sql")),
    M::up(include_str!("migrations/13_worst_case.sql")),
    M::up(include_str!("migrations/14_rebalance_fees.sql")),
    M::up(include_str!("migrations/15_worlds.sql")),
    M::up(include_str!("migrations/16_names.sql")),
    M::up(include_str!("migrations/17_faults_by_world.sql")),
    M::up(include_str!("migrations/18_congestion.sql")),
    M::up(include_str!("migrations/19_terms.sql")),
    M::up(include_str!("migrations/20_strays.sql")),
    M::up(include_str!("migrations/21_ends.sql")),
    M::up(include_str!("migrations/22_books_tries.sql")),
    M::up(include_str!("migrations/23_trials.sql")),
    M::up(include_str!("migrations/24_origins.sql")),
    M::up(include_str!("migrations/25_marks.sql")),
    M::up(include_str!("migrations/26_intents.sql")),
    M::up(include_str!("migrations/27_worth.sql")),
    M::up(include_str!("migrations/28_most_htlcs.sql")),
    M::up(include_str!("migrations/29_intents_end.sql")),
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
    fn an_older_files_evaluators_keep_their_memory() {
        let mut conn = rusqlite::Connection::open_in_memory().expect("a database");
        MIGRATIONS.to_version(&mut conn, 14).expect("before worlds were apart");
        let aside = format!("module:{}", "09".repeat(32));
        let installed = format!("module:{}", "07".repeat(32));
        for key in ["dynamic", "rebalance-ev", "mine", &aside, &installed] {
            conn.execute("INSERT INTO strategy_node_states VALUES (?1, 1, x'01', 5)", [key]).expect("a row");
        }
        conn.execute_batch(
            "INSERT INTO rebalance_cycles VALUES (1, 5, 1, 'timer', 0, 0, 0, 0, 0, 0, 0, NULL);
             INSERT INTO rebalance_calls (cycle_id, evaluator, version, took_us, channels)
             VALUES (1, 'mine', '1.0.0', 1, 0);
             INSERT INTO installed_modules (name, digest, decides, version, bytes, stage, stage_since_s, installed_at_s,
                 stands_for, signers)
             SELECT 'new', unhex(replace(hex(zeroblob(32)), '00', '07')), 'fee', '1.0.0', 1, 'shadow', 1, 1, 'dynamic', '[]';",
        )
        .expect("a call");
        MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
        let mut select =
            conn.prepare("SELECT strategy FROM strategy_node_states ORDER BY 1").expect("a table");
        let keys: Vec<String> =
            select.query_map([], |row| row.get(0)).expect("rows").map(|key| key.expect("a key")).collect();
        let (aside, installed) = (format!("{aside}:dynamic"), format!("{installed}:new"));
        assert_eq!(keys, ["dynamic", &installed, &aside, "rebalance:mine", "rebalance:rebalance-ev"]);
    }

    #[test]
    fn an_older_files_faults_are_of_one_world() {
        let mut conn = rusqlite::Connection::open_in_memory().expect("a database");
        MIGRATIONS.to_version(&mut conn, 16).expect("before faults were counted by world");
        for digest in ["07", "08", "09"] {
            conn.execute_batch(&format!(
                "INSERT INTO module_faults VALUES (unhex('{}'), 'mine', 3, 3, 5, 'trap', 'unreachable', 5)",
                digest.repeat(32)
            ))
            .expect("a row");
        }
        conn.execute_batch(&format!(
            "INSERT INTO rebalance_cycles VALUES (1, 5, 1, 'timer', 0, 0, 0, 0, 0, 0, 0, NULL);
             INSERT INTO rebalance_calls (cycle_id, evaluator, version, took_us, channels, digest)
             VALUES (1, 'mine', '1.0.0', 1, 0, unhex('{}'));
             INSERT INTO installed_modules (name, digest, decides, version, bytes, stage, stage_since_s, installed_at_s,
                 stands_for, signers)
             VALUES ('new', unhex('{}'), 'rebalance', '1.0.0', 1, 'shadow', 1, 1, 'rebalance-ev', '[]');",
            "07".repeat(32),
            "08".repeat(32)
        ))
        .expect("a call and a module");
        MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
        let mut select = conn
            .prepare("SELECT decides || quarantined_at_s FROM module_faults ORDER BY digest")
            .expect("a table");
        let rows: Vec<String> =
            select.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a text")).collect();
        assert_eq!(rows, ["rebalance5", "rebalance5", "fee5"]);
    }

    #[test]
    fn an_older_files_trials_belong_to_the_world_of_their_module() {
        let mut conn = rusqlite::Connection::open_in_memory().expect("a database");
        MIGRATIONS.to_version(&mut conn, 22).expect("before trials were apart");
        for (name, decides) in [("one", "fee"), ("two", "rebalance")] {
            conn.execute(
                "INSERT INTO installed_modules (name, digest, decides, version, bytes, stage, stage_since_s,
                     installed_at_s, stands_for, signers)
                 VALUES (?1, zeroblob(32), ?2, '1.0.0', 1, 'shadow', 1, 1, 'dynamic', '[]')",
                [name, decides],
            )
            .expect("a module");
            conn.execute(
                "INSERT INTO trial_runs (at_s, name, digest, stage, channels, same, differing, difference, refused, took_us)
                 VALUES (5, ?1, zeroblob(32), 'shadow', 1, 1, 0, 0, 0, 1)",
                [name],
            )
            .expect("a trial");
        }
        MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
        let mut select = conn.prepare("SELECT name, decides FROM trial_runs ORDER BY id").expect("a table");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        let rows: Vec<(String, String)> = rows.map(|row| row.expect("two words")).collect();
        assert_eq!(rows, [("one", "fee"), ("two", "rebalance")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn an_older_file_gets_its_days_and_months() {
        let mut conn = rusqlite::Connection::open_in_memory().expect("a database");
        MIGRATIONS.to_version(&mut conn, 5).expect("before days and months");
        // Two hours of one day, one of the next month, 30 days from the epoch.
        for hour in [0, 3_600, 30 * 86_400] {
            conn.execute("INSERT INTO flow_hours VALUES (?1, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9)", [hour])
                .expect("a row");
        }
        MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
        for table in ["flow_days", "flow_months"] {
            let rows: Vec<[i64; 3]> = conn
                .prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
                .and_then(|mut select| {
                    select.query_map([], |row| Ok([row.get(0)?, row.get(6)?, row.get(10)?]))?.collect()
                })
                .expect("sums");
            assert_eq!(rows, [[0, 10, 18], [30 * 86_400, 5, 9]], "{table}");
        }
    }

    #[test]
    fn an_older_files_jobs_keep_the_payments_that_are_theirs_and_may_get_those_that_may_be() {
        let mut conn = rusqlite::Connection::open_in_memory().expect("a database");
        MIGRATIONS.to_version(&mut conn, 24).expect("before marks");
        let payment =
            "INSERT INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s)
            SELECT unhex(replace(hex(zeroblob(32)), '00', printf('%02x', ?1))), 0, 0, 1, 1, ?2";
        // The fifth is imported, whatever its time.
        for (hash, at) in [(4, 400_000), (1, 1_000), (3, 100_001), (2, 100_000), (5, 2_000), (6, 280_000)] {
            conn.execute(payment, [hash, at]).expect("a payment");
        }
        conn.execute_batch(
            "INSERT INTO imported_rebalances (id, amount_msat, status, kind, at_s, payment_hash)
             SELECT 1, 1, 'success', 'normal', 2000, payment_hash FROM rebalances WHERE hex(payment_hash) LIKE '05%';
             INSERT INTO cursors VALUES ('clock.back_s', 40000), ('clock.jumped_at_s', 300000);",
        )
        .expect("rows");
        let job = "INSERT INTO rebalance_jobs (state, forced, to_channel, to_scid, to_peer, amount_msat, payment_msat,
                max_ppm, max_hops, keep_share, keep_most_msat, reserved_msat, fleet, reserved_at_s, deadline_s, stopped_at_s,
                settled_at_s, outcome)
            VALUES (?1, 0, zeroblob(32), 1, zeroblob(33), 1, 1, 1, 1, 0.2, 0, 1, 0, ?2, 1, 7, ?3, ?4)";
        for (state, reserved, settled) in [("settled", 100_001, Some(300_000)), ("stopped", 400_000, None)] {
            let outcome = settled.map(|_| "success");
            conn.execute(job, rusqlite::params![state, reserved, settled, outcome]).expect("a job");
        }
        MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
        let numbers = |sql: &str| -> Vec<[Option<i64>; 3]> {
            let mut select = conn.prepare(sql).expect("a table");
            let rows = select.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
            rows.and_then(Iterator::collect).expect("numbers")
        };
        let entries = "SELECT entry, booked_s, created_index FROM rebalances ORDER BY payment_hash";
        let entry = |entry, at| [Some(entry), Some(at), None];
        let booked = [(1, 1_000), (2, 100_000), (3, 100_001), (5, 400_000), (0, 2_000), (4, 280_000)];
        assert_eq!(numbers(entries), booked.map(|(number, at)| entry(number, at)));
        // The settled job's are those within its time; the other one's may be as old as the clock may be wrong.
        let marks = "SELECT after_entry, last_entry, stopped_steady_s FROM rebalance_jobs ORDER BY id";
        assert_eq!(numbers(marks), [[Some(1), Some(4), Some(7)], [Some(3), None, Some(7)]]);
        let jumped = "SELECT value, 0, 0 FROM cursors WHERE name = 'clock.jumped_steady_s'";
        assert_eq!(numbers(jumped), [[Some(300_000), Some(0), Some(0)]]);
    }

    #[test]
    fn an_older_files_terms_can_still_be_taken_back() {
        let mut conn = rusqlite::Connection::open_in_memory().expect("a database");
        MIGRATIONS.to_version(&mut conn, 25).expect("before intents stood apart");
        // By channel: before, asked and set; the asking module is 2, the one in force 1.
        for (channel, [before, asked, set]) in
            [(1_u8, [900, 800, 800]), (2, [900, 800, 900]), (3, [900, 700, 800]), (4, [900, 900, 900])]
        {
            conn.execute(
                "INSERT INTO channel_terms (channel_id, term, digest, before_msat, asked_by, asked_msat, set_msat)
                 VALUES (?1, 'htlc_max', ?2, ?4, ?3, ?5, ?6)",
                rusqlite::params![[channel; 32], [1_u8; 32], [2_u8; 32], before, asked, set],
            )
            .expect("a row");
        }
        MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
        let mut select = conn
            .prepare(
                "SELECT before_msat, hex(substr(digest, 1, 1)), asked_msat, set_msat, hex(substr(next_by, 1, 1)), next_msat
                 FROM channel_terms ORDER BY channel_id",
            )
            .expect("a table");
        let rows = select
            .query_map([], |row| {
                let told = (0..6).map(|column| row.get::<_, rusqlite::types::Value>(column));
                told.collect::<rusqlite::Result<Vec<_>>>()
            })
            .expect("rows");
        let rows: Vec<Vec<String>> = rows.map(|row| row.expect("a row").iter().map(told).collect()).collect();
        assert_eq!(
            rows,
            [
                ["900", "01", "800", "800", "", "-"],
                ["900", "", "-", "-", "02", "800"],
                ["900", "01", "800", "800", "02", "700"],
            ]
        );
    }

    fn told(value: &rusqlite::types::Value) -> String {
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text.clone(),
            _ => "-".to_owned(),
        }
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
