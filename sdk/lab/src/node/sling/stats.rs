//! What sling counts of its payments, and `sling-stats`. Times are in UTC, as on a node that runs
//! in that zone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::NodeState;
use super::args::{Args, read_scid, refuse};
use super::table;
use super::version::SlingVersion;
use crate::ids::Scid;
use crate::market::seconds;
use crate::rpc::{RpcError, RpcResult};
use crate::time::iso8601;

/// A payment that sling saw settle.
#[derive(Debug, Clone)]
pub(super) struct Success {
    pub amount_msat: u64,
    pub fee_ppm: u32,
    pub partner: Scid,
    pub hops: u8,
    /// Unix time, seconds.
    pub completed_at: u64,
}

/// A payment that sling saw fail, or gave up.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub amount_msat: u64,
    pub reason: &'static str,
    pub node: String,
    pub partner: Scid,
    pub hops: u8,
    /// Unix time, seconds.
    pub created_at: u64,
}

/// All that sling's files say.
#[derive(Debug, Default)]
pub(super) struct Stats {
    successes: BTreeMap<Scid, Vec<Success>>,
    failures: BTreeMap<Scid, Vec<Failure>>,
}

impl Stats {
    pub fn add_success(&mut self, scid: Scid, success: Success) {
        self.successes.entry(scid).or_default().push(success);
    }

    pub fn add_failure(&mut self, scid: Scid, failure: Failure) {
        self.failures.entry(scid).or_default().push(failure);
    }

    pub fn forget(&mut self, scid: Scid) {
        self.successes.remove(&scid);
        self.failures.remove(&scid);
    }

    fn successes(&self, scid: Scid) -> &[Success] {
        self.successes.get(&scid).map_or(&[], Vec::as_slice)
    }

    fn failures(&self, scid: Scid) -> &[Failure] {
        self.failures.get(&scid).map_or(&[], Vec::as_slice)
    }
}

/// What `sling-stats` is asked for.
struct Wanted {
    scid: Option<Scid>,
    json: bool,
}

impl Wanted {
    fn parse(params: &Value, version: SlingVersion) -> Result<Self, RpcError> {
        let complaint = match version.is_4() {
            true => "sling-stats: invalid arguments, expected array or object, got:",
            false => "sling-stats: invalid arguments, expected array, got:",
        };
        let scid_of = |value: &Value, wrong: &str| match value {
            Value::String(text) => read_scid(text),
            _ => Err(refuse(wrong)),
        };
        let flag_of = |value: Option<&Value>| match value {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(refuse("invalid `json` flag, not a bool. Use `true` or `false`")),
        };
        match Args::new(params, version, complaint)? {
            Args::Places([]) => Ok(Self { scid: None, json: false }),
            Args::Places([Value::Bool(json)]) if version >= SlingVersion::V3_0 => {
                Ok(Self { scid: None, json: *json })
            }
            Args::Places([Value::Bool(json), _]) if version.is_4() => Ok(Self { scid: None, json: *json }),
            Args::Places([scid]) => {
                // Before version 4 one channel is always JSON.
                Ok(Self { scid: Some(scid_of(scid, "invalid short_channel_id")?), json: !version.is_4() })
            }
            Args::Places([scid, json]) if version.is_4() => Ok(Self {
                scid: Some(scid_of(scid, "invalid short_channel_id")?),
                json: flag_of(Some(json))?,
            }),
            Args::Places(_) => Err(refuse(too_many(version))),
            Args::Names(fields) => {
                let scid = fields.get("scid").map(|scid| scid_of(scid, "invalid scid, not a string"));
                Ok(Self { scid: scid.transpose()?, json: flag_of(fields.get("json"))? })
            }
        }
    }
}

fn too_many(version: SlingVersion) -> &'static str {
    match version {
        SlingVersion::V4_2 => "Too many arguments, please only provide `scid` and/or `json`",
        SlingVersion::V3_0 => {
            "Please provide exactly one short_channel_id or a true/false for the summary to be json"
        }
        _ => "Please provide exactly one short_channel_id or nothing for a summary",
    }
}

/// A moment as sling prints it.
fn clock_time(unix_s: u64) -> String {
    iso8601(unix_s * 1_000_000)[..19].replace('T', " ")
}

fn time_or_never(unix_s: u64) -> String {
    if unix_s == 0 { "Never".to_owned() } else { clock_time(unix_s) }
}

/// The five largest of some counts, the largest first.
fn top<T: Ord>(counts: BTreeMap<T, u64>) -> Vec<(T, u64)> {
    let mut all: Vec<(T, u64)> = counts.into_iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.truncate(5);
    all
}

fn tally<T: Ord>(items: impl Iterator<Item = (T, u64)>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    items.for_each(|(item, count)| *counts.entry(item).or_default() += count);
    counts
}

impl NodeState {
    pub(super) fn sling_stats(&mut self, params: &Value) -> RpcResult {
        let Wanted { scid, json: as_json } = Wanted::parse(params, self.sling.version)?;
        let answer = match scid {
            Some(scid) => json!({
                "successes_in_time_window": self.success_stats(scid),
                "failures_in_time_window": self.failure_stats(scid),
            }),
            None => {
                self.read_jobs();
                self.sling_summary()
            }
        };
        match as_json {
            true => Ok(answer),
            false => Ok(json!({"format-hint": "simple", "result": table::render(&answer)})),
        }
    }

    /// One row per stored job, and one per channel with a task of a once-job: both, for a channel
    /// that has both.
    fn sling_summary(&self) -> Value {
        let stored = self.sling.files.jobs.keys().copied();
        let tasks = &self.sling.memory.tasks;
        let once = tasks.0.keys().copied().filter(|&scid| tasks.any_once(scid));
        let rows = stored.chain(once).filter_map(|scid| {
            let index = self.sling_channel(scid).ok()?;
            Some((self.channels[index].alias.to_lowercase(), self.summary_row(scid, index)))
        });
        let mut rows: Vec<(String, Value)> = rows.collect();
        rows.sort_by(|(left, _), (right, _)| left.cmp(right));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn summary_row(&self, scid: Scid, index: usize) -> Value {
        let stats = &self.sling.files.stats;
        let recent =
            self.recent(stats.successes(scid), self.sling.options.successes_age_days, |s| s.completed_at);
        let amount_msat: u64 = recent.iter().map(|success| success.amount_msat).sum();
        let last = |all: Option<u64>| all.unwrap_or(0);
        let success = last(stats.successes(scid).last().map(|success| success.completed_at));
        let failure = last(stats.failures(scid).last().map(|failure| failure.created_at));
        let tasks = self.sling.memory.tasks.0.get(&scid).into_iter().flatten();
        let mut status: Vec<String> =
            tasks.map(|(number, task)| format!("{number}:{}", task.state.name())).collect();
        if status.is_empty() {
            status.push(if self.sling.version.is_4() { "1:NotStarted" } else { "0:NoJob" }.to_owned());
        }
        json!({
            "alias": self.channels[index].alias, "scid": scid.to_string(),
            "pubkey": self.channels[index].peer_id, "status": status,
            "rebamount": table::with_commas(amount_msat / 1000), "w_feeppm": weighted_ppm(&recent),
            "last_route_taken": time_or_never(success.max(failure)),
            "last_success_reb": time_or_never(success),
        })
    }

    /// The entries of the last `days`; 0 for all.
    fn recent<'a, T>(&self, all: &'a [T], days: u64, at: fn(&T) -> u64) -> Vec<&'a T> {
        let since = (seconds(self.now()) as u64).saturating_sub(days * 86_400);
        all.iter().filter(|entry| days == 0 || at(entry) >= since).collect()
    }

    fn partners(&self, counts: BTreeMap<Scid, u64>) -> Vec<Value> {
        let row = |(scid, sats): (Scid, u64)| {
            let found = self.channels.iter().find(|channel| channel.scid == scid);
            let alias = found.map_or("PEER_NOT_FOUND", |channel| channel.alias.as_str());
            json!({"scid": scid.to_string(), "alias": alias, "sats": sats})
        };
        top(counts).into_iter().map(row).collect()
    }

    fn success_stats(&self, scid: Scid) -> Option<Value> {
        let days = self.sling.options.successes_age_days;
        let recent =
            self.recent(self.sling.files.stats.successes(scid), days, |success| success.completed_at);
        let newest = recent.iter().map(|success| success.completed_at).max()?;
        let amount_msat: u64 = recent.iter().map(|success| success.amount_msat).sum();
        let mut ppms: Vec<u32> = recent.iter().map(|success| success.fee_ppm).collect();
        ppms.sort_unstable();
        let percentile = (ppms.len() as f64 * 0.9).ceil() as usize;
        let partners = tally(recent.iter().map(|success| (success.partner, success.amount_msat / 1000)));
        let weighted = weighted_ppm(&recent);
        Some(json!({
            "time_window_days": window(days), "total_amount_sats": amount_msat / 1000,
            "feeppm_weighted_avg": weighted, "feeppm_min": ppms[0],
            "feeppm_max": ppms[ppms.len() - 1], "feeppm_median": ppms[ppms.len() / 2],
            "feeppm_90th_percentile": ppms[percentile.saturating_sub(1)],
            "top_5_channel_partners": self.partners(partners),
            "most_common_hop_count": most_common(recent.iter().map(|success| success.hops)),
            "time_of_last_rebalance": clock_time(newest), "total_rebalances": recent.len(),
            "total_spent_sats": (weighted as f64 * 0.000_001 * amount_msat as f64) as u64 / 1000,
        }))
    }

    fn failure_stats(&self, scid: Scid) -> Option<Value> {
        let days = self.sling.options.failures_age_days;
        let recent = self.recent(self.sling.files.stats.failures(scid), days, |failure| failure.created_at);
        let newest = recent.iter().map(|failure| failure.created_at).max()?;
        let amount_msat: u64 = recent.iter().map(|failure| failure.amount_msat).sum();
        let partners = tally(recent.iter().map(|failure| (failure.partner, failure.amount_msat / 1000)));
        let reasons = top(tally(recent.iter().map(|failure| (failure.reason, 1))));
        let reason = |(reason, count)| json!({"failure_reason": reason, "failure_count": count});
        let nodes = top(tally(recent.iter().map(|failure| (failure.node.as_str(), 1))));
        let node = |(id, count): (&str, u64)| {
            let found = self.channels.iter().find(|channel| channel.peer_id == id);
            let alias = found.map_or("ALIAS_NOT_FOUND", |channel| channel.alias.as_str());
            json!({"peer_id": id, "alias": alias, "count": count})
        };
        Some(json!({
            "time_window_days": window(days), "total_amount_tried_sats": amount_msat / 1000,
            "top_5_failure_reasons": reasons.into_iter().map(reason).collect::<Vec<_>>(),
            "top_5_fail_nodes": nodes.into_iter().map(node).collect::<Vec<_>>(),
            "top_5_channel_partners": self.partners(partners),
            "most_common_hop_count": most_common(recent.iter().map(|failure| failure.hops)),
            "time_of_last_attempt": clock_time(newest), "total_rebalances_tried": recent.len(),
        }))
    }
}

fn window(days: u64) -> String {
    if days == 0 { "all".to_owned() } else { days.to_string() }
}

fn most_common(hops: impl Iterator<Item = u8>) -> Option<u8> {
    top(tally(hops.map(|hops| (hops, 1)))).first().map(|(hops, _)| *hops)
}

/// Average of the fees, weighted by amount and truncated; 0 without any.
fn weighted_ppm(successes: &[&Success]) -> u64 {
    let amount: u128 = successes.iter().map(|success| u128::from(success.amount_msat)).sum();
    let weight = |success: &&Success| u128::from(success.fee_ppm) * u128::from(success.amount_msat);
    let weighted: u128 = successes.iter().map(weight).sum();
    weighted.checked_div(amount).unwrap_or(0) as u64
}
