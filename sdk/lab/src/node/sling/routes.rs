//! What the network asks for a circular payment, and how long it takes.

use std::collections::{BTreeMap, VecDeque};

use crate::rng::Rng;

/// What the hops between leaving by one channel and coming back by another ask in all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RouteCost {
    /// No way from one to the other.
    None,
    /// This much, the last hop included.
    Fixed {
        /// Independent of the amount, msat.
        base_msat: u64,
        /// Proportional to the amount, ppm, rounded up.
        ppm: u32,
    },
    /// The last hop at the peer's own fee, and before it a fee drawn once per pair of channels,
    /// lognormally.
    Drawn {
        /// Median of the proportional fee, ppm.
        median_ppm: f64,
        /// Standard deviation of its logarithm.
        sigma: f64,
    },
}

/// What becomes of one payment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// The money arrives after the usual time, or sooner if `after_s` is less; the payment
    /// completes `after_s` seconds after it was sent, even if sling no longer waits for it.
    Settle {
        /// Seconds.
        after_s: f64,
    },
    /// A hop on the way refuses, and we hear of it `after_s` seconds after it was sent.
    Fail {
        /// Seconds.
        after_s: f64,
    },
    /// The last peer sends the money over another of its channels to us after `after_s` seconds:
    /// version 4 refuses it and leaves the peer alone for an hour.
    Astray {
        /// Seconds.
        after_s: f64,
    },
    /// Nothing is heard of it until `NodeState::end_sling_payment`.
    Hang,
}

/// The network as sling meets it. A failure teaches sling nothing about a route.
#[derive(Debug, Clone)]
pub struct Routes {
    /// The cost between channels that are not in `pairs`.
    pub cost: RouteCost,
    /// The cost from one channel to another, both by index.
    pub pairs: BTreeMap<(usize, usize), RouteCost>,
    /// Seconds that a payment takes.
    pub attempt_s: f64,
    /// Share of payments that fail on the way.
    pub failure_rate: f64,
    /// Hops that sling counts in its statistics.
    pub hops: u8,
    /// What becomes of the next payments, in order, whatever `failure_rate` says.
    pub fates: VecDeque<Fate>,
    seed: u64,
}

impl Routes {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            cost: RouteCost::Drawn { median_ppm: 150.0, sigma: 0.5 },
            pairs: BTreeMap::new(),
            attempt_s: 3.0,
            failure_rate: 0.0,
            hops: 3,
            fates: VecDeque::new(),
            seed,
        }
    }

    /// The fee of `amount_msat` from channel to channel, msat, given that of the last hop. None if
    /// there is no way.
    pub(super) fn fee_msat(
        &self,
        from: usize,
        to: usize,
        amount_msat: u64,
        last_hop_msat: u64,
    ) -> Option<u64> {
        match self.pairs.get(&(from, to)).copied().unwrap_or(self.cost) {
            RouteCost::None => None,
            RouteCost::Fixed { base_msat, ppm } => Some(base_msat + share(amount_msat, ppm)),
            RouteCost::Drawn { median_ppm, sigma } => {
                let pair = (from as u64) << 32 | to as u64;
                let normal = Rng::stream(self.seed, pair).normal();
                let ppm = (median_ppm * (sigma * normal).exp()) as u32;
                Some(last_hop_msat + share(amount_msat + last_hop_msat, ppm))
            }
        }
    }

    pub(super) fn next_fate(&mut self, rng: &mut Rng) -> Fate {
        let fails = rng.uniform() < self.failure_rate;
        let usual = match fails {
            true => Fate::Fail { after_s: self.attempt_s },
            false => Fate::Settle { after_s: self.attempt_s },
        };
        self.fates.pop_front().unwrap_or(usual)
    }
}

/// A proportional fee, rounded up, msat.
fn share(amount_msat: u64, ppm: u32) -> u64 {
    (u128::from(amount_msat) * u128::from(ppm)).div_ceil(1_000_000) as u64
}

/// A fee as sling compares it with `maxppm`: ppm of the amount, rounded up.
pub(super) fn effective_ppm(fee_msat: u64, amount_msat: u64) -> u32 {
    (fee_msat as f64 / amount_msat as f64 * 1e6).ceil() as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pair_has_one_price_and_a_table_overrides_it() {
        let mut routes = Routes::new(9);
        let fee = routes.fee_msat(1, 2, 50_000_000, 1000).unwrap();
        assert_eq!(routes.fee_msat(1, 2, 50_000_000, 1000), Some(fee));
        assert_ne!(routes.fee_msat(2, 1, 50_000_000, 1000), Some(fee));
        routes.pairs.insert((1, 2), RouteCost::Fixed { base_msat: 15, ppm: 1200 });
        assert_eq!(routes.fee_msat(1, 2, 50_000_000, 1000), Some(60_015));
        assert_eq!(effective_ppm(60_015, 50_000_000), 1201);
        routes.pairs.insert((1, 2), RouteCost::None);
        assert_eq!(routes.fee_msat(1, 2, 50_000_000, 1000), None);
    }

    #[test]
    fn drawn_prices_lie_around_their_median() {
        let mut routes = Routes::new(3);
        routes.cost = RouteCost::Drawn { median_ppm: 100.0, sigma: 1.0 };
        let cheap = (0..1000).filter(|&to| routes.fee_msat(0, to, 1_000_000_000, 0).unwrap() < 100_000);
        let cheap = cheap.count();
        assert!((420..580).contains(&cheap), "{cheap} of 1000 below the median");
    }
}
