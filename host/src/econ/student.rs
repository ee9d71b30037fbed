//! Means of few numbers, with what chance leaves open: Student's t, and tests by rearrangement.
//!
//! The interval of a mean is `mean +- t x s / sqrt(n)`, that of a difference of means Welch's, with the
//! degrees of freedom of Welch and Satterthwaite. A test by rearrangement asks how often numbers dealt out
//! anew show a difference as marked as the one seen: it needs no assumption on how they are spread, which
//! days with many zeros and few large sums would break.

use std::f64::consts::FRAC_PI_2;

/// A mean, or a difference of means, and its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl Interval {
    fn around(mean: f64, error: f64, freedom: f64) -> Interval {
        let half = if error > 0.0 { quantile(freedom) * error } else { 0.0 };
        Interval { mean, low: mean - half, high: mean + half }
    }

    /// Whether zero lies outside.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// Mean and variance of a sample, and its size.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f64,
    /// Of the mean: s^2 / n.
    error2: f64,
    n: f64,
}

impl Moments {
    fn of(sample: &[f64]) -> Moments {
        let n = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / n;
        let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
        Moments { mean, error2: squares / (n - 1.0) / n, n }
    }
}

/// The arithmetic mean; none of nothing.
pub fn mean(sample: &[f64]) -> Option<f64> {
    (!sample.is_empty()).then(|| sample.iter().sum::<f64>() / sample.len() as f64)
}

/// The mean of a sample; none of fewer than two numbers.
pub fn interval(sample: &[f64]) -> Option<Interval> {
    let all = (sample.len() >= 2).then(|| Moments::of(sample))?;
    Some(Interval::around(all.mean, all.error2.sqrt(), all.n - 1.0))
}

/// The mean of one sample less that of another; none where either has fewer than two numbers.
pub fn difference(one: &[f64], other: &[f64]) -> Option<Interval> {
    if one.len().min(other.len()) < 2 {
        return None;
    }
    let (one, other) = (Moments::of(one), Moments::of(other));
    let error2 = one.error2 + other.error2;
    let freedom =
        error2.powi(2) / (one.error2.powi(2) / (one.n - 1.0) + other.error2.powi(2) / (other.n - 1.0));
    Some(Interval::around(one.mean - other.mean, error2.sqrt(), freedom))
}

/// The two-sided 95 % quantile of Student's t.
///
/// With `t = sqrt(v) tan(a)` the density of t becomes `cos(a)^(v - 1)`, which is summed up by the
/// trapezoidal rule. Beyond 1,000 degrees of freedom that of 1,000 (1.9623) stands for all.
fn quantile(freedom: f64) -> f64 {
    const STEPS: u32 = 8_192;
    let freedom = freedom.clamp(1.0, 1_000.0);
    let step = FRAC_PI_2 / f64::from(STEPS);
    // The last point is where the cosine is zero; a power of zero is one.
    let density = |n: u32| (f64::from(n) * step).cos().max(0.0).powf(freedom - 1.0);
    let area = |n: u32| (density(n) + density(n + 1)) / 2.0;
    let wanted = 0.95 * (0..STEPS).map(area).sum::<f64>();
    let (mut sum, mut place) = (0.0, 0);
    while sum + area(place) < wanted {
        sum += area(place);
        place += 1;
    }
    let angle = (f64::from(place) + (wanted - sum) / area(place)) * step;
    freedom.sqrt() * angle.tan()
}

/// How often numbers are dealt out anew.
const DEALS: u32 = 1_999;

/// How often numbers dealt out anew to both sides differ as markedly as they do: the share of deals, from
/// 1 / 2,000 to 1. The same for the same numbers, and from either side.
pub fn chance_of_difference(one: &[f64], other: &[f64]) -> f64 {
    let few = one.len().min(other.len());
    let mut all = [one, other].concat();
    let seen = apart(one, other);
    all.sort_by(f64::total_cmp);
    let mut dice = Dice(0x5eed);
    share_of_deals(seen, || {
        for place in 0..few {
            let from = place + dice.below(all.len() - place);
            all.swap(place, from);
        }
        apart(&all[..few], &all[few..])
    })
}

/// How often the signs of these differences, dealt out anew, give a mean as far from zero.
pub fn chance_of_mean(differences: &[f64]) -> f64 {
    let from_zero = |all: &[f64]| studentized(Moments::of(all).mean, Moments::of(all).error2);
    let seen = from_zero(differences);
    let mut dealt = differences.to_vec();
    let mut dice = Dice(0x5eed);
    share_of_deals(seen, || {
        for (to, difference) in dealt.iter_mut().zip(differences) {
            *to = if dice.below(2) == 0 { *difference } else { -difference };
        }
        from_zero(&dealt)
    })
}

fn share_of_deals(seen: f64, mut deal: impl FnMut() -> f64) -> f64 {
    // Rounding must not tell equals apart.
    let least = seen * (1.0 - 1e-9);
    let as_far = (0..DEALS).filter(|_| deal() >= least).count();
    (as_far as f64 + 1.0) / (f64::from(DEALS) + 1.0)
}

fn apart(one: &[f64], other: &[f64]) -> f64 {
    let (one, other) = (Moments::of(one), Moments::of(other));
    studentized(one.mean - other.mean, one.error2 + other.error2)
}

/// A difference in units of its own uncertainty, without its sign.
fn studentized(difference: f64, error2: f64) -> f64 {
    match (difference.abs(), error2.sqrt()) {
        (0.0, _) => 0.0,
        (difference, error) => difference / error,
    }
}

/// A fixed row of chance numbers (splitmix64), so that the same days give the same verdict.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        // A product of two numbers of 64 bits: what is left above is below the limit.
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 0.0005 * expected.abs().max(1.0)
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (3.0, 3.182),
            (6.0, 2.447),
            (10.0, 2.228),
            (13.0, 2.160),
            (29.0, 2.045),
            (60.0, 2.000),
            (120.0, 1.980),
            (1_000.0, 1.962),
            (1e9, 1.962),
        ] {
            assert!(near(quantile(freedom), expected), "{freedom}: {}", quantile(freedom));
        }
    }

    #[test]
    fn intervals_of_known_samples() {
        // Mean 5, s 2.138, n 8: 5 +- 2.3646 x 0.7559.
        let found = interval(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("enough");
        assert!(near(found.low, 3.2125) && near(found.high, 6.7875), "{found:?}");
        assert_eq!(interval(&[1.0]), None);
        assert_eq!(interval(&[3.0, 3.0]), Some(Interval { mean: 3.0, low: 3.0, high: 3.0 }));
        // Means 3 and 20, variances 2.5 and 250: 4.08 degrees of freedom, -17 +- 2.754 x 7.106.
        let found = difference(&[1.0, 2.0, 3.0, 4.0, 5.0], &[0.0, 10.0, 20.0, 30.0, 40.0]).expect("enough");
        assert!(near(found.mean, -17.0) && near(found.low, -36.57), "{found:?}");
        assert!(!found.excludes_zero());
        assert!(difference(&[1.0, 1.1, 0.9], &[5.0, 5.1, 4.9]).expect("enough").excludes_zero());
    }

    #[test]
    fn a_difference_is_as_rare_as_its_deals() {
        // Of the 20 ways to deal out six numbers, two put the three largest together.
        let chance = chance_of_difference(&[1.0, 2.0, 3.0], &[10.0, 11.0, 12.0]);
        assert!((chance - 0.1).abs() < 0.02, "{chance}");
        // Of the 2^8 rows of signs, two are all alike.
        let chance = chance_of_mean(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert!((chance - 2.0 / 256.0).abs() < 0.006, "{chance}");
        assert_eq!(chance_of_difference(&[0.0; 7], &[0.0; 7]), 1.0);
        assert_eq!(chance_of_mean(&[0.0; 7]), 1.0);
    }

    /// A made-up day: nothing in three of ten, else a sum whose logarithm is normal.
    fn day(dice: &mut Dice) -> f64 {
        let uniform = |dice: &mut Dice| (dice.next() >> 11) as f64 / (1u64 << 53) as f64;
        if uniform(dice) < 0.3 {
            return 0.0;
        }
        let normal = (0..12).map(|_| uniform(dice)).sum::<f64>() - 6.0;
        (1.5 * normal).exp()
    }

    #[test]
    fn days_that_are_alike_seldom_seem_to_differ() {
        let mut dice = Dice(1);
        for (few, many) in [(7, 7), (7, 28), (14, 60)] {
            let mut wrong = 0;
            for _ in 0..200 {
                let one: Vec<f64> = (0..few).map(|_| day(&mut dice)).collect();
                let other: Vec<f64> = (0..many).map(|_| day(&mut dice)).collect();
                let shown = difference(&one, &other).expect("enough").excludes_zero();
                wrong += u32::from(shown && chance_of_difference(&one, &other) < 0.05);
            }
            // One in twenty is ten of 200; chance gives 20 or more once in 400 times, and the dice are fixed.
            assert!(wrong < 20, "{wrong} of 200 with {few} and {many} days");
        }
    }

    proptest! {
        #[test]
        fn either_side_sees_the_same(
            one in prop::collection::vec(0i32..2_000, 2..20), other in prop::collection::vec(0i32..2_000, 2..20),
        ) {
            let (one, other): (Vec<f64>, Vec<f64>) =
                (one.into_iter().map(f64::from).collect(), other.into_iter().map(f64::from).collect());
            let (there, back) = (difference(&one, &other), difference(&other, &one));
            let (there, back) = (there.expect("enough"), back.expect("enough"));
            prop_assert!(near(there.low, -back.high) && near(there.high, -back.low));
            prop_assert_eq!(chance_of_difference(&one, &other), chance_of_difference(&other, &one));
        }
    }
}
