//! Looking at a module's file, and taking it in.

use super::unchanged;
use crate::cycles::Services;
use crate::cycles::modules::{Arrival, Verified};
use crate::model::StrategyName;
use crate::rpc::args::{Args, Form, Kind, Param};
use crate::rpc::{CommandError, CommandResult};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

const PATH: Param = Param::required(
    "path",
    Kind::Text,
    "A .wasm file on the node's machine; a relative path starts in the strategies directory.",
);
const NAME: Param =
    Param::optional("name", Kind::Text, "The name to install it under; without it, its own.").or(&["as"]);

pub(super) const VERIFY: Form = Form {
    action: "verify",
    params: &[PATH, NAME],
    doc: "Checks a file as install does, with a decision on the present snapshot, and keeps nothing of it.",
};

pub(super) const INSTALL: Form = Form {
    action: "install",
    params: &[
        PATH,
        NAME,
        Param::optional("unsigned", Kind::Bool, "true: take a module that no trusted key signed."),
    ],
    doc: "Takes a module in after all checks. It decides nothing before it is a shadow, a canary or active.",
};

/// Largest file that is read, bytes: the most that any class of modules may have.
const MOST_BYTES: u64 = 32 << 20;

pub(super) async fn verify(services: &Services, args: &Args) -> CommandResult {
    let (wasm, _) = read(services, args.text("path")?).await.map_err(unchanged)?;
    let verified = services.verify_module(wasm, wanted_name(args)?).await?.map_err(unchanged)?;
    Ok(json!({ "status": "success", "verified": true, "module": shown(&verified) }))
}

pub(super) async fn install(services: &Services, args: &Args) -> CommandResult {
    let (wasm, path) = read(services, args.text("path")?).await.map_err(unchanged)?;
    if args.opt_bool("unsigned") != Some(true) {
        let why = "a module from a file comes without signatures: say unsigned=true to take it, or push it with them (cl-revenue-ops strategy push)";
        return Err(unchanged(why.to_owned()));
    }
    let arrival = Arrival {
        wasm,
        name: wanted_name(args)?,
        signers: Vec::new(),
        manifest: None,
        how: format!("unsigned, from {}", path.display()),
    };
    let installed = services.install_module(arrival).await?.map_err(unchanged)?;
    let (name, version) = (installed.module.name.clone(), installed.module.version.clone());
    let message = match installed.known {
        true => format!("'{name}' {version} is installed already, as {}", installed.module.stage),
        false => format!("'{name}' {version} is installed and decides nothing yet: shadow it next"),
    };
    Ok(json!({
        "status": if installed.known { "noop" } else { "success" },
        "stage": installed.module.stage.name(),
        "module": shown(&installed.verified),
        "message": message,
    }))
}

fn wanted_name(args: &Args) -> Result<Option<StrategyName>, CommandError> {
    args.opt_text("name").map(str::parse).transpose().map_err(unchanged)
}

/// A file's bytes, and where it was found.
async fn read(services: &Services, path: &str) -> Result<(Vec<u8>, PathBuf), String> {
    let path = match Path::new(path) {
        absolute if absolute.is_absolute() => absolute.to_owned(),
        relative => services.engine.strategies_dir().join(relative),
    };
    let found = path.clone();
    let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
    let wasm = read.map_err(|error| error.to_string())?;
    wasm.map(|wasm| (wasm, found.clone())).map_err(|why| format!("{}: {why}", found.display()))
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !about.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut wasm = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut wasm).map_err(|error| error.to_string())?;
    if wasm.len() as u64 > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes"));
    }
    Ok(wasm)
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
