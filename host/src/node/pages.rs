//! Lists that lightningd, from v23.11 on, gives in pages: by counters that only rise.

use super::{CallError, Group, Node};
use crate::model::PeerId;
use crate::model::list::{List, ListIndex};
use serde_json::{Value, json};

/// Rows in one page: larger ones are hardly faster, and their JSON is what fills the memory.
pub const PAGE: u64 = 1_000;

/// What this lightningd turned out to be able to do; unknown until tried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Abilities {
    pub forwards_in_pages: Option<bool>,
    pub sendpays_in_pages: Option<bool>,
    pub events_by_payment: Option<bool>,
}

impl Node {
    /// How many rows or changes of a list lightningd has counted since its database was made, deleted
    /// ones too; none when it does not count them.
    pub async fn list_counter(&self, list: List, index: ListIndex) -> Result<Option<u64>, CallError> {
        let group = match list {
            List::Forwards => Group::Forwards,
            List::Payments => Group::Payments,
        };
        // Nothing is below zero, so the answer comes at once.
        let params = json!({ "subsystem": list.name(), "indexname": index.name(), "nextvalue": 0 });
        match self.call::<Value>(group, "wait", params).await {
            Ok(answer) => Ok(answer.get(index.name()).and_then(Value::as_u64)),
            Err(CallError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a list has rows with this index or higher ones.
    pub async fn list_reaches(
        &self,
        list: List,
        index: ListIndex,
        place: u64,
        us: PeerId,
    ) -> Result<bool, CallError> {
        let after = place.saturating_sub(1);
        let last = match list {
            List::Forwards => self.forwards_page(index, after).await?.map(|page| page.last_index),
            List::Payments => self.sendpays_page(index, after, us).await?.map(|page| page.last_index),
        };
        Ok(last.is_some_and(|last| last >= place))
    }
}
