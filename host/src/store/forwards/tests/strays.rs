//! Failures under names that no channel is known by.

use super::*;
use crate::store::schema::MIGRATIONS;

/// The schema before this one's.
const BEFORE_STRAYS: usize = 19;

/// Rows of all sums by table.
fn rows(conn: &Connection) -> Vec<u64> {
    ["flow_hours", "flow_days", "flow_months", "flow_totals", "failure_days"]
        .iter()
        .map(|table| {
            let count = format!("SELECT count(*) FROM {table}");
            conn.query_row(&count, [], |row| row.get::<_, Unsigned>(0)).expect("a number").0
        })
        .collect()
}

/// One that asks for channel number `name`.
fn failed(id: u64, name: u32) -> Forward {
    Forward { out_channel: Some(scid(name)), ..forward(id, ForwardStatus::LocalFailed) }
}

fn failures(conn: &Connection, n: u8) -> u32 {
    flow::totals(conn).expect("totals").get(&channel_id(n)).map_or(0, |total| total.sums.failed_liquidity)
}

fn failures_of_all(conn: &Connection) -> i64 {
    let sum = "SELECT sum(failed_liquidity) FROM flow_totals";
    conn.query_row(sum, [], |row| row.get(0)).expect("a number")
}

#[test]
fn strangers_cannot_make_the_sums_larger() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    for page in 0..4 {
        let failures: Vec<Forward> =
            (0..250).map(|n| page * 250 + n).map(|id| failed(id, 1_000 + id as u32)).collect();
        let all = IngestStats { new: 250, changed: 0 };
        assert_eq!(ingest(&tx, &failures), Ok(all));
        assert_eq!(ingest(&tx, &failures), Ok(IngestStats::default()));
    }
    assert_eq!(rows(&tx), [1; 5], "hours, days, months, totals, failures");
    assert_eq!(failures_of_all(&tx), 1_000);
}

#[test]
fn what_a_channel_failed_before_its_name_was_known_is_its_own_afterwards() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    make_intervals(&tx);
    // Five is not known yet, and fifty never will be.
    ingest(&tx, &[failed(1, 5), failed(2, 50), failed(3, 5), failed(4, 5)]).expect("stored");
    // One fails further down or settles after all.
    let after_all = Forward { out_channel: Some(scid(5)), ..forward(4, ForwardStatus::Settled) };
    assert_eq!(ingest(&tx, &[after_all]), Ok(IngestStats { new: 0, changed: 1 }));
    assert_eq!(claim_strays(&tx), Ok(0));
    names::observe(&tx, &[channel(5)], UnixTime(START + 2)).expect("stored");
    assert_eq!((claim_strays(&tx), claim_strays(&tx)), (Ok(2), Ok(0)));
    assert_eq!((failures(&tx, 5), failures_of_all(&tx)), (2, 3));
    // Its rows say so too, of which a window is made.
    let window = flow::sums(&tx, UnixTime(START)).expect("sums");
    assert_eq!(window[&channel_id(5)].failed_liquidity, 2);
    let settled = Forward { out_channel: Some(scid(5)), ..forward(3, ForwardStatus::Settled) };
    ingest(&tx, &[settled]).expect("stored");
    assert_eq!((failures(&tx, 5), failures_of_all(&tx)), (1, 2));
}

#[test]
fn a_name_that_something_was_sent_on_under_is_no_strangers() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    ingest(&tx, &[Forward { out_channel: Some(scid(5)), ..forward(1, ForwardStatus::Failed) }])
        .expect("stored");
    ingest(&tx, &[failed(2, 5)]).expect("stored");
    names::observe(&tx, &[channel(5)], UnixTime(START + 2)).expect("stored");
    assert_eq!((claim_strays(&tx), failures(&tx, 5)), (Ok(0), 1));
}

#[test]
fn an_older_file_counts_strangers_under_one_name_and_tells_a_channel_of_its_own() {
    let mut conn = Connection::open_in_memory().expect("in memory");
    conn.pragma_update(None, "foreign_keys", true).expect("a pragma");
    MIGRATIONS.to_version(&mut conn, BEFORE_STRAYS).expect("before strays were apart");
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    // Three for want of balance, two for another reason; by number 7 something came in too.
    for (name, in_count) in [(scid(2), 0), (scid(5), 0), (scid(6), 0), (scid(7), 1)] {
        let (name, sums) = (name.packed(), format!("0, 0, {in_count}, 0, 0, 0, 3, 0, 2"));
        for values in [
            format!("flow_hours VALUES (0, {name}, {sums})"),
            format!("flow_days VALUES (0, {name}, {sums})"),
            format!("flow_months VALUES (0, {name}, {sums})"),
            format!("flow_totals VALUES ({name}, {sums}, NULL, NULL)"),
            format!("failure_days VALUES (0, {name}, 1, 0, 5)"),
        ] {
            tx.execute(&format!("INSERT INTO {values}"), []).expect("a row");
        }
    }
    let row = "INSERT INTO forwards VALUES (?1, 9, ?2, 1, 1, 1, 1, ?3, NULL, NULL)";
    tx.execute(row, params![scid(1), scid(5), 1_000]).expect("a row");
    tx.commit().expect("committed");
    MIGRATIONS.to_latest(&mut conn).expect("the newest schema");
    assert_eq!(rows(&conn), [3; 5], "channel 2, one that carried something, and strangers");
    let tx = conn.transaction().expect("a transaction");
    assert_eq!(failures_of_all(&tx), 12);
    names::observe(&tx, &[channel(5)], UnixTime(START + 2)).expect("stored");
    assert_eq!((claim_strays(&tx), failures(&tx, 5), failures_of_all(&tx)), (Ok(1), 1, 12));
}

#[test]
fn a_stray_goes_with_its_row() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let newer = Forward { received_ms: (START + 9 * UnixTime::DAY) * 1000, ..failed(2, 6) };
    ingest(&tx, &[failed(1, 5), newer]).expect("stored");
    assert_eq!(roll(&tx, UnixTime(START + 5 * UnixTime::DAY), Some(2), 10), Ok(1));
    let strays = tx.query_row("SELECT count(*) FROM stray_forwards", [], |row| row.get(0));
    assert_eq!(strays, Ok(1));
    names::observe(&tx, &[channel(5), channel(6)], UnixTime(START + 2)).expect("stored");
    assert_eq!((claim_strays(&tx), failures(&tx, 5), failures(&tx, 6)), (Ok(1), 0, 1));
}
