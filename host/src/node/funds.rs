//! What the node owns on the chain, and what the chain costs now.

use super::rows::Rows;
use super::wire::{Getinfo, msat};
use super::{CallError, Group, Node};
use crate::model::Msat;
use crate::model::life::NodeFunds;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(default, deserialize_with = "msat")]
    amount_msat: Option<Msat>,
    status: String,
    #[serde(default)]
    reserved: bool,
}

impl Node {
    /// Funds outside of channels: getinfo, listfunds and feerates, one call each. Outputs that
    /// are spent, or not yet spendable for another reason than want of a block, don't count.
    pub async fn funds(&self) -> Result<NodeFunds, CallError> {
        let info: Getinfo = self.call(Group::Read, "getinfo", json!({})).await?;
        let outputs = Rows::of("outputs", Some::<Output>);
        let outputs = self.call_streamed(outputs, Group::Read, "listfunds", json!({})).await?;
        let feerate_perkb = self.feerate().await?;
        let mut funds = NodeFunds { blockheight: info.blockheight, feerate_perkb, ..NodeFunds::default() };
        for output in &outputs {
            let amount = output.amount_msat.unwrap_or_default();
            match output.status.as_str() {
                "confirmed" => {
                    funds.confirmed += amount;
                    if output.reserved {
                        funds.reserved += amount;
                    }
                }
                "unconfirmed" => funds.unconfirmed += amount,
                _ => {}
            }
        }
        Ok(funds)
    }
}
