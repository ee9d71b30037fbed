//! A copy of another program's SQLite file, which is not opened by SQLite itself: that could write
//! to the files beside it.

use crate::model::Digest;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file, and what SQLite keeps beside it until it is in the file: the log, or what a broken-off
/// change overwrote.
const PARTS: [&str; 3] = ["", "-wal", "-journal"];
/// What SQLite may make beside the copy.
const ALL_PARTS: [&str; 4] = ["", "-wal", "-journal", "-shm"];
/// How often a file that changes while it is copied is copied again, and how long after.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
const BUFFER: usize = 1 << 20;

/// Why there is no copy.
#[derive(Debug)]
pub(super) enum CopyError {
    /// It changed during every try.
    Busy,
    Io(io::Error),
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        CopyError::Io(error)
    }
}

/// A copy on disk that goes with its owner.
#[derive(Debug)]
pub(super) struct Copy {
    pub path: PathBuf,
    /// SHA-256 of what was copied.
    pub digest: Digest,
}

impl Copy {
    /// Copies the database at `from` to `to` in one consistent state: as long as another program
    /// changes it, the copy is made again.
    pub fn make(from: &Path, to: &Path) -> Result<Copy, CopyError> {
        if let Some(parent) = to.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        for attempt in 0..TRIES {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            remove(to)?;
            // Removed again by its drop if it is not kept.
            let mut copy = Copy { path: to.to_owned(), digest: Digest([0; 32]) };
            let before = look(from)?;
            let mut hash = Sha256::new();
            for part in PARTS {
                // A log that has gone since the look shows in the next look.
                match copy_file(&beside(from, part), &beside(to, part), &mut hash) {
                    Err(error) if error.kind() == ErrorKind::NotFound && !part.is_empty() => {}
                    copied => copied?,
                }
            }
            if look(from)? == before {
                copy.digest = Digest(hash.finalize().into());
                return Ok(copy);
            }
        }
        Err(CopyError::Busy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!("the copy at {} stays behind: {error}", self.path.display());
        }
    }
}

fn beside(path: &Path, part: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(part);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    ALL_PARTS.iter().try_for_each(|part| match fs::remove_file(beside(path, part)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// Tells one state of a file from another.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    inode: u64,
    changed: (i64, i64),
}

/// The state of each file that is there.
fn look(path: &Path) -> io::Result<[Option<Stamp>; PARTS.len()]> {
    let mut stamps = [const { None }; PARTS.len()];
    for (stamp, part) in stamps.iter_mut().zip(PARTS) {
        *stamp = match fs::metadata(beside(path, part)) {
            Ok(file) => Some(Stamp {
                bytes: file.len(),
                inode: file.ino(),
                changed: (file.mtime(), file.mtime_nsec()),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
    }
    Ok(stamps)
}

/// Copies one file and adds it to the hash.
fn copy_file(from: &Path, to: &Path, hash: &mut Sha256) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(read);
        target.write_all(read)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let dir = std::env::temp_dir().join(format!("revops-copy-{}-{name}", std::process::id()));
            // An earlier process with this one's number may have left one behind.
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).expect("a directory");
            Scratch(dir)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            // What stays behind is the system's to clear away.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_log_comes_along_and_the_copy_goes_with_its_owner() {
        let scratch = Scratch::new("log");
        let (from, to) = (scratch.0.join("a.db"), scratch.0.join("work").join("b.db"));
        fs::write(&from, "pages").expect("written");
        fs::write(beside(&from, "-wal"), "log").expect("written");
        let copy = Copy::make(&from, &to).expect("copied");
        assert_eq!(fs::read(&to).expect("copied"), b"pages");
        assert_eq!(fs::read(beside(&to, "-wal")).expect("copied"), b"log");
        assert_eq!(copy.digest, Digest::of("pageslog"));
        drop(copy);
        // What an earlier copy left behind does not count.
        fs::write(beside(&to, "-journal"), "stale").expect("written");
        let copy = Copy::make(&from, &to).expect("copied");
        assert!(!beside(&to, "-journal").exists());
        drop(copy);
        assert_eq!(fs::read_dir(scratch.0.join("work")).expect("a directory").count(), 0);
    }

    #[test]
    fn a_file_that_never_rests_is_busy() {
        let scratch = Scratch::new("busy");
        let from = scratch.0.join("a.db");
        fs::write(&from, b"pages").expect("written");
        // Opening this log waits for the other side, which changes the file in the midst of each copy.
        let log = beside(&from, "-wal");
        assert!(Command::new("mkfifo").arg(&log).status().expect("run").success());
        let stop = AtomicBool::new(false);
        let copied = std::thread::scope(|threads| {
            let writer = threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _log = OpenOptions::new().write(true).open(&log).expect("opened");
                    let mut file = OpenOptions::new().append(true).open(&from).expect("opened");
                    file.write_all(b"more").expect("written");
                }
            });
            let copied = Copy::make(&from, &scratch.0.join("b.db"));
            stop.store(true, Ordering::Relaxed);
            // Whoever waits for a reader, now or next, has one.
            let _reader = OpenOptions::new().read(true).write(true).open(&log).expect("opened");
            writer.join().expect("it ends");
            copied
        });
        assert!(matches!(copied, Err(CopyError::Busy)), "{copied:?}");
        assert!(!scratch.0.join("b.db").exists());
        let absent = Copy::make(&scratch.0.join("none"), &scratch.0.join("b.db"));
        assert!(matches!(absent, Err(CopyError::Io(_))), "{absent:?}");
    }
}
