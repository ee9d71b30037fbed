//! `setchannel` on a recorded node: the recorded channels take the new values.

use serde_json::{Value, json};

use super::Recorded;
use crate::node::NodeState;
use crate::node::params::Params;
use crate::rpc::{RpcError, RpcResult};

/// A parameter, the field of a channel that it sets, and that field's name among its updates.
const FIELDS: [(&str, &str, &str); 4] = [
    ("feebase", "fee_base_msat", "fee_base_msat"),
    ("feeppm", "fee_proportional_millionths", "fee_proportional_millionths"),
    ("htlcmin", "minimum_htlc_out_msat", "htlc_minimum_msat"),
    ("htlcmax", "maximum_htlc_out_msat", "htlc_maximum_msat"),
];

impl NodeState {
    /// `setchannel` for a channel named by scid, alias, channel id, peer or `all`.
    pub(super) fn replayed_setchannel(&mut self, params: &Params) -> RpcResult {
        let id = params.need_text("id")?;
        let mut values = Vec::new();
        for (name, field, update) in FIELDS {
            let value = if name == "feeppm" { params.integer(name)? } else { params.msat(name)? };
            values.extend(value.map(|value| (field, update, value)));
        }
        let recorded = self.recorded.as_mut();
        let named = recorded.as_ref().map(|recorded| recorded.named(&id)).unwrap_or_default();
        if named.is_empty() {
            let is_scid = id.parse::<crate::ids::Scid>().is_ok();
            return Err(self.not_found(params.need("id")?, is_scid));
        }
        let rows = recorded.map(|recorded| recorded.set(&named, &values)).unwrap_or_default();
        let answers: Vec<Value> = rows.iter().map(|row| answer(row, self.flavour.has(2308))).collect();
        if answers.is_empty() {
            return Err(RpcError::new(-1, "Channel is in a state in which its fee can't be set"));
        }
        Ok(json!({"channels": answers}))
    }
}

impl Recorded {
    /// Ids of the channels that a name means now.
    fn named(&self, name: &str) -> Vec<Value> {
        let means = |row: &&Value| {
            let names = ["/short_channel_id", "/alias/local", "/channel_id", "/peer_id"];
            name == "all" || names.iter().any(|field| row.pointer(field) == Some(&json!(name)))
        };
        self.phase()
            .rows("listpeerchannels")
            .iter()
            .filter(means)
            .map(|row| row["channel_id"].clone())
            .collect()
    }

    /// Sets values on channels, in every phase, and returns the rows of this one.
    fn set(&mut self, channels: &[Value], values: &[(&str, &str, u64)]) -> Vec<Value> {
        let mut changed = Vec::new();
        for (position, phase) in self.phases.iter_mut().enumerate() {
            let rows = phase
                .results
                .get_mut("listpeerchannels")
                .and_then(|result| result["channels"].as_array_mut());
            let open = |row: &&mut Value| {
                row["state"].as_str().is_some_and(|state| state.starts_with("CHANNELD"))
                    && channels.contains(&row["channel_id"])
            };
            for row in rows.into_iter().flatten().filter(open) {
                for (field, update, value) in values {
                    row[*field] = json!(value);
                    if row.get("updates").is_some() {
                        row["updates"]["local"][*update] = json!(value);
                    }
                }
                if position == self.current {
                    changed.push(row.clone());
                }
            }
        }
        changed
    }
}

fn answer(row: &Value, with_limits: bool) -> Value {
    let copied =
        ["peer_id", "channel_id", "short_channel_id"].into_iter().chain(FIELDS.map(|(_, field, _)| field));
    let mut answer: Value = copied.map(|field| (field.to_owned(), row[field].clone())).collect();
    if with_limits {
        answer["ignore_fee_limits"] = row["ignore_fee_limits"].clone();
    }
    answer
}
