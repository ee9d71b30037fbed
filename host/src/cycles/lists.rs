//! Lists of the node that begin anew. The node keeps its id when it is rebuilt from its key or put back to
//! a copy, but its counters start over, or stand where they stood: what comes then would hide below the
//! place up to which these books have read.

use super::Services;
use super::schedule::JobName;
use crate::model::list::{List, ListIndex};
use crate::store::{Connection, lists};
use anyhow::{Context, Result};

/// Up to where a list is read, by each of its counters.
type Places = [Option<u64>; 2];

impl Services {
    /// Compares how far a list is read with the node's own counters. Where these are behind, the list is
    /// read from its beginning by the next reading. Returns whether such a reading is awaited.
    pub(super) async fn must_read_anew(&self, list: List) -> Result<bool> {
        // Before the counters, which others may let rise meanwhile.
        let places = move |conn: &Connection| {
            Ok([lists::reach(conn, list, ListIndex::Created)?, lists::reach(conn, list, ListIndex::Updated)?])
        };
        let places = self.store.read(places).await?;
        if let Some(counters) = self.counters(list, places).await?
            && self.has_begun_anew(list, places, counters).await?
        {
            let now = self.now();
            if self.store.write(move |tx| Ok(lists::begin_anew(tx, list, counters, now)?)).await? {
                let what = list.what();
                tracing::warn!("lightningd's list of {what} began anew: it is read from its beginning");
            }
        }
        let anew = self.store.read(move |conn| Ok(lists::begun_anew(conn, list)?)).await?;
        Ok(anew.is_some_and(|anew| !anew.is_read))
    }

    /// The node's counters, where it has any and the list was ever read by them.
    async fn counters(&self, list: List, places: Places) -> Result<Option<[u64; 2]>> {
        if places == [None, None] {
            return Ok(None);
        }
        let counter = async |index| self.node.list_counter(list, index).await.context("wait");
        let created = counter(ListIndex::Created).await?;
        Ok(created.zip(counter(ListIndex::Updated).await?).map(|(created, updated)| [created, updated]))
    }

    /// Whether a counter is behind the place up to which the list is read, and no row contradicts it.
    async fn has_begun_anew(&self, list: List, places: Places, counters: [u64; 2]) -> Result<bool> {
        for ((index, place), counter) in ListIndex::BOTH.into_iter().zip(places).zip(counters) {
            if let Some(place) = place.filter(|place| counter < *place)
                && !self.node.list_reaches(list, index, place, self.node_id).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that a list is read to its end, by one who knew from the start that this was awaited.
    pub(super) async fn note_read_anew(&self, list: List) -> Result<()> {
        self.store.write(move |tx| Ok(lists::set_read(tx, list)?)).await
    }

    /// Why it is not known what rebalances cost, if so.
    pub(super) async fn payments_unread(&self) -> Option<String> {
        match self.must_read_anew(List::Payments).await {
            Ok(false) => None,
            Ok(true) => {
                self.jobs.wake(JobName::Ledger);
                Some("lightningd's list of payments began anew and is not read to its end yet".to_owned())
            }
            Err(error) => Some(format!("lightningd's list of payments: {error:#}")),
        }
    }
}
