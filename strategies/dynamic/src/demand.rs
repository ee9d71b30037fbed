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
use crate::grid::{self, CURVES, PRICES};

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

/// Number of hypotheses.
const HYPOTHESES: usize = CURVES * SCALES;

/// Hypotheses and how far each is to be believed.
pub struct Posterior {
    /// Weights; they add up to 1.
    weights: [f64; HYPOTHESES],
    /// Expected forwards per hour at a price of nothing.
    rates: [f64; HYPOTHESES],
}

fn hypotheses() -> impl Iterator<Item = (usize, usize)> {
    (0..CURVES).flat_map(|curve| (0..SCALES).map(move |at| (curve, FIRST_SCALE + at)))
}

impl Posterior {
    /// Weighs all hypotheses. `centre` is the position on the grid around
    /// which the scale is expected before anything is observed.
    pub fn of(evidence: &Evidence, centre: f64) -> Self {
        let mut seen = [(0usize, 0.0f64, 0.0f64); PRICES];
        let mut count = 0;
        let mut total = PRIOR_FORWARDS;
        for (index, hours, forwards) in evidence.observed() {
            seen[count] = (index, hours / DISPERSION, forwards / DISPERSION);
            total += forwards / DISPERSION;
            count += 1;
        }
        let mut posterior = Self { weights: [0.0; HYPOTHESES], rates: [0.0; HYPOTHESES] };
        for (at, (curve, scale)) in hypotheses().enumerate() {
            let mut exposure = PRIOR_HOURS;
            let mut nats = 0.0;
            for (index, hours, forwards) in &seen[..count] {
                exposure += hours * grid::share(curve, *index, scale);
                nats += forwards * grid::nats(curve, *index, scale);
            }
            let off = (scale as f64 - centre) / PRIOR_STEPS;
            posterior.weights[at] = -nats - total * exposure.ln() - 0.5 * off * off;
            posterior.rates[at] = total / exposure;
        }
        posterior.normalise();
        posterior
    }

    /// Turns logarithms into weights that add up to 1.
    fn normalise(&mut self) {
        let top = self.weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.weights.iter_mut().for_each(|weight| *weight = (*weight - top).exp());
        let sum: f64 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
    }

    /// The price that would earn most if one hypothesis, drawn by its weight,
    /// were true.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let mut left = rng.unit();
        let mut drawn = grid::best(0, FIRST_SCALE);
        for ((curve, scale), weight) in hypotheses().zip(&self.weights) {
            drawn = grid::best(curve, scale);
            left -= weight;
            if left <= 0.0 {
                break;
            }
        }
        drawn
    }

    /// Expected forwards per hour at a price.
    pub fn rate(&self, index: usize) -> f64 {
        hypotheses()
            .zip(self.weights.iter().zip(&self.rates))
            .map(|((curve, scale), (weight, rate))| weight * rate * grid::share(curve, index, scale))
            .sum()
    }

    /// The price from `low` to `high` that earns most per hour on average.
    pub fn best(&self, low: usize, high: usize) -> usize {
        let mut best = (low, f64::NEG_INFINITY);
        for index in low..=high.min(PRICES - 1) {
            let worth = self.rate(index) * grid::exact(index);
            if worth > best.1 {
                best = (index, worth);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn plenty_of_evidence_finds_the_price_that_earns_most() {
        for scale_ppm in [60.0, 200.0, 500.0, 2000.0] {
            let at = grid::position(scale_ppm).round() as usize;
            let evidence = exponential(scale_ppm, 10.0, &[at - 5, at - 2, at, at + 3], 500.0);
            let posterior = Posterior::of(&evidence, grid::position(250.0));
            let best = posterior.best(0, PRICES - 1);
            assert!(best.abs_diff(at) <= 2, "{scale_ppm}: {} ppm", grid::price(best));
            let expected = 10.0 * (-grid::exact(at) / scale_ppm).exp();
            let ratio = posterior.rate(at) / expected;
            assert!((0.9..1.1).contains(&ratio), "{scale_ppm}: {ratio}");
        }
    }

    #[test]
    fn without_evidence_the_prior_decides() {
        let best = |ppm| Posterior::of(&Evidence::new(0), grid::position(ppm)).best(0, PRICES - 1);
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
        let before = Posterior::of(&evidence, grid::position(250.0)).best(0, PRICES - 1);
        evidence.hours[before] += 200.0;
        let after = Posterior::of(&evidence, grid::position(250.0)).best(0, PRICES - 1);
        assert!(after < before, "{after} {before}");
    }
}
