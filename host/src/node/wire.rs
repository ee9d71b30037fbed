//! lightningd's answers, as tolerant as v23.05 to v26.06 need: what any of them may leave
//! out is optional, and what none of our decisions needs is not read.

use super::timestamp::unix_ms;
use crate::model::forward::{Forward, ForwardStatus};
use crate::model::life::StateChange;
use crate::model::{ChannelId, Msat, Scid};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

/// Reads an amount as a number, or as older nodes wrote it: a text with or without `msat`.
pub(super) fn msat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Msat>, D::Error> {
    struct Amount;

    impl Visitor<'_> for Amount {
        type Value = Option<Msat>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount in msat")
        }

        fn visit_u64<E: Error>(self, amount: u64) -> Result<Option<Msat>, E> {
            Ok(Some(Msat(amount)))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<Msat>, E> {
            let digits = text.trim_end_matches("msat");
            digits.parse().map(|amount| Some(Msat(amount))).map_err(E::custom)
        }

        fn visit_unit<E: Error>(self) -> Result<Option<Msat>, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Amount)
}

/// Reads a text and parses it; none when it is not of that form.
fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    struct Text<F>(F);

    impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Text<F> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
            Ok((self.0)(text))
        }

        fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Text(parse))
}

fn scid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scid>, D::Error> {
    parsed(deserializer, |text| text.parse().ok())
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ForwardStatus>, D::Error> {
    parsed(deserializer, ForwardStatus::from_name)
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
    #[serde(default, deserialize_with = "msat")]
    pub maximum_htlc_out_msat: Option<Msat>,
    pub warning_htlcmax_too_high: Option<String>,
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
    #[serde(deserialize_with = "scid")]
    in_channel: Option<Scid>,
    in_htlc_id: Option<u64>,
    #[serde(default, deserialize_with = "scid")]
    out_channel: Option<Scid>,
    #[serde(default, deserialize_with = "msat")]
    in_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    out_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    fee_msat: Option<Msat>,
    /// None: a status of a later lightningd.
    #[serde(deserialize_with = "status")]
    status: Option<ForwardStatus>,
    received_time: Option<f64>,
    resolved_time: Option<f64>,
    failcode: Option<u32>,
    pub(super) created_index: Option<u64>,
    pub(super) updated_index: Option<u64>,
}

/// Set in the identity of a forward that has no HTLC id: the node's counter stands in for it. No HTLC
/// id is as high.
const COUNTED: u64 = 1 << 62;

impl ForwardRow {
    /// Reads the payload of `forward_event`, with or without the topic around it.
    pub fn from_notification(payload: &Value) -> Option<ForwardRow> {
        let inner = payload.get("forward_event").unwrap_or(payload);
        ForwardRow::deserialize(inner).ok()
    }

    /// Whether it has settled or failed.
    pub fn is_resolved(&self) -> bool {
        self.status != Some(ForwardStatus::Offered)
    }

    /// The forward, unless it lacks its identity or has a status of a later lightningd. Forwards of
    /// channels that closed before lightningd v22.11 have no HTLC id, and an identity only where the node
    /// counts forwards.
    pub fn to_forward(&self) -> Option<Forward> {
        let milliseconds = |seconds: f64| (seconds * 1000.0).round() as u64;
        let counted = || self.created_index.map(|index| COUNTED | index);
        Some(Forward {
            in_channel: self.in_channel?,
            in_htlc_id: self.in_htlc_id.or_else(counted)?,
            out_channel: self.out_channel,
            in_msat: self.in_msat.unwrap_or_default(),
            out_msat: self.out_msat.unwrap_or_default(),
            fee_msat: self.fee_msat.unwrap_or_default(),
            status: self.status?,
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
        let none: SetChannelEntry =
            serde_json::from_value(json!({ "fee_base_msat": null })).expect("readable");
        assert_eq!(none.fee_base_msat, None);
        for bad in [json!("5sat"), json!(-5), json!(0.5), json!("")] {
            let entry = json!({ "fee_base_msat": bad });
            assert!(serde_json::from_value::<SetChannelEntry>(entry).is_err(), "{bad}");
        }
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

    #[test]
    fn a_forward_without_an_htlc_id_is_known_by_the_nodes_counter() {
        let row =
            json!({ "in_channel": "1x2x3", "status": "settled", "received_time": 1.5, "out_channel": null });
        let read =
            |row: &Value| serde_json::from_value::<ForwardRow>(row.clone()).expect("readable").to_forward();
        assert_eq!(read(&row), None, "nothing tells it from another");
        let mut counted = row;
        counted["created_index"] = json!(7);
        assert_eq!(read(&counted).expect("counted").in_htlc_id, COUNTED + 7);
        counted["in_htlc_id"] = json!(9);
        assert_eq!(read(&counted).expect("known").in_htlc_id, 9);
    }
}
