//! What the author of a strategy signs: which module this is, for which network, and until when.
//!
//! A manifest is one line of printable ASCII, and each manifest has one spelling only:
//!
//! ```text
//! cl-revenue-ops strategy 1; network bitcoin; name my-fees; version 1.0.0; \
//! abi revenue-ops:strategy/fee@1.0.0; sha256 ccc6..74f9; size 39507; not-after 1830297600
//! ```
//!
//! (without the break). It has no character that JSON escapes, since lightningd's `signmessage` signs a
//! message as it is spelt in the request: a line break could be signed in several ways.

use super::{Digest, PeerId, StrategyName, UnixTime, quote};
use std::fmt;
use std::str::FromStr;

/// What every manifest begins with: no other text that a node signs does.
const DOMAIN: &str = "cl-revenue-ops strategy 1";

/// The longest manifest, bytes.
pub const MAX_MANIFEST_BYTES: usize = 512;

/// The name of each field, in order.
const FIELDS: [&str; 7] = ["network", "name", "version", "abi", "sha256", "size", "not-after"];

/// A strategy's version: three numbers, compared from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub [u32; 3]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Version {
    type Err = String;
    fn from_str(text: &str) -> Result<Version, String> {
        let parts: Vec<Option<u32>> = text.split('.').map(number).collect();
        match parts[..] {
            [Some(major), Some(minor), Some(patch)] => Ok(Version([major, minor, patch])),
            _ => Err(format!(
                "version '{}' is not three numbers such as 1.2.3, each at most {} and without leading zeros",
                quote(text),
                u32::MAX
            )),
        }
    }
}

/// Digits without a sign and without leading zeros.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let canonical = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// lightningd's name of the network, e.g. `bitcoin`.
    pub network: String,
    /// The name under which the module is installed.
    pub name: StrategyName,
    pub version: Version,
    /// The interface that it exports, with its version, e.g. `revenue-ops:strategy/fee@1.0.0`.
    pub abi: String,
    /// SHA-256 of the module.
    pub digest: Digest,
    /// Size of the module.
    pub bytes: u64,
    /// From then on no node takes it in.
    pub not_after: UnixTime,
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { network, name, version, abi, digest, bytes, not_after } = self;
        write!(
            f,
            "{DOMAIN}; network {network}; name {name}; version {version}; abi {abi}; sha256 {digest}; \
             size {bytes}; not-after {not_after}"
        )
    }
}

/// Why a text is no manifest: one sentence that says what was wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseManifestError(String);

impl fmt::Display for ParseManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the manifest {}", self.0)
    }
}

impl std::error::Error for ParseManifestError {}

impl FromStr for Manifest {
    type Err = ParseManifestError;
    fn from_str(text: &str) -> Result<Manifest, ParseManifestError> {
        let manifest = read(text).map_err(ParseManifestError)?;
        // What the fields' own readers forgive, such as upper case, is another spelling of the same.
        if manifest.to_string() == text {
            Ok(manifest)
        } else {
            Err(ParseManifestError(format!("has another spelling than the one allowed, '{manifest}'")))
        }
    }
}

fn read(text: &str) -> Result<Manifest, String> {
    if text.len() > MAX_MANIFEST_BYTES {
        return Err(format!("has {} bytes; at most {MAX_MANIFEST_BYTES} are allowed", text.len()));
    }
    let mut parts = text.split("; ");
    if parts.next() != Some(DOMAIN) {
        return Err(format!("does not begin with '{DOMAIN}; '"));
    }
    let mut values = [""; FIELDS.len()];
    for (name, value) in FIELDS.iter().zip(&mut values) {
        let part = parts.next().ok_or_else(|| format!("has no field '{name}'"))?;
        let rest = part.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        *value = rest.ok_or_else(|| format!("has '{}' where '{name} ...' must stand", quote(part)))?;
    }
    if let Some(more) = parts.next() {
        return Err(format!("goes on after its last field with '{}'", quote(more)));
    }
    let [network, name, version, abi, digest, bytes, not_after] = values;
    let whole = |field: &str, text: &str| {
        number(text).filter(|number| *number <= i64::MAX as u64).ok_or_else(|| {
            format!("has the {field} '{}', which is not a whole number without leading zeros", quote(text))
        })
    };
    let wrong = |why: String| format!("has an unusable value: {why}");
    Ok(Manifest {
        network: word("network", network, "-_", 32)?,
        name: name.parse().map_err(wrong)?,
        version: version.parse().map_err(wrong)?,
        abi: word("abi", abi, "-_:/@.", 128)?,
        digest: digest.parse::<Digest>().map_err(|error| wrong(error.to_string()))?,
        bytes: whole("size", bytes)?,
        not_after: UnixTime(whole("not-after", not_after)?),
    })
}

/// Lower-case letters, digits and some marks.
fn word(field: &str, text: &str, marks: &str, most: usize) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || marks.contains(c);
    if text.is_empty() || text.len() > most || !text.chars().all(plain) {
        return Err(format!(
            "has the {field} '{}': use 1 to {most} lower-case letters, digits and any of '{marks}'",
            quote(text)
        ));
    }
    Ok(text.to_owned())
}

/// A signature as an author hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The node that is said to have signed.
    pub signer: PeerId,
    /// The `zbase` that lightningd's `signmessage` returned.
    pub zbase: String,
}

/// A manifest that `guard::admission` let in, and whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub manifest: Manifest,
    /// Valid, trusted and distinct.
    pub signers: Vec<PeerId>,
}

impl Signed {
    /// The signers, for a sentence.
    pub fn names(&self) -> String {
        self.signers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
