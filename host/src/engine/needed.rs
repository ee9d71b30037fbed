//! Which kept modules have to stay, whatever the tables say.

use crate::model::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// Who needs kept modules.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// What this process has loaded or taken in, and may let decide at any time.
    loaded: BTreeSet<Digest>,
    /// What is on its way in.
    arriving: BTreeMap<Digest, Arriving>,
}

/// One module that is on its way in, perhaps in several ways at once.
#[derive(Debug)]
struct Arriving {
    count: usize,
    /// Before the first of them came.
    was_kept: bool,
}

impl Needed {
    pub(super) fn loaded(&mut self, digest: Digest) {
        self.loaded.insert(digest);
    }

    pub(super) fn arrives(&mut self, digest: Digest, was_kept: impl FnOnce() -> bool) {
        let fresh = || Arriving { count: 0, was_kept: was_kept() };
        self.arriving.entry(digest).or_insert_with(fresh).count += 1;
    }

    /// Ends one arrival. Whether it was the last one of a module that nobody needs.
    pub(super) fn is_over(&mut self, digest: &Digest) -> bool {
        let Some(arriving) = self.arriving.get_mut(digest) else { return false };
        arriving.count -= 1;
        if arriving.count > 0 {
            return false;
        }
        let was_kept = arriving.was_kept;
        self.arriving.remove(digest);
        !was_kept && !self.loaded.contains(digest)
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.loaded.contains(digest) || self.arriving.contains_key(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = Digest([1; 32]);

    #[test]
    fn the_last_arrival_decides_and_what_is_needed_stays() {
        let mut needed = Needed::default();
        needed.arrives(ONE, || false);
        needed.arrives(ONE, || true);
        assert!(needed.has(&ONE) && !needed.is_over(&ONE), "another one is on its way in");
        assert!(needed.is_over(&ONE) && !needed.has(&ONE));
        assert!(!needed.is_over(&ONE), "it is over already");

        needed.arrives(ONE, || true);
        assert!(!needed.is_over(&ONE), "it was there before");
        needed.arrives(ONE, || false);
        needed.loaded(ONE);
        assert!(!needed.is_over(&ONE) && needed.has(&ONE), "it may decide at any time");
    }
}
