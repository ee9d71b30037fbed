//! `getinfo`, `feerates` and `listfunds`.

use serde_json::{Value, json};

use super::NodeState;
use super::channel::ChannelState;
use super::params::{Params, bad};
use crate::market::seconds;
use crate::rpc::RpcResult;

/// Smallest feerate bitcoind relays, sat per 1000 weight.
const FLOOR_PERKW: f64 = 253.0;

/// What `getinfo` warns of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncWarning {
    /// bitcoind is still syncing.
    Bitcoind,
    /// lightningd is still loading blocks.
    Lightningd,
}

impl NodeState {
    pub(super) fn get_info(&mut self, _: &Params) -> RpcResult {
        let count = |test: fn(ChannelState) -> bool| self.channels.iter().filter(|c| test(c.state)).count();
        let mut peers: Vec<&str> = self.channels.iter().map(|channel| channel.peer_id.as_str()).collect();
        peers.sort_unstable();
        peers.dedup();
        let features = json!({
            "init": self.flavour.init_features(), "node": self.flavour.node_features(),
            "channel": "", "invoice": "02000002024100",
        });
        let mut info = json!({
            "id": self.id, "alias": self.alias, "color": &self.id[..6], "num_peers": peers.len(),
            "num_pending_channels": count(|state| state == ChannelState::AwaitingLockin),
            "num_active_channels": count(ChannelState::carries_payments),
            "num_inactive_channels": count(|state| {
                !state.carries_payments() && !matches!(state, ChannelState::AwaitingLockin | ChannelState::Closed)
            }),
            "address": [], "binding": [{"type": "ipv4", "address": "127.0.0.1", "port": 9735}],
            "version": self.flavour.version(), "blockheight": self.block_height, "network": self.network,
            "fees_collected_msat": self.forwards.fees_msat(), "lightning-dir": self.lightning_dir,
            "our_features": features,
        });
        match self.sync_warning {
            None => {}
            Some(SyncWarning::Bitcoind) => {
                info["warning_bitcoind_sync"] = json!("Bitcoind is not up-to-date with network.");
            }
            Some(SyncWarning::Lightningd) => {
                info["warning_lightningd_sync"] = json!("Still loading latest blocks from bitcoind.");
            }
        }
        Ok(info)
    }

    /// sat per virtual byte now; none if the node has no estimates.
    pub fn feerate_sat_per_vb(&self) -> Option<f64> {
        let since_start = self.now_unix_s() - seconds(self.start);
        let steps = &self.market.spec().feerates;
        let current = steps.iter().rev().find(|step| step.at_s <= since_start).or(steps.first());
        self.feerate.unwrap_or(current.map(|step| step.sat_per_vb))
    }

    /// sat per 1000 weight, at least the floor.
    pub(super) fn feerate_perkw(&self) -> f64 {
        self.feerate_sat_per_vb().map_or(FLOOR_PERKW, |rate| (rate * 250.0).round()).max(FLOOR_PERKW)
    }

    pub(super) fn feerates(&mut self, params: &Params) -> RpcResult {
        let style = params.need_text("style")?;
        let unit = match style.as_str() {
            "perkw" => 1.0,
            "perkb" => 4.0,
            _ => return Err(bad("style", "should be 'perkb' or 'perkw'", params.need("style")?)),
        };
        let scaled = |perkw: f64| (perkw * unit) as u64;
        let perkw = self.feerate_perkw();
        let mut rates = json!({
            "min_acceptable": scaled((perkw / 2.0).max(FLOOR_PERKW)), "floor": scaled(FLOOR_PERKW),
            "max_acceptable": if self.flavour.has(2308) { scaled(perkw * 10.0) } else { u64::from(u32::MAX) },
            "estimates": [],
        });
        let mut answer = json!({});
        if self.feerate_sat_per_vb().is_none() {
            answer["warning_missing_feerates"] = json!("Some fee estimates unavailable: bitcoind startup?");
        } else {
            self.add_estimates(&mut rates, perkw, unit);
            answer["onchain_fee_estimates"] = self.onchain_estimates(perkw);
        }
        answer[style.as_str()] = rates;
        Ok(answer)
    }

    fn add_estimates(&self, rates: &mut Value, perkw: f64, unit: f64) {
        let rate = (perkw * unit) as u64;
        for name in ["opening", "mutual_close", "unilateral_close", "penalty"] {
            rates[name] = json!(rate);
        }
        if !self.flavour.has(2405) {
            rates["delayed_to_us"] = json!(rate);
            rates["htlc_resolution"] = json!(rate);
        }
        if self.flavour.has(2308) {
            rates["unilateral_anchor_close"] = json!((perkw.max(1250.0) * unit) as u64);
        }
        if self.flavour.has(2604) {
            rates["splice"] = json!((perkw * 1.02 * unit) as u64);
        }
        let estimate = |blocks: u32| json!({"blockcount": blocks, "feerate": rate, "smoothed_feerate": rate});
        rates["estimates"] = [2, 6, 12, 100].map(estimate).into_iter().collect();
    }

    fn onchain_estimates(&self, perkw: f64) -> Value {
        let sat = |weight: f64, perkw: f64| (weight * perkw / 1000.0) as u64;
        let mut estimates = json!({
            "opening_channel_satoshis": sat(702.0, perkw), "mutual_close_satoshis": sat(673.0, perkw),
            "unilateral_close_satoshis": sat(598.0, perkw),
            "htlc_timeout_satoshis": sat(663.0, perkw), "htlc_success_satoshis": sat(703.0, perkw),
        });
        if self.flavour.has(2308) {
            estimates["unilateral_close_nonanchor_satoshis"] = json!(sat(598.0, perkw));
            estimates["unilateral_close_satoshis"] = json!(sat(1112.0, perkw.max(1250.0)));
        }
        estimates
    }

    pub(super) fn list_funds(&mut self, params: &Params) -> RpcResult {
        let with_spent = params.boolean("spent")?.unwrap_or(false);
        let open = |state| !matches!(state, ChannelState::Closed);
        let channels = self.channels.iter().enumerate().filter(|(_, channel)| open(channel.state));
        let channels = channels.map(|(index, channel)| {
            let money = self.market.channel(index);
            json!({
                "peer_id": channel.peer_id, "connected": channel.connected, "state": channel.state.name(),
                "channel_id": channel.channel_id, "short_channel_id": channel.scid.to_string(),
                "our_amount_msat": money.our_msat, "amount_msat": money.capacity_msat,
                "funding_txid": channel.funding_txid, "funding_output": channel.funding_outnum,
            })
        });
        let channels: Vec<Value> = channels.collect();
        Ok(json!({"outputs": self.books.outputs_json(self.coin(), with_spent), "channels": channels}))
    }

    /// Counts a block, tells plugins, and takes closed channels a step further.
    pub(super) fn new_block(&mut self) {
        self.block_height += 1;
        self.notify_block();
        self.work_on_closes();
    }
}
