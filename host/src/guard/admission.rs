//! Which signed modules are let in: the manifest is for this node and for now, enough trusted keys
//! signed it, it is newer than what was let in before, and the module is the one that it describes.

mod refusal;

pub use refusal::AdmissionRefusal;

use super::signature;
use crate::model::manifest::{Manifest, Signature, Signed, Version};
use crate::model::{Digest, PeerId, StrategyName, UnixTime};
use std::collections::BTreeSet;

/// The furthest that a manifest's end may be away, seconds.
pub const MAX_LIFE_S: u64 = 366 * UnixTime::DAY;

/// Most signatures of one manifest.
pub const MAX_SIGNATURES: usize = 16;

/// What a node asks of whoever hands it a module.
#[derive(Clone, Debug)]
pub struct Terms {
    pub network: String,
    /// Keys whose signatures count.
    pub trusted: BTreeSet<PeerId>,
    /// How many of them must have signed.
    pub needed: usize,
    pub now: UnixTime,
    /// The interfaces of the contract that the host speaks.
    pub interfaces: Vec<String>,
    /// Largest module that the way it comes in by takes.
    pub most_bytes: u64,
}

/// The highest version of a strategy that was ever let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub version: Version,
    pub digest: Digest,
    pub at: UnixTime,
}

/// A manifest that may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    New(Signed),
    /// The very module that was let in last under this name: there is nothing to do.
    Again(Signed, Accepted),
}

/// What a module is, as far as a look at its bytes says.
#[derive(Clone, Copy, Debug)]
pub struct ModuleFacts<'a> {
    pub digest: Digest,
    pub bytes: u64,
    /// The interfaces that it exports, with their versions.
    pub exports: &'a [String],
}

/// What the manifest and its signatures alone say, before there is a byte of the module. `accepted` is
/// the highest version let in under the manifest's name.
///
/// Every signature must be good; those of keys that are not trusted don't count.
///
/// # Errors
/// The first reason why a module with this manifest stays out.
pub fn admit(
    manifest: &Manifest,
    signatures: &[Signature],
    terms: &Terms,
    accepted: Option<Accepted>,
) -> Result<Admission, AdmissionRefusal> {
    for_us(manifest, terms)?;
    for_now(manifest, terms.now)?;
    let signers = signers(manifest, signatures, terms)?;
    let signed = Signed { manifest: manifest.clone(), signers };
    match accepted {
        Some(last) if last.version == manifest.version && last.digest == manifest.digest => {
            Ok(Admission::Again(signed, last))
        }
        Some(last) if manifest.version <= last.version => Err(AdmissionRefusal::NotNewer {
            name: manifest.name.clone(),
            version: manifest.version,
            accepted: last.version,
        }),
        _ => Ok(Admission::New(signed)),
    }
}

fn for_us(manifest: &Manifest, terms: &Terms) -> Result<(), AdmissionRefusal> {
    if manifest.name.is_built_in() {
        return Err(AdmissionRefusal::BuiltIn(manifest.name.clone()));
    }
    if manifest.network != terms.network {
        let (theirs, ours) = (manifest.network.clone(), terms.network.clone());
        return Err(AdmissionRefusal::Network { theirs, ours });
    }
    if !terms.interfaces.contains(&manifest.abi) {
        let known = terms.interfaces.join(", ");
        return Err(AdmissionRefusal::UnknownAbi { abi: manifest.abi.clone(), known });
    }
    if manifest.bytes > terms.most_bytes {
        return Err(AdmissionRefusal::TooLarge { bytes: manifest.bytes, most: terms.most_bytes });
    }
    Ok(())
}

fn for_now(manifest: &Manifest, now: UnixTime) -> Result<(), AdmissionRefusal> {
    let (not_after, latest) = (manifest.not_after, now.plus(MAX_LIFE_S));
    if not_after < now {
        return Err(AdmissionRefusal::Expired { not_after, now });
    }
    if not_after > latest {
        return Err(AdmissionRefusal::TooFar { not_after, latest });
    }
    Ok(())
}

/// The distinct, trusted keys that signed, in order.
fn signers(
    manifest: &Manifest,
    signatures: &[Signature],
    terms: &Terms,
) -> Result<Vec<PeerId>, AdmissionRefusal> {
    if signatures.len() > MAX_SIGNATURES {
        return Err(AdmissionRefusal::TooManySignatures(signatures.len()));
    }
    let (text, mut seen) = (manifest.to_string(), BTreeSet::new());
    for Signature { signer, zbase } in signatures {
        if !seen.insert(*signer) {
            return Err(AdmissionRefusal::Twice(*signer));
        }
        signature::verify(&text, zbase, signer)
            .map_err(|why| AdmissionRefusal::Bad { signer: *signer, why })?;
    }
    let (signers, strangers): (Vec<_>, Vec<_>) =
        seen.into_iter().partition(|key| terms.trusted.contains(key));
    // At least one, whatever is configured: unsigned modules come in by the operator's hand only.
    let needed = terms.needed.max(1);
    if signers.len() < needed {
        return Err(AdmissionRefusal::TooFew { needed, counted: signers.len(), strangers });
    }
    Ok(signers)
}

/// Whether a module is the one that the manifest describes, and goes by the name `asked`, if any.
///
/// # Errors
/// The first difference.
pub fn fits(
    manifest: &Manifest,
    module: &ModuleFacts<'_>,
    asked: Option<&StrategyName>,
) -> Result<(), AdmissionRefusal> {
    if let Some(asked) = asked.filter(|asked| **asked != manifest.name) {
        return Err(AdmissionRefusal::Name { manifest: manifest.name.clone(), asked: asked.clone() });
    }
    if module.bytes != manifest.bytes {
        return Err(AdmissionRefusal::Size { manifest: manifest.bytes, module: module.bytes });
    }
    if module.digest != manifest.digest {
        return Err(AdmissionRefusal::Digest { manifest: manifest.digest, module: module.digest });
    }
    if !module.exports.contains(&manifest.abi) {
        let exports =
            if module.exports.is_empty() { "nothing".to_owned() } else { module.exports.join(", ") };
        return Err(AdmissionRefusal::Abi { manifest: manifest.abi.clone(), exports });
    }
    Ok(())
}

/// Whether a module calls itself by the version that the manifest says.
///
/// # Errors
/// When it does not.
pub fn same_version(manifest: &Manifest, own: &str) -> Result<(), AdmissionRefusal> {
    if manifest.version.to_string() == own {
        return Ok(());
    }
    Err(AdmissionRefusal::Version { manifest: manifest.version, own: own.to_owned() })
}

#[cfg(test)]
mod tests;
