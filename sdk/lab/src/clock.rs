//! Simulated time, shared by the lab and the plugin it drives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Name of the environment variable that carries [`SimClock::to_env`] to a plugin.
pub const CLOCK_ENV: &str = "CL_REVENUE_OPS_SIM_CLOCK";

/// Maps wall time to simulated time: `base + (wall - wall_base) * rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimClock {
    /// Simulated unix time at the moment `wall_base_unix_ms`, milliseconds.
    pub base_unix_ms: u64,
    /// Wall-clock unix time at which the simulation stood at its base, milliseconds.
    pub wall_base_unix_ms: u64,
    /// Simulated seconds per second of wall time.
    pub rate: f64,
}

impl SimClock {
    /// A clock that shows `base_unix_ms` now and runs at `rate`.
    pub fn starting_at(base_unix_ms: u64, rate: f64) -> Self {
        Self { base_unix_ms, wall_base_unix_ms: wall_unix_ms(), rate }
    }

    /// Simulated unix time for a wall-clock unix time, both in milliseconds.
    pub fn at_wall_ms(&self, wall_unix_ms: u64) -> u64 {
        let elapsed = wall_unix_ms.saturating_sub(self.wall_base_unix_ms) as f64;
        self.base_unix_ms + (elapsed * self.rate) as u64
    }

    /// Simulated unix time now, milliseconds.
    pub fn now_unix_ms(&self) -> u64 {
        self.at_wall_ms(wall_unix_ms())
    }

    /// Simulated unix time now, seconds.
    pub fn now_unix_s(&self) -> f64 {
        self.now_unix_ms() as f64 / 1000.0
    }

    /// The wall time that passes while `simulated` passes on this clock; at most a day.
    pub fn wall_duration(&self, simulated: Duration) -> Duration {
        let seconds = simulated.as_secs_f64() / self.rate.max(f64::MIN_POSITIVE);
        Duration::from_secs_f64(seconds.min(86_400.0))
    }

    /// `<base_unix_ms>:<wall_base_unix_ms>:<rate>`, the form a plugin reads.
    pub fn to_env(&self) -> String {
        format!("{}:{}:{}", self.base_unix_ms, self.wall_base_unix_ms, self.rate)
    }

    /// Reads what [`SimClock::to_env`] writes.
    pub fn from_env(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let clock = Self {
            base_unix_ms: parts.next()?.parse().ok()?,
            wall_base_unix_ms: parts.next()?.parse().ok()?,
            rate: parts.next()?.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0)?,
        };
        parts.next().is_none().then_some(clock)
    }
}

/// Wall-clock unix time, milliseconds.
pub(crate) fn wall_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: SimClock = SimClock { base_unix_ms: 1_000_000, wall_base_unix_ms: 500, rate: 60.0 };

    #[test]
    fn simulated_time_runs_at_the_rate() {
        assert_eq!(CLOCK.at_wall_ms(500), 1_000_000);
        assert_eq!(CLOCK.at_wall_ms(1500), 1_060_000);
        assert_eq!(CLOCK.at_wall_ms(0), 1_000_000, "never before its base");
        assert_eq!(CLOCK.wall_duration(Duration::from_secs(60)), Duration::from_secs(1));
    }

    #[test]
    fn the_text_form_round_trips() {
        assert_eq!(CLOCK.to_env(), "1000000:500:60");
        assert_eq!(SimClock::from_env(&CLOCK.to_env()), Some(CLOCK));
        for bad in ["", "1:2", "1:2:0", "1:2:nan", "1:2:3:4", "a:b:c"] {
            assert_eq!(SimClock::from_env(bad), None, "{bad}");
        }
    }
}
