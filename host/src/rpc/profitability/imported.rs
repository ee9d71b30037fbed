//! Closed channels of which the books hold only what the Python plugin's database said.

use super::money;
use crate::econ::pnl::Pnl;
use crate::rpc::sheet::Sheet;
use crate::store::books::ImportedChannel;
use serde_json::Value;

/// The answer for one of them: the fields of any channel, null where the file tells nothing.
pub fn imported(channel: &ImportedChannel) -> Sheet {
    Sheet::new()
        .with("channel_id", channel.scid.to_string())
        .with("full_channel_id", Value::Null)
        .with("peer_id", channel.peer_id.to_string())
        .with("names", vec![channel.scid.to_string()])
        .with("state", "closed")
        .with("imported", true)
        .with("profitability", profitability(channel))
        .with("life", life(channel))
}

/// What can be said of the money of such channels: their fees and how many forwards left, not the
/// amounts, and nothing of what came in.
pub fn money_told(pnl: &Pnl) -> Sheet {
    let outbound = untold(Sheet::new(), &["volume_sats", "volume_msat"])
        .with("payment_count", pnl.traffic.out_count)
        .money("revenue_earned", pnl.traffic.earned);
    let inbound = untold(
        Sheet::new(),
        &[
            "payment_count",
            "volume_sats",
            "volume_msat",
            "contribution_to_other_channels_sats",
            "contribution_to_other_channels_msat",
        ],
    );
    untold(
        money(pnl),
        &["flow_profile", "role", "inbound_outbound_ratio", "volume_routed_sats", "volume_routed_msat"],
    )
    .with("outbound_flow", outbound)
    .with("inbound_flow", inbound)
}

fn profitability(channel: &ImportedChannel) -> Value {
    let unknown = [
        "profitability_class",
        "idle_days",
        "fee_multiplier",
        "rebalance_priority",
        "rebalanced_in",
        "rebalanced_out",
    ];
    untold(money_told(&channel.pnl), &unknown).with("days_active", channel.days()).done()
}

fn life(channel: &ImportedChannel) -> Value {
    let unknown = [
        "opener",
        "first_seen",
        "local_funds_msat",
        "remote_funds_msat",
        "pushed_at_opening_sats",
        "pushed_at_opening_msat",
        "close_cause",
        "final_to_us_msat",
    ];
    untold(Sheet::new(), &unknown)
        .bare("capacity", channel.capacity)
        .with("opened_at", channel.opened_at.map(|at| at.0))
        .with("closed_at", channel.closed_at.0)
        .with("close_type", channel.close_kind.name())
        .with("closer", channel.closer.clone())
        .with("closing_txid", channel.closing_txid.map(|txid| txid.to_string()))
        .with("is_settled", true)
        .done()
}

/// Fields of which the file tells nothing.
fn untold(sheet: Sheet, names: &[&str]) -> Sheet {
    names.iter().fold(sheet, |sheet, name| sheet.with(name, Value::Null))
}
