//! Rows that are forgotten, and what stays of them.

use super::*;
use crate::model::list::{List, ListIndex};
use crate::store::lists;

/// Rows of all sums, in the order of their keys.
fn all_sums(conn: &Connection) -> Vec<String> {
    ["flow_days", "flow_months", "flow_totals", "failure_days"]
        .iter()
        .flat_map(|table| {
            let mut select = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).expect("a table");
            let columns = select.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|at| row.get::<_, Option<i64>>(at)).collect::<Result<Vec<_>>>()
            };
            let rows =
                select.query_map([], row).expect("rows").collect::<Result<Vec<_>>>().expect("integers");
            rows.into_iter().map(|row| format!("{table} {row:?}")).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn forgotten_rows_are_neither_missed_nor_counted_again() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let at_day = |id: u64, status| {
        let received_ms = (START + id * UnixTime::DAY) * 1000;
        Forward { received_ms, ..forward(id, status) }
    };
    let listed: Vec<Forward> = (0..10)
        .map(|id| at_day(id, if id == 1 { ForwardStatus::Offered } else { ForwardStatus::Settled }))
        .collect();
    ingest(&tx, &listed).expect("stored");
    let sums = all_sums(&tx);
    let before = UnixTime(START + 5 * UnixTime::DAY);
    assert_eq!(roll(&tx, before, Some(9), 3), Ok(3));
    assert_eq!(roll(&tx, before, Some(9), 3), Ok(1), "the one in flight stays");
    assert_eq!(roll(&tx, before, Some(9), 3), Ok(0));
    assert_eq!(count(&tx), Ok(6));

    // An older lightningd lists all of them again; so does one that lost the place.
    let nameless: Vec<Forward> =
        listed.iter().map(|forward| Forward { created_index: None, ..forward.clone() }).collect();
    for again in [&listed, &nameless] {
        assert_eq!(ingest(&tx, again), Ok(IngestStats::default()));
    }
    assert_eq!(all_sums(&tx), sums);

    // What is new counts, however old the clock makes it look; so does the end of one that is held.
    let late = Forward { created_index: Some(77), ..at_day(0, ForwardStatus::Settled) };
    let late = Forward { in_htlc_id: 77, ..late };
    assert_eq!(ingest(&tx, &[late]), Ok(IngestStats { new: 1, changed: 0 }));
    let ended = at_day(1, ForwardStatus::Settled);
    assert_eq!(ingest(&tx, &[ended]), Ok(IngestStats { new: 0, changed: 1 }));
}

#[test]
fn a_list_that_began_anew_brings_no_forgotten_row_back_and_all_that_is_new() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let listed: Vec<Forward> = (1..=9).map(|id| forward(id, ForwardStatus::Settled)).collect();
    ingest(&tx, &listed).expect("stored");
    let newest =
        Forward { received_ms: (START + 9 * UnixTime::DAY) * 1000, ..forward(10, ForwardStatus::Settled) };
    ingest(&tx, &[newest]).expect("stored");
    lists::set_reach(&tx, List::Forwards, ListIndex::Created, 10).expect("stored");
    assert_eq!(roll(&tx, UnixTime(START + 5 * UnixTime::DAY), Some(10), 99), Ok(9));
    // Put back to a copy that had four rows.
    assert_eq!(lists::begin_anew(&tx, List::Forwards, [4, 4], UnixTime(START)), Ok(true));
    assert_eq!(ingest(&tx, &listed[..4]), Ok(IngestStats::default()));
    // Its fifth is another one, however old the clock makes it look.
    let fifth = Forward { created_index: Some(5), ..forward(77, ForwardStatus::Settled) };
    assert_eq!(ingest(&tx, &[fifth]), Ok(IngestStats { new: 1, changed: 0 }));
}

#[test]
fn a_clock_that_is_ahead_forgets_nothing() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    ingest(&tx, &[forward(1, ForwardStatus::Settled)]).expect("stored");
    assert_eq!(roll(&tx, UnixTime(START + 4_000 * UnixTime::DAY), None, 9), Ok(0));
    let next = Forward {
        received_ms: (START + UnixTime::DAY) * 1000,
        created_index: None,
        ..forward(2, ForwardStatus::Settled)
    };
    assert_eq!(ingest(&tx, &[next]), Ok(IngestStats { new: 1, changed: 0 }));
}

#[test]
fn a_window_whose_rows_are_gone_begins_with_its_day() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let day = START - START % UnixTime::DAY;
    let at =
        |id: u64, second: u64| Forward { received_ms: second * 1000, ..forward(id, ForwardStatus::Settled) };
    let listed =
        [at(1, day + 100), at(2, day + 50_000), at(3, day + 90_000), at(4, day + 40 * UnixTime::DAY)];
    ingest(&tx, &listed).expect("stored");
    roll(&tx, UnixTime(day + 30 * UnixTime::DAY), None, 9).expect("rolled");
    let from = UnixTime(day + 40_000);
    let window = flow::sums_between(&tx, from, UnixTime(day + 2 * UnixTime::DAY)).expect("sums");
    assert_eq!((window.from, window.settled), (UnixTime(day), 3));
    assert_eq!(
        flow::sums_between(&tx, UnixTime(day + 36_000), from).expect("sums").settled,
        0,
        "whole hours are kept"
    );
    flow::prune_hours(&tx, UnixTime(day + 20 * UnixTime::DAY)).expect("pruned");
    let window =
        flow::sums_between(&tx, UnixTime(day + 36_000), UnixTime(day + 41 * UnixTime::DAY)).expect("sums");
    assert_eq!((window.from, window.settled), (UnixTime(day), 4));
}

#[test]
fn a_budget_never_counts_more_than_was_earned() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let day = START - START % UnixTime::DAY;
    let at =
        |id: u64, second: u64| Forward { received_ms: second * 1000, ..forward(id, ForwardStatus::Settled) };
    let listed = [at(1, day + 39_990), at(2, day + 41_000), at(3, day + 50_000), at(4, day + 90_000)];
    ingest(&tx, &[listed.as_slice(), &[at(5, day + 40 * UnixTime::DAY)]].concat()).expect("stored");
    let earned = |tx: &Transaction<'_>| {
        flow::earned_between(tx, UnixTime(day + 40_000), UnixTime(day + 41 * UnixTime::DAY)).expect("a sum")
    };
    let fees = |ids: &[u64]| ids.iter().map(|id| at(*id, day).fee_msat).sum::<Msat>();
    assert_eq!(earned(&tx), fees(&[2, 3, 4, 5]), "to the second");
    roll(&tx, UnixTime(day + 30 * UnixTime::DAY), None, 9).expect("rolled");
    assert_eq!(earned(&tx), fees(&[3, 4, 5]), "from the next hour on");
    flow::prune_hours(&tx, UnixTime(day + 20 * UnixTime::DAY)).expect("pruned");
    assert_eq!(earned(&tx), fees(&[4, 5]), "from the next day on");
    let noon = UnixTime(day + 40_000);
    let in_a_day = flow::earned_between(&tx, noon, noon.plus(UnixTime::DAY));
    assert_eq!(in_a_day, Ok(fees(&[4])), "the next day whole");
}

#[test]
fn hours_are_summed_again_after_a_clock_was_ahead() {
    let mut conn = memory();
    let tx = conn.transaction().expect("a transaction");
    observe(&tx);
    let today = UnixTime(START - START % UnixTime::DAY);
    let tomorrow = today.plus(UnixTime::DAY);
    let at = |id: u64, time: UnixTime| Forward {
        received_ms: (time.0 + 60) * 1000,
        ..forward(id, ForwardStatus::Settled)
    };
    ingest(&tx, &[at(1, today)]).expect("stored");
    flow::prune_hours(&tx, today.plus(300 * UnixTime::DAY)).expect("pruned");
    flow::resume_hours(&tx, today.plus(5)).expect("resumed");
    ingest(&tx, &[at(2, today), at(3, tomorrow)]).expect("stored");
    let hours: usize = flow::hours(&tx, UnixTime(0)).expect("hours").values().map(Vec::len).sum();
    assert_eq!(hours, 2, "tomorrow's, of two channels");
    let window = flow::sums_between(&tx, today.plus(30), tomorrow.plus(UnixTime::HOUR)).expect("sums");
    assert_eq!((window.from, window.settled), (today.plus(30), 3));
    // Hours that hold something already, without sums, stay forgotten.
    flow::prune_hours(&tx, today.plus(300 * UnixTime::DAY)).expect("pruned");
    flow::resume_hours(&tx, today.plus(5)).expect("looked");
    ingest(&tx, &[at(4, tomorrow.plus(UnixTime::HOUR))]).expect("stored");
    assert!(flow::hours(&tx, UnixTime(0)).expect("hours").is_empty());
}

#[test]
fn a_first_reading_writes_nothing_that_would_be_forgotten_at_once() {
    let day = START - START % UnixTime::DAY;
    let at_day = |id: u64, status| {
        let received_ms = (day + id * UnixTime::DAY + 60) * 1000;
        Forward { received_ms, ..forward(id, status) }
    };
    let listed: Vec<Forward> = (0..10)
        .map(|id| at_day(id, if id == 1 { ForwardStatus::Offered } else { ForwardStatus::Settled }))
        .collect();
    let kept =
        Kept { rows: UnixTime(day + 6 * UnixTime::DAY + 5), hours: UnixTime(day + 4 * UnixTime::DAY + 5) };
    let (mut conn, mut whole) = (memory(), memory());
    let (tx, whole) = (conn.transaction().expect("one"), whole.transaction().expect("one"));
    observe(&tx);
    assert_eq!(ingest_listed(&tx, &listed, 9, kept), Ok(IngestStats { new: 10, changed: 0 }));
    ingest(&whole, &listed).expect("stored");
    assert_eq!(all_sums(&tx), all_sums(&whole));
    assert_eq!(count(&tx), Ok(5), "four whole days, and the one in flight");
    let hours: Vec<UnixTime> = tx
        .prepare("SELECT DISTINCT hour_s FROM flow_hours ORDER BY 1")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .expect("hours");
    assert_eq!(hours.first(), Some(&UnixTime(day + 4 * UnixTime::DAY)));

    // Told again in any form it counts no more; what ends since, and what is new, does.
    let sums = all_sums(&tx);
    for again in [&listed[..3], &listed[4..], &listed] {
        assert_eq!(ingest(&tx, again), Ok(IngestStats::default()));
        assert_eq!(ingest_listed(&tx, again, 9, kept), Ok(IngestStats::default()));
    }
    assert_eq!(all_sums(&tx), sums);
    assert_eq!(ingest(&tx, &[at_day(1, ForwardStatus::Settled)]), Ok(IngestStats { new: 0, changed: 1 }));
    let late = Forward { in_htlc_id: 77, created_index: Some(10), ..at_day(0, ForwardStatus::Settled) };
    let late = [late];
    assert_eq!(ingest_listed(&tx, &late, 10, kept), Ok(IngestStats { new: 1, changed: 0 }));
    assert_eq!(ingest(&tx, &late), Ok(IngestStats::default()));
}
