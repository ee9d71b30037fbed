//! What was observed at each price: usable hours and settled forwards.

use revenue_strategy::state::{Reader, Writer};
use revenue_strategy::{FeeInterval, terms};

use crate::grid::{self, PRICES};
use crate::memory::Cursor;

/// Observations that weigh less than this say nothing and are dropped.
const LEAST_HOURS: f64 = 0.25;
const LEAST_FORWARDS: f64 = 0.02;

/// Observations by price, older ones weighing less.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When the weights were last brought down, seconds since 1970.
    pub aged_s: u64,
    /// Weighted usable hours at each price.
    pub hours: [f64; PRICES],
    /// Weighted settled forwards at each price.
    pub forwards: [f64; PRICES],
}

/// A stretch that has not been read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// The rate it ran at, ppm.
    pub fee_ppm: u32,
    /// Usable seconds.
    pub live_s: u32,
    /// Settled forwards.
    pub settled: u32,
    /// When it ended, seconds since 1970.
    pub end_s: u64,
}

impl Evidence {
    /// Nothing observed yet.
    pub fn new(now_s: u64) -> Self {
        Self { aged_s: now_s, hours: [0.0; PRICES], forwards: [0.0; PRICES] }
    }

    /// Brings the weights down to what they are worth at `now_s`.
    pub fn age(&mut self, now_s: u64, half_life_days: f64) {
        let days = now_s.saturating_sub(self.aged_s) as f64 / 86_400.0;
        let left = terms::decay(days, half_life_days);
        self.doubt(left);
        self.aged_s = now_s;
    }

    /// Lets everything observed so far weigh `share` of what it did.
    pub fn doubt(&mut self, share: f64) {
        self.hours.iter_mut().for_each(|hours| *hours *= share);
        self.forwards.iter_mut().for_each(|forwards| *forwards *= share);
    }

    /// Adds a stretch; call [`Evidence::age`] before.
    pub fn add(&mut self, fresh: &Fresh, half_life_days: f64) {
        let days = self.aged_s.saturating_sub(fresh.end_s) as f64 / 86_400.0;
        let weight = terms::decay(days, half_life_days);
        let index = grid::nearest(fresh.fee_ppm);
        self.hours[index] += weight * f64::from(fresh.live_s) / 3600.0;
        self.forwards[index] += weight * f64::from(fresh.settled);
    }

    /// The prices at which something was observed.
    pub fn observed(&self) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
        (0..PRICES)
            .map(|index| (index, self.hours[index], self.forwards[index]))
            .filter(|(_, hours, forwards)| *hours > LEAST_HOURS || *forwards > LEAST_FORWARDS)
    }
}

impl Evidence {
    /// Appends the prices at which something was observed: at most 576 bytes.
    pub fn write(&self, to: &mut Writer) {
        to.u64(self.aged_s);
        for (index, hours, forwards) in self.observed() {
            to.u8(index as u8);
            to.f32(hours as f32);
            to.f32(forwards as f32);
        }
    }

    /// Reads what [`Evidence::write`] wrote. None if it is empty or makes no sense.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let mut evidence = Self::new(from.u64()?);
        while !from.is_empty() {
            let index = usize::from(from.u8()?);
            let sane = |value: &f32| (0.0..1e9).contains(value);
            *evidence.hours.get_mut(index)? = from.finite_f32().filter(sane)?.into();
            *evidence.forwards.get_mut(index)? = from.finite_f32().filter(sane)?.into();
        }
        Some(evidence)
    }
}

/// The stretches after a cursor, and the cursor after them.
pub fn unread(intervals: &[FeeInterval], cursor: Cursor) -> impl Iterator<Item = Fresh> + '_ {
    intervals.iter().filter(move |i| i.start_s >= cursor.start_s).map(move |i| {
        let (live_s, settled) =
            if i.start_s == cursor.start_s { (cursor.live_s, cursor.settled) } else { (0, 0) };
        Fresh {
            fee_ppm: i.fee_ppm,
            live_s: i.live_s.saturating_sub(live_s),
            settled: i.settled.saturating_sub(settled),
            end_s: i.end_s,
        }
    })
}

/// The cursor that leaves nothing of an interval unread.
pub fn behind(interval: &FeeInterval) -> Cursor {
    Cursor { start_s: interval.start_s, live_s: interval.live_s, settled: interval.settled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revenue_strategy::testing::interval;

    #[test]
    fn observations_halve_with_their_age() {
        let mut evidence = Evidence::new(0);
        let fresh = Fresh { fee_ppm: 200, live_s: 7200, settled: 8, end_s: 0 };
        evidence.add(&fresh, 30.0);
        evidence.age(30 * 86_400, 30.0);
        let at = grid::nearest(200);
        assert!((evidence.hours[at] - 1.0).abs() < 1e-9);
        assert!((evidence.forwards[at] - 4.0).abs() < 1e-9);
        evidence.add(&fresh, 30.0);
        assert!((evidence.hours[at] - 2.0).abs() < 1e-9, "an old stretch is old when it comes");
    }

    #[test]
    fn unread_is_what_lies_behind_the_cursor() {
        let mut intervals = vec![interval(0, 10, 1), interval(10, 30, 2), interval(30, 40, 3)];
        intervals[1].settled = 5;
        let cursor = Cursor { start_s: 10, live_s: 15, settled: 3 };
        let fresh: Vec<Fresh> = unread(&intervals, cursor).collect();
        assert_eq!(fresh[0], Fresh { fee_ppm: 2, live_s: 5, settled: 2, end_s: 30 });
        assert_eq!(fresh[1], Fresh { fee_ppm: 3, live_s: 10, settled: 0, end_s: 40 });
        assert_eq!(fresh.len(), 2);
        assert_eq!(unread(&intervals, Cursor::default()).count(), 3);
    }

    #[test]
    fn bytes_that_make_no_sense_are_no_evidence() {
        let write = |hours: f32, index: u8| {
            let mut to = Writer::default();
            to.u64(1);
            to.u8(index);
            to.f32(hours);
            to.f32(1.0);
            Evidence::read(to.as_bytes())
        };
        assert!(write(1.0, 3).is_some());
        assert!(write(f32::NAN, 3).is_none());
        assert!(write(-1.0, 3).is_none());
        assert!(write(1.0, 64).is_none());
        assert!(Evidence::read(&[]).is_none());
        assert!(Evidence::read(&[0; 10]).is_none());
    }
}
