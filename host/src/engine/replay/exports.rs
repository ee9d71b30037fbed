//! The directory of recorded calls that an operator takes away.

use super::Recording;
use crate::engine::cache::{private_dir, write_whole};
use cap_std::fs::Dir;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Most files that commands put there: whoever may give commands must not fill the disk.
const MOST_FILES: usize = 100;

pub(in crate::engine) struct Exports {
    dir: Dir,
    path: PathBuf,
}

impl Exports {
    pub(in crate::engine) fn open(path: &Path) -> anyhow::Result<Exports> {
        Ok(Exports { dir: private_dir(path)?, path: path.to_owned() })
    }

    /// Writes a call under a name made of it: nothing else is ever overwritten.
    pub(super) fn write(&self, recording: &Recording) -> Result<PathBuf, String> {
        let bytes = recording.to_bytes();
        let digest: String =
            Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let call = &recording.transcript;
        let name = format!("{}-{}-{}-{digest}.replay", call.kind.name(), recording.cycle, call.strategy);
        let path = self.path.join(&name);
        let failed = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
        if !self.dir.try_exists(&name).map_err(failed)? {
            if self.dir.entries().map_err(failed)?.count() >= MOST_FILES {
                let dir = self.path.display();
                return Err(format!(
                    "{dir} holds {MOST_FILES} files already: remove some; nothing was written"
                ));
            }
            write_whole(&self.dir, &name, &[&bytes]).map_err(failed)?;
        }
        Ok(path)
    }
}
