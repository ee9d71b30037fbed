//! `FILE.sig.json`: a manifest with its signatures, beside the module.

use crate::model::manifest::{Manifest, Signature};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file as JSON. What it is made of is what `revenue-strategy push begin` takes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    manifest: String,
    signatures: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    signer: String,
    signature: String,
}

/// A manifest with its signatures, which need not be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureFile {
    pub manifest: Manifest,
    pub signatures: Vec<Signature>,
}

impl SignatureFile {
    /// Where the signatures of `module` are, unless `named` says so.
    pub fn place(module: &Path, named: Option<&Path>) -> PathBuf {
        named.map_or_else(
            || {
                let mut name = OsString::from(module);
                name.push(".sig.json");
                PathBuf::from(name)
            },
            Path::to_path_buf,
        )
    }

    /// Reads the file; none if there is none.
    pub fn find(path: &Path) -> Result<Option<SignatureFile>> {
        match fs::read_to_string(path) {
            Ok(text) => SignatureFile::parse(&text).with_context(|| path.display().to_string()).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Reads the file.
    pub fn read(path: &Path) -> Result<SignatureFile> {
        let found = SignatureFile::find(path)?;
        found.with_context(|| format!("there is no {}: strategy sign makes it", path.display()))
    }

    fn parse(text: &str) -> Result<SignatureFile> {
        let form: Form = serde_json::from_str(text).context("it holds no manifest with signatures")?;
        let signature = |row: Row| Ok(Signature { signer: row.signer.parse()?, zbase: row.signature });
        Ok(SignatureFile {
            manifest: form.manifest.parse()?,
            signatures: form.signatures.into_iter().map(signature).collect::<Result<_>>()?,
        })
    }

    /// Puts a signature in place of the signer's former one.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.retain(|one| one.signer != signature.signer);
        self.signatures.push(signature);
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let row = |one: &Signature| Row { signer: one.signer.to_string(), signature: one.zbase.clone() };
        let form = Form {
            manifest: self.manifest.to_string(),
            signatures: self.signatures.iter().map(row).collect(),
        };
        let text = format!("{}\n", serde_json::to_string_pretty(&form)?);
        let mut fresh = OsString::from(path);
        fresh.push(".new");
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, path))
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Refuses to go on with the manifest of another build.
    pub fn ensure_for(&self, module: &super::bench::Source, path: &Path) -> Result<()> {
        ensure!(
            self.manifest.digest == module.digest,
            "{} is for other bytes (sha256 {}): sign the module with --anew",
            path.display(),
            self.manifest.digest
        );
        Ok(())
    }
}
