//! lightningd's answers, as tolerant as v23.05 to v26.06 need: what any of them may leave
//! out is optional, and what none of our decisions needs is not read.

use super::timestamp::unix_ms;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::life::StateChange;
use crate::model::{ChannelId, Msat, Scid};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads an amount as a number, or as older nodes wrote it: a text with or without `msat`.
pub(super) fn msat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Msat>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Amount {
        Number(u64),
        Text(String),
    }
    match Option::<Amount>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Amount::Number(amount)) => Ok(Some(Msat(amount))),
        Some(Amount::Text(text)) => {
            let digits = text.trim_end_matches("msat");
            digits.parse().map(|amount| Some(Msat(amount))).map_err(serde::de::Error::custom)
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Getinfo {
    pub id: String,
    pub network: String,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub blockheight: u32,
    pub warning_bitcoind_sync: Option<String>,
    pub warning_lightningd_sync: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListPeerChannels {
    pub channels: Vec<PeerChannel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PeerChannel {
    pub peer_id: String,
    #[serde(default)]
    pub peer_connected: bool,
    pub state: String,
    pub opener: Option<String>,
    pub channel_id: Option<String>,
    pub short_channel_id: Option<String>,
    pub alias: Option<Alias>,
    #[serde(default)]
    pub private: bool,
    pub funding_txid: Option<String>,
    pub funding_outnum: Option<u32>,
    pub funding: Option<Funding>,
    pub closer: Option<String>,
    #[serde(default)]
    pub state_changes: Vec<StateChangeRow>,
    #[serde(default, deserialize_with = "msat")]
    pub to_us_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub total_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub spendable_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub receivable_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub fee_base_msat: Option<Msat>,
    pub fee_proportional_millionths: Option<u32>,
    #[serde(default, deserialize_with = "msat")]
    pub minimum_htlc_out_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub maximum_htlc_out_msat: Option<Msat>,
    pub updates: Option<Updates>,
    pub max_accepted_htlcs: Option<u32>,
    #[serde(default)]
    pub htlcs: Vec<Htlc>,
}

/// What each side put into the funding output, and what moved between them then.
#[derive(Debug, Deserialize)]
pub(super) struct Funding {
    #[serde(default, deserialize_with = "msat")]
    pub local_funds_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub remote_funds_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub pushed_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub fee_paid_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    pub fee_rcvd_msat: Option<Msat>,
}

/// A row of `state_changes`, or the payload of `channel_state_changed`.
#[derive(Clone, Debug, Deserialize)]
pub struct StateChangeRow {
    channel_id: Option<String>,
    timestamp: Option<String>,
    old_state: Option<String>,
    new_state: Option<String>,
    cause: Option<String>,
}

impl StateChangeRow {
    /// Reads the payload of `channel_state_changed`, with or without the topic around it: the
    /// channel and the step, unless it has no identity or no time.
    pub fn from_notification(payload: &Value) -> Option<(ChannelId, StateChange)> {
        let inner = payload.get("channel_state_changed").unwrap_or(payload);
        let row = StateChangeRow::deserialize(inner).ok()?;
        Some((row.channel_id.as_deref()?.parse().ok()?, row.to_change()?))
    }

    /// The step, if it is complete.
    pub(super) fn to_change(&self) -> Option<StateChange> {
        Some(StateChange {
            at_ms: unix_ms(self.timestamp.as_deref()?)?,
            old_state: self.old_state.clone(),
            new_state: self.new_state.clone()?,
            cause: self.cause.clone(),
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Alias {
    pub local: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Updates {
    pub remote: Option<Update>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub fee_proportional_millionths: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Htlc {
    pub direction: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListChannels {
    pub channels: Vec<GossipChannel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GossipChannel {
    pub short_channel_id: String,
    pub fee_per_millionth: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Feerates {
    pub perkb: Option<PerKb>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PerKb {
    #[serde(default)]
    pub estimates: Vec<Estimate>,
    pub opening: Option<u32>,
    pub mutual_close: Option<u32>,
    pub floor: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Estimate {
    pub blockcount: u32,
    pub feerate: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct SetChannel {
    pub channels: Vec<SetChannelEntry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SetChannelEntry {
    pub channel_id: Option<String>,
    #[serde(default, deserialize_with = "msat")]
    pub fee_base_msat: Option<Msat>,
    pub fee_proportional_millionths: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Help {
    pub help: Vec<HelpEntry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HelpEntry {
    pub command: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListForwards {
    pub forwards: Vec<ForwardRow>,
}

/// A row of listforwards, or the payload of `forward_event`.
#[derive(Debug, Deserialize)]
pub struct ForwardRow {
    in_channel: String,
    in_htlc_id: Option<u64>,
    out_channel: Option<String>,
    #[serde(default, deserialize_with = "msat")]
    in_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    out_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    fee_msat: Option<Msat>,
    status: String,
    received_time: Option<f64>,
    resolved_time: Option<f64>,
    failcode: Option<u32>,
    pub(super) created_index: Option<u64>,
    pub(super) updated_index: Option<u64>,
}

impl ForwardRow {
    /// Reads the payload of `forward_event`, with or without the topic around it.
    pub fn from_notification(payload: &Value) -> Option<ForwardRow> {
        let inner = payload.get("forward_event").unwrap_or(payload);
        ForwardRow::deserialize(inner).ok()
    }

    /// Whether it has settled or failed.
    pub fn is_resolved(&self) -> bool {
        self.status != ForwardStatus::Offered.name()
    }

    /// The forward, unless it lacks its identity or has a status of a later lightningd.
    pub fn to_forward(&self) -> Option<Forward> {
        let milliseconds = |seconds: f64| (seconds * 1000.0).round() as u64;
        Some(Forward {
            in_channel: self.in_channel.parse::<Scid>().ok()?,
            in_htlc_id: self.in_htlc_id?,
            out_channel: self.out_channel.as_deref().and_then(|scid| scid.parse().ok()),
            in_msat: self.in_msat.unwrap_or_default(),
            out_msat: self.out_msat.unwrap_or_default(),
            fee_msat: self.fee_msat.unwrap_or_default(),
            status: ForwardStatus::from_name(&self.status)?,
            received_ms: milliseconds(self.received_time?),
            resolved_ms: self.resolved_time.map(milliseconds),
            failcode: self.failcode,
            created_index: self.created_index,
            updated_index: self.updated_index,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_read_in_every_spelling() {
        for (amount, expect) in [(json!(5), 5), (json!("5msat"), 5), (json!("5"), 5)] {
            let entry: SetChannelEntry =
                serde_json::from_value(json!({ "fee_base_msat": amount })).expect("readable");
            assert_eq!(entry.fee_base_msat, Some(Msat(expect)));
        }
        assert!(serde_json::from_value::<SetChannelEntry>(json!({ "fee_base_msat": "5sat" })).is_err());
    }

    #[test]
    fn a_forward_needs_its_identity() {
        let row = json!({ "in_channel": "1x2x3", "in_htlc_id": 4, "status": "settled", "received_time": 1.5,
            "in_msat": 1001, "out_msat": 1000, "fee_msat": 1, "out_channel": "3x2x1", "resolved_time": 2.25 });
        let wrapped = json!({ "forward_event": row });
        let forward =
            ForwardRow::from_notification(&wrapped).and_then(|row| row.to_forward()).expect("complete");
        assert_eq!((forward.received_ms, forward.resolved_ms), (1_500, Some(2_250)));
        assert_eq!(forward.fee_msat, Msat(1));
        let mut unknown = row.clone();
        unknown["status"] = json!("teleported");
        assert!(ForwardRow::from_notification(&unknown).expect("readable").to_forward().is_none());
    }
}
