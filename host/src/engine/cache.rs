//! Compiled artefacts on disk, authenticated.
//!
//! An artefact is native code that the process will run: whoever can change
//! one owns the process. So each file carries a MAC under a key that only this
//! node has, over everything it depends on, and a file that fails is treated
//! as absent.

use crate::model::Digest;
use anyhow::Context;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;
/// Separates this use of the key from any other.
const DOMAIN: &[u8] = b"cl-revenue-ops artefact 2";
/// Most artefacts that are kept; the oldest go first.
const MAX_KEPT: usize = 32;

/// A component compiled by this node for this engine: nobody else can make one,
/// which is why it may be run. Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Artefact(Arc<Vec<u8>>);

impl Artefact {
    /// What our compiler made, in this process or through a pipe that only the child could write to.
    pub(super) fn fresh(bytes: Vec<u8>) -> Artefact {
        Artefact(Arc::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(super) struct Cache {
    dir: Dir,
    key: [u8; KEY_BYTES],
}

/// What an artefact was made from and for.
#[derive(Clone, Copy)]
pub(super) struct CacheKey<'a> {
    /// Of the component.
    pub(super) digest: &'a Digest,
    /// Of the engine, its settings and the processor.
    pub(super) fingerprint: &'a [u8; 32],
}

impl CacheKey<'_> {
    fn file(&self) -> String {
        let settings: String = self.fingerprint.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{settings}.cwasm", self.digest)
    }
}

impl Cache {
    /// Opens the directory and the key, creating either where it is absent.
    pub(super) fn open(dir: &Path, key_file: &Path) -> anyhow::Result<Cache> {
        let key = key(key_file).with_context(|| format!("the module cache's key {}", key_file.display()))?;
        Ok(Cache { dir: private_dir(dir)?, key })
    }

    /// BLAKE3 with a key is a MAC, and on any processor a fast one: most of a start is to verify. Two of
    /// them are compared in constant time.
    fn mac(&self, key: CacheKey<'_>, artefact: &[u8]) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(DOMAIN).update(&key.digest.0).update(key.fingerprint).update(artefact);
        mac.finalize()
    }

    /// The artefact, if there is one that this node wrote for just this.
    pub(super) fn get(&self, key: CacheKey<'_>, most: usize) -> Option<Artefact> {
        let mut bytes = read_whole(&self.dir, &key.file(), (most + MAC_BYTES) as u64).ok()?;
        let (artefact, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
        if self.mac(key, artefact) != blake3::Hash::from_bytes(*mac) {
            return None;
        }
        bytes.truncate(artefact.len());
        Some(Artefact(Arc::new(bytes)))
    }

    /// Writes an artefact so that a reader sees all of it or nothing.
    pub(super) fn put(&self, key: CacheKey<'_>, artefact: &[u8]) -> io::Result<()> {
        let name = key.file();
        let mac = self.mac(key, artefact);
        write_whole(&self.dir, &name, &[artefact, mac.as_bytes()])?;
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push(((about.mtime(), about.mtime_nsec()), entry.file_name()));
        }
        files.sort();
        let surplus = files.len().saturating_sub(MAX_KEPT);
        files.iter().take(surplus).try_for_each(|(_, name)| self.dir.remove_file(name))
    }
}

/// Opens a directory that only this user can enter, creating it if absent.
pub(super) fn private_dir(path: &Path) -> anyhow::Result<Dir> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| Dir::open_ambient_dir(path, ambient_authority()))
        .with_context(|| format!("the directory {}", path.display()))
}

/// The first `most` bytes of a file: in one piece, unless it grows meanwhile.
pub(super) fn read_whole(dir: &Dir, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut file = dir.open(name)?;
    let mut bytes = vec![0; file.metadata()?.len().min(most) as usize];
    file.read_exact(&mut bytes)?;
    file.take(most - bytes.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file so that a reader sees all of it or nothing.
pub(super) fn write_whole(dir: &Dir, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let mut nonce = [0; 8];
    random(&mut nonce)?;
    let scratch = format!(".{:016x}.tmp", u64::from_le_bytes(nonce));
    let written = write_new(dir, &scratch, parts).and_then(|()| dir.rename(&scratch, dir, name));
    if written.is_err() {
        // The first error is the one to report.
        let _ = dir.remove_file(&scratch);
    }
    written
}

fn write_new(dir: &Dir, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = dir.open_with(name, OpenOptions::new().write(true).create_new(true).mode(0o600))?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_data()
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(format!("no randomness: {error}")))
}

/// The node's key. One that others could have read, or of the wrong length,
/// is replaced: what was written under it is then compiled again.
fn key(path: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    let parent = private_dir(path.parent().context("has no directory")?)?;
    let name = path.file_name().context("has no name")?.to_str().context("has a name that is not UTF-8")?;
    match parent.symlink_metadata(name) {
        Ok(about) if about.is_file() && about.mode() & 0o077 == 0 => {
            if let Ok(key) = <[u8; KEY_BYTES]>::try_from(parent.read(name)?) {
                return Ok(key);
            }
        }
        Ok(about) if about.is_dir() => anyhow::bail!("is a directory"),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut key = [0; KEY_BYTES];
    random(&mut key)?;
    write_whole(&parent, name, &[&key])?;
    Ok(key)
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
