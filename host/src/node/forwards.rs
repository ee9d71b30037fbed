//! Reading listforwards in pages, so that a long history neither blocks the node nor is
//! ever read twice.

use super::pages::PAGE;
use super::rows::Rows;
use super::wire::{ForwardRow, ListForwards};
use super::{BAD_PARAMETERS, CallError, Group, Node, lock};
use crate::model::forward::Forward;
use crate::model::list::ListIndex;
use serde_json::json;

/// Part of listforwards.
#[derive(Debug)]
pub struct ForwardPage {
    pub forwards: Vec<Forward>,
    /// The highest index seen; the next page starts behind it.
    pub last_index: u64,
    /// Nothing was left behind this page.
    pub is_last: bool,
}

impl Node {
    /// Whether lightningd (from v23.11 on) lists forwards in pages; none until tried.
    pub fn lists_forwards_in_pages(&self) -> Option<bool> {
        lock(&self.shared.abilities).forwards_in_pages
    }

    /// Forwards with an index above `after`, at most [`PAGE`]; none when this lightningd
    /// cannot list pages.
    pub async fn forwards_page(
        &self,
        index: ListIndex,
        after: u64,
    ) -> Result<Option<ForwardPage>, CallError> {
        if self.lists_forwards_in_pages() == Some(false) {
            return Ok(None);
        }
        let params = json!({ "index": index.name(), "start": after + 1, "limit": PAGE });
        let list: ListForwards = match self.call(Group::Forwards, "listforwards", params).await {
            Err(CallError::Refused { code: Some(BAD_PARAMETERS), .. }) => {
                lock(&self.shared.abilities).forwards_in_pages = Some(false);
                return Ok(None);
            }
            answer => answer?,
        };
        lock(&self.shared.abilities).forwards_in_pages = Some(true);
        let index_of = |row: &ForwardRow| match index {
            ListIndex::Created => row.created_index,
            ListIndex::Updated => row.updated_index,
        };
        Ok(Some(ForwardPage {
            is_last: (list.forwards.len() as u64) < PAGE,
            last_index: list.forwards.iter().filter_map(index_of).max().unwrap_or(after).max(after),
            forwards: list.forwards.iter().filter_map(ForwardRow::to_forward).collect(),
        }))
    }

    /// All forwards in one answer, as lightningd before v23.11 gives them.
    pub async fn all_forwards(&self) -> Result<Vec<Forward>, CallError> {
        let rows = Rows::of("forwards", |row: ForwardRow| row.to_forward());
        self.call_streamed(rows, Group::Forwards, "listforwards", json!({})).await
    }
}
