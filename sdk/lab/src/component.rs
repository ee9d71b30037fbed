//! Builds WebAssembly components for tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The target that gives a component without any import but types.
const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles the crate in `manifest_dir` into a component and returns its bytes. `out` is the target
/// directory; builds of several crates may share it. A crate of a workspace with a profile named
/// `component` is built with that, any other with `release`.
pub fn build(manifest_dir: &Path, out: &Path) -> Result<Vec<u8>> {
    let manifest = manifest_dir.join("Cargo.toml");
    let profile = if has_component_profile(&manifest)? { "component" } else { "release" };
    let output = cargo()
        .args([
            "build",
            "--target",
            TARGET,
            "--profile",
            profile,
            "--message-format",
            "json-render-diagnostics",
        ])
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(out)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-component-ld")
        .stderr(Stdio::piped())
        .output()
        .context("can't run cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} does not build:\n{said}", manifest.display());
    let file =
        artifact(&output.stdout).with_context(|| format!("{} makes no .wasm file", manifest.display()))?;
    std::fs::read(&file).with_context(|| format!("can't read {}", file.display()))
}

/// cargo without the settings of the cargo that runs us.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
        cargo.env_remove(name);
    }
    cargo
}

fn has_component_profile(manifest: &Path) -> Result<bool> {
    let output = cargo()
        .args(["locate-project", "--workspace", "--message-format", "plain", "--manifest-path"])
        .arg(manifest)
        .output()
        .context("can't run cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} is no crate: {said}", manifest.display());
    let root = String::from_utf8(output.stdout).context("a path that is no text")?;
    let text = std::fs::read_to_string(root.trim()).with_context(|| format!("can't read {root}"))?;
    Ok(text.lines().any(|line| line.trim() == "[profile.component]"))
}

/// The last `.wasm` file that cargo reports: the crate asked for is built last.
fn artifact(messages: &[u8]) -> Option<PathBuf> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<Value>();
    let files = messages.filter_map(Result::ok).filter(|message| message["reason"] == "compiler-artifact");
    let files = files.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let files = files.filter_map(|file| file.as_str().map(PathBuf::from));
    files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")).last()
}
