//! The notifications of a recorded run.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::node::Notification;

/// Topics that lightningd told the recorder of.
const TOPICS: [&str; 13] = [
    "balance_snapshot",
    "block_added",
    "channel_opened",
    "channel_state_changed",
    "coin_movement",
    "connect",
    "custommsg",
    "disconnect",
    "forward_event",
    "plugin_started",
    "sendpay_failure",
    "sendpay_success",
    "warning",
];

/// Reads one JSON-RPC message a line; requests, which have an id, are left out.
pub fn load(file: &Path) -> Result<Vec<Notification>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let mut notifications = Vec::new();
    for line in text.lines() {
        let mut message: Value =
            serde_json::from_str(line).with_context(|| format!("{} has a bad line", file.display()))?;
        if message.get("id").is_some() {
            continue;
        }
        let topic = TOPICS.into_iter().find(|topic| message["method"] == *topic);
        let topic = topic.with_context(|| format!("unknown topic {}", message["method"]))?;
        notifications.push(Notification { topic, params: message["params"].take() });
    }
    Ok(notifications)
}
