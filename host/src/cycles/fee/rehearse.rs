//! The input that a module would get now, without any memory: for a first look at it.

use super::decide::Ground;
use super::inputs;
use crate::cycles::Services;
use crate::engine::Module;
use crate::model::strategy::FeeInput;
use crate::model::{Channel, Policy};
use crate::store::states::Memory;
use anyhow::Result;
use std::sync::Arc;

impl Services {
    /// An input about all open channels, and their number.
    pub(in crate::cycles) async fn fee_input_now(&self, module: &Module) -> Result<(FeeInput, usize)> {
        let snapshot = self.observe().await?;
        let facts = self.facts(&snapshot).await?;
        let (snapshot, facts) = (Arc::new(snapshot), Arc::new(facts));
        let ground = Ground { snapshot, facts, config: self.config(), explain: false };
        let now = ground.snapshot.now();
        let with_policy = |channel: &Channel| (channel.clone(), ground.facts.policy(channel.peer_id, now));
        let channels: Vec<(Channel, Policy)> = ground.snapshot.open_channels().map(with_policy).collect();
        let input = inputs::build(inputs::Sources {
            snapshot: &ground.snapshot,
            facts: &ground.facts,
            config: &ground.config,
            channels: &channels,
            remembered: Memory::default(),
            pseudonym_key: &self.pseudonym_key,
            about: &module.description,
            params: Vec::new(),
            stands_in: true,
            explain: false,
        });
        Ok((input, channels.len()))
    }
}
