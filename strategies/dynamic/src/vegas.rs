//! The Vegas reflex: the floor rises with a feerate spike and sinks after it.
//!
//! The reflex runs from 0 to 1. A spike lifts it at once, to the square root
//! of how far the feerate is on its way from twice to four times its daily
//! mean. Then it sinks exponentially in real time, however often cycles run.
//! The floor is `base * (1 + 2 * reflex)`, so what it adds halves with the
//! half-life: 30 minutes at the default decay of 0.85.

use revenue_strategy::state::{Reader, State, Writer};
use revenue_strategy::{Channel, FeeInput};

use crate::settings::Settings;

/// Feerate over its daily mean at which the reflex begins, and is full.
const SPIKE: f64 = 2.0;
const FULL: f64 = 4.0;

/// The reflex at the beginning of a spike.
const LEAST: f64 = 0.1;

/// A reflex below this counts as none.
const OVER: f64 = 0.01;

/// Minutes from one decay step to the next: with the default decay of 0.85 a
/// half-life is ln 0.5 / ln 0.85 = 4.265 steps, which is 30 minutes.
const STEP_MINUTES: f64 = 7.034;

/// Floor per feerate, ppm per (sat per kvB): an HTLC that must be enforced on
/// chain costs about 150 vB, once in 1000 forwards of 50,000 sat.
const CHAIN_PPM_PER_PERKB: f64 = 0.003;

/// The reflex of the node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vegas {
    /// How far it is up, 0 to 1.
    pub reflex: f64,
    /// When that was, seconds since 1970.
    pub at_s: u64,
}

impl State for Vegas {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.f64(self.reflex);
        to.u64(self.at_s);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let reflex = from.finite_f64().filter(|reflex| (0.0..=1.0).contains(reflex))?;
        Some(Self { reflex, at_s: from.u64()? })
    }
}

impl Vegas {
    /// The reflex now, from what it was.
    pub fn next(self, input: &FeeInput, settings: &Settings) -> Self {
        if !settings.vegas {
            return Self { reflex: 0.0, at_s: input.now_s };
        }
        let minutes = input.now_s.saturating_sub(self.at_s) as f64 / 60.0;
        let left = self.reflex * settings.vegas_decay.powf(minutes / STEP_MINUTES);
        let reflex = left.max(pull(input.feerate_perkb, input.feerate_mean_day_perkb));
        Self { reflex: if reflex < OVER { 0.0 } else { reflex }, at_s: input.now_s }
    }

    /// What the floor is multiplied by, 1 to 3.
    pub fn multiplier(self) -> f64 {
        1.0 + 2.0 * self.reflex
    }

    /// The raised floor for a channel, ppm; 0 when the reflex is down.
    pub fn floor_ppm(self, channel: &Channel, feerate_perkb: u32) -> u64 {
        if self.reflex <= 0.0 {
            return 0;
        }
        let chain = CHAIN_PPM_PER_PERKB * f64::from(feerate_perkb);
        let base = chain.max(f64::from(channel.min_fee_ppm));
        (base * self.multiplier()).round() as u64
    }
}

/// How far a feerate lifts the reflex.
fn pull(now_perkb: u32, mean_perkb: u32) -> f64 {
    if mean_perkb == 0 {
        return 0.0;
    }
    let ratio = f64::from(now_perkb) / f64::from(mean_perkb);
    if ratio < SPIKE {
        return 0.0;
    }
    let way = ((ratio - SPIKE) / (FULL - SPIKE)).min(1.0);
    way.sqrt().max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use revenue_strategy::testing::{ChannelBuilder, InputBuilder, NOW_S};

    fn after(vegas: Vegas, minutes: u64, now_perkb: u32) -> Vegas {
        let input = InputBuilder::new().now_s(vegas.at_s + minutes * 60).feerate(now_perkb, 10_000).build();
        vegas.next(&input, &Settings::of(&input))
    }

    fn calm() -> Vegas {
        Vegas { reflex: 0.0, at_s: NOW_S }
    }

    #[test]
    fn it_rises_with_the_spike() {
        let reflex = |perkb| after(calm(), 30, perkb).reflex;
        assert!(reflex(19_999).abs() < 1e-9);
        assert!((reflex(20_000) - LEAST).abs() < 1e-9);
        assert!((reflex(30_000) - 0.5f64.sqrt()).abs() < 1e-9);
        assert!((reflex(40_000) - 1.0).abs() < 1e-9);
        assert!((reflex(90_000) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_it_adds_halves_in_half_an_hour_however_often_cycles_run() {
        let up = after(calm(), 30, 40_000);
        let once = after(up, 30, 10_000);
        assert!((once.reflex - 0.5).abs() < 1e-3, "{}", once.reflex);
        let often = (0..30).fold(up, |vegas, _| after(vegas, 1, 10_000));
        assert!((often.reflex - once.reflex).abs() < 1e-9);
        assert!(after(up, 300, 10_000).reflex.abs() < 1e-9);
    }

    #[test]
    fn a_lasting_spike_keeps_it_up() {
        let up = (0..100).fold(calm(), |vegas, _| after(vegas, 30, 40_000));
        assert!((up.reflex - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_floor_is_the_larger_of_bound_and_chain_cost_times_the_multiplier() {
        let up = Vegas { reflex: 0.5, at_s: 0 };
        let channel = ChannelBuilder::new().bounds_ppm(10, 5000).channel();
        assert_eq!(up.floor_ppm(&channel, 40_000), 240);
        let bound = ChannelBuilder::new().bounds_ppm(300, 5000).channel();
        assert_eq!(up.floor_ppm(&bound, 40_000), 600);
        assert_eq!(calm().floor_ppm(&bound, 40_000), 0);
    }

    #[test]
    fn an_unknown_mean_is_no_spike() {
        assert!(pull(50_000, 0).abs() < 1e-9);
    }
}
