//! The input that an evaluator would get now, without any memory: for a first look at it.

use super::inputs;
use crate::cycles::Services;
use crate::model::ChannelId;
use crate::model::rebalance::RebalanceInput;
use crate::store::states::Memory;
use anyhow::Result;
use std::collections::HashSet;

impl Services {
    /// An input about all open channels, and their number.
    pub(in crate::cycles) async fn rebalance_input_now(&self) -> Result<(RebalanceInput, usize)> {
        let snapshot = self.observe().await?;
        let ground = self.ground(snapshot).await?;
        let asked: HashSet<ChannelId> =
            inputs::channels(ground.case()).iter().map(|channel| channel.channel_id).collect();
        let input = inputs::build(inputs::Sources {
            facts: &ground.facts,
            case: ground.case(),
            ledger: &ground.facts.ledger,
            asked: &asked,
            force: false,
            remembered: Memory::default(),
            pseudonym_key: &self.pseudonym_key,
            params: Vec::new(),
        });
        Ok((input, asked.len()))
    }
}
