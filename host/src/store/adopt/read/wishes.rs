//! What the operator wanted: policies, ignored peers, changed settings.

use crate::store::adopt::found::{Found, FoundOverride, FoundPolicy, Part};
use crate::store::adopt::table::each_row;
use rusqlite::{Connection, Result};

const POLICY: [&str; 9] = [
    "peer_id",
    "strategy",
    "rebalance_mode",
    "fee_ppm_target",
    "tags",
    "updated_at",
    "fee_multiplier_min",
    "fee_multiplier_max",
    "expires_at",
];

pub(super) fn policies(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { policies, tally, .. } = found;
    each_row(conn, "peer_policies", &POLICY, (tally, Part::Policies), |cells, _| {
        policies.push(FoundPolicy {
            peer_id: cells.peer("peer_id")?,
            strategy: cells.text("strategy")?,
            rebalance_mode: cells.text("rebalance_mode")?,
            fee_ppm_target: cells.opt_int("fee_ppm_target")?,
            tags: tags(cells.opt_text("tags")?.as_deref()),
            updated_at: cells.opt_time("updated_at")?.unwrap_or_default(),
            fee_multiplier_min: cells.opt_real("fee_multiplier_min")?,
            fee_multiplier_max: cells.opt_real("fee_multiplier_max")?,
            expires_at: cells.opt_time("expires_at")?,
            ignored: false,
        });
        Ok(())
    })
}

/// A JSON list of texts. What is no list holds no tags: a policy counts without them too.
fn tags(text: Option<&str>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str::<Vec<serde_json::Value>>(text).ok())
        .unwrap_or_default()
        .iter()
        .filter_map(|tag| tag.as_str().map(str::to_owned))
        .collect()
}

/// Ignored peers, as the first versions kept them; they mean a policy of their own.
pub(super) fn ignored_peers(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { policies, tally, .. } = found;
    let names = ["peer_id", "reason", "ignored_at"];
    each_row(conn, "ignored_peers", &names, (tally, Part::IgnoredPeers), |cells, _| {
        let reason = cells.opt_text("reason")?;
        policies.push(FoundPolicy {
            peer_id: cells.peer("peer_id")?,
            strategy: "passive".to_owned(),
            rebalance_mode: "disabled".to_owned(),
            fee_ppm_target: None,
            tags: std::iter::once("ignored".to_owned()).chain(reason).collect(),
            updated_at: cells.opt_time("ignored_at")?.unwrap_or_default(),
            fee_multiplier_min: None,
            fee_multiplier_max: None,
            expires_at: None,
            ignored: true,
        });
        Ok(())
    })
}

/// Oldest first, so that of two names for one setting the later word counts.
pub(super) fn overrides(conn: &Connection, found: &mut Found) -> Result<()> {
    let Found { overrides, tally, .. } = found;
    let names = ["key", "value", "version", "updated_at"];
    let mut versions = Vec::new();
    each_row(conn, "config_overrides", &names, (tally, Part::ConfigOverrides), |cells, _| {
        let one = FoundOverride {
            key: cells.text("key")?,
            value: cells.text("value")?,
            updated_at: cells.opt_time("updated_at")?.unwrap_or_default(),
        };
        versions.push((cells.opt_int("version")?.unwrap_or(0), one));
        Ok(())
    })?;
    versions.sort_by_key(|(version, _)| *version);
    overrides.extend(versions.into_iter().map(|(_, one)| one));
    Ok(())
}
