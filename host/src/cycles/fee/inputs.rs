//! What a strategy is told: snapshot and facts as rows without names.

use super::facts::Facts;
use crate::config::Config;
use crate::cycles::told;
use crate::guard::fee::bounds;
use crate::model::fee::Outcome;
use crate::model::flow::FlowClass;
use crate::model::strategy::{ChannelRow, Description, FeeInput, LastVerdict, ParamValue};
use crate::model::{Channel, Msat, NodeSnapshot, PeerId, Policy, UnixTime};
use crate::store::flow::FlowSums;
use crate::store::states::Memory;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What an input is built from.
pub(super) struct Sources<'a> {
    pub snapshot: &'a NodeSnapshot,
    pub facts: &'a Facts,
    pub config: &'a Config,
    pub channels: &'a [(Channel, Policy)],
    pub remembered: Memory,
    pub pseudonym_key: &'a [u8; 32],
    /// The module's own words.
    pub about: &'a Description,
    /// What an operator set for it, and it takes; it knows its own defaults.
    pub params: Vec<(String, ParamValue)>,
    /// It is an installed module: its strategy names no fixed fee then.
    pub stands_in: bool,
    /// Nothing comes of the call but a word to the operator.
    pub explain: bool,
}

/// A signal's name in the contract, and its value for a channel.
type Signal = (&'static str, fn(&FlowSums) -> u32);

/// The signals that the contract names.
const SIGNALS: [Signal; 4] = [
    ("forwards.failed-liquidity-day", |day| day.failed_liquidity),
    ("forwards.failed-downstream-day", |day| day.failed_downstream),
    ("forwards.in-day", |day| day.in_count),
    ("forwards.out-day", |day| day.out_count),
];

/// Whether the host has values for a signal of this name.
pub fn is_signal(name: &str) -> bool {
    SIGNALS.iter().any(|(known, _)| *known == name)
}

/// The wanted signals that the host knows, one value per channel.
fn signals(wanted: &[String], channels: &[(Channel, Policy)], facts: &Facts) -> Vec<(String, Vec<f64>)> {
    let known = SIGNALS.iter().filter(|(name, _)| wanted.iter().any(|wanted| wanted == name));
    known
        .map(|(name, value)| {
            let of = |channel: &Channel| {
                facts.day.get(&channel.channel_id).map_or(0.0, |day| f64::from(value(day)))
            };
            ((*name).to_owned(), channels.iter().map(|(channel, _)| of(channel)).collect())
        })
        .collect()
}

/// The input of one call, rows in the order of `channels`.
pub(super) fn build(mut sources: Sources<'_>) -> FeeInput {
    let (snapshot, facts) = (sources.snapshot, sources.facts);
    let feerate = snapshot.feerate_perkb.unwrap_or(0);
    let sum = |amount: fn(&Channel) -> Msat| snapshot.open_channels().map(amount).sum();
    let node_state = std::mem::take(&mut sources.remembered.node);
    FeeInput {
        now: snapshot.now(),
        cycle_s: u32::try_from(sources.config.fee_interval).unwrap_or(u32::MAX),
        seed: snapshot.tick.seed,
        block_height: snapshot.blockheight,
        feerate_perkb: feerate,
        feerate_mean_day_perkb: facts.feerate_mean_day.unwrap_or(feerate),
        feerate_hours_perkb: facts.feerate_hours.clone(),
        node_capacity: sum(|channel| channel.total),
        node_local: sum(|channel| channel.to_us),
        node_earned_day: facts.day.values().map(|window| window.earned).sum(),
        node_earned_week: facts.week.values().map(|window| window.earned).sum(),
        params: told::named(told::to_fee_strategies(sources.config))
            .chain(sources.explain.then(|| ("host.explain".to_owned(), ParamValue::Flag(true))))
            .chain(sources.params)
            .collect(),
        channels: sources
            .channels
            .iter()
            .map(|(channel, policy)| {
                row(
                    channel,
                    policy,
                    &mut sources.remembered,
                    &Context {
                        snapshot,
                        facts,
                        config: sources.config,
                        pseudonym_key: sources.pseudonym_key,
                        stands_in: sources.stands_in,
                    },
                )
            })
            .collect(),
        signals: signals(&sources.about.signals, sources.channels, facts),
        node_state,
    }
}

struct Context<'a> {
    snapshot: &'a NodeSnapshot,
    facts: &'a Facts,
    config: &'a Config,
    pseudonym_key: &'a [u8; 32],
    stands_in: bool,
}

fn row(channel: &Channel, policy: &Policy, remembered: &mut Memory, context: &Context<'_>) -> ChannelRow {
    let Context { snapshot, facts, config, pseudonym_key, stands_in } = *context;
    let id = &channel.channel_id;
    let (day, week) =
        (facts.day.get(id).copied().unwrap_or_default(), facts.week.get(id).copied().unwrap_or_default());
    let totals = facts.totals.get(id).copied().unwrap_or_default();
    let flow = facts.flow.get(id);
    let stored = remembered.channels.remove(id).unwrap_or_default();
    let bounds = bounds(policy, config, snapshot.feerate_perkb, stands_in);
    let updates = facts.updates.get(id).copied().unwrap_or(0);
    ChannelRow {
        pseudonym: pseudonym(pseudonym_key, &id.0),
        peer_pseudonym: peer_pseudonym(pseudonym_key, &channel.peer_id),
        opener: channel.opener,
        public: !channel.private,
        connected: channel.peer_connected,
        age_blocks: channel.age_blocks(snapshot.blockheight),
        capacity: channel.total,
        local: channel.to_us,
        spendable: channel.spendable,
        receivable: channel.receivable,
        htlcs_in: channel.htlcs.incoming,
        htlcs_out: channel.htlcs.outgoing,
        htlc_slots: channel.htlcs.slots,
        fee: channel.fee_ppm,
        base_fee: channel.fee_base,
        htlc_max: channel.htlc_max,
        peer_fee: channel.peer_fee_ppm,
        min_fee: bounds.exact.unwrap_or(bounds.min),
        max_fee: bounds.exact.unwrap_or(bounds.max),
        target: policy.fee_ppm_target,
        in_day: day.in_msat,
        out_day: day.out_msat,
        in_week: week.in_msat,
        out_week: week.out_msat,
        earned_day: day.earned,
        earned_week: week.earned,
        sourced_week: week.sourced,
        forwards_out_week: week.out_count,
        forwards_in_week: week.in_count,
        forwards_out_total: totals.sums.out_count,
        last_out: totals.last_out,
        flow: flow.map_or(FlowClass::Balanced, |flow| flow.class),
        flow_ratio: flow.map_or(0.0, |flow| flow.flow_ratio),
        velocity: flow.map_or(0.0, |flow| flow.velocity),
        confidence: flow.map_or(0.0, |flow| flow.confidence),
        rebalance_cost: facts.rebalance_rates.get(id).copied(),
        last_verdict: stored.last_verdict,
        last_proposed: stored.last_proposed,
        last_change: facts.last_changes.get(id).map_or(UnixTime(0), |change| change.at),
        updates_left: config.max_updates_per_day.saturating_sub(updates),
        intervals: facts.intervals.get(id).cloned().unwrap_or_default(),
        state: stored.bytes,
    }
}

/// A number below 2^53 that means the same channel or peer in every cycle of this node, and
/// nothing to anyone without the node's key.
pub(in crate::cycles) fn pseudonym(key: &[u8; 32], identity: &[u8]) -> u64 {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(identity);
    let bytes = mac.finalize().into_bytes();
    let first = bytes.first_chunk().expect("SHA-256 has more than eight bytes");
    u64::from_be_bytes(*first) >> 11
}

fn peer_pseudonym(key: &[u8; 32], peer: &PeerId) -> u64 {
    pseudonym(key, &peer.0)
}

/// The word for strategies on what became of a proposal.
pub(super) fn last_verdict(planned: &super::Planned, outcome: Option<&Outcome>) -> LastVerdict {
    match (&planned.verdict.result, outcome) {
        (Ok(_), Some(Outcome::DryRun)) => LastVerdict::DryRun,
        (Ok(_), Some(Outcome::Failed(_) | Outcome::Unknown(_)) | None) => LastVerdict::Refused,
        _ => planned.verdict.told(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_stable_small_and_keyed() {
        let (one, two) = ([1; 32], [2; 32]);
        assert_eq!(pseudonym(&one, b"channel"), pseudonym(&one, b"channel"));
        assert_ne!(pseudonym(&one, b"channel"), pseudonym(&two, b"channel"));
        assert!(pseudonym(&one, b"channel") < 1 << 53);
    }
}
