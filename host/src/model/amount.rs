//! Money and rates as integers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// An amount in millisatoshi.
///
/// Arithmetic that could leave the range panics (overflow checks are on in every
/// profile): a wrong sum of money must never go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Msat(pub u64);

impl Msat {
    /// Nothing.
    pub const ZERO: Msat = Msat(0);

    /// Whole satoshis, rounded down.
    pub const fn sats(self) -> u64 {
        self.0 / 1000
    }

    /// Whole satoshis, rounded up: for limits that an amount must not seem to keep.
    pub const fn sats_up(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// An amount given in whole satoshis; saturates at the largest amount.
    pub const fn from_sats(sats: u64) -> Msat {
        Msat(sats.saturating_mul(1000))
    }

    /// `self - other`, or zero when `other` is larger.
    pub const fn saturating_sub(self, other: Msat) -> Msat {
        Msat(self.0.saturating_sub(other.0))
    }

    /// What `part` of `whole` comes to, rounded down; nothing of nothing.
    pub fn part(self, part: Msat, whole: Msat) -> Msat {
        let sum = u128::from(self.0) * u128::from(part.0) / u128::from(whole.0.max(1));
        Msat(u64::try_from(sum).unwrap_or(u64::MAX))
    }

    /// This amount as a share of `whole`; zero of nothing is zero.
    pub fn share_of(self, whole: Msat) -> f64 {
        if whole.0 == 0 { 0.0 } else { self.0 as f64 / whole.0 as f64 }
    }
}

impl Add for Msat {
    type Output = Msat;
    fn add(self, other: Msat) -> Msat {
        Msat(self.0 + other.0)
    }
}

impl AddAssign for Msat {
    fn add_assign(&mut self, other: Msat) {
        self.0 += other.0;
    }
}

impl Sub for Msat {
    type Output = Msat;
    fn sub(self, other: Msat) -> Msat {
        Msat(self.0 - other.0)
    }
}

impl Sum for Msat {
    fn sum<I: Iterator<Item = Msat>>(amounts: I) -> Msat {
        amounts.fold(Msat::ZERO, Add::add)
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} msat", self.0)
    }
}

/// A rate in millionths of the amount forwarded: BOLT 7's
/// `fee_proportional_millionths`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ppm(pub u32);

impl Ppm {
    /// The fee for forwarding `amount` out at this rate with base fee `base`,
    /// rounded down as BOLT 7 does.
    /// A fee beyond the range of an amount is the largest amount.
    pub fn fee(self, base: Msat, amount: Msat) -> Msat {
        let proportional = u128::from(amount.0) * u128::from(self.0) / 1_000_000;
        Msat(u64::try_from(proportional + u128::from(base.0)).unwrap_or(u64::MAX))
    }

    /// This rate times `factor`, rounded to the nearest ppm, at most `u32::MAX`.
    pub fn scaled(self, factor: f64) -> Ppm {
        // `as` saturates, and turns NaN into zero.
        Ppm((f64::from(self.0) * factor).round() as u32)
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ppm", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_round_down_as_the_protocol_does() {
        for (ppm, base, amount, fee) in [
            (0, 0, 1_000_000, 0),
            (100, 0, 1_033_886, 103),
            (100, 1, 16_760_776, 1_677),
            (5_000, 1_000, 2_000_000_000, 10_001_000),
        ] {
            assert_eq!(Ppm(ppm).fee(Msat(base), Msat(amount)), Msat(fee), "{ppm} ppm of {amount}");
        }
    }

    #[test]
    fn scaling_rounds_and_saturates() {
        assert_eq!(Ppm(10).scaled(1.25), Ppm(13));
        assert_eq!(Ppm(10).scaled(f64::NAN), Ppm(0));
        assert_eq!(Ppm(u32::MAX).scaled(2.0), Ppm(u32::MAX));
    }
}
