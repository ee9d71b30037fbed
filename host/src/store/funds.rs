//! What the node owned at the last look.

use super::sql::opt_int;
use crate::model::life::{LiveChannel, NodeFunds};
use crate::model::{PeerId, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::HashMap;

/// Keeps what the node owns outside of its channels, in place of the last look.
pub fn put_node(tx: &Transaction<'_>, funds: &NodeFunds, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO node_funds (id, at_s, onchain_confirmed_msat, onchain_unconfirmed_msat,
             onchain_reserved_msat, blockheight, feerate_perkb)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        now,
        funds.confirmed,
        funds.unconfirmed,
        funds.reserved,
        funds.blockheight,
        opt_int(funds.feerate_perkb.map(u64::from))?
    ])?;
    Ok(())
}

/// Whether the node was ever looked at.
pub fn is_known(conn: &Connection) -> Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM node_funds)", [], |row| row.get(0))
}

/// Keeps what the node's channels hold, in place of the last look. What a peer's features said then
/// stays known while the peer is away.
pub fn put_channels(
    tx: &Transaction<'_>,
    channels: &[LiveChannel],
    splicing: &HashMap<PeerId, bool>,
    now: UnixTime,
) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO channel_funds (channel_id, at_s, state, connected, to_us_msat, total_msat, spendable_msat,
             receivable_msat, fee_ppm, base_fee_msat, peer_splices)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (channel_id) DO UPDATE SET at_s = excluded.at_s, state = excluded.state,
             connected = excluded.connected, to_us_msat = excluded.to_us_msat, total_msat = excluded.total_msat,
             spendable_msat = excluded.spendable_msat, receivable_msat = excluded.receivable_msat,
             fee_ppm = excluded.fee_ppm, base_fee_msat = excluded.base_fee_msat,
             peer_splices = coalesce(excluded.peer_splices, peer_splices)",
    )?;
    tx.prepare_cached("UPDATE channel_funds SET at_s = -1")?.execute([])?;
    for live in channels {
        let channel = &live.channel;
        put.execute(params![
            channel.channel_id,
            now,
            channel.state.name(),
            channel.peer_connected,
            channel.to_us,
            channel.total,
            channel.spendable,
            channel.receivable,
            channel.fee_ppm,
            channel.fee_base,
            splicing.get(&channel.peer_id)
        ])?;
    }
    tx.prepare_cached("DELETE FROM channel_funds WHERE at_s = -1")?.execute([])?;
    Ok(())
}
