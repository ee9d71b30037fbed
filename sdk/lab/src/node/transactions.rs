//! `listtransactions`: the funding transactions of all channels, and where in the chain they stand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::NodeState;
use super::params::Params;
use crate::rpc::RpcResult;

impl NodeState {
    pub(super) fn list_transactions(&mut self, _: &Params) -> RpcResult {
        let fundings = self.channels.iter().flat_map(|channel| &channel.fundings);
        let places: BTreeMap<&str, (u64, u64)> =
            fundings.map(|(txid, name)| (txid.as_str(), name.place())).collect();
        let transaction = |(txid, (height, place)): (&str, (u64, u64))| {
            json!({
                "hash": txid, "rawtx": "", "blockheight": height, "txindex": place, "locktime": 0, "version": 2,
                "inputs": [], "outputs": [],
            })
        };
        let transactions: Vec<Value> = places.into_iter().map(transaction).collect();
        Ok(json!({"transactions": transactions}))
    }
}
