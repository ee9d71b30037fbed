//! Channels with how they were funded and the path of their states, and what their peers offer.

use super::rows::Rows;
use super::snapshot::to_channel;
use super::wire::{Funding, PeerChannel};
use super::{CallError, Group, Node};
use crate::model::life::{LiveChannel, Outpoint, Terms};
use crate::model::{Msat, Opener, PeerId, SignedMsat};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

#[derive(Debug, Deserialize)]
struct Peer {
    id: String,
    features: Option<String>,
}

impl Node {
    /// All channels that are identified: one call.
    pub async fn live_channels(&self) -> Result<Vec<LiveChannel>, CallError> {
        let rows = Rows::of("channels", |raw: PeerChannel| to_live(&raw));
        self.call_streamed(rows, Group::Read, "listpeerchannels", json!({})).await
    }

    /// Which peers offer splices, of those who told their features: one call.
    pub async fn splicing_peers(&self) -> Result<HashMap<PeerId, bool>, CallError> {
        let told = |peer: Peer| Some((peer.id.parse().ok()?, offers_splices(peer.features.as_deref()?)));
        let peers: Vec<(PeerId, bool)> =
            self.call_streamed(Rows::of("peers", told), Group::Read, "listpeers", json!({})).await?;
        Ok(peers.into_iter().collect())
    }
}

fn to_live(raw: &PeerChannel) -> Option<LiveChannel> {
    let channel = to_channel(raw)?;
    let funds = raw.funding.as_ref();
    Some(LiveChannel {
        funding: outpoint(raw.funding_txid.as_deref(), raw.funding_outnum),
        local_funds: funds.and_then(|funds| funds.local_funds_msat),
        remote_funds: funds.and_then(|funds| funds.remote_funds_msat),
        terms: funds.map(|funds| terms(channel.opener, funds)).unwrap_or_default(),
        path: raw.state_changes.iter().filter_map(super::StateChangeRow::to_change).collect(),
        closer: side(raw.closer.as_deref()),
        channel,
    })
}

pub(super) fn outpoint(txid: Option<&str>, output: Option<u32>) -> Option<Outpoint> {
    Some(Outpoint { txid: txid?.parse().ok()?, output: output? })
}

/// lightningd's word for one of the two sides.
pub(super) fn side(word: Option<&str>) -> Option<Opener> {
    match word? {
        "local" => Some(Opener::Local),
        "remote" => Some(Opener::Remote),
        _ => None,
    }
}

fn terms(opener: Opener, funds: &Funding) -> Terms {
    Terms {
        pushed: given_by(opener, funds.pushed_msat),
        lease: paid(funds.fee_paid_msat, funds.fee_rcvd_msat),
    }
}

/// An amount that the opener gave, as what we gave.
pub(super) fn given_by(opener: Opener, amount: Option<Msat>) -> SignedMsat {
    let amount = SignedMsat::from(amount.unwrap_or_default());
    if opener == Opener::Local { amount } else { -amount }
}

pub(super) fn paid(paid: Option<Msat>, received: Option<Msat>) -> SignedMsat {
    SignedMsat::from(paid.unwrap_or_default()) - SignedMsat::from(received.unwrap_or_default())
}

/// Feature bits 62 and 63 (BOLT 9, option_splice), and those in use before that was settled:
/// 154 and 155, and lightningd's own 162 and 163.
fn offers_splices(features: &str) -> bool {
    [62, 63, 154, 155, 162, 163].into_iter().any(|bit| has_bit(features, bit))
}

/// Whether a bit of a big-endian hex field is set.
fn has_bit(hex: &str, bit: usize) -> bool {
    let digit = hex.chars().rev().nth(bit / 4).and_then(|digit| digit.to_digit(16));
    digit.is_some_and(|digit| digit >> (bit % 4) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_counted_from_the_end() {
        assert!(has_bit("02", 1) && !has_bit("02", 0) && !has_bit("", 0));
        assert!(has_bit("0100", 8) && !has_bit("0100", 12) && !has_bit("0100", 200));
    }
}
