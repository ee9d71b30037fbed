//! Which sling is played, and its options.

use serde_json::{Value, json};

/// A release of sling, one of each line that behaves alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlingVersion {
    /// v1.6.0: parameters are arrays, the summary is a table only.
    V1_6,
    /// v2.0.0: as v1.6.0.
    V2_0,
    /// v3.0.6: the summary is also JSON.
    V3_0,
    /// v4.2.1: `sling-once`, parameters by name, one lock around all commands.
    V4_2,
}

impl SlingVersion {
    /// Every version.
    pub const ALL: [Self; 4] = [Self::V1_6, Self::V2_0, Self::V3_0, Self::V4_2];

    /// What `sling-version` says.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_6 => "v1.6.0",
            Self::V2_0 => "v2.0.0",
            Self::V3_0 => "v3.0.6",
            Self::V4_2 => "v4.2.1",
        }
    }

    /// True from version 4 on.
    pub(super) fn is_4(self) -> bool {
        self >= Self::V4_2
    }
}

/// sling's options, as far as they matter here.
#[derive(Debug, Clone, PartialEq)]
pub struct SlingOptions {
    /// `sling-depleteuptopercent`: candidates keep this share of their capacity.
    pub depleteuptopercent: f64,
    /// `sling-depleteuptoamount`, sat; none for the default.
    pub depleteuptoamount_sat: Option<u64>,
    /// `sling-candidates-min-age`, blocks.
    pub candidates_min_age: u32,
    /// `sling-paralleljobs`.
    pub paralleljobs: u16,
    /// `sling-timeoutpay`: how long a payment is waited for, seconds.
    pub timeoutpay_s: u16,
    /// `sling-max-htlc-count`: a channel with more HTLCs is left alone.
    pub max_htlc_count: u64,
    /// `sling-autogo`: all stored jobs start 5 s after sling.
    pub autogo: bool,
    /// `sling-stats-delete-successes-age`, days; 0 for ever.
    pub successes_age_days: u64,
    /// `sling-stats-delete-failures-age`, days; 0 for ever.
    pub failures_age_days: u64,
}

impl Default for SlingOptions {
    fn default() -> Self {
        Self {
            depleteuptopercent: 0.2,
            depleteuptoamount_sat: None,
            candidates_min_age: 0,
            paralleljobs: 1,
            timeoutpay_s: 120,
            max_htlc_count: 5,
            autogo: false,
            successes_age_days: 30,
            failures_age_days: 30,
        }
    }
}

impl SlingOptions {
    /// What `listconfigs` shows of them from version 4 on, whose defaults lightningd knows.
    pub(super) fn configs(&self) -> [(&'static str, Value); 9] {
        [
            ("sling-depleteuptopercent", json!(self.depleteuptopercent.to_string())),
            ("sling-depleteuptoamount", json!(self.depleteuptoamount_sat.unwrap_or(2_000_000_000))),
            ("sling-candidates-min-age", json!(self.candidates_min_age)),
            ("sling-paralleljobs", json!(self.paralleljobs)),
            ("sling-timeoutpay", json!(self.timeoutpay_s)),
            ("sling-max-htlc-count", json!(self.max_htlc_count)),
            ("sling-autogo", json!(self.autogo)),
            ("sling-stats-delete-successes-age", json!(self.successes_age_days)),
            ("sling-stats-delete-failures-age", json!(self.failures_age_days)),
        ]
    }

    /// What a candidate keeps at most by amount, msat. Version 4 reads its default, meant as msat,
    /// as sat: 20 BTC, so that only the share counts.
    pub(super) fn depleteuptoamount_msat(&self, version: SlingVersion) -> u64 {
        match self.depleteuptoamount_sat {
            Some(sat) => sat.saturating_mul(1000),
            None if version.is_4() => 2_000_000_000_000,
            None => 2_000_000_000,
        }
    }
}
