//! Which sums and rows cover a stretch of time exactly.
//!
//! Rows of forwards are kept for some time, sums by hour for some more, sums by day for ever. A window
//! takes whole days where it can, whole hours at its ends, and rows for what is left.

use crate::model::UnixTime;

/// Later than any forward: the end of a window that has none. Begins a day.
pub(super) const FOR_EVER: UnixTime = UnixTime(253_402_300_800);

/// What is still there in full: everything from these instants on, each of which begins a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub rows: UnixTime,
    pub hours: UnixTime,
}

/// Where a part of a window is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Rows,
    Hours,
    Days,
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

/// The parts of `[from, until)`, both of which [`told`] returned.
pub(super) fn parts(from: UnixTime, until: UnixTime, kept: Kept) -> Vec<Part> {
    let mut parts = Vec::new();
    let (first_day, last_day) = (ceil(from, UnixTime::DAY), floor(until, UnixTime::DAY));
    if first_day <= last_day {
        within_a_day(from, first_day, kept, &mut parts);
        push(Source::Days, first_day, last_day, &mut parts);
        within_a_day(last_day, until, kept, &mut parts);
    } else {
        within_a_day(from, until, kept, &mut parts);
    }
    parts
}

fn within_a_day(from: UnixTime, until: UnixTime, kept: Kept, parts: &mut Vec<Part>) {
    let (first_hour, last_hour) = (ceil(from, UnixTime::HOUR), floor(until, UnixTime::HOUR));
    if from >= kept.hours && first_hour <= last_hour {
        push(Source::Rows, from, first_hour, parts);
        push(Source::Hours, first_hour, last_hour, parts);
        push(Source::Rows, last_hour, until, parts);
    } else {
        push(Source::Rows, from, until, parts);
    }
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
        use Source::{Days, Hours, Rows};
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
        fn parts_join_and_use_only_what_is_kept(
            rows in 0u64..20, hours in 0u64..20, from in 0u64..20 * DAY, length in 0u64..20 * DAY,
        ) {
            let kept = Kept { rows: UnixTime(rows * DAY), hours: UnixTime(hours * DAY) };
            let (from, until) = (told(UnixTime(from), kept), told(UnixTime(from + length), kept));
            let mut at = from;
            for part in parts(from, until, kept) {
                prop_assert_eq!(part.from, at);
                prop_assert!(part.from < part.until);
                at = part.until;
                let unit = match part.source {
                    Source::Rows => {
                        prop_assert!(part.from >= kept.rows);
                        1
                    }
                    Source::Hours => {
                        prop_assert!(part.from >= kept.hours);
                        HOUR
                    }
                    Source::Days => DAY,
                };
                prop_assert_eq!((part.from.0 % unit, part.until.0 % unit), (0, 0));
            }
            prop_assert_eq!(at, until.max(from));
        }
    }
}
