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
}

impl Pending {
    /// Whether it may be one of a job's payments: of that size, and not older than the job.
    /// Clocks of this plugin and lightningd may round the same second differently.
    pub fn may_be(&self, payment: Msat, since: UnixTime) -> bool {
        self.amount.is_none_or(|amount| amount == payment) && self.created_at.plus(1) >= since
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
}

impl Node {
    /// Payments to `node_id`, which is ourselves, that are under way: one call. One whose
    /// destination is not told may be such a payment and is listed.
    pub async fn pending_to(&self, node_id: &PeerId) -> Result<Vec<Pending>, CallError> {
        let ours = node_id.to_string();
        let pending = move |row: Row| {
            let is_to_us = row.destination.is_none_or(|destination| destination == ours);
            (row.status == "pending" && is_to_us)
                .then_some(Pending { amount: row.amount_msat, created_at: UnixTime(row.created_at) })
        };
        let rows = Rows::of("payments", pending);
        self.call_streamed(rows, Group::Read, "listsendpays", json!({ "status": "pending" })).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_may_be_a_jobs_by_size_and_age() {
        let pending = |amount, created_at| Pending { amount, created_at: UnixTime(created_at) };
        let payment = Msat(50_000_000);
        for (one, expect) in [
            (pending(Some(payment), 100), true),
            (pending(Some(payment), 99), true),
            (pending(Some(payment), 98), false),
            (pending(Some(Msat(49_999_999)), 100), false),
            (pending(None, 100), true),
        ] {
            assert_eq!(one.may_be(payment, UnixTime(100)), expect, "{one:?}");
        }
    }
}
