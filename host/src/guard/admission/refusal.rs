//! Why a module stays out: a word for programs, a sentence for people.

use super::{MAX_LIFE_S, MAX_SIGNATURES};
use crate::guard::signature::BadSignature;
use crate::model::manifest::Version;
use crate::model::{Digest, PeerId, StrategyName, UnixTime};
use std::fmt;

/// Why a module stays out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmissionRefusal {
    BuiltIn(StrategyName),
    Network { theirs: String, ours: String },
    UnknownAbi { abi: String, known: String },
    TooLarge { bytes: u64, most: u64 },
    Expired { not_after: UnixTime, now: UnixTime },
    TooFar { not_after: UnixTime, latest: UnixTime },
    TooManySignatures(usize),
    Bad { signer: PeerId, why: BadSignature },
    Twice(PeerId),
    TooFew { needed: usize, counted: usize, strangers: Vec<PeerId> },
    NotNewer { name: StrategyName, version: Version, accepted: Version },
    Name { manifest: StrategyName, asked: StrategyName },
    Digest { manifest: Digest, module: Digest },
    Size { manifest: u64, module: u64 },
    Abi { manifest: String, exports: String },
    Version { manifest: Version, own: String },
}

impl AdmissionRefusal {
    /// The word for programs.
    pub const fn code(&self) -> &'static str {
        use AdmissionRefusal::*;
        match self {
            BuiltIn(_) => "built_in",
            Network { .. } => "network",
            UnknownAbi { .. } => "unknown_abi",
            TooLarge { .. } => "too_large",
            Expired { .. } => "expired",
            TooFar { .. } => "not_after_too_far",
            TooManySignatures(_) => "too_many_signatures",
            Bad { .. } => "bad_signature",
            Twice(_) => "duplicate_signer",
            TooFew { .. } => "too_few_signers",
            NotNewer { .. } => "not_newer",
            Name { .. } => "name",
            Digest { .. } => "digest",
            Size { .. } => "size",
            Abi { .. } => "abi",
            Version { .. } => "version",
        }
    }
}

impl fmt::Display for AdmissionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AdmissionRefusal::*;
        match self {
            BuiltIn(name) => write!(f, "'{name}' is built in: a module needs another name"),
            Network { theirs, ours } => {
                write!(f, "the manifest is for network {theirs}, and this node is on {ours}")
            }
            UnknownAbi { abi, known } => {
                write!(f, "the manifest names the interface {abi}, and this version speaks {known}")
            }
            TooLarge { bytes, most } => {
                write!(f, "the module has {bytes} bytes, and at most {most} are taken")
            }
            Expired { not_after, now } => {
                write!(f, "the manifest ended at {not_after}, and it is {now} now: it must be signed anew")
            }
            TooFar { not_after, latest } => write!(
                f,
                "the manifest ends at {not_after}, more than {} days from now: {latest} is the latest allowed",
                MAX_LIFE_S / UnixTime::DAY
            ),
            TooManySignatures(found) => {
                write!(f, "there are {found} signatures, and at most {MAX_SIGNATURES} are taken")
            }
            Bad { signer, why } => write!(f, "the signature of {signer} {why}"),
            Twice(signer) => write!(f, "{signer} has signed twice: each signer counts once, so give it once"),
            TooFew { needed, counted, strangers } => too_few(f, *needed, *counted, strangers),
            NotNewer { name, version, accepted } => write!(
                f,
                "version {version} of '{name}' is not above {accepted}, the highest that was taken in: it needs a \
                 higher version"
            ),
            Name { manifest, asked } => {
                write!(f, "the manifest is for the name '{manifest}', and '{asked}' was asked for")
            }
            Digest { manifest, module } => {
                write!(f, "the module's sha256 is {module}, and the manifest is for {manifest}")
            }
            Size { manifest, module } => {
                write!(f, "the module has {module} bytes, and the manifest says {manifest}")
            }
            Abi { manifest, exports } => {
                write!(f, "the manifest names the interface {manifest}, and the module exports {exports}")
            }
            Version { manifest, own } => {
                write!(
                    f,
                    "the manifest says version {manifest}, and the module says of itself that it is {own}"
                )
            }
        }
    }
}

fn too_few(f: &mut fmt::Formatter<'_>, needed: usize, counted: usize, strangers: &[PeerId]) -> fmt::Result {
    let plural = if needed == 1 { "" } else { "s" };
    write!(f, "signatures of {needed} trusted signer{plural} are needed, and there are {counted}")?;
    if let Some(first) = strangers.first() {
        write!(f, "; {first} is not trusted (`revenue-strategy trust list` shows who is)")?;
    }
    Ok(())
}
