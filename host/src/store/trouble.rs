//! What is wrong with the file, found out while working on it.

use rusqlite::ErrorCode;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why the database cannot be worked on. Whatever was under way was rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Another process holds the file.
    Locked,
    /// There is no space left.
    Full,
    /// The operating system fails to read or write.
    Failing(String),
    /// The file's contents make no sense.
    Damaged(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEANWHILE: &str = "nothing is stored meanwhile; what the node lists is read again afterwards";
        match self {
            Trouble::Locked => write!(f, "another process holds the database: {MEANWHILE}"),
            Trouble::Full => write!(f, "the disk of the database is full: {MEANWHILE}"),
            Trouble::Failing(why) => write!(f, "the disk of the database fails ({why}): {MEANWHILE}"),
            Trouble::Damaged(why) => write!(
                f,
                "the database is damaged ({why}): nothing more is stored; stop the plugin, and move the file away or restore a copy"
            ),
        }
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// What an error says about the file; none when it is about something else.
    fn of(error: &anyhow::Error) -> Option<Trouble> {
        let sqlite = error.chain().find_map(|cause| cause.downcast_ref::<rusqlite::Error>())?;
        match sqlite.sqlite_error_code()? {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Trouble::Locked),
            ErrorCode::DiskFull => Some(Trouble::Full),
            ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen => {
                Some(Trouble::Failing(sqlite.to_string()))
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                Some(Trouble::Damaged(sqlite.to_string()))
            }
            _ => None,
        }
    }
}

/// The trouble there is now.
#[derive(Default)]
pub(super) struct Board(Mutex<Option<Trouble>>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Option<Trouble> {
        self.lock().clone()
    }

    /// Takes note of how a write ended. Damage stays: that other pages can be written does not mend it.
    pub fn written<T>(&self, outcome: &anyhow::Result<T>) {
        let found = match outcome {
            Ok(_) => None,
            Err(error) => match Trouble::of(error) {
                // It failed for reasons of its own, and says nothing about the file.
                None => return,
                found => found,
            },
        };
        let mut now = self.lock();
        if !matches!(*now, Some(Trouble::Damaged(_))) {
            *now = found;
        }
    }

    /// Takes note of how a read ended. Only damage matters to those who write.
    pub fn read<T>(&self, outcome: &anyhow::Result<T>) {
        if let Err(error) = outcome
            && let Some(damage @ Trouble::Damaged(_)) = Trouble::of(error)
        {
            *self.lock() = Some(damage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};
    use rusqlite::ffi;

    fn failed(code: i32) -> anyhow::Result<()> {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).context("while storing")
    }

    #[test]
    fn trouble_lasts_until_something_is_stored_and_damage_for_ever() {
        let board = Board::default();
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE] {
            board.written(&failed(code));
            let found = board.now().expect("trouble");
            board.written::<()>(&Err(anyhow!("changed its mind")));
            board.read(&Ok(()));
            assert_eq!(board.now(), Some(found), "nothing was stored since");
            board.written(&Ok(()));
            assert_eq!(board.now(), None);
        }
        board.read(&failed(ffi::SQLITE_BUSY));
        assert_eq!(board.now(), None, "a read that is in somebody's way hinders no write");
        board.read(&failed(ffi::SQLITE_CORRUPT));
        board.written(&Ok(()));
        board.written(&failed(ffi::SQLITE_FULL));
        assert!(matches!(board.now(), Some(Trouble::Damaged(_))));
    }
}
