//! Where the wallet's transactions stand in the chain, from listtransactions.

use super::rows::Rows;
use super::{CallError, Group, Node};
use crate::model::Txid;
use crate::model::life::Place;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

#[derive(Debug, Deserialize)]
struct Transaction {
    hash: String,
    #[serde(default)]
    blockheight: u32,
    #[serde(default)]
    txindex: u32,
}

impl Node {
    /// The place of every transaction that concerns the wallet or a channel and is in a block: one call,
    /// whose answer may be long. Empty when lightningd does not tell.
    pub async fn places(&self) -> Result<HashMap<Txid, Place>, CallError> {
        let rows = Rows::of("transactions", place);
        match self.call_streamed(rows, Group::Transactions, "listtransactions", json!({})).await {
            Err(error) if error.is_unknown_method() => Ok(HashMap::new()),
            places => Ok(places?.into_iter().collect()),
        }
    }
}

/// None: it waits for its block.
fn place(row: Transaction) -> Option<(Txid, Place)> {
    let place = Place { block: row.blockheight, transaction: row.txindex };
    Some((row.hash.parse().ok()?, place)).filter(|_| place.block > 0)
}
