//! Opening the file, or saying in one sentence why it stays closed.

use super::meta;
use super::schema::{APPLICATION_ID, MIGRATIONS, VERSION};
use crate::model::PeerId;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a statement waits for another process that holds the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in the log after which they go into the file. A page that a long ingest
/// changes often is then written there once for many changes.
const CHECKPOINT_PAGES: u32 = 8_192;
/// Size to which the log is cut when it starts anew, bytes.
const LOG_BYTES: u32 = 64 << 20;
/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Length of the header, and where the application id stands in it, bytes.
const HEADER: usize = 100;
const APPLICATION_ID_AT: usize = 68;

/// Why a database was not opened. Nothing in it was changed.
#[derive(Debug, PartialEq, Eq)]
pub enum OpenError {
    /// An SQLite file of another program.
    Foreign { path: PathBuf },
    /// The books of another node.
    OtherNode { path: PathBuf, theirs: String, ours: PeerId },
    /// The books of this key on another network.
    OtherNetwork { path: PathBuf, theirs: String, ours: String },
    /// Written by a newer version of the plugin.
    NewerSchema { path: PathBuf, found: usize, known: usize },
    /// Not a database, or a damaged one.
    Corrupt { path: PathBuf, why: String },
    /// Another process holds it.
    Busy { path: PathBuf },
    /// The operating system refuses.
    Io { path: PathBuf, why: String },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Foreign { path } => write!(
                f,
                "{} is the database of another program (perhaps the Python cl-revenue-ops): it was left as it is; name another file with revenue-ops-db-path",
                path.display()
            ),
            OpenError::OtherNode { path, theirs, ours } => write!(
                f,
                "{} holds the books of node {theirs}, and this is node {ours}: name another file with revenue-ops-db-path",
                path.display()
            ),
            OpenError::OtherNetwork { path, theirs, ours } => write!(
                f,
                "{} holds the books of network {theirs}, and this is {ours}: name another file with revenue-ops-db-path",
                path.display()
            ),
            OpenError::NewerSchema { path, found, known } => write!(
                f,
                "{} was written by a newer version of cl-revenue-ops (schema {found}, this version knows up to {known}): install that version again",
                path.display()
            ),
            OpenError::Corrupt { path, why } => write!(
                f,
                "{} is not a usable database ({why}): move it away or restore a copy",
                path.display()
            ),
            OpenError::Busy { path } => {
                write!(
                    f,
                    "{} is held by another process: is a second cl-revenue-ops running?",
                    path.display()
                )
            }
            OpenError::Io { path, why } => write!(f, "{} cannot be opened: {why}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// Whether this is an SQLite file that another program made.
pub(super) fn is_foreign(path: &Path) -> bool {
    matches!(inspect(path), Err(OpenError::Foreign { .. }))
}

/// The writing and the reading connection to the file, which is created if it
/// is not there, brought to the newest schema, and bound to node and network.
pub(super) fn connect(
    path: &Path,
    node_id: &PeerId,
    network: &str,
) -> Result<(Connection, Connection), OpenError> {
    create(path)?;
    if !inspect(path)? {
        compare(path, node_id, network)?;
    }
    let failed = |error| from_sqlite(path, error);
    let mut writer = open_writer(path).map_err(failed)?;
    MIGRATIONS.to_latest(&mut writer).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => from_sqlite(path, err),
        other => OpenError::Corrupt { path: path.to_owned(), why: other.to_string() },
    })?;
    bind(&mut writer, path, node_id, network)?;
    touch_all_tables(&writer).map_err(failed)?;
    let reader = open_reader(path).map_err(failed)?;
    Ok((writer, reader))
}

/// A reading connection to a file that is there, of this version's schema or an older one's.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, OpenError> {
    inspect(path)?;
    let reader = open_reader(path).map_err(|error| from_sqlite(path, error))?;
    check_version(&reader, path)?;
    Ok(reader)
}

/// Makes the directories (0700) and the file (0600) that are missing.
fn create(path: &Path) -> Result<(), OpenError> {
    let io = |error: std::io::Error| OpenError::Io { path: path.to_owned(), why: error.to_string() };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io(error)),
        _ => Ok(()),
    }
}

/// Looks at the header alone, so that a file which is not ours is never touched.
/// The header's application id is on disk before the file becomes a WAL database.
/// Returns whether the file is empty.
fn inspect(path: &Path) -> Result<bool, OpenError> {
    let mut header = Vec::with_capacity(HEADER);
    File::open(path)
        .and_then(|file| file.take(HEADER as u64).read_to_end(&mut header))
        .map_err(|error| OpenError::Io { path: path.to_owned(), why: error.to_string() })?;
    if header.is_empty() {
        return Ok(true);
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err(OpenError::Corrupt { path: path.to_owned(), why: "it is not an SQLite file".to_owned() });
    }
    if header[APPLICATION_ID_AT..APPLICATION_ID_AT + 4] == APPLICATION_ID.to_be_bytes() {
        Ok(false)
    } else {
        Err(OpenError::Foreign { path: path.to_owned() })
    }
}

fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    conn.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    tune(&conn)?;
    Ok(conn)
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    tune(&conn)?;
    Ok(conn)
}

fn tune(conn: &Connection) -> rusqlite::Result<()> {
    /// Kept pages, in KiB when negative.
    const CACHE: i32 = -16_384;
    const STATEMENTS: usize = 64;
    conn.pragma_update(None, "cache_size", CACHE)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn check_version(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let found: usize = conn
        .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
        .map_err(|error| from_sqlite(path, error))? as usize;
    if found > VERSION {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// Refuses a newer version's books, and those of another node or network, while nothing in the file has
/// been changed.
fn compare(path: &Path, node_id: &PeerId, network: &str) -> Result<(), OpenError> {
    let reader = connect_reader(path)?;
    let owner = read_owner(&reader).map_err(|error| from_sqlite(path, error))?;
    owner.map_or(Ok(()), |owner| check_owner(owner, path, node_id, network))
}

/// Node id and network of the books; none before they were bound.
fn read_owner(conn: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    // Before the first step there is no table to ask.
    if conn.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? == 0 {
        return Ok(None);
    }
    let Some(owner) = meta::get(conn, meta::NODE_ID)? else { return Ok(None) };
    Ok(Some((owner, meta::get(conn, meta::NETWORK)?.unwrap_or_default())))
}

/// Writes whose books these are, the first time; compares afterwards.
fn bind(conn: &mut Connection, path: &Path, node_id: &PeerId, network: &str) -> Result<(), OpenError> {
    let owner = bind_or_read(conn, node_id, network).map_err(|error| from_sqlite(path, error))?;
    check_owner(owner, path, node_id, network)
}

fn check_owner(
    (owner, on): (String, String),
    path: &Path,
    node_id: &PeerId,
    network: &str,
) -> Result<(), OpenError> {
    if on != network {
        return Err(OpenError::OtherNetwork { path: path.to_owned(), theirs: on, ours: network.to_owned() });
    }
    if owner != node_id.to_string() {
        return Err(OpenError::OtherNode { path: path.to_owned(), theirs: owner, ours: *node_id });
    }
    Ok(())
}

fn bind_or_read(
    conn: &mut Connection,
    node_id: &PeerId,
    network: &str,
) -> rusqlite::Result<(String, String)> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let owner = match read_owner(&tx)? {
        Some(owner) => owner,
        None => {
            let owner = (node_id.to_string(), network.to_owned());
            meta::set(&tx, meta::NODE_ID, &owner.0)?;
            meta::set(&tx, meta::NETWORK, &owner.1)?;
            meta::create_pseudonym_key(&tx)?;
            owner
        }
    };
    tx.commit()?;
    Ok(owner)
}

/// Reads a row of every table (all columns, lest an index answer): a damaged file shows itself at the
/// start rather than in the middle of a cycle. Costs the same for any size.
fn touch_all_tables(conn: &Connection) -> rusqlite::Result<()> {
    let mut select = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables {
        conn.prepare(&format!("SELECT * FROM \"{table}\" LIMIT 1"))?.exists([])?;
    }
    Ok(())
}

fn from_sqlite(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy { path },
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure,
        ) => OpenError::Io { path, why: error.to_string() },
        _ => OpenError::Corrupt { path, why: error.to_string() },
    }
}
