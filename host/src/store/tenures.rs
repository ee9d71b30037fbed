//! Which module's decisions were in force on which channel, from when to when.
//!
//! A tenure begins with the first cycle in which the module decided about the channel, and lasts until
//! another one decides, or the channel ends. In between it goes on, whether or not the plugin runs: the
//! fee stays in force. A change of capacity begins a new row, so that what was earned can be told per
//! sat of capacity.

use super::sql::word;
use crate::model::{Channel, ChannelId, Digest, Msat, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};
use std::collections::{HashMap, HashSet};

/// A module that decides about a channel now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    pub channel_id: ChannelId,
    pub capacity: Msat,
    pub strategy: StrategyName,
    pub digest: Digest,
}

/// A stretch in which one module decided about a channel of one capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    pub held: InForce,
    pub from: UnixTime,
    /// None while it runs.
    pub to: Option<UnixTime>,
}

/// Notes who decides about these channels from now on; of others nothing changes.
pub fn note(tx: &Transaction<'_>, in_force: &[InForce], now: UnixTime) -> Result<()> {
    if in_force.is_empty() {
        return Ok(());
    }
    let mut running = running(tx)?;
    for held in in_force {
        match running.remove(&held.channel_id) {
            Some(run) if run.held == *held => continue,
            Some(run) => end(tx, &run, now)?,
            None => {}
        }
        begin(tx, held, now)?;
    }
    Ok(())
}

/// Ends what runs on channels that are not among the open ones: when they closed, as far as that is
/// known, else now.
pub fn end_of_gone(tx: &Transaction<'_>, channels: &[Channel], now: UnixTime) -> Result<()> {
    let open: HashSet<ChannelId> =
        channels.iter().filter(|channel| channel.state.is_open()).map(|channel| channel.channel_id).collect();
    for run in running(tx)?.into_values().filter(|run| !open.contains(&run.held.channel_id)) {
        let closed_at = closed_at(tx, &run.held.channel_id)?;
        let at = closed_at.filter(|at| (run.from..=now).contains(at)).unwrap_or(now);
        end(tx, &run, at)?;
    }
    Ok(())
}

/// When a channel closed.
fn closed_at(conn: &Connection, channel_id: &ChannelId) -> Result<Option<UnixTime>> {
    let found = conn
        .prepare_cached("SELECT closed_at_s FROM channel_lives WHERE channel_id = ?1")?
        .query_row([channel_id], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// One that would have lasted no second never was: the clock was set back, or two came at once.
fn end(tx: &Transaction<'_>, run: &Tenure, at: UnixTime) -> Result<()> {
    let sql = if at > run.from {
        "UPDATE tenures SET to_s = ?3 WHERE channel_id = ?1 AND from_s = ?2"
    } else {
        "DELETE FROM tenures WHERE channel_id = ?1 AND from_s = ?2 AND ?3 <= from_s"
    };
    tx.prepare_cached(sql)?.execute(params![run.held.channel_id, run.from, at])?;
    Ok(())
}

/// No earlier than the end of the one before, whatever the clock says.
fn begin(tx: &Transaction<'_>, held: &InForce, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO tenures (channel_id, from_s, strategy, digest, capacity_msat)
         VALUES (?1, max(?2, coalesce((SELECT max(to_s) FROM tenures WHERE channel_id = ?1), 0)), ?3, ?4, ?5)",
    )?
    .execute(params![held.channel_id, now, held.strategy.as_str(), held.digest, held.capacity])?;
    Ok(())
}

/// Brings what lies after `now`, since a clock was ahead, down to it: what would last no second never was.
pub(super) fn mend(tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
    for sql in [
        "DELETE FROM tenures WHERE to_s > ?1 AND from_s >= ?1",
        "UPDATE tenures SET to_s = ?1 WHERE to_s > ?1",
        // These run, one of a channel at most.
        "UPDATE tenures SET from_s = ?1 WHERE from_s > ?1",
    ] {
        tx.execute(sql, [now])?;
    }
    Ok(())
}

fn running(conn: &Connection) -> Result<HashMap<ChannelId, Tenure>> {
    conn.prepare_cached("SELECT * FROM tenures WHERE to_s IS NULL")?
        .query_map([], |row| read(row).map(|run| (run.held.channel_id, run)))?
        .collect()
}

/// All tenures, by channel and time.
pub fn all(conn: &Connection) -> Result<Vec<Tenure>> {
    conn.prepare_cached("SELECT * FROM tenures ORDER BY channel_id, from_s")?.query_map([], read)?.collect()
}

fn read(row: &Row<'_>) -> Result<Tenure> {
    Ok(Tenure {
        held: InForce {
            channel_id: row.get("channel_id")?,
            capacity: row.get("capacity_msat")?,
            strategy: word(row, "strategy", |name| name.parse().ok())?,
            digest: row.get("digest")?,
        },
        from: row.get("from_s")?,
        to: row.get("to_s")?,
    })
}

/// Notes what a module that is used calls its version.
pub(super) fn note_version(tx: &Transaction<'_>, digest: Digest, version: &str, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO module_versions (digest, version, first_used_s) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![digest, version, now])?;
    Ok(())
}

/// The versions of all modules that are installed or were ever used.
pub fn versions(conn: &Connection) -> Result<HashMap<Digest, String>> {
    conn.prepare_cached(
        "SELECT digest, version FROM installed_modules UNION ALL SELECT digest, version FROM module_versions",
    )?
    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelState;
    use crate::store::testing::{channel, channel_id, memory};

    fn held(n: u8, digest: u8) -> InForce {
        InForce {
            channel_id: channel_id(n),
            capacity: Msat(2_000_000_000),
            strategy: StrategyName::dynamic(),
            digest: Digest([digest; 32]),
        }
    }

    /// Channel, digest, capacity in sats, from and to of all rows.
    fn rows(conn: &Connection) -> Vec<(u8, u8, u64, u64, Option<u64>)> {
        let row = |one: Tenure| {
            let InForce { channel_id, capacity, digest, .. } = one.held;
            (channel_id.0[0], digest.0[0], capacity.sats(), one.from.0, one.to.map(|to| to.0))
        };
        all(conn).expect("rows").into_iter().map(row).collect()
    }

    #[test]
    fn a_tenure_lasts_until_another_module_decides() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        note(&tx, &[held(1, 7), held(2, 7)], UnixTime(100)).expect("kept");
        note(&tx, &[held(1, 7)], UnixTime(200)).expect("kept");
        note(&tx, &[], UnixTime(250)).expect("kept");
        note(&tx, &[held(2, 8)], UnixTime(300)).expect("kept");
        note(&tx, &[InForce { capacity: Msat(5_000_000), ..held(1, 7) }], UnixTime(400)).expect("kept");
        let expected = [
            (1, 7, 2_000_000, 100, Some(400)),
            (1, 7, 5_000, 400, None),
            (2, 7, 2_000_000, 100, Some(300)),
            (2, 8, 2_000_000, 300, None),
        ];
        assert_eq!(rows(&tx), expected);
    }

    #[test]
    fn the_same_module_under_another_name_is_another_tenure() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        note(&tx, &[held(1, 7)], UnixTime(100)).expect("kept");
        let other = InForce { strategy: "other".parse().expect("a name"), ..held(1, 7) };
        note(&tx, &[other], UnixTime(200)).expect("kept");
        assert_eq!(rows(&tx).len(), 2);
    }

    #[test]
    fn a_channel_that_ends_ends_its_tenure() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        crate::store::names::observe(&tx, &[channel(1), channel(2)], UnixTime(1)).expect("kept");
        note(&tx, &[held(1, 7), held(2, 7), held(3, 7)], UnixTime(100)).expect("kept");
        tx.execute("INSERT INTO channel_lives (channel_id, closed_at_s) VALUES (?1, 150)", [channel_id(2)])
            .expect("a life");
        let mut closing = channel(3);
        closing.state = ChannelState::Other("CLOSINGD_SIGEXCHANGE".to_owned());
        end_of_gone(&tx, &[channel(1), closing], UnixTime(200)).expect("kept");
        let ends: Vec<_> = rows(&tx).into_iter().map(|row| row.4).collect();
        assert_eq!(ends, [None, Some(150), Some(200)]);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_overlap() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        note(&tx, &[held(1, 7)], UnixTime(100)).expect("kept");
        note(&tx, &[held(1, 8)], UnixTime(200)).expect("kept");
        note(&tx, &[held(1, 9)], UnixTime(50)).expect("kept");
        assert_eq!(rows(&tx), [(1, 7, 2_000_000, 100, Some(200)), (1, 9, 2_000_000, 200, None)]);
    }

    #[test]
    fn what_a_clock_that_was_ahead_began_and_ended_is_brought_down_to_now() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        note(&tx, &[held(1, 7), held(2, 7), held(4, 7)], UnixTime(100)).expect("kept");
        note(&tx, &[held(3, 7)], UnixTime(200)).expect("kept");
        for (digest, ahead) in [(8, 5_000), (9, 6_000)] {
            note(&tx, &[held(1, digest), held(3, digest)], UnixTime(ahead)).expect("kept");
        }
        end_of_gone(&tx, &[channel(1), channel(3), channel(4)], UnixTime(7_000)).expect("kept");
        mend(&tx, UnixTime(200)).expect("mended");
        note(&tx, &[held(4, 8)], UnixTime(300)).expect("kept");
        let sats = 2_000_000;
        let expected = [
            (1, 7, sats, 100, Some(200)),
            (1, 9, sats, 200, None),
            (2, 7, sats, 100, Some(200)),
            (3, 9, sats, 200, None),
            (4, 7, sats, 100, Some(300)),
            (4, 8, sats, 300, None),
        ];
        assert_eq!(rows(&tx), expected);
    }

    #[test]
    fn the_first_word_of_a_version_stays() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        for version in ["1.0.0", "liar"] {
            note_version(&tx, Digest([7; 32]), version, UnixTime(5)).expect("kept");
        }
        assert_eq!(versions(&tx), Ok(HashMap::from([(Digest([7; 32]), "1.0.0".to_owned())])));
    }
}
