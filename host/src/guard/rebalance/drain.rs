//! What sling takes from a job's sources at most, whoever watches it.
//!
//! A job's total counts only payments that sling saw settle. One that outlasts `sling-timeoutpay`
//! counts as failed and is sent again, and it may settle all the same; a once-job has no end besides
//! its total, so nothing bounds how often that happens. What sources are to keep does: sling pays from
//! a channel only while that holds more than it is told to leave there. So each job names the
//! highest level at which its sources can still give what is wanted.
//!
//! sling looks at balances, from which a payment under way is not yet off, and at HTLCs: it leaves
//! a channel alone that has more than `sling-max-htlc-count`. So a source gives what lies above the
//! level, and as many payments more as may be under way at once.

use crate::model::{Channel, Msat, Ppm};

/// The share of a capacity that is to be kept, unless the level is lower: all that sling accepts.
pub(super) const SHARE: f64 = 0.999_999;

/// What sling keeps in a source besides one payment, whatever it is told.
pub(super) const SPARE: Msat = Msat::from_sats(10_000);

/// sling looks at balances once a second: one payment from a source may have settled since.
const UNSEEN: u64 = 1;

/// Equal payments at a highest rate, while sling uses channels with this many HTLCs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payments {
    pub size: Msat,
    pub max_fee: Ppm,
    pub htlcs: u64,
}

/// How far sources are drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    /// What sources keep, unless that is all they have: whole satoshis.
    pub level: Msat,
    /// Payments that they can make one after another.
    pub makes: u64,
    /// Payments that can settle at most.
    pub most: u64,
}

impl Payments {
    /// Payments that a source can make one after another, each at the highest rate.
    pub fn made_by(self, source: &Channel, level: Msat) -> u64 {
        let each = (self.size + self.max_fee.fee(Msat::ZERO, self.size)).0.max(1);
        let above = self.above(source, level);
        let sequence = if above == 0 { 0 } else { (above - 1) / each + 1 };
        sequence.min(source.spendable.0 / each)
    }

    /// Payments that can settle at most, if only sling itself ever stops.
    fn most_of(self, source: &Channel, level: Msat) -> u64 {
        match self.above(source, level) {
            0 => 0,
            above => ((above - 1) / self.size.0.max(1) + 1).saturating_add(self.beyond()),
        }
    }

    /// Payments from one source besides those that the level lets through.
    const fn beyond(self) -> u64 {
        self.htlcs.saturating_add(UNSEEN)
    }

    /// What a source holds above the level, msat, as sling computes it.
    fn above(self, source: &Channel, level: Msat) -> u64 {
        let kept = Msat((SHARE * source.total.0 as f64) as u64).min(level).max(self.size + SPARE);
        source.to_us.saturating_sub(kept).0
    }

    /// The drain with the highest level, but not below `lowest`, at which these sources make
    /// `wanted` payments, or else as many as they can.
    pub fn drain(self, sources: &[&Channel], lowest: Msat, wanted: u64) -> Drain {
        let made = |sats: u64| -> u64 {
            let level = Msat::from_sats(sats);
            sources.iter().fold(0, |sum: u64, source| sum.saturating_add(self.made_by(source, level)))
        };
        let highest = sources.iter().map(|source| source.to_us.sats()).max().unwrap_or_default();
        let mut low = lowest.0.div_ceil(1_000);
        let mut high = highest.max(low);
        // `low` is always a level at which enough is made, if there is one.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if made(middle) >= wanted { low = middle } else { high = middle - 1 }
        }
        let level = Msat::from_sats(low);
        let most = sources.iter().map(|source| self.most_of(source, level));
        Drain { level, makes: made(low), most: most.fold(0, u64::saturating_add) }
    }

    /// How many of the sources, the best first, a job of `count` payments uses: those that it
    /// needs, and others as long as the worst case stays within three times its amount.
    pub fn sources_for(self, count: u64, makes: &[u64]) -> usize {
        let (mut used, mut made) = (0, 0);
        for source in makes {
            let beyond = (used as u64 + 1).saturating_mul(self.beyond());
            let worst = wanted(count, used + 1).saturating_add(beyond);
            if made >= count && worst > count.saturating_mul(3) {
                break;
            }
            used += 1;
            made += source;
        }
        used
    }
}

/// What the sources of a job are to be able to make: a quarter more, since others take from them too;
/// from several half as much again, so that it need not fail with one of them.
pub(super) fn wanted(count: u64, sources: usize) -> u64 {
    count.saturating_add(if sources > 1 { count / 2 } else { count / 4 })
}

#[cfg(test)]
mod tests;
