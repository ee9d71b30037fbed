//! Reading the node as one picture, in a number of calls that does not depend on the
//! number of channels.

use super::rows::Rows;
use super::wire::{Feerates, Getinfo, GossipChannel, PeerChannel, PerKb};
use super::{CallError, Group, Node};
use crate::model::{Channel, ChannelState, Htlcs, Msat, NodeSnapshot, Opener, PeerId, Ppm, Scid, Tick};
use serde_json::json;
use std::collections::HashMap;

/// Most HTLCs in flight in one direction that the protocol allows (BOLT 2).
const MOST_HTLCS: u32 = 483;

/// Blocks within which the feerate in a snapshot aims to confirm.
const FEERATE_BLOCKS: u32 = 12;

/// Who the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub node_id: PeerId,
    pub network: String,
    pub version: String,
}

impl Node {
    /// Who the node is: one call.
    pub async fn identity(&self) -> Result<Identity, CallError> {
        let info: Getinfo = self.call(Group::Read, "getinfo", json!({})).await?;
        Ok(Identity { node_id: node_id(&info)?, network: info.network, version: info.version })
    }

    /// The whole node at `tick`: getinfo, listpeerchannels and feerates, plus one
    /// listchannels where lightningd (before v24.02) does not show the peers' fees.
    pub async fn snapshot(&self, tick: Tick) -> Result<NodeSnapshot, CallError> {
        let info: Getinfo = self.call(Group::Read, "getinfo", json!({})).await?;
        let node_id = node_id(&info)?;
        let channels = self.channels().await?;
        let feerate_perkb = self.feerate().await?;
        Ok(NodeSnapshot {
            tick,
            node_id,
            network: info.network,
            blockheight: info.blockheight,
            not_synced: info.warning_bitcoind_sync.or(info.warning_lightningd_sync),
            feerate_perkb,
            channels: self.with_peer_fees(channels, node_id).await?,
        })
    }

    /// All channels that are identified: one call.
    pub async fn channels(&self) -> Result<Vec<Channel>, CallError> {
        self.call_streamed(channels(), Group::Read, "listpeerchannels", json!({})).await
    }

    pub(super) async fn feerate(&self) -> Result<Option<u32>, CallError> {
        let feerates: Feerates = self.call(Group::Read, "feerates", json!({ "style": "perkb" })).await?;
        Ok(feerates.perkb.as_ref().and_then(feerate))
    }

    async fn with_peer_fees(
        &self,
        mut channels: Vec<Channel>,
        node_id: PeerId,
    ) -> Result<Vec<Channel>, CallError> {
        if !lack_peer_fees(&channels) {
            return Ok(channels);
        }
        let params = json!({ "destination": node_id.to_string() });
        let fee_of = |row: GossipChannel| Some((row.short_channel_id.parse().ok()?, row.fee_per_millionth));
        let rows = Rows::of("channels", fee_of);
        let gossip: Vec<(Scid, u32)> = self.call_streamed(rows, Group::Read, "listchannels", params).await?;
        let fees: HashMap<Scid, u32> = gossip.into_iter().collect();
        for channel in &mut channels {
            let fee = channel.scid.and_then(|scid| fees.get(&scid));
            channel.peer_fee_ppm = channel.peer_fee_ppm.or(fee.copied().map(Ppm));
        }
        Ok(channels)
    }
}

/// Reads an answer of listpeerchannels.
fn channels() -> Rows<PeerChannel, impl FnMut(PeerChannel) -> Option<Channel>> {
    Rows::of("channels", |raw: PeerChannel| to_channel(&raw))
}

/// Whether there are open channels, and none of them shows its peer's fee.
fn lack_peer_fees(channels: &[Channel]) -> bool {
    let mut open = channels.iter().filter(|channel| channel.state.is_open()).peekable();
    open.peek().is_some() && open.all(|channel| channel.peer_fee_ppm.is_none())
}

fn node_id(info: &Getinfo) -> Result<PeerId, CallError> {
    info.id.parse().map_err(|error| CallError::Broken(format!("getinfo: {error}")))
}

/// The estimate for about [`FEERATE_BLOCKS`] blocks, or the nearest thing that the node has.
fn feerate(perkb: &PerKb) -> Option<u32> {
    let estimate = perkb
        .estimates
        .iter()
        .filter(|estimate| estimate.blockcount <= FEERATE_BLOCKS)
        .max_by_key(|estimate| estimate.blockcount);
    estimate.map(|estimate| estimate.feerate).or(perkb.opening).or(perkb.mutual_close).or(perkb.floor)
}

/// A channel without channel_id, peer or amounts is one that is only being negotiated.
pub(super) fn to_channel(raw: &PeerChannel) -> Option<Channel> {
    let direction = |name: &str| raw.htlcs.iter().filter(|htlc| htlc.direction == name).count() as u32;
    let scid = |text: Option<&String>| text.and_then(|text| text.parse::<Scid>().ok());
    Some(Channel {
        channel_id: raw.channel_id.as_deref()?.parse().ok()?,
        scid: scid(raw.short_channel_id.as_ref()),
        alias_local: scid(raw.alias.as_ref().and_then(|alias| alias.local.as_ref())),
        peer_id: raw.peer_id.parse().ok()?,
        peer_connected: raw.peer_connected,
        state: match raw.state.as_str() {
            "CHANNELD_NORMAL" => ChannelState::Normal,
            "CHANNELD_AWAITING_SPLICE" => ChannelState::AwaitingSplice,
            _ => ChannelState::Other(raw.state.clone()),
        },
        opener: if raw.opener.as_deref() == Some("remote") { Opener::Remote } else { Opener::Local },
        private: raw.private,
        total: raw.total_msat?,
        to_us: raw.to_us_msat.unwrap_or_default(),
        spendable: raw.spendable_msat.unwrap_or_default(),
        receivable: raw.receivable_msat.unwrap_or_default(),
        fee_base: raw.fee_base_msat.unwrap_or_default(),
        fee_ppm: Ppm(raw.fee_proportional_millionths.unwrap_or_default()),
        htlc_min: raw.minimum_htlc_out_msat.unwrap_or_default(),
        htlc_max: raw.maximum_htlc_out_msat.unwrap_or(Msat(u64::MAX)),
        peer_fee_ppm: raw
            .updates
            .as_ref()
            .and_then(|updates| updates.remote.as_ref()?.fee_proportional_millionths)
            .map(Ppm),
        htlcs: Htlcs {
            incoming: direction("in"),
            outgoing: direction("out"),
            slots: raw.max_accepted_htlcs.unwrap_or(MOST_HTLCS),
        },
        funding_txid: raw.funding_txid.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeSeed;

    fn recorded(version: &str, name: &str) -> serde_json::Value {
        let path =
            format!("{}/../tests/fixtures/recordings/v{version}/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("the fixture is part of the project");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["result"].take()
    }

    #[test]
    fn recorded_channels_of_every_version_are_read() {
        for version in ["23.05", "24.11", "26.06"] {
            let channels = channels().deserialize(recorded(version, "listpeerchannels")).expect("readable");
            assert!(channels.len() >= 2, "{version}");
            for channel in &channels {
                assert!(channel.state.is_open() && channel.scid.is_some(), "{version}");
                assert_eq!(channel.total, Msat(2_000_000_000), "{version}");
                assert_eq!(channel.htlcs.slots, 483, "{version}");
                assert_eq!(channel.peer_fee_ppm.is_some(), version != "23.05", "{version}");
            }
        }
    }

    #[test]
    fn the_feerate_is_the_twelve_block_estimate_where_there_is_one() {
        for version in ["23.05", "24.11", "26.06"] {
            let feerates: Feerates = serde_json::from_value(recorded(version, "feerates")).expect("readable");
            assert_eq!(feerates.perkb.as_ref().and_then(feerate), Some(1012), "{version}");
        }
        let perkb = |text: &str| serde_json::from_str::<PerKb>(text).expect("readable");
        assert_eq!(feerate(&perkb("{}")), None);
        assert_eq!(feerate(&perkb(r#"{"floor": 253, "mutual_close": 700}"#)), Some(700));
    }
}
