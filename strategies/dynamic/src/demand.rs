//! What the observations say of demand.
//!
//! Forwards at price `f` are taken as a Poisson stream of rate
//! `L * share(f / scale)`, with one of a few curves for `share`. A hypothesis
//! is a curve and a scale; `L` has a gamma prior and is integrated out, so the
//! weight of a hypothesis after `n_i` forwards in `t_i` hours at price `i` is
//! `prior * prod share_i^n_i / (b + sum share_i t_i)^(a + sum n_i)`.
//! Forwards come in bursts, so `n` and `t` are divided by [`DISPERSION`]:
//! the same averages, told with less conviction.

use revenue_strategy::Rng;

use crate::evidence::Evidence;
use crate::grid::{self, CURVES};

/// Variance of the count in a window, as a multiple of its mean.
const DISPERSION: f64 = 2.0;

/// Gamma prior of the rate: forwards, and the hours they would have taken.
/// Both are next to nothing, since channels differ by orders of magnitude.
const PRIOR_FORWARDS: f64 = 0.1;
const PRIOR_HOURS: f64 = 0.2;

/// Standard deviation of the prior of the scale, steps of the grid.
const PRIOR_STEPS: f64 = 7.0;

/// The scales considered: from about 9 to 31,000 ppm.
const FIRST_SCALE: usize = 12;
const SCALES: usize = 45;

/// A log-weight this far below the best is as good as nothing.
const NEGLIGIBLE_NATS: f64 = 20.0;

/// One number for each scale.
type ByScale = [f64; SCALES];

/// Hypotheses and how far each is to be believed.
pub struct Posterior {
    /// Weights by curve and scale; they add up to 1.
    weights: [ByScale; CURVES],
    /// Weights times expected forwards per hour at a price of nothing.
    rates: [ByScale; CURVES],
}

/// What was observed, thinned by the dispersion.
struct Sample {
    /// Price, hours and forwards.
    seen: Vec<(usize, f64, f64)>,
    /// All forwards, the prior's included.
    forwards: f64,
}

impl Sample {
    fn of(evidence: &Evidence) -> Self {
        let thin = |(index, hours, forwards)| (index, hours / DISPERSION, forwards / DISPERSION);
        let seen: Vec<_> = evidence.observed().map(thin).collect();
        let forwards = PRIOR_FORWARDS + seen.iter().map(|(_, _, forwards)| forwards).sum::<f64>();
        Self { seen, forwards }
    }

    /// For each scale of a curve the expected exposure, hours, and the negative
    /// log-likelihood of where the forwards came.
    fn under(&self, curve: usize) -> [(f64, f64); SCALES] {
        let mut sums = [(PRIOR_HOURS, 0.0); SCALES];
        for (index, hours, forwards) in &self.seen {
            let pairs = grid::pairs::<SCALES>(curve, *index, FIRST_SCALE);
            for ((exposure, nats), (share, fall)) in sums.iter_mut().zip(pairs) {
                *exposure += hours * share;
                *nats += forwards * fall;
            }
        }
        sums
    }
}

/// Natural logarithm of a positive number, to nine digits. It takes a tenth of
/// the instructions that the library's last bits cost.
fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut m = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let z = (m - 1.0) / (m + 1.0);
    let w = z * z;
    let series = 1.0 + w * (1.0 / 3.0 + w * (0.2 + w * (1.0 / 7.0 + w * (1.0 / 9.0 + w / 11.0))));
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * z * series
}

impl Posterior {
    /// Weighs all hypotheses. `centre` is the position on the grid around
    /// which the scale is expected before anything is observed.
    pub fn of(evidence: &Evidence, centre: f64) -> Self {
        let sample = Sample::of(evidence);
        let prior: ByScale = std::array::from_fn(|at| {
            let off = ((FIRST_SCALE + at) as f64 - centre) / PRIOR_STEPS;
            -0.5 * off * off
        });
        let mut posterior = Self { weights: [[0.0; SCALES]; CURVES], rates: [[0.0; SCALES]; CURVES] };
        for (curve, (weights, rates)) in posterior.weights.iter_mut().zip(&mut posterior.rates).enumerate() {
            let sums = sample.under(curve);
            let out = weights.iter_mut().zip(rates).zip(&prior);
            for (((weight, rate), prior), (exposure, nats)) in out.zip(&sums) {
                *weight = prior - nats - sample.forwards * ln(*exposure);
                *rate = sample.forwards / exposure;
            }
        }
        posterior.normalise();
        posterior
    }

    /// Turns logarithms into weights that add up to 1, and weighs the rates.
    fn normalise(&mut self) {
        let top = self.weights.as_flattened().iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for weight in self.weights.as_flattened_mut() {
            let nats = top - *weight;
            *weight = if nats < NEGLIGIBLE_NATS { (-nats).exp() } else { 0.0 };
            sum += *weight;
        }
        let rates = self.rates.as_flattened_mut();
        for (weight, rate) in self.weights.as_flattened_mut().iter_mut().zip(rates) {
            *weight /= sum;
            *rate *= *weight;
        }
    }

    /// The price that would earn most if one hypothesis, drawn by its weight,
    /// were true.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let mut left = rng.unit();
        let mut drawn = 0;
        for (at, weight) in self.weights.as_flattened().iter().enumerate() {
            if *weight > 0.0 {
                drawn = at;
                left -= weight;
            }
            if left <= 0.0 {
                break;
            }
        }
        grid::best(drawn / SCALES, FIRST_SCALE + drawn % SCALES)
    }

    /// Expected forwards per hour at a price.
    pub fn rate(&self, index: usize) -> f64 {
        let by_curve = self.rates.iter().enumerate().map(|(curve, rates)| {
            let shares = grid::shares::<SCALES>(curve, index, FIRST_SCALE);
            rates.iter().zip(shares).map(|(rate, share)| rate * share).sum::<f64>()
        });
        by_curve.sum()
    }

    /// The price from `low` to `high` that earns most per hour on average,
    /// going uphill from `here`.
    pub fn best(&self, here: usize, low: usize, high: usize) -> usize {
        let worth = |index: usize| self.rate(index) * grid::exact(index);
        let here = here.clamp(low, high);
        let mut top = (here, worth(here));
        for upward in [true, false] {
            let begin = top.0;
            loop {
                let next = if upward { top.0 + 1 } else { top.0.wrapping_sub(1) };
                if !(low..=high).contains(&next) || worth(next) <= top.1 {
                    break;
                }
                top = (next, worth(next));
            }
            if top.0 != begin {
                break;
            }
        }
        top.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::PRICES;

    /// Hours and forwards as an exponential demand would give them.
    fn exponential(scale_ppm: f64, per_hour: f64, tried: &[usize], hours: f64) -> Evidence {
        let mut evidence = Evidence::new(0);
        for index in tried {
            evidence.hours[*index] = hours;
            evidence.forwards[*index] = hours * per_hour * (-grid::exact(*index) / scale_ppm).exp();
        }
        evidence
    }

    #[test]
    fn the_short_logarithm_has_nine_digits() {
        for x in [1e-9, 0.2, 0.99, 1.0, 1.41, 1.42, 2.0, 77.7, 1e12f64] {
            assert!((ln(x) - x.ln()).abs() < 1e-8, "{x}: {} {}", ln(x), x.ln());
        }
    }

    #[test]
    fn plenty_of_evidence_finds_the_price_that_earns_most() {
        for scale_ppm in [60.0, 200.0, 500.0, 2000.0] {
            let at = grid::position(scale_ppm).round() as usize;
            let evidence = exponential(scale_ppm, 10.0, &[at - 5, at - 2, at, at + 3], 500.0);
            let posterior = Posterior::of(&evidence, grid::position(250.0));
            let best = posterior.best(30, 0, PRICES - 1);
            assert!(best.abs_diff(at) <= 2, "{scale_ppm}: {} ppm", grid::price(best));
            let expected = 10.0 * (-grid::exact(at) / scale_ppm).exp();
            let ratio = posterior.rate(at) / expected;
            assert!((0.9..1.1).contains(&ratio), "{scale_ppm}: {ratio}");
        }
    }

    #[test]
    fn without_evidence_the_prior_decides() {
        let best = |ppm| Posterior::of(&Evidence::new(0), grid::position(ppm)).best(30, 0, PRICES - 1);
        assert!(best(1000.0) > best(100.0) + 8);
    }

    #[test]
    fn draws_spread_by_the_evidence() {
        let spread = |evidence: &Evidence| {
            let posterior = Posterior::of(evidence, grid::position(250.0));
            let mut rng = Rng::new(5, 5);
            let drawn: Vec<usize> = (0..300).map(|_| posterior.draw(&mut rng)).collect();
            let mean = drawn.iter().sum::<usize>() as f64 / 300.0;
            drawn.iter().map(|index| (*index as f64 - mean).powi(2)).sum::<f64>() / 300.0
        };
        let told = exponential(500.0, 10.0, &[25, 30, 34, 38], 1000.0);
        assert!(spread(&told) < 3.0);
        assert!(spread(&Evidence::new(0)) > 20.0);
    }

    #[test]
    fn silence_at_a_price_speaks_for_lower_ones() {
        let mut evidence = exponential(500.0, 1.0, &[25], 48.0);
        let before = Posterior::of(&evidence, grid::position(250.0)).best(30, 0, PRICES - 1);
        evidence.hours[before] += 200.0;
        let after = Posterior::of(&evidence, grid::position(250.0)).best(30, 0, PRICES - 1);
        assert!(after < before, "{after} {before}");
    }
}
