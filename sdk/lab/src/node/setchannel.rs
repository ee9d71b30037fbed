//! `setchannel`: whom it means, what it changes, what it answers.

use serde_json::{Value, json};

use super::NodeState;
use super::params::{Params, bad};
use crate::market::Fee;
use crate::rpc::{RpcError, RpcResult};

/// The values to change; the rest stays.
struct Change {
    base_msat: Option<u64>,
    ppm: Option<u32>,
    htlc_min_msat: Option<u64>,
    htlc_max_msat: Option<u64>,
    ignore_fee_limits: Option<bool>,
}

impl NodeState {
    pub(super) fn set_channel(&mut self, params: &Params) -> RpcResult {
        let id = params.need("id")?.clone();
        let change = Change {
            base_msat: params.msat("feebase")?,
            ppm: params.integer32("feeppm")?,
            htlc_min_msat: params.msat("htlcmin")?,
            htlc_max_msat: params.msat("htlcmax")?,
            ignore_fee_limits: params.boolean("ignorefeelimits")?,
        };
        if change.base_msat.is_some_and(|base| base > u64::from(u32::MAX)) {
            return Err(bad("feebase", "exceeds u32 max", params.need("feebase")?));
        }
        params.integer32("enforcedelay")?;
        let found = self.channels_named(&id)?;
        let answers: Vec<Value> =
            found.into_iter().map(|index| self.change_channel(index, &change)).collect();
        Ok(json!({"channels": answers}))
    }

    /// The channels that a scid, alias, channel id, peer id or `all` means.
    fn channels_named(&self, id: &Value) -> Result<Vec<usize>, RpcError> {
        let text = id.as_str().unwrap_or_default();
        let open = self.channels.iter().enumerate().filter(|(_, c)| c.state != super::ChannelState::Closed);
        let open: Vec<_> = open.collect();
        let settable = |index: &usize| self.channels[*index].state.can_set_fee();
        if text == "all" {
            return Ok(open.iter().map(|(index, _)| *index).filter(settable).collect());
        }
        let of_peer: Vec<usize> = open.iter().filter(|(_, c)| c.peer_id == text).map(|(i, _)| *i).collect();
        if !of_peer.is_empty() {
            let of_peer: Vec<usize> = of_peer.into_iter().filter(settable).collect();
            let refusal = || RpcError::invalid(format!("Peer {text} has no channel that can be changed"));
            return if of_peer.is_empty() { Err(refusal()) } else { Ok(of_peer) };
        }
        let scid: Option<crate::ids::Scid> = text.parse().ok();
        let found =
            open.iter().find(|(_, c)| c.channel_id == text || scid.is_some_and(|scid| c.is_named(scid)));
        let Some((index, channel)) = found else { return Err(self.not_found(id, scid.is_some())) };
        if !channel.state.can_set_fee() {
            let state = channel.state.name();
            return Err(RpcError::new(-1, format!("Channel is in state {state}: cannot set its fee")));
        }
        Ok(vec![*index])
    }

    pub(super) fn not_found(&self, id: &Value, is_scid: bool) -> RpcError {
        let text = id.as_str().unwrap_or_default();
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (self.flavour.has(2308), is_scid, is_hash) {
            (false, true, _) => RpcError::invalid(format!("Short channel ID not found: '{text}'")),
            (false, _, true) => RpcError::invalid(format!("Channel ID not found: '{text}'")),
            (false, ..) => {
                RpcError::invalid(format!("Given id is not a channel ID or short channel ID: '{text}'"))
            }
            (true, true, _) => bad("id", "Short channel id not found", id),
            (true, _, true) => bad("id", "Channel id not found", id),
            (true, ..) => bad("id", "should be a channel ID or short channel ID", id),
        }
    }

    fn change_channel(&mut self, index: usize, change: &Change) -> Value {
        let money = self.market.channel(index);
        let old = money.fee();
        let most = money.capacity_msat - money.reserve_msat;
        let wanted_max = change.htlc_max_msat.unwrap_or(old.htlc_max_msat);
        let fee = Fee {
            base_msat: change.base_msat.unwrap_or(old.base_msat),
            ppm: change.ppm.unwrap_or(old.ppm),
            htlc_min_msat: change.htlc_min_msat.unwrap_or(old.htlc_min_msat),
            htlc_max_msat: wanted_max.min(most),
        };
        let now = self.now_unix_s();
        self.market.set_fee(index, fee, now);
        let at = self.now();
        let channel = &mut self.channels[index];
        channel.fee_changed = at;
        channel.ignore_fee_limits = change.ignore_fee_limits.unwrap_or(channel.ignore_fee_limits);
        let mut answer = json!({
            "peer_id": channel.peer_id, "channel_id": channel.channel_id,
            "short_channel_id": channel.scid.to_string(),
            "fee_base_msat": fee.base_msat, "fee_proportional_millionths": fee.ppm,
            "minimum_htlc_out_msat": fee.htlc_min_msat, "maximum_htlc_out_msat": fee.htlc_max_msat,
        });
        if wanted_max > most {
            answer["warning_htlcmax_too_high"] =
                json!(format!("Set maximum_htlc_out_msat to maximum possible in channel: {most}msat"));
        }
        if self.flavour.has(2308) {
            answer["ignore_fee_limits"] = json!(channel.ignore_fee_limits);
        }
        answer
    }
}
