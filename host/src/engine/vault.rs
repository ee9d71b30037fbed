//! The modules that this node keeps, each under the SHA-256 of its bytes.
//!
//! A kept module never changes: what was installed, and what once decided, can
//! be loaded or replayed later, whatever became of the file that it came from.

use super::cache::{private_dir, read_whole, write_whole};
use super::fault::printable;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use crate::model::Digest;
use cap_std::fs::Dir;
use sha2::{Digest as _, Sha256};
use std::io::{self, ErrorKind};
use std::path::Path;

pub(super) struct Vault(Dir);

impl Vault {
    pub(super) fn open(path: &Path) -> anyhow::Result<Vault> {
        private_dir(path).map(Vault)
    }

    /// Keeps a module under its digest, whatever was there under that name.
    pub(super) fn put(&self, wasm: &[u8], digest: &Digest) -> io::Result<()> {
        let is_kept = self.read(digest, wasm.len() as u64).is_ok_and(|kept| kept == wasm);
        if is_kept { Ok(()) } else { write_whole(&self.0, &file(digest), &[wasm]) }
    }

    /// Whether there is a file for a module.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.0.exists(file(digest))
    }

    /// A kept module's bytes, which are what they were.
    pub(super) fn get(&self, digest: &Digest, class: LimitClass) -> Result<Vec<u8>, LoadFault> {
        let wasm =
            self.read(digest, class.limits().wasm_bytes as u64).map_err(|error| fault(digest, &error))?;
        if wasm.len() > class.limits().wasm_bytes {
            return Err(LoadFault::TooLarge { bytes: wasm.len() as u64, class });
        }
        if Sha256::digest(&wasm).as_slice() != digest.0 {
            let why = "its bytes are not those that were kept".to_owned();
            return Err(LoadFault::Unreadable { name: digest.to_string(), why });
        }
        Ok(wasm)
    }

    /// Reads at most a byte more than `most`.
    fn read(&self, digest: &Digest, most: u64) -> io::Result<Vec<u8>> {
        read_whole(&self.0, &file(digest), most + 1)
    }

    /// Forgets a module. Says whether it was kept.
    pub(super) fn remove(&self, digest: &Digest) -> io::Result<bool> {
        match self.0.remove_file(file(digest)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The digests of all kept modules, in no order.
    pub(super) fn list(&self) -> io::Result<Vec<Digest>> {
        let mut found = Vec::new();
        for entry in self.0.entries()? {
            let name = entry?.file_name();
            let digest = name.to_str().and_then(|name| name.strip_suffix(".wasm")).map(str::parse::<Digest>);
            found.extend(digest.and_then(Result::ok));
        }
        Ok(found)
    }
}

fn file(digest: &Digest) -> String {
    format!("{digest}.wasm")
}

fn fault(digest: &Digest, error: &io::Error) -> LoadFault {
    match error.kind() {
        ErrorKind::NotFound => LoadFault::NotKept { digest: *digest },
        _ => LoadFault::Unreadable { name: digest.to_string(), why: printable(&error.to_string(), 200) },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_kept_comes_back_unless_it_was_changed() {
        let dir = std::env::temp_dir().join(format!("revops-vault-{}", std::process::id()));
        // An earlier process with this one's number may have left one behind.
        let _ = std::fs::remove_dir_all(&dir);
        let vault = Vault::open(&dir).unwrap();
        let digest = Digest::of(b"module");
        vault.put(b"module", &digest).unwrap();
        vault.put(b"module", &digest).unwrap();
        assert_eq!(vault.list().unwrap(), [digest]);
        assert_eq!(vault.get(&digest, LimitClass::Native).unwrap(), b"module");

        std::fs::write(dir.join(file(&digest)), b"Module").unwrap();
        let changed = vault.get(&digest, LimitClass::Native).unwrap_err();
        assert!(matches!(changed, LoadFault::Unreadable { .. }), "{changed}");
        vault.put(b"module", &digest).unwrap();
        assert_eq!(vault.get(&digest, LimitClass::Native).unwrap(), b"module", "it is whole again");
        assert!(vault.remove(&digest).unwrap());
        assert!(!vault.remove(&digest).unwrap());
        assert_eq!(vault.get(&digest, LimitClass::Native), Err(LoadFault::NotKept { digest }));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
