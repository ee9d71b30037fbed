//! Policies of peers, and the feed of their changes.
//!
//! A change gets a cursor that looks like a unix time and rises strictly, even
//! when the clock stands still or goes back. Whoever passes the last cursor it
//! saw as `since` misses nothing and sees nothing twice.

use super::cursors;
use super::sql::{Unsigned, json, to_json, word};
use crate::model::{PeerId, Policy, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

/// What happened to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Set,
    /// By a command.
    Deleted,
    /// Its time was over.
    Expired,
}

impl ChangeKind {
    /// The word used in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            ChangeKind::Set => "set",
            ChangeKind::Deleted => "deleted",
            ChangeKind::Expired => "expired",
        }
    }

    fn from_name(name: &str) -> Option<ChangeKind> {
        [Self::Set, Self::Deleted, Self::Expired].into_iter().find(|kind| kind.name() == name)
    }
}

/// The latest change of one peer's policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyChange {
    pub cursor: u64,
    pub peer_id: PeerId,
    pub kind: ChangeKind,
    pub changed_at: UnixTime,
    /// The policy as it is now; none when it is gone.
    pub policy: Option<Policy>,
}

const COLUMNS: &str = "p.peer_id, p.strategy, p.rebalance_mode, p.fee_ppm_target, p.tags, p.updated_at_s, \
                       p.fee_multiplier_min, p.fee_multiplier_max, p.expires_at_s, p.rebalance_strategy";

/// All policies, by peer id.
pub fn load_all(conn: &Connection) -> Result<Vec<Policy>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM policies p ORDER BY p.peer_id"))?
        .query_map([], read_policy)?
        .collect()
}

/// The policy of one peer, if it has one.
pub fn get(conn: &Connection, peer_id: &PeerId) -> Result<Option<Policy>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM policies p WHERE p.peer_id = ?1"))?
        .query_row([peer_id], read_policy)
        .optional()
}

/// Peers whose policies' time is over.
pub fn expired(conn: &Connection, now: UnixTime) -> Result<Vec<PeerId>> {
    conn.prepare_cached(
        "SELECT peer_id FROM policies WHERE expires_at_s <= ?1 ORDER BY expires_at_s, peer_id",
    )?
    .query_map([now], |row| row.get(0))?
    .collect()
}

/// Keeps a policy in place of the peer's former one. Returns the change's cursor.
pub fn put(tx: &Transaction<'_>, policy: &Policy) -> Result<u64> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO policies (peer_id, strategy, rebalance_mode, fee_ppm_target, tags, updated_at_s,
             fee_multiplier_min, fee_multiplier_max, expires_at_s, rebalance_strategy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        policy.peer_id,
        policy.strategy.as_str(),
        policy.rebalance_mode.name(),
        policy.fee_ppm_target,
        to_json(&policy.tags)?,
        policy.updated_at,
        policy.fee_multiplier_min,
        policy.fee_multiplier_max,
        policy.expires_at,
        policy.rebalance_strategy.as_ref().map(StrategyName::as_str),
    ])?;
    note_change(tx, &policy.peer_id, ChangeKind::Set, policy.updated_at)
}

/// Deletes a policy, leaving a tombstone in the feed. Returns the change's
/// cursor, or `None` when the peer has no policy.
pub fn delete(
    tx: &Transaction<'_>,
    peer_id: &PeerId,
    now: UnixTime,
    kind: ChangeKind,
) -> Result<Option<u64>> {
    let deleted = tx.prepare_cached("DELETE FROM policies WHERE peer_id = ?1")?.execute([peer_id])?;
    if deleted == 0 {
        return Ok(None);
    }
    note_change(tx, peer_id, kind, now).map(Some)
}

fn note_change(tx: &Transaction<'_>, peer_id: &PeerId, kind: ChangeKind, now: UnixTime) -> Result<u64> {
    let cursor = cursors::rise(tx, cursors::POLICY_CHANGES, now.0.max(1))?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO policy_changes (peer_id, cursor, kind, changed_at_s) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![peer_id, UnixTime(cursor), kind.name(), now])?;
    Ok(cursor)
}

/// Changes after the cursor `since`, newest first, only the latest per peer.
pub fn changes_since(conn: &Connection, since: u64) -> Result<Vec<PolicyChange>> {
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    conn.prepare_cached(&format!(
        "SELECT c.peer_id AS changed_peer, c.cursor, c.kind, c.changed_at_s, {COLUMNS}
         FROM policy_changes c LEFT JOIN policies p ON p.peer_id = c.peer_id
         WHERE c.cursor > ?1 ORDER BY c.cursor DESC"
    ))?
    .query_map([since], read_change)?
    .collect()
}

/// The cursor of the newest change ever; 0 before the first.
pub fn last_cursor(conn: &Connection) -> Result<u64> {
    cursors::get(conn, cursors::POLICY_CHANGES).map(Option::unwrap_or_default)
}

/// Forgets tombstones of policies that went before `before`. Returns how many.
pub fn prune_tombstones(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute("DELETE FROM policy_changes WHERE kind <> 'set' AND changed_at_s < ?1", [before])
}

fn read_policy(row: &Row<'_>) -> Result<Policy> {
    Ok(Policy {
        peer_id: row.get("peer_id")?,
        strategy: word(row, "strategy", |text| text.parse().ok())?,
        rebalance_mode: word(row, "rebalance_mode", |text| text.parse().ok())?,
        rebalance_strategy: match row.get::<_, Option<String>>("rebalance_strategy")? {
            None => None,
            Some(_) => Some(word(row, "rebalance_strategy", |text| text.parse().ok())?),
        },
        fee_ppm_target: row.get("fee_ppm_target")?,
        tags: json(row, "tags")?,
        updated_at: row.get("updated_at_s")?,
        fee_multiplier_min: row.get("fee_multiplier_min")?,
        fee_multiplier_max: row.get("fee_multiplier_max")?,
        expires_at: row.get("expires_at_s")?,
    })
}

fn read_change(row: &Row<'_>) -> Result<PolicyChange> {
    let Unsigned(cursor) = row.get("cursor")?;
    let kept: Option<PeerId> = row.get("peer_id")?;
    Ok(PolicyChange {
        cursor,
        peer_id: row.get("changed_peer")?,
        kind: word(row, "kind", ChangeKind::from_name)?,
        changed_at: row.get("changed_at_s")?,
        policy: kept.map(|_| read_policy(row)).transpose()?,
    })
}

#[cfg(test)]
mod tests;
