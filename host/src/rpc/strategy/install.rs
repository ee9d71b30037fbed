//! Looking at a module's file, and taking it in.

use super::{sigfile, unchanged};
use crate::cycles::Services;
use crate::cycles::admission::Claim;
use crate::cycles::modules::{Arrival, NotTaken, Verified};
use crate::model::manifest::Signed;
use crate::model::{CycleKind, StrategyName};
use crate::rpc::args::{Args, Form, Kind, Param};
use crate::rpc::{CommandError, CommandResult};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

const PATH: Param = Param::required(
    "path",
    Kind::Text,
    "A .wasm file on the node's machine; a relative path starts in the strategies directory.",
);
const NAME: Param =
    Param::optional("name", Kind::Text, "The name to install it under; without it, its own.").or(&["as"]);
const SIGNATURES: Param = Param::optional(
    "signatures",
    Kind::Text,
    "The file that strategy sign wrote; without it, the one beside the module, <path>.sig.json, if it is there.",
)
.or(&["sig"]);
const UNSIGNED: Param = Param::optional(
    "unsigned",
    Kind::Bool,
    "true: as a module that no trusted key signed, whatever lies beside it.",
);
const WORLD: Param = Param::optional(
    "world",
    Kind::Text,
    "fee or rebalance: what a module is to decide that can do both; a manifest says it by its abi.",
)
.or(&["decides"]);

pub(super) const VERIFY: Form = Form {
    action: "verify",
    params: &[PATH, NAME, UNSIGNED, SIGNATURES, WORLD],
    doc: "Checks a file as install does, with a decision on the present snapshot, and keeps nothing of it.",
};

pub(super) const INSTALL: Form = Form {
    action: "install",
    params: &[PATH, NAME, UNSIGNED, SIGNATURES, WORLD],
    doc: "Takes a module in after all checks, signatures too. It decides nothing before it is a shadow, a canary or \
          active.",
};

/// Largest file that is read, bytes: the most that any class of modules may have.
const MOST_BYTES: u64 = 32 << 20;

/// Largest file with signatures that is read, bytes.
const MOST_SIGNATURE_BYTES: u64 = 64 << 10;

/// A file, and what is said of it.
struct Found {
    wasm: Vec<u8>,
    path: PathBuf,
    name: Option<StrategyName>,
    world: Option<CycleKind>,
    claim: Option<Claim>,
}

impl Found {
    fn unsigned(self) -> Arrival {
        Arrival { wasm: self.wasm, name: self.name, world: self.world, signed: None }
    }
}

pub(super) async fn verify(services: &Services, args: &Args) -> CommandResult {
    let mut found = found(services, args).await.map_err(unchanged)?;
    let (verified, signed) = match found.claim.take() {
        Some(claim) => {
            let verified = services.verify_signed(found.wasm, found.name, claim).await?;
            let (verified, signed) = verified.map_err(refused)?;
            (verified, Some(signed))
        }
        None => (services.verify_module(found.unsigned()).await?.map_err(refused)?, None),
    };
    let mut module = shown(&verified);
    module["signers"] = signers(signed.as_ref());
    Ok(json!({ "status": "success", "verified": true, "module": module }))
}

pub(super) async fn install(services: &Services, args: &Args) -> CommandResult {
    let mut found = found(services, args).await.map_err(unchanged)?;
    let from = found.path.display().to_string();
    let installed = match found.claim.take() {
        Some(claim) => services.install_signed(found.wasm, found.name, claim, &from).await?,
        None if args.opt_bool("unsigned") == Some(true) => {
            services.install_module(found.unsigned(), format!("unsigned, from {from}")).await?
        }
        None => {
            return Err(unchanged(format!(
                "there is no {}, so nobody signed the module: sign it (cl-revenue-ops strategy sign), name the file \
                 with its signatures by signatures=, or say unsigned=true to take it all the same",
                sigfile::beside(&found.path).display()
            )));
        }
    };
    let installed = installed.map_err(refused)?;
    let (name, version) = (installed.module.name.clone(), installed.module.version.clone());
    let message = match installed.known {
        true => format!("'{name}' {version} is installed already, as {}", installed.module.stage),
        false => format!("'{name}' {version} is installed and decides nothing yet: shadow it next"),
    };
    let mut module = shown(&installed.verified);
    module["signers"] = installed.module.signers.iter().map(ToString::to_string).collect();
    Ok(json!({
        "status": if installed.known { "noop" } else { "success" },
        "stage": installed.module.stage.name(),
        "module": module,
        "message": message,
    }))
}

fn refused(why: NotTaken) -> CommandError {
    unchanged(why.to_string())
}

fn signers(signed: Option<&Signed>) -> Value {
    signed.into_iter().flat_map(|signed| &signed.signers).map(ToString::to_string).collect()
}

/// Reads what the parameters name.
async fn found(services: &Services, args: &Args) -> Result<Found, String> {
    let name = args.opt_text("name").map(str::parse).transpose()?;
    let world = args.opt_text("world").map(world).transpose()?;
    let is_unsigned = args.opt_bool("unsigned") == Some(true);
    let named = args.opt_text("signatures").map(|path| in_place(services, path));
    if is_unsigned && named.is_some() {
        return Err("unsigned=true and signatures= contradict each other: use one of them".to_owned());
    }
    let path = in_place(services, args.text("path")?);
    let of_file = path.clone();
    let read = move || {
        let wasm = read_file(&of_file, MOST_BYTES).map_err(|why| why.of(&of_file))?;
        let claim = if is_unsigned { None } else { claim(&of_file, named)? };
        Ok::<_, String>((wasm, claim))
    };
    let (wasm, claim) = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())??;
    if world.is_some() && claim.is_some() {
        return Err("world= is for modules that nobody signed: a manifest says it by its abi".to_owned());
    }
    Ok(Found { wasm, path, name, world, claim })
}

fn world(word: &str) -> Result<CycleKind, String> {
    CycleKind::from_name(word).ok_or_else(|| format!("world '{word}' is unknown: use fee or rebalance"))
}

/// Where a file is; a relative path starts in the strategies directory.
fn in_place(services: &Services, path: &str) -> PathBuf {
    services.engine.strategies_dir().join(path)
}

/// The manifest and its signatures: in the file that was named, else in the one beside the module, if it
/// is there.
fn claim(module: &Path, named: Option<PathBuf>) -> Result<Option<Claim>, String> {
    let (path, must_be) = named.map_or_else(|| (sigfile::beside(module), false), |path| (path, true));
    let text = match read_file(&path, MOST_SIGNATURE_BYTES) {
        Ok(text) => text,
        Err(NotRead::Absent(_)) if !must_be => return Ok(None),
        Err(why) => return Err(why.of(&path)),
    };
    let text = String::from_utf8(text).map_err(|_| format!("{}: it is no text", path.display()))?;
    sigfile::read(&text).map(Some).map_err(|why| format!("{}: {why}", path.display()))
}

/// Why a file cannot be read.
enum NotRead {
    Absent(String),
    Other(String),
}

impl NotRead {
    fn of(self, path: &Path) -> String {
        let (NotRead::Absent(why) | NotRead::Other(why)) = self;
        format!("{}: {why}", path.display())
    }
}

impl From<std::io::Error> for NotRead {
    fn from(error: std::io::Error) -> NotRead {
        let why = error.to_string();
        if error.kind() == ErrorKind::NotFound { NotRead::Absent(why) } else { NotRead::Other(why) }
    }
}

fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, NotRead> {
    let about = std::fs::metadata(path)?;
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !about.is_file() {
        return Err(NotRead::Other("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(NotRead::Other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

pub(super) fn shown(verified: &Verified) -> Value {
    let (about, test) = (&verified.description, &verified.self_test);
    let took_us = u64::try_from(test.took.as_micros()).unwrap_or(u64::MAX);
    let per_channel = test.took.as_secs_f64() * 1e6 / test.channels.max(1) as f64;
    json!({
        "name": verified.name.as_str(),
        "own_name": about.name,
        "version": about.version,
        "digest": verified.digest.to_string(),
        "bytes": verified.bytes,
        "decides": verified.decides.name(),
        "state_version": about.state_version,
        "params": about.params.iter().map(super::param::shown).collect::<Vec<_>>(),
        "signals": about.signals,
        "self_test": {
            "channels": test.channels,
            "fuel": test.fuel,
            "took_us": took_us,
            "us_per_channel": (per_channel * 100.0).round() / 100.0,
            "decision_sha256": test.decision.to_string(),
            "deterministic": true,
        },
    })
}
