//! Which sums and rows cover a stretch of time exactly.
//!
//! Rows of forwards are kept for some time, sums by hour for some more, sums by day and by month for
//! ever. A window takes whole months where it can, whole days and hours towards its ends, and rows for
//! what is left. An end that takes in most of a month, day or hour is that sum less what lies outside.

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
    /// 1: what lies in it is added, -1: it is taken off what others add.
    pub sign: i64,
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

/// The first instant from `time` on that can be told exactly: itself, or the end of its hour or UTC day.
pub(super) fn told_late(time: UnixTime, kept: Kept) -> UnixTime {
    let is_exact = |time: &UnixTime| told(*time, kept) == *time;
    [time, ceil(time, UnixTime::HOUR)].into_iter().find(is_exact).unwrap_or(ceil(time, UnixTime::DAY))
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

/// The parts of `[from, until)`, both of which [`told`] returned.
pub(super) fn parts(from: UnixTime, until: UnixTime, kept: Kept) -> Vec<Part> {
    let mut cover = Cover { kept, parts: Vec::new() };
    cover.stretch(&Source::LARGEST_FIRST, from, until, 1);
    cover.parts
}

/// Gathers parts.
struct Cover {
    kept: Kept,
    parts: Vec<Part>,
}

impl Cover {
    /// Covers a stretch with the first source where whole sums of it fit, and its ends with the finer ones.
    fn stretch(&mut self, sources: &[Source], from: UnixTime, until: UnixTime, sign: i64) {
        let [source, finer @ ..] = sources else { return };
        if from >= until {
            return;
        }
        let (first, last) = (ceil(from, source.unit()), floor(until, source.unit()));
        if first > last || !source.is_kept(from, self.kept) {
            return self.stretch(finer, from, until, sign);
        }
        let half = source.unit() / 2;
        let first = match first.since(from) > half && source.is_kept(first.minus(source.unit()), self.kept) {
            true => first.minus(source.unit()),
            false => first,
        };
        let last = if until.since(last) > half { last.plus(source.unit()) } else { last };
        self.between(finer, from, first, sign);
        self.push(*source, first, last, sign);
        self.between(finer, until, last, -sign);
    }

    /// Adds `[from, until)`, or takes `[until, from)` off.
    fn between(&mut self, sources: &[Source], from: UnixTime, until: UnixTime, sign: i64) {
        match from <= until {
            true => self.stretch(sources, from, until, sign),
            false => self.stretch(sources, until, from, -sign),
        }
    }

    fn push(&mut self, source: Source, from: UnixTime, until: UnixTime, sign: i64) {
        if from < until {
            self.parts.push(Part { source, from, until, sign });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const DAY: u64 = UnixTime::DAY;
    const HOUR: u64 = UnixTime::HOUR;

    #[test]
    fn a_window_takes_the_largest_sums_that_fit() {
        let kept = Kept { rows: UnixTime(5 * DAY), hours: UnixTime(2 * DAY) };
        use Source::{Days, Hours, Months, Rows};
        for (from, until, expected) in [
            (DAY, DAY, vec![]),
            (DAY, 3 * DAY, vec![(Days, DAY, 3 * DAY, 1)]),
            (2 * DAY + HOUR, 2 * DAY + 3 * HOUR, vec![(Hours, 2 * DAY + HOUR, 2 * DAY + 3 * HOUR, 1)]),
            (
                2 * DAY + HOUR,
                3 * DAY,
                vec![(Hours, 2 * DAY, 2 * DAY + HOUR, -1), (Days, 2 * DAY, 3 * DAY, 1)],
            ),
            (
                6 * DAY + 14 * HOUR + 10,
                8 * DAY + HOUR + 5,
                vec![
                    (Rows, 6 * DAY + 14 * HOUR, 6 * DAY + 14 * HOUR + 10, -1),
                    (Hours, 6 * DAY + 14 * HOUR, 7 * DAY, 1),
                    (Days, 7 * DAY, 8 * DAY, 1),
                    (Hours, 8 * DAY, 8 * DAY + HOUR, 1),
                    (Rows, 8 * DAY + HOUR, 8 * DAY + HOUR + 5, 1),
                ],
            ),
            (6 * DAY + 10, 6 * DAY + 20, vec![(Rows, 6 * DAY + 10, 6 * DAY + 20, 1)]),
            (20 * DAY, 2 * MONTH, vec![(Days, 20 * DAY, MONTH, 1), (Months, MONTH, 2 * MONTH, 1)]),
            (DAY, 2 * MONTH, vec![(Days, 0, DAY, -1), (Months, 0, 2 * MONTH, 1)]),
            (
                MONTH,
                3 * MONTH - DAY,
                vec![(Months, MONTH, 3 * MONTH, 1), (Days, 3 * MONTH - DAY, 3 * MONTH, -1)],
            ),
            (
                29 * DAY + 23 * HOUR + 3_540,
                3 * MONTH + DAY,
                vec![
                    (Rows, 29 * DAY + 23 * HOUR + 3_540, MONTH, 1),
                    (Months, MONTH, 3 * MONTH, 1),
                    (Days, 3 * MONTH, 3 * MONTH + DAY, 1),
                ],
            ),
        ] {
            let found: Vec<_> = parts(UnixTime(from), UnixTime(until), kept)
                .into_iter()
                .map(|part| (part.source, part.from.0, part.until.0, part.sign))
                .collect();
            assert_eq!(found, expected, "{from} to {until}");
        }
    }

    #[test]
    fn what_cannot_be_told_exactly_is_told_too_early_or_too_late() {
        let kept = Kept { rows: UnixTime(5 * DAY), hours: UnixTime(2 * DAY) };
        for (time, early, late) in [
            (6 * DAY + 7, 6 * DAY + 7, 6 * DAY + 7),
            (3 * DAY + 5 * HOUR, 3 * DAY + 5 * HOUR, 3 * DAY + 5 * HOUR),
            (3 * DAY + 7, 3 * DAY, 3 * DAY + HOUR),
            (4 * DAY + 23 * HOUR + 7, 4 * DAY, 5 * DAY),
            (DAY + HOUR, DAY, 2 * DAY),
            (DAY, DAY, DAY),
        ] {
            let (time, both) = (UnixTime(time), (UnixTime(early), UnixTime(late)));
            assert_eq!((told(time, kept), told_late(time, kept)), both, "{time:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_window_and_use_only_what_is_kept(
            rows in 0u64..80, hours in 0u64..80, from in 0u64..80 * DAY, length in 0u64..100 * DAY,
        ) {
            let kept = Kept { rows: UnixTime(rows * DAY), hours: UnixTime(hours * DAY) };
            let (from, until) = (told(UnixTime(from), kept), told(UnixTime(from + length), kept));
            // How often each second counts changes at these.
            let mut steps: BTreeMap<u64, i64> = BTreeMap::new();
            for part in parts(from, until, kept) {
                prop_assert!(part.from < part.until);
                match part.source {
                    Source::Rows => prop_assert!(part.from >= kept.rows),
                    Source::Hours => prop_assert!(part.from >= kept.hours),
                    Source::Days | Source::Months => {}
                }
                let unit = part.source.unit();
                prop_assert_eq!((part.from.0 % unit, part.until.0 % unit), (0, 0));
                *steps.entry(part.from.0).or_default() += part.sign;
                *steps.entry(part.until.0).or_default() -= part.sign;
            }
            steps.retain(|_, step| *step != 0);
            let window = BTreeMap::from([(from.0, 1), (until.0, -1)]);
            prop_assert_eq!(steps, if from < until { window } else { BTreeMap::new() });
        }

        #[test]
        fn no_end_reads_more_than_half_of_what_a_larger_sum_holds(
            from in 0u64..80 * DAY, length in 0u64..100 * DAY,
        ) {
            let parts = parts(UnixTime(from), UnixTime(from + length), Kept::default());
            for (source, larger) in [(Source::Days, MONTH), (Source::Hours, DAY), (Source::Rows, HOUR)] {
                if length < 2 * larger {
                    continue;
                }
                let all = parts.iter().filter(|part| part.source == source);
                let longest = all.map(|part| part.until.since(part.from)).max().unwrap_or(0);

                prop_assert!(longest <= larger / 2, "{source:?}: {longest} s");
            }
        }
    }
}
