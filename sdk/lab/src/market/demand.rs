//! One demand at work: how often its senders come, and what each of them is like.

use super::{Acceptance, Burst, DemandSpec, Shift};
use crate::rng::Rng;

#[derive(Debug, Clone)]
pub(super) struct Demand {
    pub spec: DemandSpec,
    pub rng: Rng,
    /// Sums of the input weights up to each input, ending at 1.
    cumulative: Vec<f64>,
}

/// The random numbers of one arrival, drawn whether or not they are used.
pub(super) struct Sender {
    pub input: usize,
    pub msat: u64,
    pub accepts: f64,
    pub gossip: f64,
    pub fails: f64,
    pub hold: f64,
    pub avoids: f64,
    pub avoid_for: f64,
}

impl Demand {
    pub fn new(spec: DemandSpec, seed: u64, stream: u64) -> Self {
        let total: f64 = spec.inputs.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let cumulative = spec.inputs.iter().map(|(_, weight)| {
            sum += weight / total;
            sum
        });
        Self { cumulative: cumulative.collect(), rng: Rng::stream(seed, stream), spec }
    }

    pub fn peak_per_day(&self, diurnal: f64) -> f64 {
        let burst = self.spec.burst.map_or(1.0, |burst| burst.factor.max(1.0));
        let shift = self.spec.shift.map_or(1.0, |shift| shift.rate_factor.max(1.0));
        self.spec.per_day * (1.0 + diurnal) * burst * shift
    }

    pub fn per_day(&self, diurnal: f64, unix_s: f64, since_start_s: f64) -> f64 {
        let swing = 1.0 + diurnal * (std::f64::consts::TAU * unix_s / 86_400.0).sin();
        let burst = self.rush(since_start_s).map_or(1.0, |burst| burst.factor.max(1.0));
        let shift = self.shifted(since_start_s).map_or(1.0, |shift| shift.rate_factor);
        self.spec.per_day * swing * burst * shift
    }

    pub fn accept(&self, since_start_s: f64) -> Acceptance {
        let factor = self.shifted(since_start_s).map_or(1.0, |shift| shift.price_factor);
        self.spec.accept.scaled(factor)
    }

    fn rush(&self, since_start_s: f64) -> Option<Burst> {
        self.spec.burst.filter(|burst| since_start_s.rem_euclid(burst.every_s) < burst.lasts_s)
    }

    pub fn shifted(&self, since_start_s: f64) -> Option<Shift> {
        self.spec.shift.filter(|shift| since_start_s >= shift.at_s)
    }

    pub fn draw(&mut self, since_start_s: f64) -> Sender {
        let hold_s = self.rush(since_start_s).map_or(self.spec.hold_s, |burst| burst.hold_s);
        let rng = &mut self.rng;
        let pick = rng.uniform();
        let input = self.cumulative.partition_point(|&sum| sum <= pick).min(self.cumulative.len() - 1);
        let sat = self.spec.median_sat * (self.spec.sigma * rng.normal()).exp();
        Sender {
            input: self.spec.inputs[input].0,
            msat: (sat * 1000.0).clamp(1000.0, 1e14) as u64,
            accepts: rng.uniform(),
            gossip: rng.uniform(),
            fails: rng.uniform(),
            hold: rng.exponential() * hold_s,
            avoids: rng.uniform(),
            avoid_for: rng.uniform(),
        }
    }
}
