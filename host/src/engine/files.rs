//! The directory with the operator's modules. It is held as a capability:
//! neither a name nor a symbolic link leads out of it.

use super::cache::private_dir;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use crate::model::StrategyName;
use cap_std::fs::{Dir, Metadata, MetadataExt};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

const EXTENSION: &str = ".wasm";

/// A file in the strategies directory that looks like a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// Name to use in a policy.
    pub name: String,
    /// Size, bytes.
    pub bytes: u64,
}

/// Tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(about: &Metadata) -> Stamp {
        Stamp {
            device: about.dev(),
            inode: about.ino(),
            bytes: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

pub(super) struct Files(Dir);

impl Files {
    pub(super) fn open(path: &Path) -> anyhow::Result<Files> {
        private_dir(path).map(Files)
    }

    /// Whether a module's file is still the one with this stamp.
    pub(super) fn is(&self, name: &StrategyName, stamp: Stamp) -> bool {
        self.0.metadata(file_name(name)).is_ok_and(|about| about.is_file() && Stamp::of(&about) == stamp)
    }

    /// A module's bytes, and the stamp that they belong to.
    pub(super) fn read(&self, name: &StrategyName, class: LimitClass) -> Result<(Vec<u8>, Stamp), LoadFault> {
        let failed = |error: io::Error| fault(name, &error);
        // Looked at before it is opened: opening a pipe would wait for its writer.
        fit(name, &self.0.metadata(file_name(name)).map_err(failed)?, class)?;
        let mut file = self.0.open(file_name(name)).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        fit(name, &about, class)?;
        let mut bytes = Vec::new();
        let most = class.limits().wasm_bytes as u64;
        file.by_ref().take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most {
            return Err(LoadFault::TooLarge { bytes: bytes.len() as u64, class });
        }
        Ok((bytes, Stamp::of(&about)))
    }

    /// What could be named in a policy, sorted; built-in names are not, since
    /// a file cannot replace those.
    pub(super) fn list(&self) -> io::Result<Vec<ModuleFile>> {
        let mut found = Vec::new();
        for entry in self.0.entries()? {
            let file = entry?.file_name();
            let name =
                file.to_str().and_then(|file| file.strip_suffix(EXTENSION)).map(str::parse::<StrategyName>);
            let Some(Ok(name)) = name else { continue };
            // A link that leads nowhere, or out, is not a module.
            let Ok(about) = self.0.metadata(&file) else { continue };
            if about.is_file() && !name.is_built_in() {
                found.push(ModuleFile { name: name.to_string(), bytes: about.len() });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

fn file_name(name: &StrategyName) -> String {
    format!("{name}{EXTENSION}")
}

fn fit(name: &StrategyName, about: &Metadata, class: LimitClass) -> Result<(), LoadFault> {
    if !about.is_file() {
        return Err(LoadFault::Unreadable {
            name: name.to_string(),
            why: "it is not a regular file".to_owned(),
        });
    }
    if about.len() > class.limits().wasm_bytes as u64 {
        return Err(LoadFault::TooLarge { bytes: about.len(), class });
    }
    Ok(())
}

fn fault(name: &StrategyName, error: &io::Error) -> LoadFault {
    match error.kind() {
        ErrorKind::NotFound => LoadFault::NotFound { name: name.to_string() },
        _ => LoadFault::Unreadable { name: name.to_string(), why: error.to_string() },
    }
}
