//! The action that gives advice, from the node's channels and the store's flows.

use super::read;
use crate::cycles::Services;
use crate::guard::policy::{PeerFacts, Suggestion, TRIAL_DAYS, WINDOW_DAYS, suggest};
use crate::model::flow::{FlowClass, FlowHour};
use crate::model::{Channel, ChannelId, Msat, PeerId, Policy, UnixTime};
use crate::rpc::CommandResult;
use crate::store::{books, flow, names};
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What the store knows of channels.
#[derive(Default)]
pub(super) struct Record {
    /// Settled forwards of the window.
    pub hours: HashMap<ChannelId, Vec<FlowHour>>,
    pub classes: HashMap<ChannelId, FlowClass>,
    /// When the last forward left through the channel; when the channel was first seen, if
    /// none ever did.
    pub quiet_since: HashMap<ChannelId, UnixTime>,
    /// What filling the channel cost in the window, long enough ago that it could have sold.
    pub rebalance_cost: HashMap<ChannelId, Msat>,
}

pub(super) async fn run(services: &Services) -> CommandResult {
    let now = services.now();
    let channels = services.node.channels().await.context("listing channels")?;
    let record = load(services, now).await?;
    let policies = read::all_in_force(services).await?;
    let found = suggest(&peer_facts(&channels, &record, policies, now));
    let shown: Vec<_> = found.iter().map(answer).collect();
    Ok(json!({
        "count": shown.len(),
        "suggestions": shown,
        "window_days": WINDOW_DAYS,
    }))
}

async fn load(services: &Services, now: UnixTime) -> anyhow::Result<Record> {
    let since = now.minus(u64::from(WINDOW_DAYS) * UnixTime::DAY);
    let read = services.store.read(move |conn| {
        let known = names::channels(conn)?;
        let mut quiet_since: HashMap<_, _> =
            known.into_iter().map(|channel| (channel.channel_id, channel.first_seen)).collect();
        let totals = flow::totals(conn)?;
        quiet_since.extend(totals.into_iter().filter_map(|(id, flow)| Some((id, flow.last_out?))));
        let states = flow::load_states(conn)?;
        Ok(Record {
            hours: flow::hours(conn, since)?,
            classes: states.into_iter().map(|(id, state)| (id, state.class)).collect(),
            quiet_since,
            rebalance_cost: books::rebalance_costs(
                conn,
                since,
                now.minus(u64::from(TRIAL_DAYS) * UnixTime::DAY),
            )?,
        })
    });
    read.await
}

/// One set of facts for each peer with an open channel.
pub(super) fn peer_facts(
    channels: &[Channel],
    record: &Record,
    policies: Vec<Policy>,
    now: UnixTime,
) -> Vec<PeerFacts> {
    let mut policies: HashMap<PeerId, Policy> =
        policies.into_iter().map(|policy| (policy.peer_id, policy)).collect();
    let mut peers: BTreeMap<PeerId, Vec<&Channel>> = BTreeMap::new();
    for channel in channels.iter().filter(|channel| channel.state.is_open()) {
        peers.entry(channel.peer_id).or_default().push(channel);
    }
    let facts = |(peer_id, channels): (PeerId, Vec<&Channel>)| {
        let policy = policies.remove(&peer_id).unwrap_or_else(|| Policy::default_for(peer_id));
        one_peer(policy, &channels, record, now)
    };
    peers.into_iter().map(facts).collect()
}

fn one_peer(policy: Policy, channels: &[&Channel], record: &Record, now: UnixTime) -> PeerFacts {
    let hours = || channels.iter().filter_map(|channel| record.hours.get(&channel.channel_id)).flatten();
    let sent: Msat = hours().map(|hour| hour.out_msat).sum();
    let received: Msat = hours().map(|hour| hour.in_msat).sum();
    let costs = channels.iter().filter_map(|channel| record.rebalance_cost.get(&channel.channel_id));
    let largest = channels.iter().max_by_key(|channel| (channel.total, channel.channel_id));
    let class = largest.and_then(|channel| record.classes.get(&channel.channel_id));
    let quiet_since = channels.iter().filter_map(|channel| record.quiet_since.get(&channel.channel_id)).max();
    let idle_days = now.since(*quiet_since.unwrap_or(&now)) / UnixTime::DAY;
    let capacity: Msat = channels.iter().map(|channel| channel.total).sum();
    let local: Msat = channels.iter().map(|channel| channel.to_us).sum();
    PeerFacts {
        peer_id: policy.peer_id,
        policy,
        exit_forwards: hours().map(|hour| u64::from(hour.out_count)).sum(),
        entry_forwards: hours().map(|hour| u64::from(hour.in_count)).sum(),
        earned: hours().map(|hour| hour.earned + hour.sourced).sum(),
        rebalance_cost: costs.copied().sum(),
        flow: class.copied().unwrap_or_default(),
        flow_ratio: sent.share_of(sent + received) - received.share_of(sent + received),
        local_share: local.share_of(capacity),
        idle_days: u32::try_from(idle_days).unwrap_or(u32::MAX),
    }
}

fn answer(suggestion: &Suggestion) -> Value {
    json!({
        "peer_id": suggestion.peer_id.to_string(),
        "peer_id_short": super::answer::short(suggestion.peer_id),
        "current_strategy": suggestion.current_strategy.as_str(),
        "current_rebalance_mode": suggestion.current_rebalance_mode.name(),
        "suggested_strategy": suggestion.suggested_strategy,
        "suggested_rebalance_mode": suggestion.suggested_rebalance_mode.name(),
        "reason": suggestion.reason,
        "severity": suggestion.severity.name(),
        "action": suggestion.action,
    })
}
