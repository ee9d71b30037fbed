//! The channels that could be filled or taken from, and those at work, as the original shows them.

use super::why::Why;
use super::{Stored, is};
use crate::config::Config;
use crate::cycles::rebalance::RebalancePlan;
use crate::model::flow::FlowState;
use crate::model::{Channel, ChannelName};
use crate::rpc::status::flow_word;
use serde_json::{Value, json};

/// Each channel stands in one list at most.
#[derive(Default)]
pub(super) struct Rows {
    depleted: Vec<Value>,
    sources: Vec<Value>,
    /// Those that jobs use, whatever they hold.
    at_work: Vec<Value>,
}

impl Rows {
    pub(super) fn of(plan: &RebalancePlan, stored: &Stored, wanted: Option<ChannelName>) -> Rows {
        let mut rows = Rows::default();
        for channel in plan.snapshot.channels.iter().filter(|channel| is(wanted, channel)) {
            let share = channel.local_share();
            let row = row(channel, stored.flow.get(&channel.channel_id));
            if stored.live.iter().any(|job| job.start.channels().any(|used| *used == channel.channel_id)) {
                rows.at_work.push(row);
            } else if channel.state.is_open() && share < plan.config.low_liquidity_threshold {
                rows.depleted.push(depleted(row, skipped(plan, channel)));
            } else if channel.state.is_open() && share > plan.config.high_liquidity_threshold {
                rows.sources.push(with(row, "reason", "high local balance"));
            }
        }
        rows
    }

    pub(super) fn answer(self) -> Value {
        json!({ "depleted": self.depleted, "source": self.sources, "active_jobs": self.at_work })
    }

    /// What the node has none of, so that nothing can be filled.
    pub(super) fn lacking(&self, config: &Config) -> Vec<Why> {
        let none_depleted = self.depleted.is_empty().then(|| Why::none_depleted(config));
        let no_sources = self.sources.is_empty().then(|| Why::no_sources(config));
        none_depleted.into_iter().chain(no_sources).collect()
    }
}

fn row(channel: &Channel, flow: Option<&FlowState>) -> Value {
    json!({
        "scid": channel.name(),
        "peer_id": channel.peer_id.to_string(),
        "peer": channel.peer_id.to_string().chars().take(16).collect::<String>(),
        "local_pct": (channel.local_share() * 1000.0).round() / 10.0,
        "fee_ppm": channel.fee_ppm.0,
        "flow_state": flow_word(flow),
    })
}

fn depleted(row: Value, skipped: Option<Why>) -> Value {
    let row = with(row, "reason", "low local balance");
    match skipped {
        Some(why) => with(with(row, "skip_reason", &why.text), "skip_code", &why.code),
        None => row,
    }
}

fn with(mut row: Value, key: &str, value: &str) -> Value {
    row[key] = json!(value);
    row
}

/// Why a depleted channel is not filled.
fn skipped(plan: &RebalancePlan, channel: &Channel) -> Option<Why> {
    let id = channel.channel_id;
    if let Some(judged) = plan.judged.iter().find(|one| one.to.channel_id == id) {
        return judged.verdict.result.as_ref().err().map(Why::refused);
    }
    plan.passed.iter().find(|one| one.channel.channel_id == id).map(Why::passed)
}
