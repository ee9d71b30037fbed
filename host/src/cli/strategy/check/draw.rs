//! Seeded draws for snapshots: plausible values, and in extreme cases any that the contract allows.

use lab::rng::Rng;

/// The largest integer of the contract.
pub(super) const MOST: u64 = (1 << 53) - 1;

const EDGES: [u64; 9] = [0, 1, 2, 999, 1_000, 1 << 31, (1 << 32) - 1, 1 << 40, MOST];
const EDGES_U32: [u32; 7] = [0, 1, 2, 1_000, 1_000_000, i32::MAX as u32, u32::MAX];
const EDGES_F64: [f64; 8] = [0.0, -0.0, 1.0, -1.0, 1e-300, f64::EPSILON, 1e18, -1e18];

/// Where values come from.
pub(super) struct Draw {
    pub rng: Rng,
    /// Three of ten numbers are at an edge of their type.
    pub extreme: bool,
}

impl Draw {
    /// The draws of one case of one seed.
    pub fn new(seed: u64, case: u64, extreme: bool) -> Draw {
        Draw { rng: Rng::stream(seed, case), extreme }
    }

    /// True for `share` of the draws.
    pub fn chance(&mut self, share: f64) -> bool {
        self.rng.uniform() < share
    }

    fn edge(&mut self) -> bool {
        // Drawn in any case, so that the rest of a snapshot does not depend on it.
        self.chance(0.3) && self.extreme
    }

    /// From 0 to `most`, small ones more often than large ones.
    pub fn u64(&mut self, most: u64) -> u64 {
        let plain = (most as f64 * self.rng.uniform().powi(3)) as u64;
        if self.edge() { EDGES[self.rng.below(EDGES.len())] } else { plain }
    }

    /// As [`Draw::u64`].
    pub fn u32(&mut self, most: u32) -> u32 {
        let plain = (f64::from(most) * self.rng.uniform().powi(3)) as u32;
        if self.edge() { EDGES_U32[self.rng.below(EDGES_U32.len())] } else { plain }
    }

    /// Around 0, finite.
    pub fn f64(&mut self, scale: f64) -> f64 {
        let plain = scale * self.rng.normal();
        if self.edge() { EDGES_F64[self.rng.below(EDGES_F64.len())] } else { plain }
    }

    /// A share.
    pub fn share(&mut self) -> f64 {
        let plain = self.rng.uniform();
        if self.edge() { [0.0, 1.0][self.rng.below(2)] } else { plain }
    }

    /// Something, for `share` of the draws.
    pub fn option<T>(&mut self, share: f64, value: impl FnOnce(&mut Draw) -> T) -> Option<T> {
        self.chance(share).then(|| value(self))
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.below(of.len())]
    }
}
