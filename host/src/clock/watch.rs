//! Sees the clock jump, by the machine's other one that nobody can set.

use super::Clock;
use crate::model::{ClockJump, UnixTime};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The wall clock is read in whole milliseconds.
const GRAIN: Duration = Duration::from_millis(2);

/// What the clock showed, at some instant between two others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    shown: UnixTime,
    after: Instant,
    before: Instant,
}

impl Look {
    pub(super) fn new(now: impl FnOnce() -> UnixTime) -> Look {
        let after = Instant::now();
        let shown = now();
        Look { shown, after, before: Instant::now() }
    }

    pub(super) fn shown(&self) -> UnixTime {
        self.shown
    }

    /// At least so much has passed since.
    pub(super) fn passed(&self) -> Duration {
        self.before.elapsed()
    }

    /// By how many seconds the clock went further than the time that passed since `earlier`, at `rate`
    /// seconds per second; 0 when it may have gone right.
    fn jump_since(&self, earlier: &Look, rate: f64) -> i64 {
        let passed = |from: Instant, until: Instant| until.saturating_duration_since(from);
        let least = passed(earlier.before, self.after).saturating_sub(GRAIN).as_secs_f64() * rate;
        let most = passed(earlier.after, self.before).saturating_add(GRAIN).as_secs_f64() * rate;
        let went = self.shown.0 as f64 - earlier.shown.0 as f64;
        let beyond = if went > most { went - most } else { (went - least).min(0.0) };
        if beyond.abs() > ClockJump::TOLERANCE_S as f64 { beyond.round() as i64 } else { 0 }
    }
}

/// Compares the clock with the time that passes, from the plugin's start on. A machine that slept looks
/// like a clock that went forward.
pub struct Watch {
    clock: Clock,
    seen: Mutex<Seen>,
}

struct Seen {
    last: Look,
    /// By how much the clock jumped and nobody noted it yet, s.
    jumped_s: i64,
}

impl Watch {
    /// Begins where the clock was when the plugin started.
    pub fn new(clock: Clock) -> Watch {
        Watch { clock, seen: Mutex::new(Seen { last: clock.start, jumped_s: 0 }) }
    }

    /// By how much the clock jumped since that was last noted; none if it did not.
    pub fn look(&self) -> Option<ClockJump> {
        let mut seen = self.lock();
        let look = Look::new(|| self.clock.now());
        seen.jumped_s = seen.jumped_s.saturating_add(look.jump_since(&seen.last, self.clock.rate()));
        seen.last = look;
        let jump = ClockJump { at: look.shown, by_s: seen.jumped_s };
        (jump.by_s != 0).then_some(jump)
    }

    /// Takes a jump off that was noted.
    pub fn noted(&self, jump: ClockJump) {
        let mut seen = self.lock();
        seen.jumped_s = seen.jumped_s.saturating_sub(jump.by_s);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_time_passed_for_is_a_jump() {
        let start = Instant::now();
        let look = |shown, after_ms, before_ms| Look {
            shown: UnixTime(shown),
            after: start + Duration::from_millis(after_ms),
            before: start + Duration::from_millis(before_ms),
        };
        let first = look(1_000_000, 0, 10);
        for (shown, (after_ms, before_ms), rate, jump) in [
            (1_000_600, (600_000, 600_010), 1.0, 0),
            (1_000_600 + 299, (600_000, 600_010), 1.0, 0),
            (1_000_600 + 86_400, (600_000, 600_010), 1.0, 86_400),
            (1_000_600 - 86_400, (600_000, 600_010), 1.0, -86_400),
            // A machine so busy that nobody knows when within 400 s the clock was read.
            (1_000_600, (300_000, 700_000), 1.0, 0),
            (1_000_600 + 400, (300_000, 700_000), 1.0, 0),
            (1_000_000 + 1_800, (6_000, 6_010), 300.0, 0),
            (1_000_000 + 1_800 - 900, (6_000, 6_010), 300.0, -896),
        ] {
            assert_eq!(look(shown, after_ms, before_ms).jump_since(&first, rate), jump, "{shown} at {rate}");
        }
    }
}
