//! What the node's gossip says: `listnodes`, `listchannels`; and signatures of messages.

use serde_json::{Value, json};

use super::NodeState;
use super::channel::{Channel, ChannelState};
use super::params::{Params, bad};
use crate::keys;
use crate::market::{Micros, seconds};
use crate::rpc::{RpcError, RpcResult};

/// One direction of a channel as gossip shows it.
struct Edge<'a> {
    source: &'a str,
    destination: &'a str,
    base_msat: u64,
    ppm: u32,
    htlc_min_msat: u64,
    updated: Micros,
}

impl NodeState {
    pub(super) fn list_nodes(&mut self, params: &Params) -> RpcResult {
        let wanted = params.text("id");
        let mut seen = std::collections::BTreeMap::from([(self.id.as_str(), self.alias.as_str())]);
        seen.extend(
            self.channels.iter().filter(|c| c.public).map(|c| (c.peer_id.as_str(), c.alias.as_str())),
        );
        let nodes = seen.into_iter().filter(|(id, _)| wanted.as_deref().is_none_or(|wanted| wanted == *id));
        let nodes = nodes.map(|(id, alias)| {
            json!({
                "nodeid": id, "alias": alias, "color": &id[..6], "last_timestamp": seconds(self.start) as u64,
                "features": self.flavour.node_features(), "addresses": [],
            })
        });
        Ok(json!({"nodes": nodes.collect::<Vec<_>>()}))
    }

    pub(super) fn list_channels(&mut self, params: &Params) -> RpcResult {
        let scid = params.scid("short_channel_id")?;
        let (source, destination) = (params.text("source"), params.text("destination"));
        if [scid.is_some(), source.is_some(), destination.is_some()].iter().filter(|given| **given).count()
            > 1
        {
            return Err(RpcError::invalid("Can only specify one of short_channel_id, source or destination"));
        }
        // Unannounced channels are listed as such until v25.05.
        let visible = |c: &&Channel| {
            c.state.carries_payments()
                && (c.public || !self.flavour.has(2505))
                && c.state != ChannelState::Closed
        };
        let listed = self.channels.iter().enumerate().filter(|(_, channel)| visible(channel));
        let listed = listed.filter(|(_, channel)| scid.is_none_or(|scid| channel.scid == scid));
        let edges = listed.flat_map(|(index, _)| self.edges(index));
        let edges = edges.filter(|edge| source.as_ref().is_none_or(|id| edge["source"] == id.as_str()));
        let edges =
            edges.filter(|edge| destination.as_ref().is_none_or(|id| edge["destination"] == id.as_str()));
        Ok(json!({"channels": edges.collect::<Vec<_>>()}))
    }

    fn edges(&self, index: usize) -> [Value; 2] {
        let (channel, money) = (&self.channels[index], self.market.channel(index));
        let fee = money.fee();
        let ours = Edge {
            source: &self.id,
            destination: &channel.peer_id,
            base_msat: fee.base_msat,
            ppm: fee.ppm,
            htlc_min_msat: fee.htlc_min_msat,
            updated: channel.fee_changed,
        };
        let theirs = Edge {
            source: &channel.peer_id,
            destination: &self.id,
            base_msat: channel.peer_base_msat,
            ppm: channel.peer_ppm,
            htlc_min_msat: 0,
            updated: channel.opened,
        };
        [ours, theirs].map(|edge| {
            let direction = i32::from(edge.source > edge.destination);
            json!({
                "source": edge.source, "destination": edge.destination,
                "short_channel_id": channel.scid.to_string(), "direction": direction,
                "public": channel.public, "amount_msat": money.capacity_msat,
                "message_flags": 1, "channel_flags": direction, "active": channel.connected,
                "last_update": seconds(edge.updated) as u64, "base_fee_millisatoshi": edge.base_msat,
                "fee_per_millionth": edge.ppm, "delay": 34, "htlc_minimum_msat": edge.htlc_min_msat,
                "htlc_maximum_msat": money.capacity_msat / 100 * 99, "features": "",
            })
        })
    }

    pub(super) fn sign_message(&mut self, params: &Params) -> RpcResult {
        let message = params.need_text("message")?;
        if message.len() > 65_535 {
            return Err(RpcError::invalid("Message must be < 64k"));
        }
        let signed = self.key.sign(&message);
        Ok(json!({"signature": signed.signature, "recid": signed.recid, "zbase": signed.zbase}))
    }

    /// Without `pubkey`, only the key of a node in the graph will do.
    pub(super) fn check_message(&mut self, params: &Params) -> RpcResult {
        let (message, zbase) = (params.need_text("message")?, params.need_text("zbase")?);
        let claimed = params.get("pubkey").map(pubkey).transpose()?;
        let Some(signer) = keys::signer(&message, &zbase).map_err(RpcError::invalid)? else {
            return Ok(json!({"verified": false}));
        };
        if let Some(claimed) = claimed {
            return Ok(json!({"pubkey": signer, "verified": signer == claimed}));
        }
        let known = self.list_nodes(&Params::default())?;
        if known["nodes"]
            .as_array()
            .is_some_and(|nodes| nodes.iter().any(|node| node["nodeid"] == signer.as_str()))
        {
            return Ok(json!({"pubkey": signer, "verified": true}));
        }
        let data = Some(json!({"claimed_key": signer}));
        Err(RpcError { data, ..RpcError::new(1301, "pubkey not found in the graph") })
    }
}

/// A public key in hex, which must be a point of the curve.
fn pubkey(value: &Value) -> Result<String, RpcError> {
    let text = value.as_str().unwrap_or_default();
    let key: Option<secp256k1::PublicKey> = text.parse().ok();
    key.map(|key| key.to_string()).ok_or_else(|| bad("pubkey", "should be a compressed pubkey", value))
}
