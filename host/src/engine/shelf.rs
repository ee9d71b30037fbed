//! What is known of names: how the last look at each ended, and how long that holds.

use super::files::Stamp;
use super::limits::LimitClass;
use super::load_fault::{Holds, LoadFault};
use super::module::Module;
use super::world::World;
use crate::model::{Digest, StrategyName};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(super) type Loaded<W> = Result<Arc<Module<W>>, LoadFault>;

/// What is known of one name. Locked while it is being loaded, so that two
/// callers do not compile the same file.
pub(super) struct Slot<W: World> {
    pub(super) last: Option<Last<W>>,
}

/// What the last look at a name gave, and what it holds for.
pub(super) struct Last<W: World> {
    /// Of the file; built-in ones have none.
    pub(super) seen: Option<Seen>,
    pub(super) digest: Digest,
    pub(super) class: LimitClass,
    pub(super) loaded: Loaded<W>,
    /// When to look again although nothing has changed.
    pub(super) until: Option<Instant>,
}

/// How long a refusal holds in which the machine's load had a part: what is dear to refuse takes little
/// of the machine then, and a busy hour is over some time.
const A_WHILE: Duration = Duration::from_secs(3_600);

impl<W: World> Last<W> {
    /// A look that was over at `now`; none when the next one is to look anew.
    pub(super) fn of(
        seen: Option<Seen>,
        (digest, class): (Digest, LimitClass),
        loaded: &Loaded<W>,
        now: Instant,
    ) -> Option<Last<W>> {
        let until = match loaded.as_ref().map_err(LoadFault::holds) {
            Err(Holds::Once) => return None,
            Err(Holds::AWhile) => Some(now + A_WHILE),
            Ok(_) | Err(Holds::Always) => None,
        };
        Some(Last { seen, digest, class, loaded: loaded.clone(), until })
    }

    pub(super) fn holds(&self, class: LimitClass, now: Instant) -> bool {
        self.class == class && self.until.is_none_or(|until| now < until)
    }
}

/// A stamp, and whether a file that has it still is as it was read. Changes that are less than a tick of
/// the file system's clock apart leave the same stamp, so it takes a reading after that.
pub(super) struct Seen {
    pub(super) stamp: Stamp,
    first: Instant,
    pub(super) is_settled: bool,
}

/// Many times the longest tick of a file system's clock.
const TICK: Duration = Duration::from_secs(3);

impl Seen {
    /// What a reading that began at `now` saw, after what an earlier one did.
    pub(super) fn again(earlier: Option<Seen>, stamp: Stamp, now: Instant) -> Seen {
        let first = earlier.filter(|seen| seen.stamp == stamp).map_or(now, |seen| seen.first);
        Seen { stamp, first, is_settled: now.duration_since(first) >= TICK }
    }
}

/// The names of one world. A file may serve both; it is compiled once, and counts as two modules.
pub struct Shelf<W: World>(Mutex<HashMap<String, Arc<Mutex<Slot<W>>>>>);

impl<W: World> Shelf<W> {
    pub(super) fn new() -> Shelf<W> {
        Shelf(Mutex::default())
    }

    pub(super) fn slot(&self, name: &str) -> Arc<Mutex<Slot<W>>> {
        let fresh = || Arc::new(Mutex::new(Slot { last: None }));
        Arc::clone(lock(&self.0).entry(name.to_owned()).or_insert_with(fresh))
    }

    /// Forgets what a name means, its kept modules included.
    pub(super) fn forget(&self, name: &StrategyName) {
        let kept = kept_key(name, "");
        lock(&self.0).retain(|key, _| key != name.as_str() && !key.starts_with(&kept));
    }

    /// Forgets kept modules, but for those that are needed.
    pub(super) fn unload_but(&self, needed: &BTreeSet<String>) {
        lock(&self.0).retain(|key, _| !key.contains(KEPT_AS) || needed.contains(key));
    }
}

/// Stands between the name of a kept module and its digest; no name has it.
const KEPT_AS: char = '@';

pub(super) fn kept_key(name: &StrategyName, digest: impl std::fmt::Display) -> String {
    format!("{name}{KEPT_AS}{digest}")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each of them is changed by single assignments only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Bound, Fees};

    #[test]
    fn what_time_decided_holds_for_a_while() {
        let (now, class) = (Instant::now(), LimitClass::Native);
        let look = |fault| Last::<Fees>::of(None, (Digest([1; 32]), class), &Err(fault), now);
        let slow = LoadFault::CompileLimit { why: String::new(), over: Bound::Time, class };
        let slow = look(slow).expect("it is remembered");
        assert!(slow.holds(class, now) && !slow.holds(class, now + A_WHILE));
        assert!(!slow.holds(LimitClass::Interpreted, now), "it has more time there");
        let wrong = look(LoadFault::Invalid { why: String::new() }).expect("it is remembered");
        assert!(wrong.holds(class, now + A_WHILE));
        assert!(look(LoadFault::Host { why: String::new() }).is_none());
    }
}
