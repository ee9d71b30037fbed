//! `FILE.sig.json`: a manifest with its signatures, beside the module.

pub(super) use crate::cycles::admission::Claim as SignatureFile;
use crate::model::manifest::Signature;
use crate::rpc::strategy::sigfile;
use anyhow::{Context, Result, anyhow, ensure};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl SignatureFile {
    /// Where the signatures of `module` are, unless `named` says so.
    pub(super) fn place(module: &Path, named: Option<&Path>) -> PathBuf {
        named.map_or_else(|| sigfile::beside(module), Path::to_path_buf)
    }

    /// Reads the file; none if there is none.
    pub(super) fn find(path: &Path) -> Result<Option<SignatureFile>> {
        match fs::read_to_string(path) {
            Ok(text) => sigfile::read(&text).map(Some).map_err(|why| anyhow!("{}: {why}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<SignatureFile> {
        let found = SignatureFile::find(path)?;
        found.with_context(|| format!("there is no {}: strategy sign makes it", path.display()))
    }

    /// Puts a signature in place of the signer's former one.
    pub(super) fn add(&mut self, signature: Signature) {
        self.signatures.retain(|one| one.signer != signature.signer);
        self.signatures.push(signature);
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut fresh = OsString::from(path);
        fresh.push(".new");
        fs::write(&fresh, sigfile::written(self))
            .and_then(|()| fs::rename(&fresh, path))
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Refuses to go on with the manifest of another build.
    pub(super) fn ensure_for(&self, module: &super::bench::Source, path: &Path) -> Result<()> {
        ensure!(
            self.manifest.digest == module.digest,
            "{} is for other bytes (sha256 {}): sign the module with --anew",
            path.display(),
            self.manifest.digest
        );
        Ok(())
    }
}
