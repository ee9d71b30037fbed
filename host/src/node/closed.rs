//! Channels that the node remembers as closed, also those that closed while nobody looked.

use super::lives::{given_by, outpoint, paid, side};
use super::rows::Rows;
use super::wire::{Alias, msat};
use super::{CallError, Group, Node};
use crate::model::life::{ClosedChannel, Terms};
use crate::model::{Msat, Opener, Scid};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Closed {
    channel_id: Option<String>,
    peer_id: Option<String>,
    short_channel_id: Option<String>,
    alias: Option<Alias>,
    opener: Option<String>,
    closer: Option<String>,
    funding_txid: Option<String>,
    funding_outnum: Option<u32>,
    #[serde(default, deserialize_with = "msat")]
    funding_fee_paid_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    funding_fee_rcvd_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    funding_pushed_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    total_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    final_to_us_msat: Option<Msat>,
    last_commitment_txid: Option<String>,
    #[serde(default, deserialize_with = "msat")]
    last_commitment_fee_msat: Option<Msat>,
    close_cause: Option<String>,
}

impl Node {
    /// Every closed channel that the node remembers: one call.
    pub async fn closed_channels(&self) -> Result<Vec<ClosedChannel>, CallError> {
        let rows = Rows::of("closedchannels", to_closed);
        self.call_streamed(rows, Group::Read, "listclosedchannels", json!({})).await
    }
}

fn to_closed(raw: Closed) -> Option<ClosedChannel> {
    let scid = |text: Option<&String>| text.and_then(|text| text.parse::<Scid>().ok());
    let opener = side(raw.opener.as_deref()).unwrap_or(Opener::Local);
    Some(ClosedChannel {
        channel_id: raw.channel_id.as_deref()?.parse().ok()?,
        peer_id: raw.peer_id.as_deref().and_then(|id| id.parse().ok()),
        scid: scid(raw.short_channel_id.as_ref()),
        alias_local: scid(raw.alias.as_ref().and_then(|alias| alias.local.as_ref())),
        opener,
        closer: side(raw.closer.as_deref()),
        total: raw.total_msat?,
        final_to_us: raw.final_to_us_msat,
        terms: Terms {
            pushed: given_by(opener, raw.funding_pushed_msat),
            lease: paid(raw.funding_fee_paid_msat, raw.funding_fee_rcvd_msat),
        },
        funding: outpoint(raw.funding_txid.as_deref(), raw.funding_outnum),
        last_commitment_txid: raw.last_commitment_txid.as_deref().and_then(|txid| txid.parse().ok()),
        last_commitment_fee: raw.last_commitment_fee_msat,
        close_cause: raw.close_cause,
    })
}
