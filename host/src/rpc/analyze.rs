//! `revenue-analyze`: the flow analysis, of one channel or all.

use super::args::{Args, Kind, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::cycles::flow::Analyzed;
use crate::cycles::schedule::JobName;
use crate::econ::flow::flow_multiplier;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-analyze",
    usage: "[channel_id]",
    description: "Shows the flow analysis of one channel; without one, analyzes all now and shows them.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] =
    &[Param::optional("channel_id", Kind::Channel, "A channel, by short channel id or channel_id.")
        .or(&["scid"])
        .or_blank()];

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS)?;
    let analyzed = services.analyze().await?;
    let Some(name) = args.opt_channel("channel_id") else {
        services.jobs.wake(JobName::Flow);
        let channels: Vec<Value> = analyzed.iter().map(|one| analysis(one, &services)).collect();
        return Ok(
            json!({ "status": "Flow analysis triggered", "count": channels.len(), "analyses": channels }),
        );
    };
    let one = analyzed.iter().find(|one| name.names(&one.channel)).ok_or_else(|| {
        CommandError::from(format!("channel {name} is not one of this node's open channels"))
            .beside("channel", name.to_string())
            .beside("analysis", Value::Null)
    })?;
    Ok(json!({ "channel": one.channel.name(), "analysis": analysis(one, &services) }))
}

/// Amounts in sat where the name has no unit, as users of this command know them.
fn analysis(one: &Analyzed, services: &Services) -> Value {
    let (channel, flow) = (&one.channel, &one.flow);
    let daily = (flow.window_in.0 + flow.window_out.0) / u64::from(flow.window_days.max(1));
    let threshold = services.config().htlc_congestion_threshold;
    json!({
        "channel_id": channel.name(),
        "full_channel_id": channel.channel_id.to_string(),
        "peer_id": channel.peer_id.to_string(),
        "sats_in": flow.window_in.sats(),
        "sats_out": flow.window_out.sats(),
        "in_msat": flow.window_in.0,
        "out_msat": flow.window_out.0,
        "capacity": channel.total.sats(),
        "flow_ratio": rounded(flow.flow_ratio),
        "state": flow.class.name(),
        "daily_volume": daily / 1000,
        "analysis_window_days": flow.window_days,
        "htlc_min": channel.htlc_min.0,
        "htlc_max": channel.htlc_max.0,
        "active_htlcs": channel.htlcs.incoming + channel.htlcs.outgoing,
        "active_htlcs_in": channel.htlcs.incoming,
        "active_htlcs_out": channel.htlcs.outgoing,
        "max_htlcs": channel.htlcs.slots,
        "is_congested": channel.htlcs.utilization() > threshold,
        "our_balance": channel.to_us.sats(),
        "local_share": rounded(channel.local_share()),
        "confidence": rounded(flow.confidence),
        "velocity": rounded(flow.velocity),
        "flow_multiplier": rounded(flow_multiplier(flow)),
        "ema_decay": flow.ema_decay,
        "forward_count": flow.forward_count,
        "last_forward": flow.last_forward.map(|time| time.0),
    })
}

/// Four decimals, as the analysis is no more exact than that.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
