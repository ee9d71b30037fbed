//! `strategy new`: a complete crate, which builds and passes its tests as it is, without a network
//! once wit-bindgen is in cargo's cache.

mod sdk;

use super::Verdict;
use crate::cli::print;
use crate::model::StrategyName;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

const FEE: &str = include_str!("template/fee.rs");
const REBALANCE: &str = include_str!("template/rebalance.rs");
const MANIFEST: &str = include_str!("template/Cargo.toml.txt");
const SDK_MANIFEST: &str = include_str!("template/sdk.Cargo.toml.txt");
const README: &str = include_str!("template/README.md.txt");
const TOOLCHAIN: &str = include_str!("../../../../../rust-toolchain.toml");
/// The dependencies' versions that are tested: those of the example of a third party's strategy.
const LOCK: &str = include_str!("../../../../../examples/night-rate/Cargo.lock");
const EXAMPLE: &str = "night-rate";

/// What to make.
#[derive(clap::Args)]
pub struct Options {
    /// Name of strategy, crate and directory: lower-case letters, digits and `-`.
    name: String,
    /// An evaluator of rebalances, not a strategy that sets fees.
    #[arg(long)]
    rebalance: bool,
    /// Depend on the kit in this directory (sdk/strategy of a checkout). Without it, the crate gets
    /// a copy of the kit that this program was built with.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// Makes the crate; a directory that exists is left alone.
pub(super) fn new(options: &Options) -> Result<Verdict> {
    let name = checked(&options.name)?;
    let dir = Path::new(name);
    ensure!(!dir.exists(), "{name} exists already; nothing was changed");
    let files = files(options)?;
    for (path, text) in &files {
        let path = dir.join(path);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    print(&format!("made {name}/; next:\n  cd {name}\n  cargo test\n  cl-revenue-ops strategy build\n"))?;
    Ok(Verdict::Good)
}

/// What the contract, cargo and policies all take as a name.
fn checked(name: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let letter = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    if !letter || name.len() > 64 || !name.bytes().all(plain) {
        bail!("'{name}' is no name: use 1 to 64 lower-case letters, digits and '-', a letter first");
    }
    let is_built_in = name.parse::<StrategyName>().is_ok_and(|name| name.is_built_in());
    ensure!(!is_built_in, "'{name}' is the name of a built-in strategy: choose another");
    let is_needed = ["revenue-strategy", "wit-bindgen", "test"].contains(&name);
    ensure!(!is_needed, "'{name}' is the name of a crate that yours depends on: choose another");
    Ok(name)
}

/// Paths in the crate, and what stands there.
fn files(options: &Options) -> Result<Vec<(PathBuf, String)>> {
    let name = options.name.as_str();
    let (sdk, place) = match &options.sdk {
        None => {
            let place = "`sdk/` is a copy of the kit that made this crate, with the contract in `sdk/wit/`: nothing \
                         but wit-bindgen is fetched, and `cargo build --offline` works once it has been.";
            ("sdk".to_owned(), place)
        }
        Some(dir) => {
            let there = dir.join("Cargo.toml").is_file();
            ensure!(there, "{} holds no Cargo.toml: name the directory of the kit", dir.display());
            let full = fs::canonicalize(dir).with_context(|| dir.display().to_string())?;
            let text = full.to_str().context("the kit's path is not UTF-8")?.replace('\\', "\\\\");
            (text.replace('"', "\\\""), "The kit is used where it lies: see Cargo.toml.")
        }
    };
    let (kind, code, use_it, try_it) = if options.rebalance {
        let use_it = format!("lightning-cli revenue-policy set <peer_id> rebalance_strategy={name}");
        ("rebalance evaluator", REBALANCE, use_it, format!("cl-revenue-ops strategy check {name}.wasm"))
    } else {
        let use_it = format!("lightning-cli revenue-policy set <peer_id> strategy={name}");
        ("fee strategy", FEE, use_it, format!("cl-revenue-ops strategy backtest {name}.wasm dynamic"))
    };
    let fill = |text: &str| {
        [("name", name), ("sdk", &sdk), ("kind", kind), ("use", &use_it), ("try", &try_it), ("where", place)]
            .iter()
            .fold(text.to_owned(), |text, (key, value)| text.replace(&format!("{{{{{key}}}}}"), value))
    };
    let lock = LOCK.replace(&format!("\"{EXAMPLE}\""), &format!("\"{name}\""));
    let mut files = vec![
        ("Cargo.toml".into(), fill(MANIFEST)),
        ("Cargo.lock".into(), lock),
        ("rust-toolchain.toml".into(), TOOLCHAIN.to_owned()),
        (".gitignore".into(), "/target\n".to_owned()),
        ("README.md".into(), fill(README)),
        ("src/lib.rs".into(), code.to_owned()),
    ];
    if options.sdk.is_none() {
        let manifest = SDK_MANIFEST.replace("{{version}}", env!("CARGO_PKG_VERSION"));
        files.push(("sdk/Cargo.toml".into(), manifest));
        let kit = sdk::FILES.iter();
        files.extend(kit.map(|(path, text)| (Path::new("sdk").join(path), (*text).to_owned())));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_work_are_refused() {
        for bad in ["", "Mine", "-mine", "9mine", "my_fees", "../x", "a b", &"x".repeat(65)] {
            assert!(checked(bad).expect_err(bad).to_string().contains("is no name"), "{bad}");
        }
        for (taken, why) in [
            ("dynamic", "a built-in strategy"),
            ("rebalance-ev", "a built-in strategy"),
            ("wit-bindgen", "a crate that yours depends on"),
        ] {
            assert!(checked(taken).expect_err(taken).to_string().contains(why), "{taken}");
        }
        assert_eq!(checked("my-fees-2").expect("a name"), "my-fees-2");
    }
}
