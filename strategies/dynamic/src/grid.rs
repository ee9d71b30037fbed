//! The grid of prices, and the demand curves on it.
//!
//! Prices are powers of [`RATIO`], so one step is far above any sensible
//! gossip gate, and a demand curve that only knows the ratio of a price to its
//! scale is one table, shifted. All tables are computed by the compiler: a
//! cycle in which no window closes needs no exponential at all.

/// Ratio of neighbouring prices.
pub const RATIO: f64 = 1.2;

/// Number of prices: 1 ppm to about 97,000 ppm.
pub const PRICES: usize = 64;

/// Number of demand curves.
pub const CURVES: usize = 3;

/// Offsets of a scale to a price: `-(PRICES - 1)` to `PRICES - 1`.
const OFFSETS: usize = 2 * PRICES - 1;

/// Beyond this many nats a curve falls no further: one forward at a price that
/// a curve calls impossible must not settle the matter.
const FLOOR_NATS: f64 = 9.0;

/// Prices, ppm, before rounding.
const EXACT: [f64; PRICES] = {
    let mut prices = [1.0; PRICES];
    let mut i = 1;
    while i < PRICES {
        prices[i] = prices[i - 1] * RATIO;
        i += 1;
    }
    prices
};

/// Squares of the borders between neighbouring prices: their geometric means.
const BORDERS: [f64; PRICES - 1] = {
    let mut borders = [0.0; PRICES - 1];
    let mut i = 0;
    while i < PRICES - 1 {
        borders[i] = EXACT[i] * EXACT[i + 1];
        i += 1;
    }
    borders
};

/// How a share of senders that still pay falls with the price.
struct Table {
    /// Share at an offset, 0 to 1.
    share: [f64; OFFSETS],
    /// The same with its negative natural logarithm.
    pairs: [(f64, f64); OFFSETS],
    /// Offset of the price to the scale at which price times share is largest.
    best: i32,
}

/// From a long tail to a cliff: `exp(-x^k)` for k = 0.7 and 1, and a logistic
/// fall around the scale with a width of an eighth of it.
static TABLES: [Table; CURVES] =
    [table(Curve::Stretched(0.7)), table(Curve::Stretched(1.0)), table(Curve::Logistic(8.0))];

enum Curve {
    Stretched(f64),
    Logistic(f64),
}

const fn table(curve: Curve) -> Table {
    let mut share = [0.0; OFFSETS];
    let mut pairs = [(0.0, 0.0); OFFSETS];
    let mut best = 0;
    let mut most = 0.0;
    let mut at = 0;
    while at < OFFSETS {
        let offset = PRICES as i32 - 1 - at as i32;
        let log_x = offset as f64 * ln(RATIO);
        let x = exp(log_x);
        let fall = match curve {
            Curve::Stretched(power) => exp(log_x * power),
            Curve::Logistic(steepness) => softplus((x - 1.0) * steepness),
        };
        let nats = if fall < FLOOR_NATS { fall } else { FLOOR_NATS };
        share[at] = exp(-nats);
        pairs[at] = (share[at], nats);
        if fall < FLOOR_NATS && x * share[at] > most {
            most = x * share[at];
            best = offset;
        }
        at += 1;
    }
    Table { share, pairs, best }
}

const fn softplus(z: f64) -> f64 {
    if z > 30.0 { z } else { ln(1.0 + exp(z)) }
}

/// `e` to the power of `x`, by halving the argument until a series is exact.
const fn exp(x: f64) -> f64 {
    let mut halvings = 0;
    let mut small = x;
    while small > 0.125 || small < -0.125 {
        small *= 0.5;
        halvings += 1;
    }
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while n < 14.0 {
        term *= small / n;
        sum += term;
        n += 1.0;
    }
    while halvings > 0 {
        sum *= sum;
        halvings -= 1;
    }
    sum
}

/// Natural logarithm of a number that is at least 1, by Newton's method.
const fn ln(x: f64) -> f64 {
    let mut guess = 0.0;
    let mut rounds = 0;
    while rounds < 60 {
        guess += 2.0 * (x - exp(guess)) / (x + exp(guess));
        rounds += 1;
    }
    guess
}

/// A price of the grid, ppm.
pub fn exact(index: usize) -> f64 {
    EXACT[index.min(PRICES - 1)]
}

/// A price of the grid as a rate, ppm.
pub fn price(index: usize) -> u32 {
    exact(index).round() as u32
}

/// The price of the grid nearest to a rate, in ratio.
pub fn nearest(ppm: u32) -> usize {
    let square = f64::from(ppm) * f64::from(ppm);
    BORDERS.partition_point(|border| *border < square)
}

/// The position of a rate on the grid, between prices too.
pub fn position(ppm: f64) -> f64 {
    ppm.max(1.0).ln() / RATIO.ln()
}

/// Shares of senders that pay price `index`, for `SCALES` scales from price
/// `first` on.
pub fn shares<const SCALES: usize>(curve: usize, index: usize, first: usize) -> &'static [f64] {
    let begin = first + PRICES - 1 - index;
    &TABLES[curve].share[begin..begin + SCALES]
}

/// The same with their negative natural logarithms.
pub fn pairs<const SCALES: usize>(curve: usize, index: usize, first: usize) -> &'static [(f64, f64)] {
    let begin = first + PRICES - 1 - index;
    &TABLES[curve].pairs[begin..begin + SCALES]
}

/// The price that earns most under a curve with its scale at price `scale`.
pub fn best(curve: usize, scale: usize) -> usize {
    let index = scale as i32 + TABLES[curve].best;
    index.clamp(0, PRICES as i32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(curve: usize, index: usize, scale: usize) -> f64 {
        shares::<1>(curve, index, scale)[0]
    }

    #[test]
    fn the_compiler_s_exponential_and_logarithm_are_right() {
        for x in [-9.0, -0.5, 0.0, 0.1, 1.0, 8.0, 29.0f64] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-11, "exp {x}");
        }
        for x in [1.0, 1.2, 2.0, 100.0, 1e13f64] {
            assert!((ln(x) - x.ln()).abs() < 1e-11, "ln {x}");
        }
    }

    #[test]
    fn every_rate_finds_its_nearest_price() {
        for index in 10..PRICES {
            assert_eq!(nearest(price(index)), index);
        }
        assert_eq!(nearest(0), 0);
        assert_eq!(nearest(u32::MAX), PRICES - 1);
        for ppm in 1..20_000u32 {
            let ratio = f64::from(ppm) / exact(nearest(ppm));
            assert!(ratio < 1.0955 && ratio > 1.0 / 1.0955, "{ppm}: {ratio}");
        }
    }

    #[test]
    fn curves_fall_and_their_best_price_is_best() {
        for curve in 0..CURVES {
            let scale = 30;
            for index in 1..PRICES {
                assert!(share(curve, index, scale) <= share(curve, index - 1, scale));
            }
            let worth = |index: usize| exact(index) * share(curve, index, scale);
            let top = best(curve, scale);
            assert!(worth(top) >= worth(top - 1) && worth(top) >= worth(top + 1), "{curve}");
        }
    }

    #[test]
    fn the_exponential_earns_most_at_its_scale() {
        assert_eq!(best(1, 34), 34);
        assert!((share(1, 34, 34) - (-1f64).exp()).abs() < 1e-9);
        assert!((pairs::<1>(1, 34, 34)[0].1 - 1.0).abs() < 1e-9);
    }
}
