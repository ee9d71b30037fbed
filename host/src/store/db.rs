//! The connections, and how jobs get to run on them.

use super::open::{self, BUSY_TIMEOUT, OpenError};
use super::trouble::{Board, Trouble};
use crate::model::PeerId;
use anyhow::{Context, anyhow};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a write waits for another process that is known to hold the file: those behind it wait too.
const KNOWN_BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// The open database. Cheap to clone; clones share the connections.
///
/// There is one connection for writing and one for reading, so that a read never
/// waits for a long write. Jobs on one connection run one after another, on the
/// runtime's threads for blocking work.
#[derive(Clone)]
pub struct Store {
    connections: Arc<Connections>,
}

struct Connections {
    writer: Slot,
    reader: Slot,
    trouble: Board,
}

/// What a commit outlives.
#[derive(Clone, Copy)]
enum Outlives {
    /// The end of this process.
    Crash,
    /// The end of the machine too: the log is on the disk before the commit returns.
    PowerFailure,
}

impl Outlives {
    /// SQLite's word for it, with a log beside the file.
    const fn level(self) -> &'static str {
        match self {
            Outlives::Crash => "NORMAL",
            Outlives::PowerFailure => "FULL",
        }
    }
}

/// Empty once the store is closed.
type Slot = Mutex<Option<Connection>>;

impl Store {
    /// Opens the books of one node on one network, and makes them if there are none.
    pub fn open(path: &Path, node_id: &PeerId, network: &str) -> Result<Store, OpenError> {
        let (writer, reader) = open::connect(path, node_id, network)?;
        let (writer, reader) = (Mutex::new(Some(writer)), Mutex::new(Some(reader)));
        let connections = Connections { writer, reader, trouble: Board::default() };
        Ok(Store { connections: Arc::new(connections) })
    }

    /// Whether the file is an SQLite database that another program made.
    pub fn is_foreign(path: &Path) -> bool {
        open::is_foreign(path)
    }

    /// Runs `job` on one consistent state of the database.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let connections = Arc::clone(&self.connections);
        run_blocking(move || {
            let outcome = connections.read(job);
            connections.trouble.read(&outcome);
            outcome
        })
        .await
    }

    /// Runs `job` in one transaction: all of it counts when `job` succeeds, none
    /// of it when `job` fails or panics. Nothing is written to a file that is known
    /// to be damaged. A power failure may undo the last changes, never in part; what
    /// they stand for is read from the node again.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.write_as(Outlives::Crash, job).await
    }

    /// The same for what is acted on outside at once, or promised: when this returns,
    /// it and all changes before it outlive a power failure.
    pub async fn write_durably<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.write_as(Outlives::PowerFailure, job).await
    }

    async fn write_as<T: Send + 'static>(
        &self,
        outlives: Outlives,
        job: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let connections = Arc::clone(&self.connections);
        run_blocking(move || {
            let outcome = connections.write(outlives, job);
            connections.trouble.written(&outcome);
            outcome
        })
        .await
    }

    /// What keeps the last changes from being stored; none when nothing does.
    pub fn trouble(&self) -> Option<Trouble> {
        self.connections.trouble.now()
    }

    /// Waits for jobs that run now, brings the log into the file and closes it.
    /// Later jobs fail; closing again does nothing. Blocks the thread.
    pub fn close(&self) -> anyhow::Result<()> {
        if let Some(reader) = lock(&self.connections.reader).take() {
            reader.close().map_err(|(_, error)| error).context("the database's reader did not close")?;
        }
        if let Some(writer) = lock(&self.connections.writer).take() {
            checkpoint(&writer)
                .context("the database's log could not be written back; the next start does it")?;
            writer.close().map_err(|(_, error)| error).context("the database did not close")?;
        }
        Ok(())
    }
}

impl Connections {
    fn read<T>(&self, job: impl FnOnce(&Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut slot = lock(&self.reader);
        let snapshot = open_in(&mut slot)?.transaction()?;
        job(&snapshot)
    }

    fn write<T>(
        &self,
        outlives: Outlives,
        job: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut slot = lock(&self.writer);
        let conn = open_in(&mut slot)?;
        let patience = match self.trouble.now() {
            Some(damage @ Trouble::Damaged(_)) => return Err(damage.into()),
            Some(Trouble::Locked) => KNOWN_BUSY_TIMEOUT,
            Some(Trouble::Full | Trouble::Failing(_)) | None => BUSY_TIMEOUT,
        };
        conn.busy_timeout(patience)?;
        conn.pragma_update(None, "synchronous", outlives.level())?;
        let tx = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .context("the database cannot be written")?;
        let result = job(&tx)?;
        tx.commit().context("the database could not keep the changes")?;
        Ok(result)
    }
}

fn checkpoint(conn: &Connection) -> rusqlite::Result<()> {
    // Bounds the work of `optimize`, so that a stop stays fast with millions of rows.
    conn.pragma_update(None, "analysis_limit", 400)?;
    conn.execute_batch("PRAGMA optimize")?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// A panic in a job leaves no half-done transaction (it is rolled back on the
/// way out), so a poisoned lock says nothing about the connection.
fn lock(slot: &Slot) -> MutexGuard<'_, Option<Connection>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_in<'a>(slot: &'a mut MutexGuard<'_, Option<Connection>>) -> anyhow::Result<&'a mut Connection> {
    slot.as_mut().ok_or_else(|| anyhow!("the database is closed, for the plugin is stopping"))
}

async fn run_blocking<T: Send + 'static>(
    job: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => result,
        Err(error) => Err(anyhow!("a job on the database did not end: {error}")),
    }
}
