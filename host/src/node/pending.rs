//! Payments to ourselves that are under way: what a job may yet cost.

use super::rows::Rows;
use super::wire::msat;
use super::{CallError, Group, Node};
use crate::model::{Msat, PeerId, UnixTime};
use serde::Deserialize;
use serde_json::json;

/// A payment to ourselves that has neither completed nor failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What is to arrive; none where lightningd does not tell.
    pub amount: Option<Msat>,
    pub created_at: UnixTime,
    /// lightningd's own number for it, which rises from one payment to the next; from v23.11 on.
    pub created_index: Option<u64>,
}

impl Pending {
    /// Whether it may be one of a job's payments: of that size, and made after all that were known
    /// when the job began, as far as lightningd's numbers tell. Times don't: clocks are set.
    pub fn may_be(&self, payment: Msat, after_index: Option<u64>) -> bool {
        let is_older = self.created_index.zip(after_index).is_some_and(|(index, after)| index <= after);
        self.amount.is_none_or(|amount| amount == payment) && !is_older
    }
}

#[derive(Debug, Deserialize)]
struct Row {
    status: String,
    destination: Option<String>,
    #[serde(default, deserialize_with = "msat")]
    amount_msat: Option<Msat>,
    #[serde(default)]
    created_at: u64,
    created_index: Option<u64>,
}

impl Node {
    /// Payments to `node_id`, which is ourselves, that are under way: one call. One whose
    /// destination is not told may be such a payment and is listed.
    pub async fn pending_to(&self, node_id: &PeerId) -> Result<Vec<Pending>, CallError> {
        let ours = node_id.to_string();
        let pending = move |row: Row| {
            let is_to_us = row.destination.is_none_or(|destination| destination == ours);
            (row.status == "pending" && is_to_us).then_some(Pending {
                amount: row.amount_msat,
                created_at: UnixTime(row.created_at),
                created_index: row.created_index,
            })
        };
        let rows = Rows::of("payments", pending);
        self.call_streamed(rows, Group::Read, "listsendpays", json!({ "status": "pending" })).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_may_be_a_jobs_by_size_and_number() {
        let payment = Msat(50_000_000);
        for (amount, created_index, after_index, expect) in [
            (Some(payment), Some(8), Some(7), true),
            (Some(payment), Some(7), Some(7), false),
            (Some(payment), None, Some(7), true),
            (Some(payment), Some(7), None, true),
            (Some(payment), None, None, true),
            (Some(Msat(49_999_999)), Some(8), Some(7), false),
            (None, Some(8), Some(7), true),
            (None, Some(7), Some(7), false),
        ] {
            // However old the clock makes it look.
            let one = Pending { amount, created_at: UnixTime(0), created_index };
            assert_eq!(one.may_be(payment, after_index), expect, "{one:?} after {after_index:?}");
        }
    }
}
