//! What the demo is asked for.

use anyhow::{Result, ensure};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Seconds between two fee cycles of the demo's plugin, simulated: the plugin's default.
const FEE_INTERVAL_S: f64 = 1_800.0;

const DAYS: RangeInclusive<f64> = 0.1..=90.0;

/// Simulated seconds per second: faster, and the plugin could not keep up.
const RATE: RangeInclusive<f64> = 1.0..=20_000.0;

/// Longest and shortest time between two looks.
const GLANCE_S: (f64, f64) = (0.08, 0.2);

/// What to play.
#[derive(clap::Args)]
pub struct Options {
    /// Simulated days of traffic.
    #[arg(long, default_value_t = 4.0)]
    pub days: f64,
    /// Seconds of your time that they take.
    #[arg(long, default_value_t = 60.0)]
    pub seconds: f64,
    /// Where all chance comes from: the same seed brings the same senders.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keep node and plugin up after the run, with traffic, until Ctrl-C, and print the socket.
    #[arg(long)]
    pub serve: bool,
    /// lightningd's directory for the simulated node; it stays. Without it, a temporary one.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// How fast time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Simulated days of traffic.
    pub days: f64,
    /// Simulated seconds per second.
    pub rate: f64,
}

impl Options {
    /// The pace asked for, or why it cannot be.
    pub fn pace(&self) -> Result<Pace> {
        let Options { days, seconds, .. } = *self;
        ensure!(DAYS.contains(&days), "--days {days}: use {} to {}", DAYS.start(), DAYS.end());
        let rate = days * 86_400.0 / seconds;
        ensure!(
            RATE.contains(&rate),
            "--days {days} --seconds {seconds}: use {:.1} to {:.0} seconds for that many days",
            days * 86_400.0 / RATE.end(),
            days * 86_400.0 / RATE.start()
        );
        Ok(Pace { days, rate })
    }
}

impl Pace {
    /// Time between two looks, short enough to see every fee cycle.
    pub fn glance(&self) -> Duration {
        Duration::from_secs_f64((FEE_INTERVAL_S / self.rate / 2.0).clamp(GLANCE_S.0, GLANCE_S.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(days: f64, seconds: f64) -> Result<Pace> {
        Options { days, seconds, seed: 1, serve: false, dir: None }.pace()
    }

    #[test]
    fn a_pace_is_possible_or_explained() {
        assert_eq!(pace(4.0, 60.0).expect("the default"), Pace { days: 4.0, rate: 5_760.0 });
        for (days, seconds, says) in [
            (4.0, 1.0, "use 17.3 to 345600 seconds"),
            (0.0, 60.0, "--days 0"),
            (f64::NAN, 60.0, "--days NaN"),
            (1.0, 0.0, "--seconds 0"),
            (1.0, -5.0, "--seconds -5"),
            (1.0, f64::NAN, "--seconds NaN"),
        ] {
            let error = pace(days, seconds).expect_err("impossible").to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn looks_are_closer_together_than_fee_cycles() {
        for (days, seconds) in [(4.0, 60.0), (1.0, 8.0), (1.0, 3600.0)] {
            let pace = pace(days, seconds).expect("possible");
            assert!(pace.glance().as_secs_f64() < FEE_INTERVAL_S / pace.rate);
        }
    }
}
