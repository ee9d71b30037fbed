//! The only reader of wall clock and entropy.

mod watch;

pub use watch::Watch;

use crate::model::{Tick, UnixTime};
use anyhow::{Context, Result, anyhow, bail};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use watch::Look;

/// Names the simulated clock of a test network: `<unix ms>:<wall unix ms>:<rate>` means that
/// it showed the first when the wall clock showed the second, and runs `rate` times as fast.
/// `:<wall ms>:<ms>` behind it means that it jumps by the second, back if that is negative, when the
/// first has passed since the plugin's start.
pub const SIMULATED_CLOCK: &str = "CL_REVENUE_OPS_SIM_CLOCK";

/// Where time and randomness come from.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    simulated: Option<Simulated>,
    /// What it showed when the plugin started.
    start: Look,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Simulated {
    base_ms: u64,
    wall_base_ms: u64,
    rate: f64,
    jump: Option<SimulatedJump>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct SimulatedJump {
    /// On the wall clock.
    at_ms: u64,
    by_ms: i64,
}

impl Simulated {
    fn at(self, wall_ms: u64) -> u64 {
        let passed_ms = wall_ms.saturating_sub(self.wall_base_ms) as f64 * self.rate;
        let jumped = self.jump.filter(|jump| wall_ms >= jump.at_ms).map_or(0, |jump| jump.by_ms);
        (self.base_ms + passed_ms as u64).saturating_add_signed(jumped)
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn parse(text: &str, wall_ms: u64) -> Result<Simulated> {
    let wrong = || {
        anyhow!("{SIMULATED_CLOCK}: '{text}' is not <unix ms>:<wall unix ms>:<rate>, with or without a jump")
    };
    let (base, wall, rate, jump) = match text.split(':').collect::<Vec<_>>()[..] {
        [base, wall, rate] => (base, wall, rate, None),
        [base, wall, rate, after, by] => (base, wall, rate, Some((after, by))),
        _ => bail!(wrong()),
    };
    let jump = match jump {
        None => None,
        Some((after, by)) => Some(SimulatedJump {
            at_ms: wall_ms.saturating_add(after.parse().with_context(wrong)?),
            by_ms: by.parse().with_context(wrong)?,
        }),
    };
    let simulated = Simulated {
        base_ms: base.parse().with_context(wrong)?,
        wall_base_ms: wall.parse().with_context(wrong)?,
        rate: rate.parse().with_context(wrong)?,
        jump,
    };
    if simulated.rate.is_finite() && simulated.rate > 0.0 { Ok(simulated) } else { bail!(wrong()) }
}

fn now(simulated: Option<Simulated>) -> UnixTime {
    let wall_ms = wall_ms();
    UnixTime(simulated.map_or(wall_ms, |clock| clock.at(wall_ms)) / 1000)
}

impl Clock {
    /// The wall clock; on regtest, the simulated one if the environment names it. Money is
    /// never at stake on regtest, so no other network can be talked into a false time.
    pub fn for_network(network: &str) -> Result<Clock> {
        let simulated = match std::env::var(SIMULATED_CLOCK) {
            Ok(text) if network == "regtest" => Some(parse(&text, wall_ms())?),
            Ok(_) | Err(_) => None,
        };
        let start = Look::new(|| now(simulated));
        Ok(Clock { simulated, start })
    }

    /// The wall clock until `after` from now, and set back by so many seconds from then on.
    #[cfg(test)]
    pub fn set_back(after: Duration, by_s: u64) -> Clock {
        let wall_ms = wall_ms();
        let by_ms = i64::try_from(by_s * 1000).expect("a test's own number");
        let jump = SimulatedJump { at_ms: wall_ms + after.as_millis() as u64, by_ms: -by_ms };
        let simulated =
            Some(Simulated { base_ms: wall_ms, wall_base_ms: wall_ms, rate: 1.0, jump: Some(jump) });
        Clock { simulated, start: Look::new(|| now(simulated)) }
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        now(self.simulated)
    }

    /// How long to sleep for `seconds` to pass on this clock.
    pub fn wall_time(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds.max(0.0) / self.rate()).unwrap_or(Duration::MAX)
    }

    /// Seconds on this clock per second.
    fn rate(&self) -> f64 {
        self.simulated.map_or(1.0, |clock| clock.rate)
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

    const SIMULATED: Simulated =
        Simulated { base_ms: 1_800_000_000_000, wall_base_ms: 1_700_000_000_000, rate: 60.0, jump: None };

    #[test]
    fn a_simulated_clock_is_three_numbers_and_two_more_if_it_jumps() {
        let plain = "1800000000000:1700000000000:60";
        assert_eq!(parse(plain, 7).expect("well formed"), SIMULATED);
        let jump = Some(SimulatedJump { at_ms: 1_507, by_ms: -9 });
        let jumping = parse(&format!("{plain}:1500:-9"), 7).expect("well formed");
        assert_eq!(jumping, Simulated { jump, ..SIMULATED });
        for bad in [
            "",
            "1:2",
            "1:2:3:4",
            "1:2:3:-4:5",
            "1:2:3:4:x",
            "a:2:3",
            "1:2:0",
            "1:2:-1",
            "1:2:inf",
            "1:2:nan",
        ] {
            assert!(parse(bad, 7).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_jumps_once() {
        let jump = Some(SimulatedJump { at_ms: SIMULATED.wall_base_ms + 10, by_ms: -500 });
        let clock = Simulated { jump, ..SIMULATED };
        for (passed_ms, shown) in [(0, 0), (9, 540), (10, 100), (20, 700)] {
            assert_eq!(clock.at(clock.wall_base_ms + passed_ms), clock.base_ms + shown, "{passed_ms}");
        }
    }

    #[test]
    fn seeds_fit_every_guest_language() {
        let clock = Clock::for_network("bitcoin").expect("the wall clock");
        for _ in 0..100 {
            assert!(clock.tick().expect("entropy").seed < 1 << 53);
        }
    }
}
