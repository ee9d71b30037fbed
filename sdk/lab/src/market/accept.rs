//! How the share of senders who take our route falls with its fee.

/// Share of the demand that accepts a fee.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Acceptance {
    /// `exp(-f / f0)`: revenue is best at `f0`.
    Exponential {
        /// Scale, ppm.
        f0: f64,
    },
    /// `1 / (1 + exp((f - mid) / width))`: competing routes cost about `mid`.
    Logit {
        /// Fee at which half accept, ppm.
        mid: f64,
        /// Width of the step, ppm.
        width: f64,
    },
    /// Everybody accepts up to `cap`, nobody above: a drain that pays almost anything.
    Capped {
        /// Highest accepted fee, ppm.
        cap: f64,
    },
}

impl Acceptance {
    /// Share that accepts `ppm`, 0 to 1.
    pub fn share(&self, ppm: f64) -> f64 {
        match *self {
            Self::Exponential { f0 } => (-ppm / f0).exp(),
            Self::Logit { mid, width } => 1.0 / (1.0 + ((ppm - mid) / width).exp()),
            Self::Capped { cap } if ppm <= cap => 1.0,
            Self::Capped { .. } => 0.0,
        }
    }

    /// The same shape with every price multiplied by `factor`.
    pub fn scaled(&self, factor: f64) -> Self {
        match *self {
            Self::Exponential { f0 } => Self::Exponential { f0: f0 * factor },
            Self::Logit { mid, width } => Self::Logit { mid: mid * factor, width: width * factor },
            Self::Capped { cap } => Self::Capped { cap: cap * factor },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_falls_with_the_fee_and_stays_a_share() {
        for shape in [
            Acceptance::Exponential { f0: 500.0 },
            Acceptance::Logit { mid: 300.0, width: 40.0 },
            Acceptance::Capped { cap: 900.0 },
        ] {
            let shares: Vec<f64> = (0..2000).map(|ppm| shape.share(f64::from(ppm))).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            assert!(shares.windows(2).all(|pair| pair[1] <= pair[0]), "{shape:?}");
            assert!(shares[0] > 0.99 && shares[1999] < 0.05, "{shape:?}");
            assert_eq!(shape.scaled(2.0).share(600.0), shape.share(300.0));
        }
    }
}
