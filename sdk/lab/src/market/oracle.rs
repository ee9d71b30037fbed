//! What somebody who knows the demand would charge, and what a fee is worth.

use super::{Acceptance, Market};

/// Fees the oracle tries, ppm.
const HIGHEST_PPM: u32 = 10_000;

impl Market {
    /// Mean earnings of a channel at a constant fee that every sender knows, msat per day, with
    /// enough liquidity in every channel and before any downstream failure.
    pub fn expected_msat_per_day(&self, channel: usize, ppm: f64) -> f64 {
        self.demand_for(channel)
            .map(|(volume_msat, accept)| volume_msat * accept.share(ppm) * ppm / 1e6)
            .sum()
    }

    /// The constant fee that earns most under [`Market::expected_msat_per_day`], ppm; 0 for a
    /// channel that nobody wants.
    pub fn oracle_ppm(&self, channel: usize) -> u32 {
        let mut best = (0, 0.0);
        for ppm in 1..=HIGHEST_PPM {
            let earned = self.expected_msat_per_day(channel, f64::from(ppm));
            if earned > best.1 {
                best = (ppm, earned);
            }
        }
        best.0
    }

    /// Wanted volume (msat per day) and acceptance of each demand as they are now.
    fn demand_for(&self, channel: usize) -> impl Iterator<Item = (f64, Acceptance)> + '_ {
        let since_start = self.now_unix_s() - super::seconds(self.start_us);
        let here = self.demands.iter().filter(move |demand| demand.spec.out == channel);
        here.map(move |demand| {
            let rate = demand.shifted(since_start).map_or(1.0, |shift| shift.rate_factor);
            (demand.spec.per_day * rate * demand.spec.mean_msat(), demand.accept(since_start))
        })
    }
}
