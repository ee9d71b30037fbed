//! What a channel might have earned at other rates than it had.
//!
//! Nobody knows what senders would have done. The range here rests on one assumption, which goes with
//! every figure: had the rate been p instead of p0, the volume would have been v x (p0 / p)^e with an
//! elasticity e between 0 (senders don't look at the rate) and 2, and at most [`MOST_MORE`] times v.

use crate::model::strategy::FeeInterval;
use crate::model::{Ppm, UnixTime};

/// The elasticities whose outcomes span the range.
pub const ELASTICITIES: [f64; 3] = [0.0, 1.0, 2.0];

/// How many times what was sold could have been sold at most.
pub const MOST_MORE: f64 = 3.0;

/// Between what and what, msat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
}

impl std::ops::AddAssign for Range {
    fn add_assign(&mut self, other: Range) {
        self.low += other.low;
        self.high += other.high;
    }
}

/// What one stretch of constant rate might have earned under `path`: rates with the instants from
/// which they were in force, oldest first. Before the first of them the stretch's own rate holds.
pub fn earned(stretch: &FeeInterval, path: &[(UnixTime, Ppm)]) -> Range {
    let length = stretch.end.since(stretch.start);
    if length == 0 {
        return Range::default();
    }
    let mut range = Range::default();
    for (seconds, fee) in segments(stretch, path) {
        let volume = stretch.out.0 as f64 * seconds as f64 / length as f64;
        let outcomes = ELASTICITIES.map(|elasticity| at(volume, stretch.fee, fee, elasticity));
        range += Range {
            low: outcomes.iter().copied().fold(f64::INFINITY, f64::min),
            high: outcomes.iter().copied().fold(0.0, f64::max),
        };
    }
    range
}

fn at(volume: f64, was: Ppm, fee: Ppm, elasticity: f64) -> f64 {
    let rate = |fee: Ppm| f64::from(fee.0.max(1));
    let factor = (rate(was) / rate(fee)).powf(elasticity).min(MOST_MORE);
    volume * factor * f64::from(fee.0) / 1_000_000.0
}

/// The parts of a stretch with one rate each: seconds, and the rate.
fn segments(stretch: &FeeInterval, path: &[(UnixTime, Ppm)]) -> Vec<(u64, Ppm)> {
    let (mut from, mut fee) = (stretch.start, stretch.fee);
    let mut segments = Vec::new();
    for (at, next) in path.iter().filter(|(at, _)| *at < stretch.end) {
        if *at > from {
            segments.push((at.since(from), fee));
            from = *at;
        }
        fee = *next;
    }
    segments.push((stretch.end.since(from), fee));
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Msat;
    use proptest::prelude::*;

    fn stretch(start: u64, end: u64, fee: u32, out_msat: u64) -> FeeInterval {
        FeeInterval {
            start: UnixTime(start),
            end: UnixTime(end),
            fee: Ppm(fee),
            live_s: 0,
            settled: 0,
            failed_liquidity: 0,
            failed_downstream: 0,
            out: Msat(out_msat),
            earned: Msat(0),
        }
    }

    #[test]
    fn a_range_spans_what_senders_might_have_done() {
        // 1,000,000 sat at 100 ppm earned 100,000 msat.
        let had = stretch(1_000, 2_000, 100, 1_000_000_000);
        for (path, low, high) in [
            (vec![], 100_000.0, 100_000.0),
            (vec![(0, 100)], 100_000.0, 100_000.0),
            // Twice the rate: twice as much if nobody looks, half if all do.
            (vec![(0, 200)], 50_000.0, 200_000.0),
            // Half the rate: half as much; with elasticity 2 four times the volume, but three at most.
            (vec![(0, 50)], 50_000.0, 150_000.0),
            // From the middle on.
            (vec![(1_500, 200)], 75_000.0, 150_000.0),
            // After the end.
            (vec![(2_000, 900)], 100_000.0, 100_000.0),
        ] {
            let path: Vec<_> = path.into_iter().map(|(at, ppm)| (UnixTime(at), Ppm(ppm))).collect();
            assert_eq!(earned(&had, &path), Range { low, high }, "{path:?}");
        }
        assert_eq!(earned(&stretch(5, 5, 100, 9), &[]), Range::default());
    }

    proptest! {
        #[test]
        fn the_range_has_its_own_rate_in_it_and_is_never_upside_down(
            fee in 0u32..10_000, other in 0u32..10_000, out in 0u64..10_000_000_000, at in 0u64..300,
        ) {
            let had = stretch(100, 200, fee, out);
            let range = earned(&had, &[(UnixTime(at), Ppm(other))]);
            prop_assert!(range.low <= range.high && range.low >= 0.0);
            let same = earned(&had, &[(UnixTime(at), Ppm(fee))]);
            let fact = out as f64 * f64::from(fee) / 1_000_000.0;
            prop_assert!((same.low - fact).abs() <= 1e-6 * fact.max(1.0) && (same.high - fact).abs() <= 1e-6 * fact.max(1.0));
        }
    }
}
