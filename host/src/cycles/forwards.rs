//! Keeping the forward store in step with the node: pages from where the last one ended,
//! hastened by notifications, so that nothing is missed and nothing counted twice. A first reading
//! writes no rows and no sums by hour that the next upkeep would forget.

use super::Services;
use super::schedule::JobName;
use super::upkeep::KEEP_HOURS_S;
use crate::model::UnixTime;
use crate::model::forward::Forward;
use crate::model::list::{List, ListIndex};
use crate::node::ForwardRow;
use crate::node::forwards::ForwardPage;
use crate::store::Connection;
use crate::store::forwards::{IngestStats, Kept};
use crate::store::{forwards, funds, lists};
use anyhow::{Context, Result};

/// What one reading brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Rows seen for the first time.
    pub new: u64,
    /// Rows whose status changed.
    pub changed: u64,
}

impl Ingested {
    fn add(&mut self, stats: IngestStats) {
        self.new += stats.new;
        self.changed += stats.changed;
    }
}

impl std::fmt::Display for Ingested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} new forwards, {} changed", self.new, self.changed)
    }
}

/// Rows forgotten in one transaction.
const ROLLED_AT_ONCE: u32 = 5_000;

/// Rows of the node's list that are stored in one transaction, as far as there are so many: what they
/// add up to by day, month and channel is written once for all of them.
pub const STORED_AT_ONCE: usize = 50_000;

/// Consecutive rows of the node's list.
struct Part {
    forwards: Vec<Forward>,
    /// The highest index seen; the next part starts behind it.
    last_index: u64,
    end: Result<End>,
}

/// Why a part ends where it does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There are enough rows for one transaction.
    Full,
    /// Nothing is left behind it.
    Last,
    /// This lightningd cannot list pages.
    NoPages,
}

impl Services {
    /// Reads everything that is new on the node.
    pub async fn ingest_forwards(&self) -> Result<Ingested> {
        let _turn = self.forwards_turn.lock().await;
        let mut total = Ingested::default();
        let is_awaited = self.must_read_anew(List::Forwards).await?;
        self.know_channels().await?;
        self.start_at_the_end_of_changes().await?;
        for index in ListIndex::BOTH {
            if !self.ingest_pages(index, &mut total).await? {
                let all = self.node.all_forwards().await.context("listforwards")?;
                let stats = self.store.write(move |tx| Ok(forwards::ingest(tx, &all)?)).await?;
                total.add(stats);
                break;
            }
        }
        if is_awaited {
            self.note_read_anew(List::Forwards).await?;
        }
        Ok(total)
    }

    /// A failure counts for the channel that it asks for only where that is known: before the first look at the
    /// node there is one at its channels.
    async fn know_channels(&self) -> Result<()> {
        if !self.store.read(|conn| Ok(funds::is_known(conn)?)).await? {
            self.observe_channels().await?;
        }
        Ok(())
    }

    /// Before the first reading: what had changed by then is read with the rows themselves, and the list
    /// of changes need not be read from its beginning.
    async fn start_at_the_end_of_changes(&self) -> Result<()> {
        let (list, updated) = (List::Forwards, ListIndex::Updated);
        let reach = move |conn: &Connection| Ok(lists::reach(conn, list, ListIndex::Created)?);
        if self.store.read(reach).await?.is_some() || self.node.lists_forwards_in_pages() == Some(false) {
            return Ok(());
        }
        if let Some(changes) = self.node.list_counter(list, updated).await.context("wait")? {
            self.store.write(move |tx| Ok(lists::set_reach(tx, list, updated, changes)?)).await?;
        }
        Ok(())
    }

    /// False when this lightningd cannot list pages. The next rows are read while the last are stored.
    async fn ingest_pages(&self, index: ListIndex, total: &mut Ingested) -> Result<bool> {
        let reach = self.store.read(move |conn| Ok(lists::reach(conn, List::Forwards, index)?)).await?;
        let mut after = reach.unwrap_or(0);
        let mut part = self.read_part(index, after).await;
        loop {
            let Part { forwards, last_index, end } = part;
            let next = async {
                match end {
                    Ok(End::Full) => Some(self.read_part(index, last_index).await),
                    Ok(End::Last | End::NoPages) | Err(_) => None,
                }
            };
            let stored = async {
                match last_index > after {
                    true => self.store_part(index, forwards, last_index).await,
                    false => Ok(IngestStats::default()),
                }
            };
            let (stored, next) = tokio::join!(stored, next);
            total.add(stored?);
            match next {
                Some(next) => (part, after) = (next, last_index),
                None => return end.map(|end| end != End::NoPages),
            }
        }
    }

    /// Reads pages from behind `after` on, as many as are stored at once. What was read before a failure
    /// is kept.
    async fn read_part(&self, index: ListIndex, after: u64) -> Part {
        let (mut forwards, mut last_index) = (Vec::new(), after);
        let end = loop {
            let page = match self.node.forwards_page(index, last_index).await.context("listforwards") {
                Ok(Some(page)) => page,
                Ok(None) => break Ok(End::NoPages),
                Err(error) => break Err(error),
            };
            let ForwardPage { forwards: rows, last_index: last, is_last } = page;
            forwards.extend(rows);
            let is_end = is_last || last == last_index;
            last_index = last;
            if is_end {
                break Ok(End::Last);
            }
            if forwards.len() >= STORED_AT_ONCE {
                break Ok(End::Full);
            }
        };
        Part { forwards, last_index, end }
    }

    async fn store_part(&self, index: ListIndex, rows: Vec<Forward>, last: u64) -> Result<IngestStats> {
        let kept = match self.trusted_now().await? {
            None => Kept::default(),
            Some(now) => Kept {
                rows: now.minus(self.config().forwards_keep_days * UnixTime::DAY),
                hours: now.minus(KEEP_HOURS_S),
            },
        };
        self.store
            .write(move |tx| {
                let stats = match index {
                    ListIndex::Created => forwards::ingest_listed(tx, &rows, last, kept)?,
                    ListIndex::Updated => forwards::ingest(tx, &rows)?,
                };
                lists::set_reach(tx, List::Forwards, index, last)?;
                Ok(stats)
            })
            .await
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
        let Some(now) = self.trusted_now().await? else { return Ok(0) };
        let _turn = self.forwards_turn.lock().await;
        let before = now.minus(self.config().forwards_keep_days * UnixTime::DAY);
        let mut total = 0;
        loop {
            let gone = self
                .store
                .write(move |tx| {
                    let index = lists::reach(tx, List::Forwards, ListIndex::Created)?;
                    Ok(forwards::roll(tx, before, index, ROLLED_AT_ONCE)?)
                })
                .await?;
            total += gone;
            if gone < ROLLED_AT_ONCE as usize {
                return Ok(total);
            }
        }
    }

    /// Takes note of a `forward_event`. Where the node lists pages it only hastens the next
    /// reading; else its row is stored at once, and the next full list finds what was missed.
    pub async fn forward_event(&self, payload: &serde_json::Value) -> Result<()> {
        let Some(row) = ForwardRow::from_notification(payload) else { return Ok(()) };
        match self.node.lists_forwards_in_pages() {
            Some(false) => {
                let Some(forward) = row.to_forward() else { return Ok(()) };
                self.store.write(move |tx| Ok(forwards::ingest(tx, &[forward])?)).await.map(drop)
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
