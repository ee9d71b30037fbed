//! What the node's gossip says: `listnodes`, `listchannels`; and signatures of messages.

use serde_json::{Value, json};

use super::NodeState;
use super::channel::{Channel, ChannelState};
use super::params::Params;
use crate::market::{Micros, seconds};
use crate::rng::Rng;
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

    /// Signs so that only [`NodeState::check_message`] of the same node id takes it: a stand-in for
    /// a signature, not one.
    fn zbase(&self, message: &str) -> String {
        const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
        let fold = |text: &str| {
            let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
        };
        let mut rng = Rng::stream(fold(message), fold(&self.id));
        (0..104).map(|_| char::from(ALPHABET[rng.below(32)])).collect()
    }

    pub(super) fn sign_message(&mut self, params: &Params) -> RpcResult {
        let message = params.need_text("message")?;
        if message.len() > 65_535 {
            return Err(RpcError::invalid("Message must be < 64k"));
        }
        let zbase = self.zbase(&message);
        let signature = Rng::new(zbase.bytes().map(u64::from).sum()).hex(64);
        Ok(json!({"signature": signature, "recid": "00", "zbase": zbase}))
    }

    pub(super) fn check_message(&mut self, params: &Params) -> RpcResult {
        let (message, zbase) = (params.need_text("message")?, params.need_text("zbase")?);
        let signed_by_us = self.zbase(&message) == zbase;
        match params.text("pubkey") {
            Some(pubkey) => Ok(json!({"pubkey": pubkey, "verified": signed_by_us && pubkey == self.id})),
            None if signed_by_us => Ok(json!({"pubkey": self.id, "verified": true})),
            None => Err(RpcError::new(1301, "pubkey not found in the graph")),
        }
    }
}
