//! Builds the strategies that the binary carries, as WebAssembly components,
//! with a cargo of their own: they are another target, and must come out the
//! same whatever flags the host is built with.

use sha2::{Digest, Sha256};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
/// A component's stack, which is cleared after each call, used or not: many times what ours take. With it
/// and their constants, our components begin with a single page of memory.
const STACK_BYTES: u32 = 32 << 10;
const STRATEGIES: [&str; 5] = ["dynamic", "static", "passive", "hive", "rebalance-ev"];

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().expect("the host is a folder of the workspace");
    components(root);
    kit(root);
}

/// Writes the list of the kit for authors, with the contract, as `strategy new` copies it.
fn kit(root: &Path) {
    let mut files = Vec::new();
    list(&root.join("sdk/strategy/src"), "src", &mut files);
    list(&root.join("wit/v1"), "wit", &mut files);
    files.sort();
    let mut table = String::from("&[\n");
    for (name, path) in files {
        table.push_str(&format!("    ({name:?}, include_str!({:?})),\n", path.display().to_string()));
    }
    table.push_str("]\n");
    let to = PathBuf::from(variable("OUT_DIR")).join("kit.rs");
    std::fs::write(&to, table).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
}

/// The files under `dir`, as paths that begin with `name`.
fn list(dir: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", dir.display())).path();
        let file = path.file_name().and_then(|file| file.to_str()).expect("the kit's files have plain names");
        let name = format!("{name}/{file}");
        if path.is_dir() { list(&path, &name, files) } else { files.push((name, path.clone())) }
    }
}

/// Builds all strategies of the workspace at `root`, and tells the compiler of
/// the host where each one is, as COMPONENT_<NAME>, and its SHA-256, as DIGEST_<NAME>.
pub(crate) fn components(root: &Path) {
    for source in ["strategies", "sdk/strategy", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    need_target();
    let out = PathBuf::from(variable("OUT_DIR"));
    // <target>/<profile>/build/<package>/out; next to the profiles, so that
    // all of them share one build.
    let built =
        out.ancestors().nth(4).expect("OUT_DIR is four levels below the target directory").join("components");
    build(root, &built);
    for name in STRATEGIES {
        let file = name.replace('-', "_");
        let from = built.join(TARGET).join("component").join(format!("strategy_{file}.wasm"));
        let to = out.join(format!("{name}.wasm"));
        std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("the component {}: {error}", from.display()));
        let component = std::fs::read(&to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
        let (key, digest) = (file.to_uppercase(), Sha256::digest(component));
        println!("cargo::rustc-env=COMPONENT_{key}={}", to.display());
        println!("cargo::rustc-env=DIGEST_{key}={digest:x}");
    }
}

fn build(root: &Path, target_dir: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args(["build", "--locked", "--profile", "component", "--target", TARGET]);
    cargo.arg("--target-dir").arg(target_dir);
    for name in STRATEGIES {
        cargo.arg("--package").arg(format!("strategy-{name}"));
    }
    for (key, _) in env::vars_os().filter(|(key, _)| belongs_to_the_host(key)) {
        cargo.env_remove(key);
    }
    // Turns the linker's output into a component; comes with the toolchain.
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-component-ld");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(root));
    let status = cargo.status().unwrap_or_else(|error| panic!("cargo could not be started: {error}"));
    assert!(status.success(), "the built-in strategies did not build: see the messages above ({status})");
}

fn flags(root: &Path) -> String {
    let mut flags = vec![format!("-Clink-arg=-zstack-size={STACK_BYTES}")];
    // Paths of this machine must not change the component.
    flags.push(format!("--remap-path-prefix={}=/src", root.display()));
    if let Some(home) = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default_cargo_home) {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    // So that a path may have blanks in it.
    flags.join("\u{1f}")
}

fn default_cargo_home() -> Option<PathBuf> {
    env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"))
}

/// Settings of the build of the host that must not reach that of the
/// strategies. What says where registries are, and that they are not to be
/// asked, does reach it.
fn belongs_to_the_host(key: &OsStr) -> bool {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const CLEARED: [&str; 13] = [
        "RUSTC",
        "RUSTC_LINKER",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "TARGET",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "OUT_DIR",
        "CLIPPY_ARGS",
    ];
    let Some(key) = key.to_str() else { return false };
    let cargo = key.starts_with("CARGO") && !KEPT.iter().any(|kept| key.starts_with(kept));
    cargo || CLEARED.contains(&key)
}

fn need_target() {
    let rustc = variable("RUSTC");
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .unwrap_or_else(|error| panic!("{rustc} could not be started: {error}"));
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    assert!(
        output.status.success() && libraries.is_dir(),
        "the built-in strategies need the standard library for {TARGET}; run: rustup target add {TARGET}"
    );
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}
