//! Closed channels of which the books hold only what the Python plugin's database said.

use super::money;
use crate::rpc::sheet::Sheet;
use crate::store::books::ImportedChannel;
use serde_json::Value;

/// The answer for one of them: the fields of any channel, null where the file tells nothing.
pub fn imported(channel: &ImportedChannel) -> Sheet {
    Sheet::new()
        .with("channel_id", channel.scid.to_string())
        .with("full_channel_id", Value::Null)
        .with("peer_id", channel.peer_id.to_string())
        .with("state", "closed")
        .with("imported", true)
        .with("profitability", profitability(channel))
        .with("life", life(channel))
}

fn profitability(channel: &ImportedChannel) -> Value {
    let untold = [
        "outbound_flow",
        "inbound_flow",
        "flow_profile",
        "role",
        "inbound_outbound_ratio",
        "volume_routed_sats",
        "volume_routed_msat",
        "profitability_class",
    ];
    untold
        .into_iter()
        .fold(money(&channel.pnl), |sheet, name| sheet.with(name, Value::Null))
        .with("days_active", channel.days())
        .done()
}

fn life(channel: &ImportedChannel) -> Value {
    Sheet::new()
        .bare("capacity", channel.capacity)
        .with("opened_at", channel.opened_at.map(|at| at.0))
        .with("closed_at", channel.closed_at.0)
        .with("close_type", channel.close_kind.name())
        .with("closer", channel.closer.clone())
        .with("closing_txid", channel.closing_txid.map(|txid| txid.to_string()))
        .with("is_settled", true)
        .done()
}
