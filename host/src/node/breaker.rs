//! Circuit breakers: after a lost call, calls of that group rest, then one probe decides.

use super::{CallError, lock};
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Calls that fail together. A slow companion must not keep lightningd's own answers away,
/// nor a slow list a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    Read,
    Write,
    Forwards,
    Payments,
    /// listhtlcs, which may be long.
    Htlcs,
    /// listtransactions, which may be long.
    Transactions,
    Bookkeeper,
    Sling,
    /// sling-stats, which may never answer while sling's other commands do.
    SlingStats,
    Clboss,
}

impl Group {
    const ALL: [Group; 10] = [
        Self::Read,
        Self::Write,
        Self::Forwards,
        Self::Payments,
        Self::Htlcs,
        Self::Transactions,
        Self::Bookkeeper,
        Self::Sling,
        Self::SlingStats,
        Self::Clboss,
    ];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Read => "read",
            Group::Write => "write",
            Group::Forwards => "forwards",
            Group::Payments => "payments",
            Group::Htlcs => "htlcs",
            Group::Transactions => "transactions",
            Group::Bookkeeper => "bookkeeper",
            Group::Sling => "sling",
            Group::SlingStats => "sling_stats",
            Group::Clboss => "clboss",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One breaker as the status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BreakerState {
    /// `closed` (calls pass), `open` (calls rest), `half_open` (a probe is on its way).
    pub state: &'static str,
    /// Calls lost since the start.
    pub lost: u64,
    pub last_error: Option<String>,
    /// Seconds until a probe may pass.
    pub seconds_left: u64,
}

#[derive(Default)]
struct Breaker {
    open_until: Option<Instant>,
    probing: bool,
    lost: u64,
    last_error: Option<String>,
}

#[derive(Default)]
pub(super) struct Breakers {
    groups: [Mutex<Breaker>; Group::ALL.len()],
}

/// Leave to send one call. Dropped without a word, as when the caller gives up, it counts
/// as lost if it was the probe, and as nothing otherwise.
pub(super) struct Permit<'a> {
    breaker: &'a Mutex<Breaker>,
    probe: bool,
    rest: Duration,
    told: bool,
}

impl Breakers {
    /// Leave to send a call of this group, unless the group rests.
    pub(super) fn enter(&self, group: Group, rest: Duration) -> Result<Permit<'_>, CallError> {
        let mutex = &self.groups[group as usize];
        let mut breaker = lock(mutex);
        let now = Instant::now();
        let probe = match breaker.open_until {
            None => false,
            Some(until) if until > now || breaker.probing => {
                let seconds_left = until.saturating_duration_since(now).as_secs() + 1;
                return Err(CallError::Resting { group, seconds_left });
            }
            Some(_) => true,
        };
        breaker.probing = probe;
        Ok(Permit { breaker: mutex, probe, rest, told: false })
    }

    pub(super) fn states(&self) -> Vec<(Group, BreakerState)> {
        let now = Instant::now();
        let state = |breaker: &Breaker| BreakerState {
            state: match breaker.open_until {
                None => "closed",
                Some(_) if breaker.probing => "half_open",
                Some(_) => "open",
            },
            lost: breaker.lost,
            last_error: breaker.last_error.clone(),
            seconds_left: breaker
                .open_until
                .map_or(0, |until| until.saturating_duration_since(now).as_secs()),
        };
        Group::ALL.iter().map(|group| (*group, state(&lock(&self.groups[*group as usize])))).collect()
    }
}

impl Permit<'_> {
    /// lightningd answered, be it with an error: the group works.
    pub(super) fn answered(mut self) {
        self.told = true;
        let mut breaker = lock(self.breaker);
        breaker.open_until = None;
        breaker.probing = false;
    }

    /// The call was lost: the group rests.
    pub(super) fn lost(mut self, why: &str) {
        self.told = true;
        self.trip(why);
    }

    fn trip(&self, why: &str) {
        let mut breaker = lock(self.breaker);
        breaker.lost += 1;
        breaker.last_error = Some(why.to_owned());
        breaker.probing = false;
        breaker.open_until = (!self.rest.is_zero()).then(|| Instant::now() + self.rest);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.trip("the probe was given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is over when a test has slept for it.
    const SHORT: Duration = Duration::from_millis(20);
    /// Is not over before the test is.
    const LONG: Duration = Duration::from_secs(3_600);

    fn is_resting(breakers: &Breakers, group: Group) -> bool {
        matches!(breakers.enter(group, LONG).map(Permit::answered), Err(CallError::Resting { .. }))
    }

    #[test]
    fn a_lost_call_rests_its_own_group_only() {
        let breakers = Breakers::default();
        breakers.enter(Group::Read, LONG).expect("closed").lost("late");
        assert!(is_resting(&breakers, Group::Read));
        assert!(!is_resting(&breakers, Group::Write));
    }

    #[test]
    fn one_probe_at_a_time_and_its_answer_closes() {
        let breakers = Breakers::default();
        breakers.enter(Group::Read, SHORT).expect("closed").lost("late");
        std::thread::sleep(SHORT);
        let probe = breakers.enter(Group::Read, LONG).expect("rested");
        assert!(is_resting(&breakers, Group::Read), "a second call waits for the probe");
        probe.answered();
        assert!(!is_resting(&breakers, Group::Read));
    }

    #[test]
    fn a_probe_that_is_given_up_does_not_block_for_ever() {
        for (rest, rests) in [(LONG, true), (SHORT, false)] {
            let breakers = Breakers::default();
            breakers.enter(Group::Read, SHORT).expect("closed").lost("late");
            std::thread::sleep(SHORT);
            drop(breakers.enter(Group::Read, rest).expect("rested"));
            std::thread::sleep(SHORT);
            assert_eq!(is_resting(&breakers, Group::Read), rests, "{rest:?} after the probe");
        }
    }

    #[test]
    fn no_rest_means_no_breaker() {
        let breakers = Breakers::default();
        breakers.enter(Group::Read, Duration::ZERO).expect("closed").lost("late");
        assert!(!is_resting(&breakers, Group::Read));
    }
}
