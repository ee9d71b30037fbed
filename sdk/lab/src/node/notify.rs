//! Notifications in the shape of the release.

use serde_json::{Map, Value, json};

use super::NodeState;
use super::books::Move;
use super::channel::{ChannelState, StateChange};
use crate::market::{Forward, micros, seconds};
use crate::time::iso8601;

/// One notification for plugins.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What it is about; only subscribers of this topic get it.
    pub topic: &'static str,
    /// Its `params`.
    pub params: Value,
}

/// The block that plugins see of an amount moved in a channel.
pub(super) struct Movement<'a> {
    pub account: &'a str,
    pub credit_msat: u64,
    pub debit_msat: u64,
    pub tag: &'static str,
    pub payment_hash: &'a str,
    pub fees_msat: u64,
    /// Part and group of a payment that we sent.
    pub part_of: Option<(u64, u64)>,
}

impl NodeState {
    /// Queues a notification, wrapped in its topic.
    pub(super) fn notify(&mut self, topic: &'static str, body: Value) {
        self.outbox.push(Notification { topic, params: json!({topic: body}) });
    }

    /// Queues a notification that v23.05 sends without its topic around it.
    pub(super) fn notify_flat_before_23_08(&mut self, topic: &'static str, body: Value) {
        if self.flavour.has(2308) {
            self.notify(topic, body);
        } else {
            self.outbox.push(Notification { topic, params: body });
        }
    }

    pub(super) fn notify_block(&mut self) {
        let body = json!({"hash": self.rng.hex(32), "height": self.block_height});
        let key = if self.flavour.has(2308) { "block_added" } else { "block" };
        self.outbox.push(Notification { topic: "block_added", params: json!({key: body}) });
    }

    /// Moves a channel to a state, with its entry in the history and its notification.
    pub(super) fn change_state(
        &mut self,
        index: usize,
        new: ChannelState,
        cause: &'static str,
        message: &'static str,
    ) {
        let at = self.now();
        let channel = &mut self.channels[index];
        let old = std::mem::replace(&mut channel.state, new);
        if new != ChannelState::Closed {
            channel.state_changes.push(StateChange { at, old, new, cause, message });
        }
        if new == ChannelState::Closed && !self.flavour.has(2512) {
            return;
        }
        let text = (!message.is_empty()).then_some(message);
        let body = json!({
            "peer_id": channel.peer_id, "channel_id": channel.channel_id,
            "short_channel_id": channel.scid.to_string(), "timestamp": iso8601(at),
            "old_state": old.name(), "new_state": new.name(), "cause": cause, "message": text,
        });
        self.notify("channel_state_changed", body);
    }

    /// The notifications of a channel that comes to be.
    pub(super) fn notify_opening(&mut self, index: usize) {
        let at = self.now();
        let channel = &self.channels[index];
        let remote = channel.opener == crate::market::Opener::Remote;
        let mut body = Map::new();
        body.insert("peer_id".into(), json!(channel.peer_id));
        body.insert("channel_id".into(), json!(channel.channel_id));
        body.insert("timestamp".into(), json!(iso8601(at)));
        body.insert("new_state".into(), json!(ChannelState::AwaitingLockin.name()));
        body.insert("cause".into(), json!(if remote { "remote" } else { "user" }));
        body.insert("message".into(), json!("new channel opened"));
        if !self.flavour.has(2606) {
            body.insert("old_state".into(), json!("unknown"));
            body.insert("short_channel_id".into(), Value::Null);
        }
        let mut opened = json!({
            "id": channel.peer_id, "funding_txid": channel.funding_txid, "channel_ready": false,
            "funding_msat": self.market.channel(index).capacity_msat,
        });
        if !self.flavour.has(2308) {
            opened["funding_locked"] = json!(false);
        }
        self.notify("channel_state_changed", Value::Object(body));
        if remote {
            self.notify("channel_opened", opened);
        }
    }

    pub(super) fn notify_connect(&mut self, peer_id: &str, connected: bool) {
        let body = match connected {
            true => json!({"id": peer_id, "direction": "in",
                           "address": {"type": "ipv4", "address": "127.0.0.1", "port": 46322}}),
            false => json!({"id": peer_id}),
        };
        self.notify_flat_before_23_08(if connected { "connect" } else { "disconnect" }, body);
    }

    /// The two coin movements of a settled forward.
    pub(super) fn routed_movements(&mut self, position: usize, forward: &Forward) {
        let payment_hash = &self.forwards.payment_hash(position);
        let account = |index: usize| self.channels[index].channel_id.clone();
        let (from, to) = (account(forward.out_channel), account(forward.in_channel));
        let routed = |account, credit_msat, debit_msat| Movement {
            account,
            credit_msat,
            debit_msat,
            tag: "routed",
            payment_hash,
            fees_msat: forward.fee_msat(),
            part_of: None,
        };
        self.books.moves.push(Move::Routed { position, incoming: false });
        self.notify_movement(&routed(&from, 0, forward.out_msat));
        self.books.moves.push(Move::Routed { position, incoming: true });
        self.notify_movement(&routed(&to, forward.in_msat, 0));
    }

    pub(super) fn notify_movement(&mut self, movement: &Movement<'_>) {
        let mut body = json!({
            "version": 2, "coin_type": self.coin(), "node_id": self.id, "type": "channel_mvt",
            "account_id": movement.account, "credit_msat": movement.credit_msat,
            "debit_msat": movement.debit_msat, "timestamp": seconds(micros(self.now_unix_s())) as u64,
            "tags": [movement.tag], "payment_hash": movement.payment_hash, "fees_msat": movement.fees_msat,
        });
        if let Some((part, group)) = movement.part_of {
            body["part_id"] = json!(part);
            if self.flavour.has(2509) {
                body["group_id"] = json!(group);
            }
        }
        if self.flavour.has(2509) {
            body["created_index"] = json!(self.books.moves.len());
            body["primary_tag"] = json!(movement.tag);
            body["extra_tags"] = json!([]);
        }
        self.notify("coin_movement", body);
    }

    /// BIP 173 prefix of the network.
    pub(super) fn coin(&self) -> &'static str {
        match self.network.as_str() {
            "bitcoin" => "bc",
            "testnet" | "testnet4" | "signet" => "tb",
            _ => "bcrt",
        }
    }
}
