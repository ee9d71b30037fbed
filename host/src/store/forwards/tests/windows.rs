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

proptest! {
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

        let (from, until) = (UnixTime(START + from), UnixTime(START + from + length));
        let mut window = flow::sums_between(&tx, from, until).expect("sums");
        prop_assert!(window.from <= from && from.since(window.from) < UnixTime::DAY);
        window.by_channel.retain(|_, sums| *sums != FlowSums::default());
        let inside: Vec<Forward> =
            history.iter().filter(|one| one.received_ms < window.until.0 * 1000).cloned().collect();
        prop_assert_eq!(window.by_channel, plain_sums(&inside, window.from.0));

        let mut open_ended = flow::sums(&tx, from).expect("sums");
        open_ended.retain(|_, sums| *sums != FlowSums::default());
        prop_assert_eq!(open_ended, plain_sums(&history, window.from.0));
    }
}
