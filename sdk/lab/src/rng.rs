//! A small seeded generator: the same seed gives the same draws.

/// SplitMix64. Good enough for simulated traffic, never for secrets.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator for `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for the part named by `stream`, so that draws in one part of a
    /// simulation don't shift those of another.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut mixer = Self::new(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        Self::new(mixer.next_u64())
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// An index below `n`; `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.next_u64() as u128 * n as u128) >> 64) as usize
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Standard normal; always two draws.
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `bytes` random bytes in lower-case hex.
    pub fn hex(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes * 2 + 16);
        while text.len() < bytes * 2 {
            text.push_str(&format!("{:016x}", self.next_u64()));
        }
        text.truncate(bytes * 2);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let mut rng = Rng::new(7);
        let n = 100_000;
        let (mut u, mut e, mut z, mut zz) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            u += rng.uniform();
            e += rng.exponential();
            let draw = rng.normal();
            z += draw;
            zz += draw * draw;
        }
        let mean = |sum: f64| sum / f64::from(n);
        assert!((mean(u) - 0.5).abs() < 0.01, "uniform mean {}", mean(u));
        assert!((mean(e) - 1.0).abs() < 0.02, "exponential mean {}", mean(e));
        assert!(mean(z).abs() < 0.02, "normal mean {}", mean(z));
        assert!((mean(zz) - 1.0).abs() < 0.03, "normal variance {}", mean(zz));
    }

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        assert_ne!(Rng::stream(1, 1).next_u64(), Rng::stream(1, 2).next_u64());
        assert_eq!(Rng::stream(1, 2).hex(33), Rng::stream(1, 2).hex(33));
        assert_eq!(Rng::new(3).hex(33).len(), 66);
    }
}
