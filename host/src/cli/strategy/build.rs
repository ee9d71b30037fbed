//! `strategy build`: the component of a crate, beside its Cargo.toml, and checked.

use super::Verdict;
use super::check;
use crate::cli::print;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TARGET: &str = "wasm32-unknown-unknown";
/// Between the flags of CARGO_ENCODED_RUSTFLAGS, so that a path may have blanks in it.
const FLAGS_APART: &str = "\u{1f}";

/// Which crate.
#[derive(clap::Args)]
pub struct Options {
    /// The crate's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Fetch nothing.
    #[arg(long)]
    offline: bool,
    /// Give it the limits of modules named in revenue-ops-interpreted-modules.
    #[arg(long)]
    interpreted: bool,
}

/// Builds, copies and checks; the verdict is that of the check.
pub(super) fn build(options: &Options) -> Result<Verdict> {
    let built = artifact(&cargo(options)?)?;
    let wasm = fs::read(&built).with_context(|| built.display().to_string())?;
    let stem = built.file_stem().and_then(|stem| stem.to_str()).context("the component has no name")?;
    // Cargo's file names have `_` where the crate's name has `-`, which policies and files here keep.
    let name = format!("{}.wasm", stem.replace('_', "-"));
    let file = options.dir.join(&name);
    fs::write(&file, wasm).with_context(|| format!("writing {}", file.display()))?;
    print(&format!("made {}\n", file.display()))?;
    check::run(&check::Options::of(file, options.interpreted))
}

/// Cargo's messages about what it made; what it says to people goes to them.
fn cargo(options: &Options) -> Result<Vec<u8>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&options.dir)
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        // Makes the linker's output a component; comes with the toolchain.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-component-ld")
        .env("CARGO_ENCODED_RUSTFLAGS", remap(&options.dir)?)
        .stderr(Stdio::inherit());
    for other in ["RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(other);
    }
    if options.offline {
        cargo.arg("--offline");
    }
    let output =
        cargo.output().context("cargo could not be started: it comes with rustup (https://rustup.rs)")?;
    ensure!(
        output.status.success(),
        "the crate in {} does not build: see above; the target {TARGET} is added by: rustup target add {TARGET}",
        options.dir.display()
    );
    Ok(output.stdout)
}

/// The machine's paths must not change the component: the same source has the same digest anywhere.
fn remap(dir: &Path) -> Result<String> {
    let dir = fs::canonicalize(dir).with_context(|| dir.display().to_string())?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let mut flags = vec![format!("--remap-path-prefix={}=/src", dir.display())];
    flags.extend(home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    Ok(flags.join(FLAGS_APART))
}

/// The last `.wasm` file that cargo reports: the crate that was asked for is built last.
fn artifact(messages: &[u8]) -> Result<PathBuf> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<Value>();
    let files: Vec<PathBuf> = messages
        .filter_map(Result::ok)
        .filter_map(|message| message["filenames"].as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .collect();
    let wasm = files.into_iter().rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    wasm.context("the crate makes no component: its Cargo.toml needs [lib] crate-type = [\"cdylib\"]")
}
