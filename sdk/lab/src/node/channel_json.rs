//! Channels as `listpeerchannels`, `listpeers` and `listclosedchannels` show them.

use serde_json::{Value, json};

use super::NodeState;
use super::channel::{Channel, ChannelState, StateChange};
use super::params::Params;
use crate::market::{HeldHtlc, Opener, seconds};
use crate::rng::Rng;
use crate::rpc::RpcResult;
use crate::time::iso8601;

/// The weight of a commitment transaction without HTLCs, as lightningd's fee for it implies.
pub(super) const COMMITMENT_FEE_MSAT: u64 = 1_411_000;

impl NodeState {
    pub(super) fn list_peer_channels(&mut self, params: &Params) -> RpcResult {
        let (peer, scid) = (params.text("id"), params.scid("short_channel_id")?);
        let channel_id = params.text("channel_id");
        let htlcs = self.htlcs_by_channel();
        let wanted = |channel: &&Channel| {
            channel.state != ChannelState::Closed
                && peer.as_deref().is_none_or(|id| channel.peer_id == id)
                && scid.is_none_or(|scid| channel.is_named(scid))
                && channel_id.as_deref().is_none_or(|id| channel.channel_id == id)
        };
        let listed = self.channels.iter().enumerate().filter(|(_, channel)| wanted(channel));
        let channels: Vec<Value> = listed
            .map(|(index, channel)| {
                let mut json = self.channel_json(index, &htlcs[index]);
                json["peer_id"] = json!(channel.peer_id);
                json["peer_connected"] = json!(channel.connected);
                json["channel_type"] = self.channel_type();
                if channel.connected && self.flavour.has(2402) && channel.state.owner() == Some("channeld") {
                    json["reestablished"] = json!(true);
                }
                json
            })
            .collect();
        Ok(json!({"channels": channels}))
    }

    fn htlcs_by_channel(&self) -> Vec<Vec<HeldHtlc>> {
        let mut by_channel = vec![Vec::new(); self.channels.len()];
        for htlc in self.market.htlcs() {
            by_channel[htlc.channel].push(htlc);
        }
        by_channel
    }

    /// A channel without the fields about its peer, the form nested in old `listpeers`.
    fn channel_json(&self, index: usize, htlcs: &[HeldHtlc]) -> Value {
        let channel = &self.channels[index];
        let mut json = self.money_json(index);
        let scratch = Rng::stream(self.forwards.updated(), index as u64).hex(32);
        let perkw = self.feerate_perkw().max(1250.0) as u32;
        let fields = json!({
            "state": channel.state.name(), "scratch_txid": scratch, "last_tx_fee_msat": COMMITMENT_FEE_MSAT,
            "feerate": {"perkw": perkw, "perkb": perkw * 4},
            "short_channel_id": channel.scid.to_string(), "channel_id": channel.channel_id,
            "direction": i32::from(self.id > channel.peer_id),
            "funding_txid": channel.funding_txid, "funding_outnum": channel.funding_outnum,
            "close_to_addr": format!("{}1q{}", self.coin(), &channel.channel_id[..38]),
            "close_to": format!("0014{}", &channel.channel_id[..40]),
            "private": !channel.public, "opener": channel.opener.name(),
            "alias": {"local": channel.local_alias.to_string(), "remote": channel.remote_alias.to_string()},
            "features": self.channel_features(),
            "dust_limit_msat": 546_000, "minimum_htlc_in_msat": 0,
            "their_to_self_delay": 144, "our_to_self_delay": 144,
            "state_changes": channel.state_changes.iter().map(state_change).collect::<Vec<_>>(),
            "status": [format!("{}:Channel ready for use.", channel.state.name())],
            "htlcs": htlcs.iter().map(|htlc| self.htlc_json(htlc)).collect::<Vec<_>>(),
        });
        merge(&mut json, fields);
        if let Some(owner) = channel.state.owner() {
            json["owner"] = json!(owner);
        }
        if let Some(ending) = &channel.ending {
            json["closer"] = json!(ending.closer);
        }
        self.add_release_fields(index, &mut json);
        json
    }

    fn money_json(&self, index: usize) -> Value {
        let (channel, money) = (&self.channels[index], self.market.channel(index));
        let fee = money.fee();
        let commitment = if channel.opener == Opener::Local { COMMITMENT_FEE_MSAT } else { 0 };
        json!({
            "funding": {"local_funds_msat": channel.funding_local_msat,
                        "remote_funds_msat": channel.funding_remote_msat, channel.push_name(): channel.pushed_msat},
            "to_us_msat": money.our_msat, "min_to_us_msat": channel.lowest_msat,
            "max_to_us_msat": channel.highest_msat, "total_msat": money.capacity_msat,
            "fee_base_msat": fee.base_msat, "fee_proportional_millionths": fee.ppm,
            "their_reserve_msat": money.reserve_msat, "our_reserve_msat": money.reserve_msat,
            "spendable_msat": money.spendable_msat().saturating_sub(commitment),
            "receivable_msat": money.receivable_msat(),
            "minimum_htlc_out_msat": fee.htlc_min_msat, "maximum_htlc_out_msat": fee.htlc_max_msat,
            "max_accepted_htlcs": money.slots,
            "in_payments_offered": channel.incoming.offered, "in_offered_msat": channel.incoming.offered_msat,
            "in_payments_fulfilled": channel.incoming.fulfilled,
            "in_fulfilled_msat": channel.incoming.fulfilled_msat,
            "out_payments_offered": channel.outgoing.offered, "out_offered_msat": channel.outgoing.offered_msat,
            "out_payments_fulfilled": channel.outgoing.fulfilled,
            "out_fulfilled_msat": channel.outgoing.fulfilled_msat,
        })
    }

    fn add_release_fields(&self, index: usize, json: &mut Value) {
        let (channel, money) = (&self.channels[index], self.market.channel(index));
        let fee = money.fee();
        if self.flavour.has(2308) {
            json["ignore_fee_limits"] = json!(channel.ignore_fee_limits);
        }
        if self.flavour.has(2402) {
            json["lost_state"] = json!(false);
            json["last_stable_connection"] = json!(seconds(self.start) as u64);
            json["updates"] = json!({
                "local": {"htlc_minimum_msat": fee.htlc_min_msat, "htlc_maximum_msat": fee.htlc_max_msat,
                          "cltv_expiry_delta": 34, "fee_base_msat": fee.base_msat,
                          "fee_proportional_millionths": fee.ppm},
                "remote": {"htlc_minimum_msat": 0, "htlc_maximum_msat": money.capacity_msat / 100 * 99,
                           "cltv_expiry_delta": 34, "fee_base_msat": channel.peer_base_msat,
                           "fee_proportional_millionths": channel.peer_ppm},
            });
        }
        if self.flavour.has(2502) {
            json["their_max_htlc_value_in_flight_msat"] = json!(u64::MAX);
            json["our_max_htlc_value_in_flight_msat"] = json!(u64::MAX);
        }
        if self.flavour.has(2512) {
            json["funding"]["withheld"] = json!(false);
        }
        if !self.flavour.has(2606) {
            json["max_total_htlc_in_msat"] = json!(u64::MAX);
        }
    }

    pub(super) fn channel_type(&self) -> Value {
        match self.flavour.has(2308) {
            true => json!({"bits": [12, 22], "names": ["static_remotekey/even", "anchors/even"]}),
            false => json!({"bits": [12], "names": ["static_remotekey/even"]}),
        }
    }

    fn channel_features(&self) -> Value {
        match self.flavour {
            super::Flavour::V23_05 => json!(["option_static_remotekey"]),
            super::Flavour::V24_11 => {
                json!(["option_static_remotekey", "option_anchors_zero_fee_htlc_tx", "option_anchors"])
            }
            super::Flavour::V26_06 => json!(["option_static_remotekey", "option_anchors"]),
        }
    }

    fn htlc_json(&self, htlc: &HeldHtlc) -> Value {
        let other = || Rng::stream(htlc.channel as u64, htlc.id).hex(32);
        let hash = self.hash_of_own(htlc).map_or_else(other, str::to_owned);
        let state = match htlc.direction {
            crate::market::Direction::In => "SENT_ADD_ACK_REVOCATION",
            crate::market::Direction::Out => "RCVD_ADD_ACK_REVOCATION",
        };
        json!({
            "direction": htlc.direction.name(), "id": htlc.id, "amount_msat": htlc.msat,
            "expiry": self.block_height + 40, "payment_hash": hash, "state": state,
        })
    }

    pub(super) fn list_peers(&mut self, params: &Params) -> RpcResult {
        let wanted = params.text("id");
        let htlcs = if self.flavour.has(2402) { Vec::new() } else { self.htlcs_by_channel() };
        let mut peers: std::collections::BTreeMap<&str, (bool, Vec<usize>)> = Default::default();
        for (index, channel) in self.channels.iter().enumerate() {
            if channel.state != ChannelState::Closed
                && wanted.as_deref().is_none_or(|id| channel.peer_id == id)
            {
                let entry = peers.entry(&channel.peer_id).or_default();
                entry.0 = channel.connected;
                entry.1.push(index);
            }
        }
        let peers = peers.into_iter().map(|(id, (connected, indices))| {
            let mut peer = json!({"id": id, "connected": connected, "num_channels": indices.len()});
            if connected {
                peer["netaddr"] = json!(["127.0.0.1:9735"]);
                peer["features"] = json!(self.flavour.init_features());
            }
            if !self.flavour.has(2402) {
                let channels = indices.iter().map(|&index| self.channel_json(index, &htlcs[index]));
                peer["channels"] = channels.collect();
            }
            peer
        });
        Ok(json!({"peers": peers.collect::<Vec<_>>()}))
    }

    pub(super) fn list_closed_channels(&mut self, params: &Params) -> RpcResult {
        let wanted = params.text("id");
        let closed = self.channels.iter().enumerate().filter(|(_, channel)| {
            channel.state == ChannelState::Closed && wanted.as_deref().is_none_or(|id| channel.peer_id == id)
        });
        let closed = closed.map(|(index, channel)| self.closed_json(index, channel));
        Ok(json!({"closedchannels": closed.collect::<Vec<_>>()}))
    }

    fn closed_json(&self, index: usize, channel: &Channel) -> Value {
        let money = self.market.channel(index);
        let mut json = json!({
            "peer_id": channel.peer_id, "channel_id": channel.channel_id,
            "short_channel_id": channel.scid.to_string(),
            "alias": {"local": channel.local_alias.to_string(), "remote": channel.remote_alias.to_string()},
            "opener": channel.opener.name(), "private": !channel.public, "channel_type": self.channel_type(),
            "total_local_commitments": channel.outgoing.offered * 2,
            "total_remote_commitments": channel.outgoing.offered * 2, "total_htlcs_sent": 0,
            "funding_txid": channel.funding_txid, "funding_outnum": channel.funding_outnum, "leased": channel.leased,
            "total_msat": money.capacity_msat, "final_to_us_msat": money.our_msat,
            "min_to_us_msat": channel.lowest_msat, "max_to_us_msat": channel.highest_msat,
        });
        if channel.pushed_msat > 0 {
            json[format!("funding_{}", channel.push_name())] = json!(channel.pushed_msat);
        }
        if let Some(ending) = &channel.ending {
            json["closer"] = json!(ending.closer);
            json["close_cause"] = json!(ending.cause);
            json["last_commitment_txid"] = json!(ending.txid);
            json["last_commitment_fee_msat"] = json!(ending.fee_msat);
        }
        if self.flavour.has(2402) {
            json["last_stable_connection"] = json!(seconds(self.start) as u64);
        }
        if self.flavour.has(2512) {
            json["funding_withheld"] = json!(false);
        }
        json
    }
}

fn state_change(change: &StateChange) -> Value {
    json!({
        "timestamp": iso8601(change.at), "old_state": change.old.name(), "new_state": change.new.name(),
        "cause": change.cause, "message": change.message,
    })
}

/// Adds the members of one object to another.
fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
