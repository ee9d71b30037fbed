//! The only reader of wall clock and entropy.

mod watch;

pub use watch::Watch;

use crate::model::{Tick, UnixTime};
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use watch::Look;

/// Names the simulated clock of a test network: `<unix ms>:<wall unix ms>:<rate>` means that
/// it showed the first when the wall clock showed the second, and runs `rate` times as fast.
/// `:<file>` behind it names a file that says by how many ms somebody has set it since, back if negative.
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
    /// Says by how many ms it was set since.
    set_by: Option<&'static Path>,
}

impl Simulated {
    fn at(self, wall_ms: u64) -> u64 {
        let passed_ms = wall_ms.saturating_sub(self.wall_base_ms) as f64 * self.rate;
        (self.base_ms + passed_ms as u64).saturating_add_signed(self.set_by_ms())
    }

    /// 0 while there is no such number.
    fn set_by_ms(self) -> i64 {
        let text = self.set_by.and_then(|path| std::fs::read_to_string(path).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn parse(text: &str) -> Result<Simulated> {
    let wrong = || {
        anyhow!("{SIMULATED_CLOCK}: '{text}' is not <unix ms>:<wall unix ms>:<rate>, with or without :<file>")
    };
    let (base, wall, rate, set_by) = match text.splitn(4, ':').collect::<Vec<_>>()[..] {
        [base, wall, rate] => (base, wall, rate, None),
        [base, wall, rate, file] => (base, wall, rate, Some(file)),
        _ => bail!(wrong()),
    };
    // One for the life of a process that plays with time.
    let kept = |file: &str| -> &'static Path { Box::leak(PathBuf::from(file).into_boxed_path()) };
    let simulated = Simulated {
        base_ms: base.parse().with_context(wrong)?,
        wall_base_ms: wall.parse().with_context(wrong)?,
        rate: rate.parse().with_context(wrong)?,
        set_by: set_by.map(kept),
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
            Ok(text) if network == "regtest" => Some(parse(&text)?),
            Ok(_) | Err(_) => None,
        };
        let start = Look::new(|| now(simulated));
        Ok(Clock { simulated, start })
    }

    /// The wall clock, set by what a file says.
    #[cfg(test)]
    pub fn set_by(file: PathBuf) -> Clock {
        let wall_ms = wall_ms();
        let set_by: Option<&'static Path> = Some(Box::leak(file.into_boxed_path()));
        let simulated = Some(Simulated { base_ms: wall_ms, wall_base_ms: wall_ms, rate: 1.0, set_by });
        Clock { simulated, start: Look::new(|| now(simulated)) }
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        now(self.simulated)
    }

    /// What it showed when the plugin started.
    pub fn started(&self) -> UnixTime {
        self.start.shown()
    }

    /// Whole seconds that passed on this clock since then, by the machine's other clock: setting this one
    /// does not change them.
    pub fn passed_s(&self) -> u64 {
        (self.start.passed().as_secs_f64() * self.rate()) as u64
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
        Simulated { base_ms: 1_800_000_000_000, wall_base_ms: 1_700_000_000_000, rate: 60.0, set_by: None };

    #[test]
    fn a_simulated_clock_is_three_numbers_and_a_file_if_it_is_set() {
        let plain = "1800000000000:1700000000000:60";
        assert_eq!(parse(plain).expect("well formed"), SIMULATED);
        let set = parse(&format!("{plain}:/a/b:c")).expect("well formed");
        assert_eq!(set, Simulated { set_by: Some(Path::new("/a/b:c")), ..SIMULATED });
        for bad in ["", "1:2", "1:2:x", "a:2:3", "1:2:0", "1:2:-1", "1:2:inf", "1:2:nan"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_shows_what_it_is_set_to() {
        let path = std::env::temp_dir().join(format!("revops-clock-{}", std::process::id()));
        let clock = Simulated { set_by: Some(Box::leak(path.clone().into_boxed_path())), ..SIMULATED };
        for (set, shown) in [(None, 600), (Some("-500\n"), 100), (Some("7"), 607), (Some("soon"), 600)] {
            if let Some(set) = set {
                std::fs::write(&path, set).expect("written");
            }
            assert_eq!(clock.at(clock.wall_base_ms + 10), clock.base_ms + shown, "{set:?}");
        }
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn seeds_fit_every_guest_language() {
        let clock = Clock::for_network("bitcoin").expect("the wall clock");
        for _ in 0..100 {
            assert!(clock.tick().expect("entropy").seed < 1 << 53);
        }
    }
}
