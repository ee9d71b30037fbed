//! What a forward adds to the sums of the channels that it touches.

use crate::model::forward::{Forward, ForwardStatus};
use crate::model::{Msat, Scid};
use crate::store::sql::int;
use rusqlite::Result;

/// BOLT 4 `temporary_channel_failure`: what a node answers for want of balance.
const TEMPORARY_CHANNEL_FAILURE: u32 = 0x1007;

/// What forwards add to the sums of one channel name. Negative while a forward
/// that ended in another way than first told is taken out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Delta {
    pub in_msat: i64,
    pub out_msat: i64,
    pub in_count: i64,
    pub out_count: i64,
    pub earned_msat: i64,
    pub sourced_msat: i64,
    pub failed_liquidity: i64,
    pub failed_downstream: i64,
    pub failed_other: i64,
}

fn signed(amount: Msat) -> Result<i64> {
    int(amount.0)
}

impl Delta {
    /// What the forward adds to the channel it came in by.
    pub(super) fn incoming(forward: &Forward) -> Result<Delta> {
        let mut delta = Delta::default();
        match (forward.status, forward.out_channel) {
            (ForwardStatus::Settled, _) => {
                delta.in_msat = signed(forward.in_msat)?;
                delta.in_count = 1;
                delta.sourced_msat = signed(forward.fee_msat)?;
            }
            // Failed before a channel was chosen.
            (ForwardStatus::LocalFailed | ForwardStatus::Failed, None) => delta.failed_other = 1,
            _ => {}
        }
        Ok(delta)
    }

    /// What the forward adds to the channel it leaves, or should have left, by.
    pub(super) fn outgoing(forward: &Forward) -> Result<Delta> {
        let mut delta = Delta::default();
        match (forward.status, forward.failcode) {
            (ForwardStatus::Offered, _) => {}
            (ForwardStatus::Settled, _) => {
                delta.out_msat = signed(forward.out_msat)?;
                delta.out_count = 1;
                delta.earned_msat = signed(forward.fee_msat)?;
            }
            (ForwardStatus::Failed, _) => delta.failed_downstream = 1,
            (ForwardStatus::LocalFailed, None | Some(TEMPORARY_CHANNEL_FAILURE)) => {
                delta.failed_liquidity = 1
            }
            (ForwardStatus::LocalFailed, Some(_)) => delta.failed_other = 1,
        }
        Ok(delta)
    }

    /// Calls `each` with the names the forward counts for, and what it adds there.
    pub fn of(forward: &Forward, mut each: impl FnMut(Scid, Delta)) -> Result<()> {
        each(forward.in_channel, Delta::incoming(forward)?);
        if let Some(out) = forward.out_channel {
            each(out, Delta::outgoing(forward)?);
        }
        Ok(())
    }

    /// Adds `sign` times `other`.
    pub fn add(&mut self, other: &Delta, sign: i64) {
        self.in_msat += sign * other.in_msat;
        self.out_msat += sign * other.out_msat;
        self.in_count += sign * other.in_count;
        self.out_count += sign * other.out_count;
        self.earned_msat += sign * other.earned_msat;
        self.sourced_msat += sign * other.sourced_msat;
        self.failed_liquidity += sign * other.failed_liquidity;
        self.failed_downstream += sign * other.failed_downstream;
        self.failed_other += sign * other.failed_other;
    }
}
