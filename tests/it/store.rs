//! The database as a file: whose it is, who may open it, and what survives.

use crate::support::TempDir;
use cl_revenue_ops::config::{Config, Value, find};
use cl_revenue_ops::cycles::settings::Settings;
use cl_revenue_ops::model::{PeerId, Policy, UnixTime};
use cl_revenue_ops::store::{OpenError, Store, Transaction, meta, overrides, policies, trust};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// A directory that goes with the test.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(TempDir::new(&std::env::temp_dir(), "revenue-ops-store"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("revenue-ops").join("books.db")
    }
}

fn node(n: u8) -> PeerId {
    let mut bytes = [n; 33];
    bytes[0] = 3;
    PeerId(bytes)
}

fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(path, &node(1), "regtest")
}

/// Why opening failed; panics when it did not.
fn refused(result: Result<Store, OpenError>) -> OpenError {
    match result {
        Ok(_) => panic!("the database was opened"),
        Err(error) => error,
    }
}

/// Puts a database of ours into the file, closed again.
fn make(path: &Path) {
    open(path).expect("a new database").close().expect("closed");
}

#[tokio::test]
async fn what_is_written_survives_and_directories_are_private() {
    let scratch = Scratch::new();
    let path = scratch.file();
    let store = open(&path).expect("a new database");
    let key = store.read(|conn| Ok(meta::pseudonym_key(conn)?)).await.expect("a key");
    store.write(|tx| Ok(overrides::put(tx, "min_fee_ppm", "7", UnixTime(1))?)).await.expect("written");
    store.close().expect("closed");

    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().expect("a directory")), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert!(!path.with_extension("db-wal").exists(), "the log is in the file");

    let store = open(&path).expect("the same database");
    assert_eq!(store.read(|conn| Ok(meta::pseudonym_key(conn)?)).await.expect("a key"), key);
    let kept = store.read(|conn| Ok(overrides::load_all(conn)?)).await.expect("settings");
    assert_eq!(kept.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["7"]);
    assert_ne!(key, [0; 32]);
}

#[test]
fn two_databases_have_two_keys() {
    let scratch = Scratch::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let key = |name: &str| {
        let store = open(&scratch.path().join(name)).expect("a new database");
        runtime.block_on(store.read(|conn| Ok(meta::pseudonym_key(conn)?))).expect("a key")
    };
    assert_ne!(key("a.db"), key("b.db"));
}

#[test]
fn another_nodes_and_networks_books_are_refused() {
    let scratch = Scratch::new();
    make(&scratch.file());
    let error = refused(Store::open(&scratch.file(), &node(2), "regtest"));
    assert!(matches!(error, OpenError::OtherNode { .. }), "{error}");
    assert!(
        error.to_string().contains(&node(1).to_string()) && error.to_string().contains(&node(2).to_string())
    );
    let error = refused(Store::open(&scratch.file(), &node(1), "bitcoin"));
    assert!(matches!(error, OpenError::OtherNetwork { .. }), "{error}");
    assert!(open(&scratch.file()).is_ok(), "a refused attempt changes nothing");
}

#[test]
fn another_nodes_or_networks_older_books_are_refused_before_they_are_brought_up_to_date() {
    let scratch = Scratch::new();
    let file = scratch.file();
    make(&file);
    let older = rusqlite::Connection::open(&file).expect("the file");
    older.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).expect("another mode");
    older.pragma_update(None, "user_version", 1).expect("another version");
    older.close().expect("closed");
    let before = fs::read(&file).expect("the file");
    for (owner, network) in [(node(2), "regtest"), (node(1), "bitcoin")] {
        let error = refused(Store::open(&file, &owner, network));
        let is_whose = matches!(error, OpenError::OtherNode { .. } | OpenError::OtherNetwork { .. });
        assert!(is_whose, "{error}");
        assert!(fs::read(&file).expect("the file") == before, "not a byte is changed: {error}");
    }
}

#[tokio::test]
async fn what_is_acted_on_at_once_outlives_a_power_failure() {
    const FULL: u8 = 2;
    let level = |tx: &Transaction<'_>| -> anyhow::Result<u8> {
        Ok(tx.pragma_query_value(None, "synchronous", |row| row.get(0))?)
    };
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    for _ in 0..2 {
        assert_eq!(store.write_durably(level).await.expect("written"), FULL);
        assert!(store.write(level).await.expect("written") < FULL, "the disk need not be waited for");
    }
    let remove = |tx: &Transaction<'_>| Ok(trust::remove(tx, &node(2), UnixTime(1))?);
    store.write(remove).await.expect_err("it could be undone");
    assert!(!store.write_durably(remove).await.expect("written"));
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.path().join("revenue_ops.db");
    // The first page of a database of another program, in WAL mode.
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..20].copy_from_slice(&[0x10, 0, 2, 2]);
    fs::write(&path, &page).expect("written");
    assert!(Store::is_foreign(&path));
    let error = refused(open(&path));
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("revenue-ops-db-path"), "{error}");
    assert_eq!(fs::read(&path).expect("still there"), page);
    assert_eq!(fs::read_dir(scratch.path()).expect("a directory").count(), 1, "no journal was made");

    make(&scratch.file());
    assert!(!Store::is_foreign(&scratch.file()));
    assert!(!Store::is_foreign(&scratch.path().join("absent.db")));
}

#[tokio::test]
async fn an_option_that_is_changed_while_the_plugin_starts_ends_its_override_for_good() {
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    for (key, value) in [("min_fee_ppm", "7"), ("max_fee_ppm", "700"), ("fee_interval", "70")] {
        store.write(|tx| Ok(overrides::put(tx, key, value, UnixTime(1))?)).await.expect("written");
    }
    let settings = Settings::new(Config::default());
    let setconfig = async |name: &str, value: &str| {
        let setting = find(name).expect(name);
        settings.set_option(setting, &Value::Text(value.to_owned())).await.expect(name);
    };
    // Before the overrides are read, between that and readiness, and after.
    setconfig("min_fee_ppm", "8").await;
    settings.load_overrides(&store).await.expect("read");
    setconfig("max_fee_ppm", "800").await;
    settings.hold(&store).await.expect("written");
    setconfig("fee_interval", "80").await;
    let now = settings.current();
    assert_eq!((now.min_fee_ppm, now.max_fee_ppm, now.fee_interval), (8, 800, 80));
    let kept = store.read(|conn| Ok(overrides::load_all(conn)?)).await.expect("settings");
    assert_eq!(kept, [], "the next start goes by the options");
}

#[tokio::test]
async fn damaged_files_are_refused() {
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    // Pages are numbered from one.
    let find_root = "SELECT rootpage - 1 FROM sqlite_schema WHERE name = 'forwards'";
    let root = store.read(move |conn| Ok(conn.query_row(find_root, [], |row| row.get::<_, u32>(0))?)).await;
    let root = root.expect("the table is there") as usize;
    store.close().expect("closed");
    let sound = fs::read(scratch.file()).expect("the file");
    let page = 4096;
    let mut bad_schema = sound.clone();
    bad_schema[100..page].fill(0xff);
    let mut bad_table = sound.clone();
    bad_table[root * page..(root + 1) * page].fill(0xff);
    for (name, bytes) in [
        ("text", b"not a database, but long enough to hold the header of one: ".repeat(3)),
        ("a few bytes", b"SQLite".to_vec()),
        ("cut in the middle", sound[..sound.len() / 2].to_vec()),
        ("overwritten schema", bad_schema),
        ("one overwritten table", bad_table),
    ] {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).expect("written");
        let error = refused(open(&path));
        assert!(matches!(error, OpenError::Corrupt { .. }), "{name}: {error}");
        assert!(!Store::is_foreign(&path), "{name}");
    }
}

#[test]
fn an_empty_file_becomes_ours() {
    let scratch = Scratch::new();
    let path = scratch.path().join("empty.db");
    fs::write(&path, b"").expect("written");
    make(&path);
    make(&path);
}

#[test]
fn a_newer_schema_is_refused() {
    let scratch = Scratch::new();
    make(&scratch.file());
    let mut bytes = fs::read(scratch.file()).expect("the file");
    // `user_version` in the header.
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(scratch.file(), bytes).expect("written");
    let error = refused(open(&scratch.file()));
    assert!(matches!(error, OpenError::NewerSchema { found: 999, .. }), "{error}");
}

#[test]
fn a_path_that_cannot_be_is_refused() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("file"), b"x").expect("written");
    for path in [scratch.path().join("file").join("books.db"), scratch.path().to_owned()] {
        let error = refused(open(&path));
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
    }
}

#[tokio::test]
async fn reads_do_not_wait_for_a_long_write() {
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    let (written, is_written) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write(move |tx| {
                    overrides::put(tx, "key", "new", UnixTime(1))?;
                    written.send(())?;
                    Ok(may_go_on.recv_timeout(Duration::from_secs(60))?)
                })
                .await
        })
    };
    let waited = tokio::task::spawn_blocking(move || is_written.recv_timeout(Duration::from_secs(60))).await;
    waited.expect("no panic").expect("the write is under way");
    let seen = store.read(|conn| Ok(overrides::load_all(conn)?)).await.expect("readable meanwhile");
    assert_eq!(seen, [], "what is not committed is not seen");
    go_on.send(()).expect("the write waits");
    writing.await.expect("no panic").expect("written");
    assert_eq!(store.read(|conn| Ok(overrides::load_all(conn)?)).await.expect("readable").len(), 1);
}

#[tokio::test]
async fn failed_and_panicking_jobs_leave_nothing_behind() {
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    let failed = store
        .write(|tx| {
            policies::put(tx, &Policy::default_for(node(5)))?;
            anyhow::bail!("changed its mind");
            #[allow(unreachable_code)]
            Ok(())
        })
        .await;
    assert_eq!(failed.expect_err("it failed").to_string(), "changed its mind");
    let panicked: anyhow::Result<()> = store
        .write(|tx| {
            policies::put(tx, &Policy::default_for(node(6)))?;
            panic!("a bug in a job");
        })
        .await;
    assert!(panicked.expect_err("it panicked").to_string().contains("did not end"));
    let panicked: anyhow::Result<()> = store.read(|_| panic!("a bug in a job")).await;
    assert!(panicked.is_err());

    store.write(|tx| Ok(policies::put(tx, &Policy::default_for(node(7)))?)).await.expect("works again");
    let kept = store.read(|conn| Ok(policies::load_all(conn)?)).await.expect("works again");
    assert_eq!(kept.iter().map(|policy| policy.peer_id).collect::<Vec<_>>(), [node(7)]);
}

#[tokio::test]
async fn the_reading_connection_cannot_write() {
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    let written = store.read(|conn| Ok(conn.execute("DELETE FROM meta", [])?)).await;
    assert!(written.expect_err("it is read-only").to_string().contains("readonly"));
}

#[tokio::test(flavor = "multi_thread")]
async fn close_waits_for_jobs_and_ends_later_ones() {
    let scratch = Scratch::new();
    let store = open(&scratch.file()).expect("a new database");
    let (started, is_started) = mpsc::channel();
    let running = {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write(move |tx| {
                    started.send(())?;
                    std::thread::sleep(Duration::from_millis(200));
                    Ok(overrides::put(tx, "key", "value", UnixTime(1))?)
                })
                .await
        })
    };
    let closing = store.clone();
    let closed = tokio::task::spawn_blocking(move || {
        is_started.recv_timeout(Duration::from_secs(60))?;
        closing.close()
    });
    closed.await.expect("no panic").expect("closed");
    running.await.expect("no panic").expect("the job ended before");
    let late = store.read(|conn| Ok(overrides::load_all(conn)?)).await.expect_err("closed");
    assert!(late.to_string().contains("closed"), "{late}");
    assert!(store.write(|_| Ok(())).await.is_err());
    store.close().expect("closing again does nothing");
    let store = open(&scratch.file()).expect("the same database");
    assert_eq!(store.read(|conn| Ok(overrides::load_all(conn)?)).await.expect("settings").len(), 1);
}
