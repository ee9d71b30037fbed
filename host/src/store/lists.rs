//! How far the node's lists are read, and which of them began anew.

use super::{cursors, forwards, rebalances};
use crate::model::UnixTime;
use crate::model::list::{List, ListIndex};
use rusqlite::{Connection, Result, Transaction};

/// A list that began anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BegunAnew {
    pub list: List,
    /// When that was noticed.
    pub at: UnixTime,
    /// Everything that the list holds since then was read.
    pub is_read: bool,
}

fn cursor_of(list: List, index: ListIndex) -> String {
    format!("{}.{}", list.name(), index.name())
}

/// When a list was last seen to have begun anew, s.
fn anew_of(list: List) -> String {
    format!("{}.anew_s", list.name())
}

/// There while a list that began anew is not read to its end.
fn unread_of(list: List) -> String {
    format!("{}.unread", list.name())
}

/// The highest index up to which the list is read; none before the first reading.
pub fn reach(conn: &Connection, list: List, index: ListIndex) -> Result<Option<u64>> {
    cursors::get(conn, &cursor_of(list, index))
}

/// Notes how far the list is read, in the transaction that stores what was read.
pub fn set_reach(tx: &Transaction<'_>, list: List, index: ListIndex, last: u64) -> Result<()> {
    cursors::set(tx, &cursor_of(list, index), last)
}

/// Has the list read from its beginning when it is read further than the node's counters, of rows and of
/// changes, go: the node was rebuilt, or put back to a copy. Rows that are held count once, however often
/// they are read; of rows that were counted and forgotten none is above the counter. Returns whether it
/// is so.
pub fn begin_anew(tx: &Transaction<'_>, list: List, counters: [u64; 2], now: UnixTime) -> Result<bool> {
    let is_behind = |(index, counter)| Ok(reach(tx, list, index)?.is_some_and(|place| place > counter));
    let behind: Result<Vec<bool>> = ListIndex::BOTH.into_iter().zip(counters).map(is_behind).collect();
    if !behind?.contains(&true) {
        return Ok(false);
    }
    for index in ListIndex::BOTH {
        cursors::forget(tx, &cursor_of(list, index))?;
    }
    match list {
        List::Forwards => forwards::lower_rolled_index(tx, counters[0])?,
        List::Payments => rebalances::forget_numbers(tx)?,
    }
    cursors::set(tx, &unread_of(list), 1)?;
    cursors::set(tx, &anew_of(list), now.0)?;
    Ok(true)
}

/// Notes that the list is read to its end.
pub fn set_read(tx: &Transaction<'_>, list: List) -> Result<()> {
    cursors::forget(tx, &unread_of(list))
}

/// What is known of a list that began anew.
pub fn begun_anew(conn: &Connection, list: List) -> Result<Option<BegunAnew>> {
    let Some(at) = cursors::get(conn, &anew_of(list))? else { return Ok(None) };
    let is_read = cursors::get(conn, &unread_of(list))?.is_none();
    Ok(Some(BegunAnew { list, at: UnixTime(at), is_read }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::memory;

    #[test]
    fn only_a_list_that_fell_behind_is_read_again() {
        for (places, counters, is_anew) in [
            ([Some(9), Some(5)], [9, 5], false),
            ([Some(9), Some(5)], [10, 7], false),
            ([Some(9), Some(5)], [8, 5], true),
            ([Some(9), Some(5)], [9, 4], true),
            ([Some(9), Some(5)], [0, 0], true),
            ([None, None], [0, 0], false),
            ([None, Some(5)], [0, 0], true),
        ] {
            for list in List::ALL {
                let mut conn = memory();
                let tx = conn.transaction().expect("a transaction");
                for (index, place) in ListIndex::BOTH.into_iter().zip(places) {
                    place.map_or(Ok(()), |last| set_reach(&tx, list, index, last)).expect("stored");
                }
                let case = format!("{list:?} {places:?} {counters:?}");
                assert_eq!(begin_anew(&tx, list, counters, UnixTime(50)), Ok(is_anew), "{case}");
                let kept = ListIndex::BOTH.map(|index| reach(&tx, list, index).expect("readable"));
                assert_eq!(kept, if is_anew { [None, None] } else { places }, "{case}");
                let told = is_anew.then_some(BegunAnew { list, at: UnixTime(50), is_read: false });
                assert_eq!(begun_anew(&tx, list), Ok(told), "{case}");
                set_read(&tx, list).expect("stored");
                let told = told.map(|told| BegunAnew { is_read: true, ..told });
                assert_eq!(begun_anew(&tx, list), Ok(told), "{case}");
            }
        }
    }
}
