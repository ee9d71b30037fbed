//! Which sums and rows cover a stretch of time exactly.
//!
//! Rows of forwards are kept for some time, sums by hour for some more, sums by day and by month for
//! ever. A window takes whole months where it can, whole days and hours towards its ends, and rows for
//! what is left.

use crate::model::UnixTime;

/// A month of the sums: 30 UTC days, counted from 1970-01-01, in seconds.
pub(super) const MONTH: u64 = 30 * UnixTime::DAY;

/// Later than any forward: the end of a window that has none. Begins a month.
pub(super) const FOR_EVER: UnixTime = UnixTime(97_764 * MONTH);

/// What is there in full: rows of forwards, and sums by hour, from these instants on. Each begins a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub rows: UnixTime,
    pub hours: UnixTime,
}

/// Where a part of a window is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Rows,
    Hours,
    Days,
    Months,
}

impl Source {
    /// From the largest sums to none.
    const LARGEST_FIRST: [Source; 4] = [Source::Months, Source::Days, Source::Hours, Source::Rows];

    /// Seconds that one sum covers.
    const fn unit(self) -> u64 {
        match self {
            Source::Rows => 1,
            Source::Hours => UnixTime::HOUR,
            Source::Days => UnixTime::DAY,
            Source::Months => MONTH,
        }
    }

    /// Whether everything from an instant on is there. What [`told`] returned is always covered by
    /// one of the finer sources, so only hours need asking.
    fn is_kept(self, from: UnixTime, kept: Kept) -> bool {
        self != Source::Hours || from >= kept.hours
    }
}

/// A part of a window: `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub source: Source,
    pub from: UnixTime,
    pub until: UnixTime,
}

const fn floor(time: UnixTime, unit: u64) -> UnixTime {
    UnixTime(time.0 - time.0 % unit)
}

const fn ceil(time: UnixTime, unit: u64) -> UnixTime {
    UnixTime(time.0.div_ceil(unit) * unit)
}

/// The instant itself where it can be told exactly, else the start of its UTC day.
pub(super) fn told(time: UnixTime, kept: Kept) -> UnixTime {
    let is_whole_hour = time.0.is_multiple_of(UnixTime::HOUR);
    if time >= kept.rows || (is_whole_hour && time >= kept.hours) { time } else { floor(time, UnixTime::DAY) }
}

/// The instant itself where rows are kept, else the start of its hour or, where hours are forgotten too,
/// of its UTC day. What [`told`] says of it is the same; and of two instants the earlier never becomes
/// the later.
pub(super) fn rounded(time: UnixTime, kept: Kept) -> UnixTime {
    if time >= kept.rows {
        return time;
    }
    let hour = floor(time, UnixTime::HOUR);
    if hour >= kept.hours { hour } else { floor(time, UnixTime::DAY) }
}

/// The parts of `[from, until)`, both of which [`told`] returned, in order.
pub(super) fn parts(from: UnixTime, until: UnixTime, kept: Kept) -> Vec<Part> {
    let mut parts = Vec::new();
    cover(&Source::LARGEST_FIRST, from, until, kept, &mut parts);
    parts
}

/// Covers a stretch with the first source where whole sums of it fit, and its ends with the finer ones.
fn cover(sources: &[Source], from: UnixTime, until: UnixTime, kept: Kept, parts: &mut Vec<Part>) {
    let [source, finer @ ..] = sources else { return };
    if from >= until {
        return;
    }
    let (first, last) = (ceil(from, source.unit()), floor(until, source.unit()));
    if first > last || !source.is_kept(from, kept) {
        return cover(finer, from, until, kept, parts);
    }
    cover(finer, from, first, kept, parts);
    push(*source, first, last, parts);
    cover(finer, last, until, kept, parts);
}

fn push(source: Source, from: UnixTime, until: UnixTime, parts: &mut Vec<Part>) {
    if from < until {
        parts.push(Part { source, from, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: u64 = UnixTime::DAY;
    const HOUR: u64 = UnixTime::HOUR;

    #[test]
    fn a_window_takes_the_largest_sums_that_fit() {
        let kept = Kept { rows: UnixTime(5 * DAY), hours: UnixTime(2 * DAY) };
        use Source::{Days, Hours, Months, Rows};
        for (from, until, expected) in [
            (DAY, DAY, vec![]),
            (DAY, 3 * DAY, vec![(Days, DAY, 3 * DAY)]),
            (2 * DAY + HOUR, 3 * DAY, vec![(Hours, 2 * DAY + HOUR, 3 * DAY)]),
            (
                6 * DAY + 10,
                8 * DAY + HOUR + 5,
                vec![
                    (Rows, 6 * DAY + 10, 6 * DAY + HOUR),
                    (Hours, 6 * DAY + HOUR, 7 * DAY),
                    (Days, 7 * DAY, 8 * DAY),
                    (Hours, 8 * DAY, 8 * DAY + HOUR),
                    (Rows, 8 * DAY + HOUR, 8 * DAY + HOUR + 5),
                ],
            ),
            (6 * DAY + 10, 6 * DAY + 20, vec![(Rows, 6 * DAY + 10, 6 * DAY + 20)]),
            (DAY, 2 * MONTH, vec![(Days, DAY, MONTH), (Months, MONTH, 2 * MONTH)]),
            (
                29 * DAY + 23 * HOUR + 60,
                3 * MONTH + DAY,
                vec![
                    (Rows, 29 * DAY + 23 * HOUR + 60, MONTH),
                    (Months, MONTH, 3 * MONTH),
                    (Days, 3 * MONTH, 3 * MONTH + DAY),
                ],
            ),
        ] {
            let found: Vec<_> = parts(UnixTime(from), UnixTime(until), kept)
                .into_iter()
                .map(|part| (part.source, part.from.0, part.until.0))
                .collect();
            assert_eq!(found, expected, "{from} to {until}");
        }
    }

    proptest! {
        #[test]
        fn rounding_keeps_the_order_and_can_be_told(
            rows in 0u64..80, hours in 0u64..80, one in 0u64..80 * DAY, other in 0u64..80 * DAY,
        ) {
            let kept = Kept { rows: UnixTime(rows * DAY), hours: UnixTime(hours * DAY) };
            let (first, second) = (one.min(other), one.max(other));
            let round = |time| rounded(UnixTime(time), kept);
            prop_assert!(round(first) <= round(second));
            prop_assert_eq!(told(round(one), kept), round(one));
            prop_assert!(round(one).0 <= one && one < round(one).0 + DAY);
        }

        #[test]
        fn parts_join_and_use_only_what_is_kept(
            rows in 0u64..80, hours in 0u64..80, from in 0u64..80 * DAY, length in 0u64..100 * DAY,
        ) {
            let kept = Kept { rows: UnixTime(rows * DAY), hours: UnixTime(hours * DAY) };
            let (from, until) = (told(UnixTime(from), kept), told(UnixTime(from + length), kept));
            let mut at = from;
            for part in parts(from, until, kept) {
                prop_assert_eq!(part.from, at);
                prop_assert!(part.from < part.until);
                at = part.until;
                match part.source {
                    Source::Rows => prop_assert!(part.from >= kept.rows),
                    Source::Hours => prop_assert!(part.from >= kept.hours),
                    Source::Days | Source::Months => {}
                }
                let unit = part.source.unit();
                prop_assert_eq!((part.from.0 % unit, part.until.0 % unit), (0, 0));
            }
            prop_assert_eq!(at, until.max(from));
        }
    }
}
