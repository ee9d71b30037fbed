//! Instants, and the tick that a cycle runs on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// One hour, one day, in seconds.
    pub const HOUR: u64 = 3_600;
    /// One day in seconds.
    pub const DAY: u64 = 86_400;

    /// Seconds from `earlier` to this instant; zero if it is later.
    pub const fn since(self, earlier: UnixTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant, `seconds` earlier.
    pub const fn minus(self, seconds: u64) -> UnixTime {
        UnixTime(self.0.saturating_sub(seconds))
    }

    /// This instant, `seconds` later.
    pub const fn plus(self, seconds: u64) -> UnixTime {
        UnixTime(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Seconds that truly passed, on a scale of these books' own: no clock that is set moves it. While the
/// plugin runs it goes with the machine's other clock, which nobody can set; for the time in between it
/// believes the clock, but never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SteadyTime(pub u64);

impl SteadyTime {
    /// Seconds from `earlier` to this instant; zero if it is later.
    pub const fn since(self, earlier: SteadyTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant, `seconds` earlier.
    pub const fn minus(self, seconds: u64) -> SteadyTime {
        SteadyTime(self.0.saturating_sub(seconds))
    }

    /// This instant, `seconds` later.
    pub const fn plus(self, seconds: u64) -> SteadyTime {
        SteadyTime(self.0.saturating_add(seconds))
    }
}

/// One instant on both scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the clock shows.
    pub now: UnixTime,
    pub steady: SteadyTime,
}

/// A step of the clock that no time passed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJump {
    /// What the clock showed when it was seen.
    pub at: UnixTime,
    /// Negative: it went back.
    pub by_s: i64,
}

impl ClockJump {
    /// A clock that is right to this many seconds did not jump.
    pub const TOLERANCE_S: u64 = 300;

    /// Whether it is so fresh that the clock may be wrong now: nothing old is forgotten for a day.
    pub const fn is_fresh(self, now: UnixTime) -> bool {
        now.0 >= self.at.0 && now.0 - self.at.0 < UnixTime::DAY
    }
}

/// The time and the randomness of one cycle, taken once and stored with it, so
/// that the cycle can be run again to the same result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The instant that counts as "now" throughout the cycle.
    pub now: UnixTime,
    /// Below 2^53, so that any guest language can hold it.
    pub seed: u64,
}
