//! `listhtlcs`: every HTLC of the channels that are not forgotten yet.

use serde_json::{Value, json};

use super::NodeState;
use super::channel::ChannelState;
use super::forwards::Page;
use super::params::Params;
use super::payments::PayStatus;
use crate::market::{Direction, Status};
use crate::rpc::RpcResult;

/// One HTLC.
struct Htlc {
    channel: usize,
    direction: Direction,
    id: u64,
    msat: u64,
    hash: String,
    resolved: bool,
}

impl NodeState {
    pub(super) fn list_htlcs(&mut self, params: &Params) -> RpcResult {
        let (wanted, page) = (params.scid("id")?, Page::parse(params)?);
        let htlcs = self.forwarded_htlcs().chain(self.own_htlcs()).enumerate();
        let kept = htlcs.filter(|(position, htlc)| {
            let channel = &self.channels[htlc.channel];
            let place = *position as u64 + 1;
            channel.state != ChannelState::Closed
                && place >= page.start
                && wanted.is_none_or(|scid| channel.is_named(scid))
        });
        let rows = kept.take(page.limit).map(|(position, htlc)| self.htlc_row(position, htlc));
        Ok(json!({"htlcs": rows.collect::<Vec<_>>()}))
    }

    fn htlc_row(&self, position: usize, htlc: Htlc) -> Value {
        let state = match (htlc.direction, htlc.resolved) {
            (Direction::In, true) => "SENT_REMOVE_ACK_REVOCATION",
            (Direction::In, false) => "SENT_ADD_ACK_REVOCATION",
            (Direction::Out, true) => "RCVD_REMOVE_ACK_REVOCATION",
            (Direction::Out, false) => "RCVD_ADD_ACK_REVOCATION",
        };
        let mut json = json!({
            "short_channel_id": self.channels[htlc.channel].scid.to_string(), "id": htlc.id,
            "expiry": self.block_height + 40, "direction": htlc.direction.name(),
            "amount_msat": htlc.msat, "payment_hash": htlc.hash, "state": state,
        });
        if self.flavour.has(2505) {
            json["created_index"] = json!(position + 1);
        }
        json
    }

    fn forwarded_htlcs(&self) -> impl Iterator<Item = Htlc> + '_ {
        self.forwards.iter().enumerate().flat_map(|(position, forward)| {
            let resolved = forward.status != Status::Offered;
            let hash = self.forwards.payment_hash(position);
            let incoming = Htlc {
                channel: forward.in_channel,
                direction: Direction::In,
                id: forward.in_htlc_id,
                msat: forward.in_msat,
                hash: hash.clone(),
                resolved,
            };
            let outgoing = forward.out_htlc_id.map(|id| Htlc {
                channel: forward.out_channel,
                direction: Direction::Out,
                id,
                msat: forward.out_msat,
                hash,
                resolved,
            });
            std::iter::once(incoming).chain(outgoing)
        })
    }

    fn own_htlcs(&self) -> impl Iterator<Item = Htlc> + '_ {
        self.payments.iter().flat_map(|payment| {
            let outgoing = payment.htlc.map(|htlc| Htlc {
                channel: htlc.channel,
                direction: Direction::Out,
                id: htlc.id,
                msat: htlc.msat,
                hash: payment.hash.clone(),
                resolved: payment.status != PayStatus::Pending,
            });
            let incoming = payment.incoming_id.map(|id| Htlc {
                channel: payment.in_channel,
                direction: Direction::In,
                id,
                msat: payment.amount_msat,
                hash: payment.hash.clone(),
                resolved: true,
            });
            outgoing.into_iter().chain(incoming)
        })
    }
}
