//! Payments that the node made to itself, from listsendpays.

use super::pages::PAGE;
use super::rows::Rows;
use super::wire::msat;
use super::{BAD_PARAMETERS, CallError, Group, Node, lock};
use crate::model::ledger::Rebalance;
use crate::model::list::ListIndex;
use crate::model::{Digest, Msat, PeerId, UnixTime};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct ListSendpays {
    payments: Vec<Sendpay>,
}

#[derive(Debug, Deserialize)]
struct Sendpay {
    payment_hash: String,
    #[serde(default)]
    groupid: u64,
    #[serde(default)]
    partid: u64,
    status: String,
    destination: Option<String>,
    #[serde(default, deserialize_with = "msat")]
    amount_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    amount_sent_msat: Option<Msat>,
    created_at: u64,
    completed_at: Option<u64>,
    created_index: Option<u64>,
    updated_index: Option<u64>,
}

/// Part of listsendpays: of its rows, those that are completed payments to ourselves.
#[derive(Debug)]
pub struct SendpayPage {
    pub to_self: Vec<Rebalance>,
    /// The highest index seen; the next page starts behind it.
    pub last_index: u64,
    /// Nothing was left behind this page.
    pub is_last: bool,
}

impl Node {
    /// Payments with an index above `after`; none when this lightningd cannot list pages.
    pub async fn sendpays_page(
        &self,
        index: ListIndex,
        after: u64,
        us: PeerId,
    ) -> Result<Option<SendpayPage>, CallError> {
        if lock(&self.shared.abilities).sendpays_in_pages == Some(false) {
            return Ok(None);
        }
        let params = json!({ "index": index.name(), "start": after + 1, "limit": PAGE });
        let list: ListSendpays = match self.call(Group::Payments, "listsendpays", params).await {
            Err(CallError::Refused { code: Some(BAD_PARAMETERS), .. }) => {
                lock(&self.shared.abilities).sendpays_in_pages = Some(false);
                return Ok(None);
            }
            answer => answer?,
        };
        lock(&self.shared.abilities).sendpays_in_pages = Some(true);
        let index_of = |row: &Sendpay| match index {
            ListIndex::Created => row.created_index,
            ListIndex::Updated => row.updated_index,
        };
        Ok(Some(SendpayPage {
            is_last: (list.payments.len() as u64) < PAGE,
            last_index: list.payments.iter().filter_map(index_of).max().unwrap_or(after).max(after),
            to_self: to_self(list, us),
        }))
    }

    /// All completed payments to ourselves, as lightningd before v23.11 gives them: in one answer, with
    /// every other payment ever made, which is dropped as it is read.
    pub async fn all_self_payments(&self, us: PeerId) -> Result<Vec<Rebalance>, CallError> {
        let params = json!({ "status": "complete" });
        self.call_streamed(rows_to(us), Group::Payments, "listsendpays", params).await
    }
}

fn to_self(list: ListSendpays, us: PeerId) -> Vec<Rebalance> {
    let us = us.to_string();
    list.payments.into_iter().filter(|row| row.is_to(&us)).filter_map(to_rebalance).collect()
}

impl Sendpay {
    fn is_to(&self, us: &str) -> bool {
        self.status == "complete" && self.destination.as_deref() == Some(us)
    }
}

/// Reads an answer of listsendpays, keeping payments to ourselves alone.
fn rows_to(us: PeerId) -> Rows<Sendpay, impl FnMut(Sendpay) -> Option<Rebalance>> {
    let us = us.to_string();
    Rows::of("payments", move |row: Sendpay| if row.is_to(&us) { to_rebalance(row) } else { None })
}

fn to_rebalance(row: Sendpay) -> Option<Rebalance> {
    let amount = row.amount_msat?;
    Some(Rebalance {
        payment_hash: row.payment_hash.parse::<Digest>().ok()?.0,
        groupid: row.groupid,
        partid: row.partid,
        amount,
        fee: row.amount_sent_msat?.saturating_sub(amount),
        completed_at: UnixTime(row.completed_at.unwrap_or(row.created_at)),
        created_index: row.created_index,
        out_channel: None,
        in_channel: None,
        job_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeSeed;

    #[test]
    fn of_all_payments_those_to_ourselves_are_kept() {
        let us = PeerId([2; 33]);
        let row = |status: &str, destination: PeerId, hash: u8| {
            json!({ "payment_hash": Digest([hash; 32]).to_string(), "status": status, "created_at": 5, "completed_at": 7,
                "destination": destination.to_string(), "amount_msat": 1_000, "amount_sent_msat": "1003msat" })
        };
        let list = json!({ "warning": [{}], "payments": [
            row("complete", us, 1), row("complete", PeerId([3; 33]), 2), row("failed", us, 3), row("complete", us, 4),
        ] });
        let read = |text: &str| rows_to(us).deserialize(&mut serde_json::Deserializer::from_str(text));
        let kept = read(&list.to_string()).expect("readable");
        let told: Vec<_> =
            kept.iter().map(|one| (one.payment_hash[0], one.amount, one.fee, one.completed_at)).collect();
        assert_eq!(told, [1, 4].map(|hash| (hash, Msat(1_000), Msat(3), UnixTime(7))));
        assert!(read("{}").is_err(), "an answer without the list is none");
    }
}
