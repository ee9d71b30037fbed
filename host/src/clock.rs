//! The only reader of wall clock and entropy.

use crate::model::{Tick, UnixTime};
use anyhow::{Context, Result, anyhow, bail};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names the simulated clock of a test network: `<unix ms>:<wall unix ms>:<rate>` means that
/// it showed the first when the wall clock showed the second, and runs `rate` times as fast.
pub const SIMULATED_CLOCK: &str = "CL_REVENUE_OPS_SIM_CLOCK";

/// Where time and randomness come from.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    simulated: Option<Simulated>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Simulated {
    base_ms: u64,
    wall_base_ms: u64,
    rate: f64,
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn parse(text: &str) -> Result<Simulated> {
    let wrong = || anyhow!("{SIMULATED_CLOCK}: '{text}' is not <unix ms>:<wall unix ms>:<rate>");
    let [base, wall, rate] = text.split(':').collect::<Vec<_>>()[..] else { bail!(wrong()) };
    let simulated = Simulated {
        base_ms: base.parse().with_context(wrong)?,
        wall_base_ms: wall.parse().with_context(wrong)?,
        rate: rate.parse().with_context(wrong)?,
    };
    if simulated.rate.is_finite() && simulated.rate > 0.0 { Ok(simulated) } else { bail!(wrong()) }
}

impl Clock {
    /// The wall clock; on regtest, the simulated one if the environment names it. Money is
    /// never at stake on regtest, so no other network can be talked into a false time.
    pub fn for_network(network: &str) -> Result<Clock> {
        let simulated = match std::env::var(SIMULATED_CLOCK) {
            Ok(text) if network == "regtest" => Some(parse(&text)?),
            Ok(_) | Err(_) => None,
        };
        Ok(Clock { simulated })
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        let wall = wall_ms();
        let ms = match self.simulated {
            None => wall,
            Some(clock) => {
                clock.base_ms + (wall.saturating_sub(clock.wall_base_ms) as f64 * clock.rate) as u64
            }
        };
        UnixTime(ms / 1000)
    }

    /// How long to sleep for `seconds` to pass on this clock.
    pub fn wall_time(&self, seconds: f64) -> Duration {
        let rate = self.simulated.map_or(1.0, |clock| clock.rate);
        Duration::try_from_secs_f64(seconds.max(0.0) / rate).unwrap_or(Duration::MAX)
    }

    /// The time and randomness for one cycle.
    pub fn tick(&self) -> Result<Tick> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
        Ok(Tick { now: self.now(), seed: u64::from_le_bytes(bytes) >> 11 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_is_three_numbers() {
        assert_eq!(
            parse("1800000000000:1700000000000:60").expect("well formed"),
            Simulated { base_ms: 1_800_000_000_000, wall_base_ms: 1_700_000_000_000, rate: 60.0 }
        );
        for bad in ["", "1:2", "1:2:3:4", "a:2:3", "1:2:0", "1:2:-1", "1:2:inf", "1:2:nan"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seeds_fit_every_guest_language() {
        let clock = Clock { simulated: None };
        for _ in 0..100 {
            assert!(clock.tick().expect("entropy").seed < 1 << 53);
        }
    }
}
