//! The Python plugin's database: what it is, and why it cannot be read.

use super::copy::{Copy, CopyError};
use super::found::Found;
use super::{read, table};
use crate::model::{Digest, PeerId, Scid, UnixTime};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Tables that every version of it has.
const TABLES: [&str; 3] = ["channel_states", "fee_changes", "forwards"];

/// Why it was not read. The file is as it was.
#[derive(Debug, PartialEq, Eq)]
pub enum OriginalError {
    /// A database, but not that of the Python plugin.
    Stranger { path: PathBuf },
    /// Another program writes to it all the time.
    Busy { path: PathBuf },
    /// Damaged.
    Corrupt { path: PathBuf, why: String },
    /// The operating system refuses.
    Io { path: PathBuf, why: String },
}

impl fmt::Display for OriginalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginalError::Stranger { path } => write!(
                f,
                "{} is a database, but not that of the Python cl-revenue-ops: nothing was taken from it",
                path.display()
            ),
            OriginalError::Busy { path } => write!(
                f,
                "the Python plugin's database {} is being written to: is that plugin still running?",
                path.display()
            ),
            OriginalError::Corrupt { path, why } => write!(
                f,
                "the Python plugin's database {} is damaged ({why}): restore a copy of it, or move it away to start without its policies and books",
                path.display()
            ),
            OriginalError::Io { path, why } => write!(
                f,
                "the Python plugin's database {} cannot be read ({why}): make it readable, or move it away to start without its policies and books",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OriginalError {}

/// Where the node's own record begins. What is older is counted from the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizons {
    /// When the first settled forward that the node lists was received; none without one.
    pub forwards: Option<UnixTime>,
    /// When the first completed payment that the node lists was made; none without one.
    pub payments: Option<UnixTime>,
}

/// A readable copy of the file. The copy goes with it.
#[derive(Debug)]
pub struct Original {
    /// Where the file itself is.
    pub path: PathBuf,
    pub digest: Digest,
    conn: Connection,
    // After the connection to it.
    _copy: Copy,
}

impl Original {
    /// Copies the file at `path` to `copy` and looks whether it is sound. Blocks the thread.
    pub fn open(path: &Path, copy: &Path) -> Result<Original, OriginalError> {
        let copy = Copy::make(path, copy).map_err(|error| match error {
            CopyError::Busy => OriginalError::Busy { path: path.to_owned() },
            CopyError::Io(error) => OriginalError::Io { path: path.to_owned(), why: error.to_string() },
        })?;
        let failed = |error| from_sqlite(path, &error);
        let conn = connect(&copy.path).map_err(failed)?;
        let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if found != "ok" {
            return Err(OriginalError::Corrupt { path: path.to_owned(), why: found });
        }
        for table in TABLES {
            if table::columns(&conn, table).map_err(failed)?.is_empty() {
                return Err(OriginalError::Stranger { path: path.to_owned() });
            }
        }
        Ok(Original { path: path.to_owned(), digest: copy.digest, conn, _copy: copy })
    }

    /// The channels that it names, with their peers: they tell whose it is.
    pub fn channels(&self) -> Result<BTreeMap<Scid, PeerId>, OriginalError> {
        read::channels(&self.conn).map_err(|error| from_sqlite(&self.path, &error))
    }

    /// Everything that comes over, as far as it makes sense.
    pub fn read(&self, horizons: Horizons) -> Result<Found, OriginalError> {
        read::everything(&self.conn, horizons).map_err(|error| from_sqlite(&self.path, &error))
    }
}

/// Opens the copy for reading. A log beside it is brought into it, so that the file is opened for writing.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    // A schema of unknown hands must not run code of its own.
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

fn from_sqlite(path: &Path, error: &rusqlite::Error) -> OriginalError {
    let (path, why) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            OriginalError::Io { path, why }
        }
        _ => OriginalError::Corrupt { path, why },
    }
}
