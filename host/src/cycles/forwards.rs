//! Keeping the forward store in step with the node: pages from where the last one ended,
//! hastened by notifications, so that nothing is missed and nothing counted twice.

use super::Services;
use super::schedule::JobName;
use crate::model::UnixTime;
use crate::model::forward::Forward;
use crate::node::ForwardRow;
use crate::node::forwards::ForwardPage;
use crate::node::pages::ListIndex;
use crate::store::{cursors, forwards};
use anyhow::{Context, Result};

/// What one reading brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Rows seen for the first time.
    pub new: u64,
    /// Rows whose status changed.
    pub changed: u64,
}

impl std::fmt::Display for Ingested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} new forwards, {} changed", self.new, self.changed)
    }
}

/// Rows forgotten in one transaction.
const ROLLED_AT_ONCE: u32 = 5_000;

/// The name of the position in the node's list.
fn cursor_of(index: ListIndex) -> String {
    format!("forwards.{}", index.name())
}

impl Services {
    /// Reads everything that is new on the node.
    pub async fn ingest_forwards(&self) -> Result<Ingested> {
        let _turn = self.forwards_turn.lock().await;
        let mut total = Ingested::default();
        for index in [ListIndex::Created, ListIndex::Updated] {
            if !self.ingest_pages(index, &mut total).await? {
                let all = self.node.all_forwards().await.context("listforwards")?;
                self.store_forwards(all, None, &mut total).await?;
                break;
            }
        }
        Ok(total)
    }

    /// False when this lightningd cannot list pages.
    async fn ingest_pages(&self, index: ListIndex, total: &mut Ingested) -> Result<bool> {
        let cursor = cursor_of(index);
        let name = cursor.clone();
        let mut after = self.store.read(move |conn| Ok(cursors::get(conn, &name)?)).await?.unwrap_or(0);
        loop {
            let page = self.node.forwards_page(index, after).await.context("listforwards")?;
            let Some(ForwardPage { forwards, last_index, is_last }) = page else { return Ok(false) };
            if last_index > after {
                self.store_forwards(forwards, Some((cursor.clone(), last_index)), total).await?;
            }
            if is_last || last_index == after {
                return Ok(true);
            }
            after = last_index;
        }
    }

    /// Reads everything that is new, then forgets rows that are old enough.
    pub async fn forwards_round(&self) -> Result<String> {
        let ingested = self.ingest_forwards().await?;
        let forgotten = self.roll_forwards().await?;
        Ok(match forgotten {
            0 => ingested.to_string(),
            rows => format!("{ingested}, {rows} old rows forgotten"),
        })
    }

    /// Forgets rows of ended forwards older than the setting says, in small transactions. Their space in
    /// the file is used again: giving it back would mean to rewrite the file, or its pages one by one.
    async fn roll_forwards(&self) -> Result<usize> {
        let _turn = self.forwards_turn.lock().await;
        let before = self.now().minus(self.config().forwards_keep_days * UnixTime::DAY);
        let mut total = 0;
        loop {
            let gone = self
                .store
                .write(move |tx| {
                    let index = cursors::get(tx, &cursor_of(ListIndex::Created))?;
                    Ok(forwards::roll(tx, before, index, ROLLED_AT_ONCE)?)
                })
                .await?;
            total += gone;
            if gone < ROLLED_AT_ONCE as usize {
                return Ok(total);
            }
        }
    }

    async fn store_forwards(
        &self,
        rows: Vec<Forward>,
        cursor: Option<(String, u64)>,
        total: &mut Ingested,
    ) -> Result<()> {
        let stats = self
            .store
            .write(move |tx| {
                let stats = forwards::ingest(tx, &rows)?;
                if let Some((name, value)) = cursor {
                    cursors::set(tx, &name, value)?;
                }
                Ok(stats)
            })
            .await?;
        total.new += stats.new;
        total.changed += stats.changed;
        Ok(())
    }

    /// Takes note of a `forward_event`. Where the node lists pages it only hastens the next
    /// reading; else its row is stored at once, and the next full list finds what was missed.
    pub async fn forward_event(&self, payload: &serde_json::Value) -> Result<()> {
        let Some(row) = ForwardRow::from_notification(payload) else { return Ok(()) };
        match self.node.lists_forwards_in_pages() {
            Some(false) => {
                let forward = row.to_forward().into_iter().collect();
                self.store_forwards(forward, None, &mut Ingested::default()).await
            }
            Some(true) | None => {
                if row.is_resolved() {
                    self.jobs.wake(JobName::Forwards);
                }
                Ok(())
            }
        }
    }
}
