//! Windows over months of history: sums of months, days and hours add up to the rows that they cover.

use super::*;

const HISTORY: u64 = 150 * UnixTime::DAY;

/// Forwards at any second of the history, told in any order; a few of them by names of one channel.
fn history() -> impl Strategy<Value = Vec<Forward>> {
    let one = (0..HISTORY, 0usize..4);
    prop::collection::vec(one, 0..80).prop_map(|all| {
        let at = |(id, (second, status)): (u64, (u64, usize))| Forward {
            received_ms: (START + second) * 1000 + id,
            ..told(id, BY_RANK[status])
        };
        (0..).zip(all).map(at).collect()
    })
}

/// What is kept when a part of the list is read: the clock and the setting may change between parts.
fn kept() -> impl Strategy<Value = Kept> {
    let at = |days: u64| UnixTime(START - UnixTime::DAY + days * UnixTime::DAY);
    (0u64..160, 0u64..160).prop_map(move |(rows, hours)| Kept { rows: at(rows), hours: at(hours) })
}

/// Checks all sums of `[from, until)` against the forwards themselves.
fn check_window(
    conn: &Connection,
    told: &[Forward],
    (from, until): (UnixTime, UnixTime),
) -> std::result::Result<(), TestCaseError> {
    let mut window = flow::sums_between(conn, from, until).expect("sums");
    prop_assert!(window.from <= from && from.since(window.from) < UnixTime::DAY);
    window.by_channel.retain(|_, sums| *sums != FlowSums::default());
    let inside: Vec<Forward> =
        told.iter().filter(|one| one.received_ms < window.until.0 * 1000).cloned().collect();
    prop_assert_eq!(window.by_channel, plain_sums(&inside, window.from.0));

    let mut open_ended = flow::sums(conn, from).expect("sums");
    open_ended.retain(|_, sums| *sums != FlowSums::default());
    prop_assert_eq!(open_ended, plain_sums(told, window.from.0));
    Ok(())
}

proptest! {
    #[test]
    fn what_a_reading_leaves_out_is_counted_once_and_missed_by_no_window(
        history in history(),
        parts in prop::collection::vec((1usize..30, kept()), 1..9),
        told_again in prop::collection::vec((0usize..80, 0usize..4), 0..30),
        from in 0..HISTORY,
        length in 0..HISTORY,
    ) {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        observe(&tx);
        let (mut unread, mut all) = (history.as_slice(), Vec::new());
        let mut new = 0;
        for (length, kept) in parts.iter().cycle() {
            if unread.is_empty() {
                break;
            }
            let (part, rest) = unread.split_at(unread.len().min(*length));
            let index = part.last().and_then(|last| last.created_index).expect("each has one");
            new += ingest_listed(&tx, part, index, *kept).expect("stored").new;
            // What is read already may come again, or have ended since, where its row was kept.
            let read = history.len() - rest.len();
            for (position, status) in told_again.iter().filter(|(position, _)| *position < read) {
                let known = &history[*position];
                let again = match known.status {
                    ForwardStatus::Offered => {
                        let status = BY_RANK[*status];
                        Forward { status, ..told(known.in_htlc_id, status) }
                    }
                    _ => known.clone(),
                };
                let again = Forward { received_ms: known.received_ms, ..again };
                prop_assert_eq!(ingest(&tx, std::slice::from_ref(&again)).expect("stored").new, 0);
                all.push(again);
            }
            all.extend_from_slice(part);
            unread = rest;
        }
        prop_assert_eq!(new, history.len() as u64);
        let told = endings(&all);
        check_window(&tx, &told, (UnixTime(START + from), UnixTime(START + from + length)))?;
        let mut totals: HashMap<_, _> =
            flow::totals(&tx).expect("totals").into_iter().map(|(channel, total)| (channel, total.sums)).collect();
        totals.retain(|_, sums| *sums != FlowSums::default());
        prop_assert_eq!(totals, plain_sums(&told, 0));
    }

    #[test]
    fn any_windows_sum_is_that_of_its_rows(
        history in history(),
        page in 1usize..40,
        from in 0..HISTORY,
        length in 0..HISTORY,
        rolled_days in 0u64..150,
        hours_pruned_days in 0u64..150,
    ) {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        observe(&tx);
        for page in history.chunks(page) {
            ingest(&tx, page).expect("stored");
        }
        roll(&tx, UnixTime(START + rolled_days * UnixTime::DAY), None, 999).expect("rolled");
        flow::prune_hours(&tx, UnixTime(START + hours_pruned_days * UnixTime::DAY)).expect("pruned");

        check_window(&tx, &history, (UnixTime(START + from), UnixTime(START + from + length)))?;
    }
}
