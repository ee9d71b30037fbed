//! How often a peer's policy may change.

use crate::model::{PeerId, UnixTime};
use std::collections::HashMap;
use std::fmt;

/// Most changes of one peer's policy within [`WINDOW_S`].
pub const MAX_CHANGES: usize = 10;
/// The window in which changes are counted, seconds.
pub const WINDOW_S: u64 = 60;
/// Most peers that are remembered. The least recently changed is forgotten for another.
const MAX_PEERS: usize = 4_096;

/// A change that comes too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyChanges {
    /// Seconds until the next one is accepted.
    pub wait_s: u64,
}

impl fmt::Display for TooManyChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the peer's policy changed {MAX_CHANGES} times in the last {WINDOW_S} seconds, the most that is \
             allowed: try again in {} s",
            self.wait_s
        )
    }
}

/// Counts the recent changes of each peer's policy.
#[derive(Debug, Default)]
pub struct RateLimiter {
    /// At most [`MAX_CHANGES`] instants each, oldest first.
    recent: HashMap<PeerId, Vec<UnixTime>>,
}

impl RateLimiter {
    /// Counts one change of `peer`'s policy at `now`, unless it is one too many.
    pub fn take(&mut self, peer: PeerId, now: UnixTime) -> Result<(), TooManyChanges> {
        let times = self.times(peer, now);
        if times.len() >= MAX_CHANGES {
            let wait_s = WINDOW_S - now.since(times[0]);
            return Err(TooManyChanges { wait_s });
        }
        times.push(now);
        Ok(())
    }

    /// Counts one change that happens in any case, such as a return to the default.
    pub fn count(&mut self, peer: PeerId, now: UnixTime) {
        let times = self.times(peer, now);
        if times.len() >= MAX_CHANGES {
            times.remove(0);
        }
        times.push(now);
    }

    /// The changes that still count. Instants after `now`, left by a clock that was set
    /// back, don't.
    fn times(&mut self, peer: PeerId, now: UnixTime) -> &mut Vec<UnixTime> {
        let counts = |time: &UnixTime| *time <= now && now.since(*time) < WINDOW_S;
        if self.recent.len() >= MAX_PEERS && !self.recent.contains_key(&peer) {
            self.recent.retain(|_, times| times.last().is_some_and(counts));
            self.forget_one();
        }
        let times = self.recent.entry(peer).or_default();
        times.retain(counts);
        times
    }

    fn forget_one(&mut self) {
        if self.recent.len() < MAX_PEERS {
            return;
        }
        let oldest = self.recent.iter().min_by_key(|(peer, times)| (times.last(), **peer));
        if let Some(peer) = oldest.map(|(peer, _)| *peer) {
            self.recent.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(number: u32) -> PeerId {
        let mut bytes = [2; 33];
        bytes[1..5].copy_from_slice(&number.to_be_bytes());
        PeerId(bytes)
    }

    #[test]
    fn the_eleventh_change_in_a_minute_waits() {
        let mut limiter = RateLimiter::default();
        for second in 0..10 {
            assert_eq!(limiter.take(peer(1), UnixTime(1_000 + second)), Ok(()));
        }
        let refused = limiter.take(peer(1), UnixTime(1_015));
        assert_eq!(refused, Err(TooManyChanges { wait_s: 45 }));
        assert_eq!(limiter.take(peer(2), UnixTime(1_015)), Ok(()), "peers count apart");
        assert!(limiter.take(peer(1), UnixTime(1_059)).is_err(), "a refusal counts for nothing");
        assert_eq!(limiter.take(peer(1), UnixTime(1_060)), Ok(()));
        assert_eq!(limiter.take(peer(1), UnixTime(1_060)), Err(TooManyChanges { wait_s: 1 }));
    }

    #[test]
    fn an_uncounted_refusal_is_not_the_way_around() {
        let mut limiter = RateLimiter::default();
        for _ in 0..15 {
            limiter.count(peer(1), UnixTime(1_000));
        }
        assert_eq!(limiter.take(peer(1), UnixTime(1_001)), Err(TooManyChanges { wait_s: 59 }));
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut limiter = RateLimiter::default();
        for _ in 0..10 {
            limiter.count(peer(1), UnixTime(1_000_000));
        }
        assert_eq!(limiter.take(peer(1), UnixTime(5_000)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_longest_quiet_peer_goes_first() {
        let mut limiter = RateLimiter::default();
        let most = MAX_PEERS as u32;
        for _ in 0..10 {
            limiter.count(peer(0), UnixTime(999));
            limiter.count(peer(1), UnixTime(1_000));
        }
        for number in 2..most + 1 {
            assert_eq!(limiter.take(peer(number), UnixTime(1_000)), Ok(()));
        }
        assert_eq!(limiter.recent.len(), MAX_PEERS);
        assert!(!limiter.recent.contains_key(&peer(0)));
        assert!(limiter.take(peer(1), UnixTime(1_001)).is_err(), "the busiest is remembered");
        assert_eq!(limiter.take(peer(most + 1), UnixTime(2_000)), Ok(()));
        assert_eq!(limiter.recent.len(), 1, "what no longer counts is forgotten first");
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_ten(steps in prop::collection::vec(0u64..12, 1..200)) {
            let mut limiter = RateLimiter::default();
            let mut now = UnixTime(10_000);
            let mut accepted = Vec::new();
            for step in steps {
                now = now.plus(step);
                let in_window = accepted.iter().filter(|at| now.since(**at) < WINDOW_S).count();
                let taken = limiter.take(peer(1), now);
                prop_assert_eq!(taken.is_ok(), in_window < MAX_CHANGES);
                if taken.is_ok() {
                    accepted.push(now);
                }
            }
        }
    }
}
