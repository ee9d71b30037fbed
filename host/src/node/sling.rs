//! sling, the rebalancer: starting, watching and ending its jobs.
//!
//! Supported from 4.0 on, for `sling-once` alone has a total, without which no worst case can be
//! reserved. sling serves one call at a time: while it waits for a payment under way, up to its
//! `sling-timeoutpay`, every other call of its waits too. So nothing that answers a user calls it,
//! and all calls are patient beyond that.
//!
//! `sling-once` takes keywords only; all else is given as arrays, which every version takes.

use super::{CallError, Group, Node};
use crate::guard::budget::Reserved;
use crate::model::Scid;
use crate::model::job::StartRebalance;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than sling's own patience with a payment (`sling-timeoutpay`, 120 s unless changed).
const PATIENCE: Duration = Duration::from_secs(150);

/// For what one can do without: `sling-stats` of sling before 4.1.3 may never answer again.
const SHORT_PATIENCE: Duration = Duration::from_secs(20);

/// How long the end of the plugin waits for an answer. sling hears at once, but answers only when the
/// payment under way has ended.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

/// The oldest version that offers `sling-once`.
pub const OLDEST_MAJOR: u32 = 4;

/// sling's limit on HTLCs in a channel that it uses.
const MOST_HTLCS: &str = "sling-max-htlc-count";

#[derive(Debug, Deserialize)]
struct Version {
    version: String,
}

#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    candidates: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Configs {
    #[serde(default)]
    configs: BTreeMap<String, Setting>,
}

#[derive(Debug, Deserialize)]
struct Setting {
    value_int: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Stopped {
    stopped_count: u64,
}

#[derive(Debug, Deserialize)]
struct Summary {
    scid: String,
    #[serde(default)]
    status: Vec<String>,
}

/// A job that sling keeps in its files. This plugin never makes one: it is the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredJob {
    pub scid: Scid,
    /// Channels on the other side; empty when sling chooses them.
    pub candidates: Vec<Scid>,
}

/// The major number in a version such as `v4.2.1`.
pub fn major(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Node {
    /// sling's version, in its own words.
    pub async fn sling_version(&self) -> Result<String, CallError> {
        let answer: Version = self.call_sling("sling-version", json!([])).await?;
        Ok(answer.version)
    }

    /// Starts a job whose worst case is reserved. sling goes on with it until all of it has
    /// arrived or it is told to forget it.
    pub async fn sling_once(&self, reserved: &Reserved) -> Result<(), CallError> {
        self.call_sling::<Value>("sling-once", once(reserved.start())).await.map(|_| ())
    }

    /// The operator's own jobs.
    pub async fn sling_stored_jobs(&self) -> Result<Vec<StoredJob>, CallError> {
        let answer: BTreeMap<String, Settings> = self.call_sling("sling-jobsettings", json!([])).await?;
        let job = |(scid, settings): (String, Settings)| {
            let candidates = settings.candidates.iter().filter_map(|scid| scid.parse().ok()).collect();
            Some(StoredJob { scid: scid.parse().ok()?, candidates })
        };
        Ok(answer.into_iter().filter_map(job).collect())
    }

    /// With more HTLCs than this sling leaves a channel alone. lightningd tells it.
    pub async fn sling_most_htlcs(&self) -> Result<u64, CallError> {
        let answer: Configs = self.call(Group::Read, "listconfigs", json!({ "config": MOST_HTLCS })).await?;
        let told = answer.configs.get(MOST_HTLCS).and_then(|config| config.value_int);
        told.ok_or_else(|| CallError::Broken(format!("listconfigs does not tell {MOST_HTLCS}")))
    }

    /// What sling is doing on each channel it has a task for, in its own words: a finished job's
    /// task stays until it is forgotten, and all go when sling restarts. Its silence says nothing of sling's
    /// other commands.
    pub async fn sling_tasks(&self) -> Result<BTreeMap<Scid, String>, CallError> {
        let answer: Vec<Summary> =
            self.call_within(SHORT_PATIENCE, Group::SlingStats, "sling-stats", json!([true])).await?;
        let task = |summary: Summary| Some((summary.scid.parse().ok()?, summary.status.join(", ")));
        Ok(answer.into_iter().filter_map(task).collect())
    }

    /// Ends the job of a channel, and forgets nothing: a stored job stays. Answers when [`Node::sling_forget`]
    /// would, with how many tasks the channel had, finished ones counted in: none is no error.
    pub async fn sling_stop(&self, scid: Scid) -> Result<u64, CallError> {
        let answer: Stopped = self.call_sling("sling-stop", json!([scid.to_string()])).await?;
        Ok(answer.stopped_count)
    }

    /// Has sling end the job of a channel, as [`Node::sling_stop`] does, without waiting for that.
    pub async fn tell_sling_to_stop(&self, scid: Scid) -> Result<(), CallError> {
        self.tell(FAREWELL_PATIENCE, "sling-stop", json!([scid.to_string()])).await
    }

    /// Ends the job of a channel and makes sling forget it, the operator's own too. Answers when the payment under way
    /// has ended, or sling has lost patience with it; a channel without a job is no error.
    pub async fn sling_forget(&self, scid: Scid) -> Result<(), CallError> {
        self.call_sling::<Value>("sling-deletejob", json!([scid.to_string()])).await.map(|_| ())
    }

    async fn call_sling<T>(&self, method: &str, params: Value) -> Result<T, CallError>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        self.call_within(PATIENCE, Group::Sling, method, params).await
    }
}

/// Both limits on what a source keeps are always given: sling's own default for the second is a
/// thousand times what it says.
fn once(start: &StartRebalance) -> Value {
    let candidates: Vec<String> = start.from.iter().map(|end| end.scid.to_string()).collect();
    json!({
        "scid": start.to.scid.to_string(),
        "direction": "pull",
        "amount": start.payment.sats(),
        "onceamount": start.amount.sats(),
        "maxppm": start.max_fee.0,
        "maxhops": start.max_hops,
        "candidates": candidates,
        "depleteuptopercent": start.keep_share,
        "depleteuptoamount": start.keep_most.sats(),
        "paralleljobs": 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::job::{JobEnd, JobOrigin};
    use crate::model::{ChannelId, Msat, PeerId, Ppm};

    #[test]
    fn versions_are_read_by_their_first_number() {
        for (text, expect) in
            [("v4.2.1", Some(4)), ("3.0.6", Some(3)), ("v10.0", Some(10)), ("v4", Some(4)), ("none", None)]
        {
            assert_eq!(major(text), expect, "{text}");
        }
    }

    #[test]
    fn a_job_is_one_task_with_both_limits_on_what_sources_keep() {
        let end = |n: u8| JobEnd {
            channel_id: ChannelId([n; 32]),
            scid: Scid { block: u32::from(n), transaction: 1, output: 0 },
            peer_id: PeerId([2; 33]),
        };
        let start = StartRebalance {
            to: end(1),
            from: vec![end(2), end(3)],
            amount: Msat::from_sats(1_000_000),
            payment: Msat::from_sats(500_000),
            most_payments: 8,
            most_htlcs: 5,
            max_fee: Ppm(700),
            max_hops: 5,
            keep_share: 0.999_999,
            keep_most: Msat::from_sats(2_000_001),
            time_limit_s: 7_200,
            origin: JobOrigin::Operator { force: false },
            fleet: false,
            value: None,
            worth: None,
        };
        assert_eq!(
            once(&start),
            json!({
                "scid": "1x1x0", "direction": "pull", "amount": 500_000, "onceamount": 1_000_000, "maxppm": 700,
                "maxhops": 5, "candidates": ["2x1x0", "3x1x0"], "depleteuptopercent": 0.999_999,
                "depleteuptoamount": 2_000_001, "paralleljobs": 1,
            })
        );
    }
}
