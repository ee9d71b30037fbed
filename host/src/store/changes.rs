//! Every change of a channel's rate, whoever made it.

use super::decisions::LostAnswer;
use super::intervals;
use super::sql::word;
use crate::model::{Channel, ChannelId, Msat, PeerId, Ppm, Scid, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

/// Who changed a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOrigin {
    /// A strategy, within the guard's limits.
    Strategy,
    /// A policy that names the fee, as `static` and `hive` do.
    Policy,
    /// A caller of `revenue-set-fee`.
    Operator,
    /// Something other than this plugin.
    External,
}

impl ChangeOrigin {
    /// The word used in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            ChangeOrigin::Strategy => "strategy",
            ChangeOrigin::Policy => "policy",
            ChangeOrigin::Operator => "operator",
            ChangeOrigin::External => "external",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<ChangeOrigin> {
        [Self::Strategy, Self::Policy, Self::Operator, Self::External]
            .into_iter()
            .find(|origin| origin.name() == name)
    }
}

/// A change that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct FeeChange {
    pub at: UnixTime,
    pub channel_id: ChannelId,
    pub scid: Option<Scid>,
    pub peer_id: PeerId,
    pub old: Ppm,
    pub new: Ppm,
    /// The base fee that goes with the new rate.
    pub base: Msat,
    /// The largest HTLC that was set with it; none left it as it was.
    pub htlc_max: Option<Msat>,
    pub reason: String,
    pub origin: ChangeOrigin,
    /// Congestion that the host saw raised the rate beyond one step.
    pub from_congestion: bool,
}

impl FeeChange {
    /// A change that a look at the node found: that of our own decision whose answer was lost, or
    /// somebody else's.
    pub(super) fn found(channel: &Channel, old: Ppm, ours: Option<LostAnswer>, at: UnixTime) -> FeeChange {
        let (origin, reason, from_congestion, htlc_max) = match ours {
            Some(ours) => (ours.origin, ours.reason, ours.from_congestion, ours.htlc_max),
            None => (ChangeOrigin::External, "external".to_owned(), false, None),
        };
        FeeChange {
            at,
            channel_id: channel.channel_id,
            scid: channel.scid.or(channel.alias_local),
            peer_id: channel.peer_id,
            old,
            new: channel.fee_ppm,
            base: channel.fee_base,
            htlc_max,
            reason,
            origin,
            from_congestion,
        }
    }
}

const COLUMNS: &str = "changed_at_s, channel_id, scid, peer_id, old_ppm, new_ppm, base_msat, reason, origin,
    from_congestion, htlc_max_msat";

/// Keeps a change, and starts the channel's fee interval with it.
pub fn record(tx: &Transaction<'_>, change: &FeeChange) -> Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO fee_changes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    ))?
    .execute(params![
        change.at,
        change.channel_id,
        change.scid,
        change.peer_id,
        change.old,
        change.new,
        change.base,
        change.reason,
        change.origin.name(),
        change.from_congestion,
        change.htlc_max,
    ])?;
    intervals::start(tx, &change.channel_id, change.at, change.new, change.base)
}

/// The latest changes with their numbers, newest first. No number is given twice, since the latest change
/// of a channel is never forgotten.
pub fn recent(conn: &Connection, limit: u32) -> Result<Vec<(i64, FeeChange)>> {
    conn.prepare_cached(&format!("SELECT id, {COLUMNS} FROM fee_changes ORDER BY id DESC LIMIT ?1"))?
        .query_map([limit], |row| Ok((row.get("id")?, read(row)?)))?
        .collect()
}

/// How often strategies changed each channel's rate since `since` and up to `now`, both seconds included.
pub fn updates_in(conn: &Connection, since: UnixTime, now: UnixTime) -> Result<HashMap<ChannelId, u32>> {
    conn.prepare_cached(
        "SELECT channel_id, count(*) FROM fee_changes
         WHERE changed_at_s BETWEEN ?1 AND ?2 AND origin = 'strategy' GROUP BY channel_id",
    )?
    .query_map([since, now], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// The latest change of each channel, whoever made it.
pub fn last_per_channel(conn: &Connection) -> Result<HashMap<ChannelId, FeeChange>> {
    last_where(conn, "TRUE")
}

/// The latest change of each channel that this plugin made.
pub fn last_own_per_channel(conn: &Connection) -> Result<HashMap<ChannelId, FeeChange>> {
    last_where(conn, "origin <> 'external'")
}

/// Seeks from channel to channel in the index, so that it costs the same however long the history is.
fn last_where(conn: &Connection, wanted: &str) -> Result<HashMap<ChannelId, FeeChange>> {
    conn.prepare_cached(&format!(
        "WITH RECURSIVE changed (channel) AS (
             SELECT min(channel_id) FROM fee_changes
             UNION ALL
             SELECT (SELECT min(channel_id) FROM fee_changes WHERE channel_id > channel) FROM changed
             WHERE channel IS NOT NULL
         )
         SELECT {COLUMNS} FROM changed JOIN fee_changes
         ON id = (SELECT id FROM fee_changes WHERE channel_id = channel AND {wanted} ORDER BY id DESC LIMIT 1)
         WHERE channel IS NOT NULL"
    ))?
    .query_map([], |row| read(row).map(|change| (change.channel_id, change)))?
    .collect()
}

/// Forgets changes before `before`, except each channel's latest. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute(
        "DELETE FROM fee_changes WHERE changed_at_s < ?1
         AND id < (SELECT max(id) FROM fee_changes latest WHERE latest.channel_id = fee_changes.channel_id)",
        [before],
    )
}

fn read(row: &Row<'_>) -> Result<FeeChange> {
    Ok(FeeChange {
        at: row.get("changed_at_s")?,
        channel_id: row.get("channel_id")?,
        scid: row.get("scid")?,
        peer_id: row.get("peer_id")?,
        old: row.get("old_ppm")?,
        new: row.get("new_ppm")?,
        base: row.get("base_msat")?,
        reason: row.get("reason")?,
        origin: word(row, "origin", ChangeOrigin::from_name)?,
        from_congestion: row.get("from_congestion")?,
        htlc_max: row.get("htlc_max_msat")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{channel_id, memory, peer, scid};

    fn change(at: u64, n: u8, new: u32, origin: ChangeOrigin) -> FeeChange {
        FeeChange {
            at: UnixTime(at),
            channel_id: channel_id(n),
            scid: Some(scid(u32::from(n))),
            peer_id: peer(n),
            old: Ppm(1),
            new: Ppm(new),
            base: Msat(0),
            htlc_max: (n == 1).then_some(Msat(77)),
            reason: "scarcity".to_owned(),
            origin,
            from_congestion: n == 2,
        }
    }

    #[test]
    fn only_changes_by_strategies_use_up_the_day() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let all = [
            change(100, 1, 10, ChangeOrigin::Strategy),
            change(200, 1, 11, ChangeOrigin::Strategy),
            change(200, 1, 12, ChangeOrigin::Operator),
            change(210, 2, 13, ChangeOrigin::External),
            change(220, 1, 14, ChangeOrigin::Strategy),
        ];
        for change in &all {
            record(&tx, change).expect("stored");
        }
        assert_eq!(updates_in(&tx, UnixTime(200), UnixTime(220)), Ok(HashMap::from([(channel_id(1), 2)])));
        assert_eq!(updates_in(&tx, UnixTime(200), UnixTime(210)), Ok(HashMap::from([(channel_id(1), 1)])));
        assert_eq!(recent(&tx, 2), Ok(vec![(5, all[4].clone()), (4, all[3].clone())]));
        let last = HashMap::from([(channel_id(1), all[4].clone()), (channel_id(2), all[3].clone())]);
        assert_eq!(last_per_channel(&tx), Ok(last.clone()));
        let own = HashMap::from([(channel_id(1), all[4].clone())]);
        assert_eq!(last_own_per_channel(&tx), Ok(own), "what others did is not ours");

        assert_eq!(prune(&tx, UnixTime(1_000)), Ok(3));
        assert_eq!(last_per_channel(&tx), Ok(last));
    }

    #[test]
    fn no_changes_are_no_channels() {
        assert_eq!(last_per_channel(&memory()), Ok(HashMap::new()));
    }
}
