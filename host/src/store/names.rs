//! Channels that were ever seen, and the names by which the node called them.
//!
//! A channel keeps its `channel_id` for life. Its scid changes with a splice,
//! and forwards of unannounced channels carry an alias, so every name is kept.

use super::sql::word;
use crate::model::life::ClosedChannel;
use crate::model::{Channel, ChannelId, Msat, Opener, PeerId, Scid, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};
use std::collections::HashMap;

/// A channel as it was when last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownChannel {
    pub channel_id: ChannelId,
    pub peer_id: PeerId,
    pub capacity: Msat,
    pub opener: Opener,
    /// lightningd's name of the state.
    pub state: String,
    /// The latest name to show.
    pub scid: Option<Scid>,
    pub first_seen: UnixTime,
    /// Exact to the hour.
    pub last_seen: UnixTime,
}

impl KnownChannel {
    /// The name to show.
    pub fn name(&self) -> String {
        self.scid.map_or_else(|| self.channel_id.to_string(), |scid| scid.to_string())
    }
}

/// Notes the channels and all their names. A row is rewritten only when
/// something changed or it was last seen an hour ago.
pub fn observe<'a>(
    tx: &Transaction<'_>,
    channels: impl IntoIterator<Item = &'a Channel>,
    now: UnixTime,
) -> Result<()> {
    let mut put_channel = tx.prepare_cached(
        "INSERT INTO channels (channel_id, peer_id, capacity_msat, opener, state, scid, first_seen_s, last_seen_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
         ON CONFLICT (channel_id) DO UPDATE SET capacity_msat = excluded.capacity_msat, state = excluded.state,
             scid = coalesce(excluded.scid, scid), last_seen_s = max(last_seen_s, excluded.last_seen_s)
         WHERE excluded.last_seen_s >= last_seen_s + 3600 OR excluded.capacity_msat <> capacity_msat
             OR excluded.state <> state OR coalesce(excluded.scid, scid) IS NOT scid",
    )?;
    let mut put_name = tx.prepare_cached(
        "INSERT INTO channel_names (scid, channel_id, kind, first_seen_s, last_seen_s) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (scid) DO UPDATE SET channel_id = excluded.channel_id, kind = excluded.kind,
             last_seen_s = max(last_seen_s, excluded.last_seen_s)
         WHERE excluded.last_seen_s >= last_seen_s + 3600 OR excluded.channel_id <> channel_id OR excluded.kind <> kind",
    )?;
    for channel in channels {
        let shown = channel.scid.or(channel.alias_local);
        put_channel.execute(params![
            channel.channel_id,
            channel.peer_id,
            channel.total,
            channel.opener.name(),
            channel.state.name(),
            shown,
            now
        ])?;
        for (name, kind) in [(channel.alias_local, "alias"), (channel.scid, "scid")] {
            if let Some(scid) = name {
                put_name.execute(params![scid, channel.channel_id, kind, now])?;
            }
        }
    }
    Ok(())
}

/// Notes closed channels and their names, without taking a name from a channel that bears it.
pub fn observe_closed(tx: &Transaction<'_>, channels: &[ClosedChannel], now: UnixTime) -> Result<()> {
    let mut put_channel = tx.prepare_cached(
        "INSERT INTO channels (channel_id, peer_id, capacity_msat, opener, state, scid, first_seen_s, last_seen_s)
         VALUES (?1, ?2, ?3, ?4, 'CLOSED', ?5, ?6, ?6)
         ON CONFLICT (channel_id) DO UPDATE SET capacity_msat = excluded.capacity_msat, state = excluded.state,
             scid = coalesce(excluded.scid, scid)
         WHERE state <> excluded.state OR capacity_msat <> excluded.capacity_msat",
    )?;
    let mut put_name = tx.prepare_cached(
        "INSERT OR IGNORE INTO channel_names (scid, channel_id, kind, first_seen_s, last_seen_s)
         VALUES (?1, ?2, ?3, ?4, ?4)",
    )?;
    for channel in channels {
        put_channel.execute(params![
            channel.channel_id,
            channel.peer_id.unwrap_or(UNKNOWN_PEER),
            channel.total,
            channel.opener.name(),
            channel.scid.or(channel.alias_local),
            now
        ])?;
        for (name, kind) in [(channel.alias_local, "alias"), (channel.scid, "scid")] {
            if let Some(scid) = name {
                put_name.execute(params![scid, channel.channel_id, kind, now])?;
            }
        }
    }
    Ok(())
}

/// Stands for the peer of a closed channel that the node no longer remembers.
pub const UNKNOWN_PEER: PeerId = PeerId([0; 33]);

/// Notes a name that a channel had before, unless another channel bears it.
pub fn learn(tx: &Transaction<'_>, scid: Scid, channel_id: &ChannelId, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO channel_names (scid, channel_id, kind, first_seen_s, last_seen_s)
         VALUES (?1, ?2, 'scid', ?3, ?3)",
    )?
    .execute(params![scid, channel_id, now])?;
    Ok(())
}

/// The names to show, by channel.
pub fn shown(conn: &Connection) -> Result<HashMap<ChannelId, String>> {
    Ok(channels(conn)?.into_iter().map(|channel| (channel.channel_id, channel.name())).collect())
}

/// The channel that goes, or went, by this name.
pub fn resolve(conn: &Connection, scid: Scid) -> Result<Option<ChannelId>> {
    conn.prepare_cached("SELECT channel_id FROM channel_names WHERE scid = ?1")?
        .query_row([scid], |row| row.get(0))
        .optional()
}

/// Every name and its channel.
pub fn all(conn: &Connection) -> Result<HashMap<Scid, ChannelId>> {
    conn.prepare_cached("SELECT scid, channel_id FROM channel_names")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Every name of one channel, oldest first.
pub fn of(conn: &Connection, channel_id: &ChannelId) -> Result<Vec<Scid>> {
    conn.prepare_cached("SELECT scid FROM channel_names WHERE channel_id = ?1 ORDER BY first_seen_s, scid")?
        .query_map([channel_id], |row| row.get(0))?
        .collect()
}

/// Every channel that was ever seen, by channel id.
pub fn channels(conn: &Connection) -> Result<Vec<KnownChannel>> {
    conn.prepare_cached(
        "SELECT channel_id, peer_id, capacity_msat, opener, state, scid, first_seen_s, last_seen_s
         FROM channels ORDER BY channel_id",
    )?
    .query_map([], read_channel)?
    .collect()
}

// By position: names would be looked up for each row.
fn read_channel(row: &Row<'_>) -> Result<KnownChannel> {
    Ok(KnownChannel {
        channel_id: row.get(0)?,
        peer_id: row.get(1)?,
        capacity: row.get(2)?,
        opener: word(row, 3, Opener::from_name)?,
        state: row.get(4)?,
        scid: row.get(5)?,
        first_seen: row.get(6)?,
        last_seen: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelState;
    use crate::store::testing::{channel, memory, scid};

    #[test]
    fn a_spliced_channel_keeps_all_its_names() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let mut seen = channel(1);
        seen.alias_local = Some(scid(9_000));
        let old = seen.scid.expect("the sample has one");
        observe(&tx, &[seen.clone(), channel(2)], UnixTime(100)).expect("stored");
        seen.scid = Some(scid(500));
        seen.total = Msat(7);
        seen.state = ChannelState::AwaitingSplice;
        observe(&tx, &[seen.clone()], UnixTime(200)).expect("stored");

        for name in [old, scid(500), scid(9_000)] {
            assert_eq!(resolve(&tx, name), Ok(Some(seen.channel_id)), "{name}");
        }
        assert_eq!(of(&tx, &seen.channel_id).expect("names").len(), 3);
        assert_eq!(resolve(&tx, scid(77)), Ok(None));
        assert_eq!(all(&tx).expect("names").len(), 4);
        let known = channels(&tx).expect("channels");
        assert_eq!(known.len(), 2);
        assert_eq!((known[0].scid, known[0].capacity), (Some(scid(500)), Msat(7)));
        assert_eq!((known[0].first_seen, known[0].last_seen), (UnixTime(100), UnixTime(200)));
        assert_eq!(known[0].state, "CHANNELD_AWAITING_SPLICE");
    }

    #[test]
    fn a_channel_without_a_name_keeps_the_last_one() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let mut seen = channel(1);
        let name = seen.scid;
        observe(&tx, &[seen.clone()], UnixTime(100)).expect("stored");
        seen.scid = None;
        seen.state = ChannelState::Other("ONCHAIN".to_owned());
        observe(&tx, &[seen], UnixTime(150)).expect("stored");
        let known = channels(&tx).expect("channels");
        assert_eq!((known[0].scid, known[0].state.as_str()), (name, "ONCHAIN"));
    }

    #[test]
    fn the_last_sight_is_kept_to_the_hour() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        for (now, last_seen) in [(10_000, 10_000), (13_599, 10_000), (13_600, 13_600), (5_000, 13_600)] {
            observe(&tx, &[channel(1)], UnixTime(now)).expect("stored");
            assert_eq!(channels(&tx).expect("channels")[0].last_seen, UnixTime(last_seen), "at {now}");
        }
    }
}
