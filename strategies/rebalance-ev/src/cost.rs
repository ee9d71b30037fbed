//! What a route costs: a log-logistic distribution, learned from own attempts.

use crate::settings::Settings;
use revenue_strategy::rebalance::Row;

/// Attempts that the assumption weighs as much as.
const PRIOR_WEIGHT: f64 = 2.0;
/// Scale of the logarithm where all is assumed, and where all is known.
const SPREAD_ASSUMED: f64 = 0.6;
const SPREAD_KNOWN: f64 = 0.25;
/// Time after which an attempt counts half, seconds.
const HALF_LIFE_S: f64 = 14.0 * 86_400.0;
/// Rounds in which the failures' likely rates are worked out.
const ROUNDS: u32 = 6;
/// Steps down from the highest rate, and the factor of one.
const STEPS: usize = 24;
const STEP: f64 = 0.8;
/// Steps at which a lower rate is offered.
const OFFERED: [usize; 8] = [0, 1, 2, 3, 5, 7, 9, 12];

/// An attempt as evidence.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// Logarithm of one payment's amount.
    ln_payment: f64,
    /// Weight by age, and the share of it that arrived.
    weight: f64,
    arrived: f64,
    ln_paid: f64,
    ln_limit: f64,
}

/// What is known of routes to one channel.
#[derive(Debug, Clone)]
pub struct Routes {
    evidence: Vec<Evidence>,
    /// The peer's own rate and base fee for the last hop, where known.
    last_hop: Option<(f64, f64)>,
}

/// A distribution of the rate at which a job first finds a route.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Logarithm of the median, ppm.
    ln_median: f64,
    /// Scale of the logarithm.
    spread: f64,
    /// Weight of the attempts behind it.
    pub attempts: f64,
}

/// A rate to offer, and what to expect of it.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Highest rate to pay, ppm.
    pub ppm: f64,
    pub success: f64,
    /// Chance of success times what a success leaves, ppm of the amount.
    pub expected: f64,
}

impl Routes {
    /// Reads the attempts towards the peer.
    pub fn of(row: &Row<'_>, now_s: u64, settings: &Settings) -> Routes {
        let evidence = row.attempts.iter().map(|attempt| {
            let age = now_s.saturating_sub(attempt.ended_s) as f64;
            let amount = (attempt.amount_msat as f64).max(1.0);
            let arrived = (attempt.moved_msat as f64 / amount).min(1.0);
            let paid = attempt.fee_msat as f64 / (attempt.moved_msat as f64).max(1.0) * 1e6;
            let limit = f64::from(attempt.max_ppm);
            Evidence {
                ln_payment: amount.min(settings.chunk).ln(),
                weight: (-age / HALF_LIFE_S).exp2(),
                arrived,
                ln_paid: if arrived > 0.0 { paid.max(1.0).ln() } else { 0.0 },
                ln_limit: if arrived < 1.0 { limit.max(1.0).ln() } else { 0.0 },
            }
        });
        let base = row.peer_base_fee_msat.map_or(0.0, f64::from);
        Routes { evidence: evidence.collect(), last_hop: row.peer_fee_ppm.map(|ppm| (f64::from(ppm), base)) }
    }

    /// The distribution for payments of `payment` msat.
    pub fn cost(&self, payment: f64, settings: &Settings) -> Cost {
        let assumed = match self.last_hop {
            Some((ppm, base)) => ppm + base / payment * 1e6 + settings.route_ppm,
            None => 2.0 * settings.route_ppm,
        };
        let (prior, ln_payment) = (assumed.max(1.0).ln(), payment.ln());
        let (mut paid, mut paid_weight, mut limit, mut limit_weight) = (0.0, 0.0, 0.0, 0.0);
        for seen in &self.evidence {
            // Attempts with payments of twice or half the amount count half.
            let doublings = (ln_payment - seen.ln_payment) / std::f64::consts::LN_2;
            let weight = seen.weight / (1.0 + doublings * doublings);
            paid += weight * seen.arrived * seen.ln_paid;
            paid_weight += weight * seen.arrived;
            limit += weight * (1.0 - seen.arrived) * seen.ln_limit;
            limit_weight += weight * (1.0 - seen.arrived);
        }
        let attempts = paid_weight + limit_weight;
        let known = attempts / (attempts + PRIOR_WEIGHT);
        let spread = SPREAD_ASSUMED + (SPREAD_KNOWN - SPREAD_ASSUMED) * known;
        let (limit, rounds) = if limit_weight > 0.0 { (limit / limit_weight, ROUNDS) } else { (0.0, 0) };
        let mut ln_median = (PRIOR_WEIGHT * prior + paid) / (PRIOR_WEIGHT + paid_weight);
        // A failure says that the rate lies above the limit: it counts as one at the mean of what does.
        for _ in 0..rounds {
            let above = limit + excess(limit - ln_median, spread);
            ln_median = (PRIOR_WEIGHT * prior + paid + limit_weight * above) / (PRIOR_WEIGHT + attempts);
        }
        Cost { ln_median, spread, attempts }
    }
}

/// Mean excess over a limit that lies `above` over the centre of a logistic
/// distribution: s ln(1 + e^-z) (1 + e^z) with z = above / s.
fn excess(above: f64, spread: f64) -> f64 {
    let z = (above / spread).clamp(-500.0, 500.0);
    if z > 30.0 {
        return spread; // the limit of the formula, where its factors no longer fit
    }
    let odds = z.exp();
    spread * (1.0 / odds).ln_1p() * (1.0 + odds)
}

impl Cost {
    /// Rate at which every other job finds a route, ppm.
    pub fn median(&self) -> f64 {
        self.ln_median.exp()
    }

    /// Offers for an amount that is worth `worth` ppm where it arrives, of up to
    /// `most` ppm, the highest first. With F the chance that a job finds a route
    /// at a rate, an offer of m is expected to leave the integral of
    /// (worth - x) dF(x) from 0 to m, which is (worth - m) F(m) plus that of F.
    pub fn offers(&self, worth: f64, most: f64) -> Vec<Offer> {
        let top = worth.min(most);
        if top.is_nan() || top < 1.0 {
            return Vec::new();
        }
        let (mut odds_against, step) =
            (((self.ln_median - top.ln()) / self.spread).exp(), (-STEP.ln() / self.spread).exp());
        let chances: [f64; STEPS] = std::array::from_fn(|_| {
            let chance = 1.0 / (1.0 + odds_against);
            odds_against *= step;
            chance
        });
        // From below: beneath the lowest step F falls as a power of the rate.
        let lowest = top * STEP.powi(STEPS as i32 - 1);
        let mut integral = [lowest * chances[STEPS - 1] / (1.0 + 1.0 / self.spread); STEPS];
        let mut rate = lowest;
        for at in (0..STEPS - 1).rev() {
            let higher = rate / STEP;
            integral[at] = integral[at + 1] + (higher - rate) * (chances[at] + chances[at + 1]) / 2.0;
            rate = higher;
        }
        let offer = |at: usize| {
            let ppm = top * STEP.powi(at as i32);
            let expected = (worth - ppm) * chances[at] + integral[at];
            Offer { ppm, success: chances[at], expected }
        };
        OFFERED.into_iter().map(offer).filter(|offer| offer.ppm >= 1.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use revenue_strategy::rebalance::testing::{ChannelBuilder, InputBuilder, NOW_S, attempt};

    /// What attempts of (days ago, sat, fee in sat or 0 for a failure, limit in ppm) teach.
    fn learned(attempts: &[(u64, u64, u64, u32)]) -> Cost {
        let row = attempts.iter().fold(ChannelBuilder::new(), |row, &(days, amount, fee, limit)| {
            row.attempt(attempt(days, amount, fee, limit))
        });
        let input = InputBuilder::new().channel(row).build();
        let settings = Settings::of(&input);
        let row = input.rows().next().expect("one channel");
        Routes::of(&row, NOW_S, &settings).cost(settings.chunk, &settings)
    }

    fn cost(median: f64, spread: f64) -> Cost {
        Cost { ln_median: median.ln(), spread, attempts: 0.0 }
    }

    fn chance(cost: &Cost, rate: f64) -> f64 {
        1.0 / (1.0 + (cost.median() / rate).powf(1.0 / cost.spread))
    }

    /// The integral of (worth - x) dF(x) from 0 to `most`, in many small steps.
    fn expected(cost: &Cost, worth: f64, most: f64) -> f64 {
        const PARTS: u32 = 20_000;
        let rate = |part: u32| most * f64::from(part) / f64::from(PARTS);
        (0..PARTS)
            .map(|part| {
                let (low, high) = (rate(part), rate(part + 1));
                (worth - (low + high) / 2.0) * (chance(cost, high) - chance(cost, low))
            })
            .sum()
    }

    #[test]
    fn offers_are_expected_to_leave_what_the_integral_says() {
        for (median, spread, worth, most) in [
            (600.0, 0.6, 1_500.0, 5_000.0),
            (600.0, 0.25, 1_500.0, 900.0),
            (100.0, 0.4, 2_000.0, 2_000.0),
            (1_500.0, 0.6, 700.0, 5_000.0),
        ] {
            let cost = cost(median, spread);
            for offer in cost.offers(worth, most) {
                assert!((offer.success - chance(&cost, offer.ppm)).abs() < 1e-9);
                let exact = expected(&cost, worth, offer.ppm);
                assert!(
                    (offer.expected - exact).abs() < 0.01 * worth * offer.success,
                    "{offer:?} of {cost:?}: {exact}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_offered_for_what_is_worth_nothing() {
        let cost = cost(100.0, 0.5);
        for (worth, most) in
            [(0.0, 5_000.0), (-3.0, 5_000.0), (0.9, 5_000.0), (500.0, 0.0), (f64::NAN, f64::NAN)]
        {
            assert!(cost.offers(worth, most).is_empty(), "{worth} {most}");
        }
    }

    #[test]
    fn the_mean_excess_is_that_of_a_logistic_distribution() {
        // Over a limit far below the centre, the whole distance; far above, one scale.
        assert!((excess(-50.0, 0.5) - 50.0).abs() < 1e-9);
        assert!((excess(50.0, 0.5) - 0.5).abs() < 1e-9);
        assert!((excess(0.0, 0.5) - 0.5 * 2.0 * 2_f64.ln()).abs() < 1e-12);
        assert!((excess(15.0, 0.5) - excess(15.1, 0.5)).abs() < 1e-9, "no step where the formula ends");
    }

    #[test]
    fn failures_at_low_rates_teach_little_and_old_attempts_less() {
        let assumed = learned(&[]);
        assert!((assumed.median() - 600.0).abs() < 1e-6 && assumed.attempts.abs() < f64::EPSILON);
        let low = learned(&[(0, 500_000, 0, 10); 8]);
        assert!(low.median() < 610.0, "nobody expected a route for 10 ppm: {}", low.median());
        let high = learned(&[(0, 500_000, 0, 2_000); 8]);
        assert!(high.median() > 2_000.0, "{}", high.median());
        let (new, old) = (learned(&[(0, 500_000, 50, 2_000)]), learned(&[(28, 500_000, 50, 2_000)]));
        assert!(new.median() < old.median() && old.median() < assumed.median());
        assert!((new.attempts - 1.0).abs() < 1e-9 && (old.attempts - 0.25).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn dearer_attempts_and_higher_limits_that_failed_never_make_routes_cheaper(
            attempts in prop::collection::vec((0_u64..30, 50_000_u64..2_000_000, 0_u64..2_000, 1_u32..5_000), 1..6),
            at in any::<prop::sample::Index>(), more in 0_u32..2_000,
        ) {
            let mut dearer = attempts.clone();
            let changed = at.get_mut::<(u64, u64, u64, u32)>(&mut dearer);
            if changed.2 == 0 {
                changed.3 += more;
            } else {
                changed.2 += u64::from(more);
            }
            prop_assert!(learned(&dearer).median() >= learned(&attempts).median() * (1.0 - 1e-9));
        }

        #[test]
        fn dearer_routes_leave_less_and_more_worth_leaves_more(
            median in 1.0..5_000.0_f64, dearer in 1.0..3.0_f64, spread in 0.25..0.6_f64,
            worth in 1.0..5_000.0_f64, more in 0.0..500.0_f64, most in 1.0..5_000.0_f64,
        ) {
            let best = |median: f64, worth: f64| cost(median, spread).offers(worth, most)[0];
            let now = best(median, worth);
            prop_assert!(best(median * dearer, worth).expected <= now.expected + 1e-9);
            prop_assert!(best(median, worth + more).expected >= now.expected - 1e-9);
            prop_assert!(now.expected >= 0.0 && now.expected <= worth * now.success + 1e-9);
            for lower in cost(median, spread).offers(worth, most) {
                prop_assert!(lower.expected <= now.expected + 1e-9, "up to its worth, more is better");
            }
        }
    }
}
