//! Strategies from the strategies directory, honest and hostile, behind policies.

#![allow(clippy::unwrap_used)]

mod attacks;
mod bombs;
mod canaries;
mod evaluators;
mod files;
mod life;
mod meanwhile;
mod names;
mod params;
mod performance;
mod quarantine;
#[cfg(target_os = "linux")]
mod worker;

use crate::acts::digest;
use crate::support::Stage;
use lab::market::ChannelSpec;
use lab::{Flavour, MarketSpec};
use serde_json::Value;

/// Channels of peers of their own, with these fees, ppm.
fn market(fees: &[u32]) -> MarketSpec {
    let channel = |(n, fee): (usize, &u32)| ChannelSpec::new(&format!("peer-{n}"), n).ppm(*fee);
    MarketSpec::new(fees.iter().enumerate().map(channel).collect(), Vec::new())
}

/// A node with such channels, on which cycles come when they are asked for.
async fn stage(fees: &[u32]) -> Stage {
    Stage::on(Flavour::V26_06).spec(market(fees)).unhurried().start().await
}

/// A module's record in `revenue-status`.
fn faults_of(status: &Value, digest: &str) -> Option<Value> {
    let faults = status["strategies"]["faults"].as_array().unwrap();
    faults.iter().find(|module| module["digest"] == digest).cloned()
}

/// The first byte of each channel's state, which counts the honest guest's calls, and that of the node.
fn states(stage: &Stage, strategy: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
    let db = rusqlite::Connection::open(stage.db_path()).unwrap();
    let mut select =
        db.prepare("SELECT bytes FROM strategy_states WHERE strategy = ?1 ORDER BY channel_id").unwrap();
    let channels = select.query_map([strategy], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let node = "SELECT bytes FROM strategy_node_states WHERE strategy = ?1";
    (channels, db.query_row(node, [strategy], |row| row.get(0)).unwrap())
}
