//! What strategies remember, with the host's last word on their proposals.

use super::sql::word;
use crate::model::module::InstalledModule;
use crate::model::strategy::LastVerdict;
use crate::model::{ChannelId, CycleKind, Digest, Ppm, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::HashMap;

/// Whose memory it is. One that sets fees and one that evaluates rebalances share nothing, though they
/// have a name, or a file, in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Of whichever module is in force for a strategy.
    Strategy(CycleKind, StrategyName),
    /// Of a module that is on trial, was in force, or stands in for one: by its name there.
    Module(CycleKind, StrategyName, Digest),
}

impl Holder {
    /// A module's own memory: on trial, or set aside.
    pub fn own(module: &InstalledModule) -> Holder {
        Holder::Module(module.decides, module.name.clone(), module.digest)
    }

    /// The memory of whatever is in force where the module stands.
    pub fn place(module: &InstalledModule) -> Holder {
        Holder::Strategy(module.decides, module.stands_for.clone())
    }

    /// No strategy's name has a colon in it.
    fn key(&self) -> String {
        let (decides, own) = match self {
            Holder::Strategy(decides, name) => (decides, name.to_string()),
            Holder::Module(decides, name, digest) => (decides, format!("module:{digest}:{name}")),
        };
        match decides {
            CycleKind::Fee => own,
            CycleKind::Rebalance => format!("rebalance:{own}"),
        }
    }
}

/// What is kept for one holder and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    pub holder: Holder,
    pub channel_id: ChannelId,
    pub state_version: u32,
    pub bytes: Vec<u8>,
    pub last_verdict: LastVerdict,
    pub last_proposed: Option<Ppm>,
}

/// What is kept for one holder and the whole node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStateRecord {
    pub holder: Holder,
    pub state_version: u32,
    pub bytes: Vec<u8>,
}

/// What a strategy gets back for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredState {
    pub bytes: Vec<u8>,
    pub last_verdict: LastVerdict,
    pub last_proposed: Option<Ppm>,
}

/// All that a holder gets back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub channels: HashMap<ChannelId, StoredState>,
    pub node: Vec<u8>,
}

/// Keeps states in place of the former ones.
pub(super) fn put(tx: &Transaction<'_>, states: &[StateRecord], now: UnixTime) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO strategy_states (strategy, channel_id, state_version, bytes, last_verdict, last_proposed_ppm,
             updated_at_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (strategy, channel_id) DO UPDATE SET state_version = excluded.state_version,
             bytes = excluded.bytes, last_verdict = excluded.last_verdict,
             last_proposed_ppm = excluded.last_proposed_ppm, updated_at_s = excluded.updated_at_s",
    )?;
    for state in states {
        put.execute(params![
            state.holder.key(),
            state.channel_id,
            state.state_version,
            state.bytes,
            state.last_verdict.name(),
            state.last_proposed,
            now,
        ])?;
    }
    Ok(())
}

/// Keeps a holder's state of the node in place of the former one.
pub(super) fn put_node(tx: &Transaction<'_>, state: &NodeStateRecord, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO strategy_node_states (strategy, state_version, bytes, updated_at_s)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![state.holder.key(), state.state_version, state.bytes, now])?;
    Ok(())
}

/// A holder's states in the format `state_version`; those in another are not
/// for the present component.
pub fn load(
    conn: &Connection,
    holder: &Holder,
    state_version: u32,
) -> Result<HashMap<ChannelId, StoredState>> {
    conn.prepare_cached(
        "SELECT channel_id, bytes, last_verdict, last_proposed_ppm FROM strategy_states
         WHERE strategy = ?1 AND state_version = ?2",
    )?
    .query_map(params![holder.key(), state_version], |row| {
        let state = StoredState {
            bytes: row.get("bytes")?,
            last_verdict: word(row, "last_verdict", LastVerdict::from_name)?,
            last_proposed: row.get("last_proposed_ppm")?,
        };
        Ok((row.get("channel_id")?, state))
    })?
    .collect()
}

/// A holder's state of the node in the format `state_version`; empty if there is none.
pub fn load_node(conn: &Connection, holder: &Holder, state_version: u32) -> Result<Vec<u8>> {
    conn.prepare_cached("SELECT bytes FROM strategy_node_states WHERE strategy = ?1 AND state_version = ?2")?
        .query_row(params![holder.key(), state_version], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

/// All that a holder remembers in the format `state_version`.
pub fn memory(conn: &Connection, holder: &Holder, state_version: u32) -> Result<Memory> {
    let channels = load(conn, holder, state_version)?;
    Ok(Memory { channels, node: load_node(conn, holder, state_version)? })
}

/// Gives `to` a copy of all that `from` remembers, in place of what it had.
pub fn copy(tx: &Transaction<'_>, from: &Holder, to: &Holder) -> Result<()> {
    forget(tx, to)?;
    for (table, columns) in TABLES {
        tx.execute(
            &format!("INSERT INTO {table} (strategy, {columns}) SELECT ?2, {columns} FROM {table} WHERE strategy = ?1"),
            params![from.key(), to.key()],
        )?;
    }
    Ok(())
}

/// Gives `to` all that `from` remembers, in place of what it had; `from` has nothing then.
pub fn hand_over(tx: &Transaction<'_>, from: &Holder, to: &Holder) -> Result<()> {
    copy(tx, from, to)?;
    forget(tx, from)
}

/// Forgets all that a holder remembers.
pub fn forget(tx: &Transaction<'_>, holder: &Holder) -> Result<()> {
    for (table, _) in TABLES {
        tx.execute(&format!("DELETE FROM {table} WHERE strategy = ?1"), [holder.key()])?;
    }
    Ok(())
}

/// Whether it remembers anything of any channel.
pub fn has_any(conn: &Connection, holder: &Holder) -> Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM strategy_states WHERE strategy = ?1)")?
        .query_row([holder.key()], |row| row.get(0))
}

/// The tables with states, and their columns besides the holder.
const TABLES: [(&str, &str); 2] = [
    ("strategy_states", "channel_id, state_version, bytes, last_verdict, last_proposed_ppm, updated_at_s"),
    ("strategy_node_states", "state_version, bytes, updated_at_s"),
];

/// Forgets states that no cycle has written since `before`: their channels are
/// closed or follow another strategy. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute("DELETE FROM strategy_states WHERE updated_at_s < ?1", [before])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::memory as database;

    #[test]
    fn worlds_and_names_of_one_file_remember_apart() {
        let mut conn = database();
        let tx = conn.transaction().expect("a transaction");
        let name: StrategyName = "mine".parse().expect("a name");
        let holders = CycleKind::ALL.into_iter().flat_map(|decides| {
            let module = |name: StrategyName| Holder::Module(decides, name, Digest([7; 32]));
            [Holder::Strategy(decides, name.clone()), module(name.clone()), module(StrategyName::dynamic())]
        });
        let holders: Vec<Holder> = holders.collect();
        let channel_id = ChannelId([1; 32]);
        for (number, holder) in (1..).zip(&holders) {
            let (holder, bytes) = (holder.clone(), vec![number]);
            let node = NodeStateRecord { holder: holder.clone(), state_version: 1, bytes: bytes.clone() };
            put_node(&tx, &node, UnixTime(5)).expect("kept");
            let (last_verdict, last_proposed) = (LastVerdict::None, None);
            let state =
                StateRecord { holder, channel_id, state_version: 1, bytes, last_verdict, last_proposed };
            put(&tx, &[state], UnixTime(5)).expect("kept");
        }
        for (number, holder) in (1..).zip(&holders) {
            let found = memory(&tx, holder, 1).expect("a memory");
            assert_eq!((&found.channels[&channel_id].bytes, &found.node), (&vec![number], &vec![number]));
        }
    }
}
