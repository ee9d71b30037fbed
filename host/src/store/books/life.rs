//! How channels began and ended, and what the node listed at the last look.

use crate::model::ledger::{CloseKind, SignedMsat};
use crate::model::{ChannelId, Msat, Ppm, Txid, UnixTime};
use crate::store::sql::word;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use std::collections::HashMap;

/// The beginning and the end of a channel. What is not known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub opened_at: Option<UnixTime>,
    /// What each side put in at the opening.
    pub local_funds: Option<Msat>,
    pub remote_funds: Option<Msat>,
    /// Given to the other side at the opening, positive when we gave it. No cost of routing.
    pub pushed: SignedMsat,
    pub closed_at: Option<UnixTime>,
    pub close_kind: Option<CloseKind>,
    /// Which side closed: `local` or `remote`.
    pub closer: Option<String>,
    pub close_cause: Option<String>,
    pub closing_txid: Option<Txid>,
    /// Our side of the last commitment.
    pub final_to_us: Option<Msat>,
    /// Its records were read after the node resolved its end: nothing more comes.
    pub settled: bool,
}

/// A channel as the node listed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFunds {
    /// lightningd's name of the state.
    pub state: String,
    pub connected: bool,
    pub to_us: Msat,
    pub total: Msat,
    pub spendable: Msat,
    pub receivable: Msat,
    pub fee_ppm: Ppm,
    pub base_fee: Msat,
    /// Whether the peer offers splices; none when it was not told.
    pub peer_splices: Option<bool>,
}

/// The node's wallet and surroundings at the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFunds {
    pub at: UnixTime,
    pub confirmed: Msat,
    pub unconfirmed: Msat,
    /// The part of the confirmed that transactions being made hold.
    pub reserved: Msat,
    pub blockheight: u32,
    /// Satoshi per 1000 vbytes.
    pub feerate_perkb: Option<u32>,
}

/// The last look at the node's wallet; none before the first.
pub fn node_funds(conn: &Connection) -> Result<Option<NodeFunds>> {
    conn.prepare_cached("SELECT * FROM node_funds")?
        .query_row([], |row| {
            Ok(NodeFunds {
                at: row.get("at_s")?,
                confirmed: row.get("onchain_confirmed_msat")?,
                unconfirmed: row.get("onchain_unconfirmed_msat")?,
                reserved: row.get("onchain_reserved_msat")?,
                blockheight: row.get("blockheight")?,
                feerate_perkb: row.get("feerate_perkb")?,
            })
        })
        .optional()
}

pub(super) fn lives(conn: &Connection) -> Result<HashMap<ChannelId, Life>> {
    conn.prepare_cached(
        "SELECT channel_id, opened_at_s, local_funds_msat, remote_funds_msat, pushed_msat, closed_at_s,
             close_kind, closer, close_cause, closing_txid, final_to_us_msat, books = 'settled'
         FROM channel_lives",
    )?
    .query_map([], |row| Ok((row.get(0)?, read_life(row)?)))?
    .collect()
}

// By position: names would be looked up for each row.
fn read_life(row: &Row<'_>) -> Result<Life> {
    let close_kind = match row.get_ref(6)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(word(row, 6, CloseKind::from_name)?),
    };
    Ok(Life {
        opened_at: row.get(1)?,
        local_funds: row.get(2)?,
        remote_funds: row.get(3)?,
        pushed: row.get(4)?,
        closed_at: row.get(5)?,
        close_kind,
        closer: row.get(7)?,
        close_cause: row.get(8)?,
        closing_txid: row.get(9)?,
        final_to_us: row.get(10)?,
        settled: row.get(11)?,
    })
}

pub(super) fn channel_funds(conn: &Connection) -> Result<HashMap<ChannelId, ChannelFunds>> {
    conn.prepare_cached(
        "SELECT channel_id, state, connected, to_us_msat, total_msat, spendable_msat, receivable_msat, fee_ppm,
             base_fee_msat, peer_splices
         FROM channel_funds",
    )?
    .query_map([], |row| {
        let funds = ChannelFunds {
            state: row.get(1)?,
            connected: row.get(2)?,
            to_us: row.get(3)?,
            total: row.get(4)?,
            spendable: row.get(5)?,
            receivable: row.get(6)?,
            fee_ppm: row.get(7)?,
            base_fee: row.get(8)?,
            peer_splices: row.get(9)?,
        };
        Ok((row.get(0)?, funds))
    })?
    .collect()
}
