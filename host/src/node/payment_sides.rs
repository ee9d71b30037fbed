//! Where payments to ourselves left and came in: notifications, bookkeeper and listhtlcs know.

use super::rows::Rows;
use super::wire::msat;
use super::{BAD_PARAMETERS, CallError, Group, Node, lock};
use crate::model::ledger::{HtlcSide, PaymentSide, Way};
use crate::model::{Digest, Msat};
use serde::Deserialize;
use serde_json::{Value, json};

/// A channel's movement, as `coin_movement` and bookkeeper's events tell it under different names.
#[derive(Debug, Deserialize)]
struct Movement {
    #[serde(alias = "account_id")]
    account: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    /// bookkeeper's.
    tag: Option<String>,
    /// lightningd's from v25.09 on, and its own before.
    primary_tag: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "msat")]
    credit_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    debit_msat: Option<Msat>,
    #[serde(alias = "payment_id")]
    payment_hash: Option<String>,
    #[serde(default)]
    part_id: u64,
    #[serde(default)]
    group_id: u64,
}

#[derive(Debug, Deserialize)]
struct Events {
    events: Vec<Movement>,
}

#[derive(Debug, Deserialize)]
struct HtlcRow {
    short_channel_id: String,
    #[serde(default, deserialize_with = "msat")]
    amount_msat: Option<Msat>,
    direction: String,
    payment_hash: String,
}

impl Movement {
    /// One end of a payment, unless the movement is a forward or something else.
    fn side(&self) -> Option<PaymentSide> {
        let is = |tag: &str| tag == "invoice";
        let is_payment = [&self.tag, &self.primary_tag].into_iter().flatten().any(|tag| is(tag))
            || self.tags.iter().any(|tag| is(tag));
        if !is_payment || !matches!(self.kind.as_str(), "channel" | "channel_mvt") {
            return None;
        }
        let (credit, debit) = (self.credit_msat.unwrap_or_default(), self.debit_msat.unwrap_or_default());
        let (way, amount) = if credit > debit { (Way::In, credit) } else { (Way::Out, debit) };
        Some(PaymentSide {
            payment_hash: self.payment_hash.as_deref()?.parse::<Digest>().ok()?.0,
            channel_id: self.account.as_deref()?.parse().ok()?,
            way,
            groupid: self.group_id,
            partid: self.part_id,
            amount,
        })
    }
}

/// What a `coin_movement` says of a payment, with or without the topic around it.
pub fn side_from_notification(payload: &Value) -> Option<PaymentSide> {
    let inner = payload.get("coin_movement").unwrap_or(payload);
    Movement::deserialize(inner).ok()?.side()
}

impl Node {
    /// The ends of one payment, as bookkeeper (from v24.08 on) knows them; none when it cannot say.
    pub async fn payment_sides(&self, hash: &[u8; 32]) -> Result<Option<Vec<PaymentSide>>, CallError> {
        if lock(&self.shared.abilities).events_by_payment == Some(false) {
            return Ok(None);
        }
        let params = json!({ "payment_id": Digest(*hash).to_string() });
        match self.call::<Events>(Group::Bookkeeper, "bkpr-listaccountevents", params).await {
            // Where bookkeeper is away it may come back.
            Err(error) if error.is_bad_parameters() => {
                lock(&self.shared.abilities).events_by_payment = Some(false);
                Ok(None)
            }
            events => Ok(Some(events?.events.iter().filter_map(Movement::side).collect())),
        }
    }

    /// All HTLCs that the node still lists: a long list, in one call.
    pub async fn htlc_sides(&self) -> Result<Vec<HtlcSide>, CallError> {
        self.call_streamed(Rows::of("htlcs", htlc_side), Group::Htlcs, "listhtlcs", json!({})).await
    }
}

fn htlc_side(row: HtlcRow) -> Option<HtlcSide> {
    Some(HtlcSide {
        payment_hash: row.payment_hash.parse::<Digest>().ok()?.0,
        scid: row.short_channel_id.parse().ok()?,
        way: if row.direction == "in" { Way::In } else { Way::Out },
        amount: row.amount_msat?,
    })
}

impl CallError {
    fn is_bad_parameters(&self) -> bool {
        matches!(self, CallError::Refused { code: Some(BAD_PARAMETERS), .. })
    }
}
