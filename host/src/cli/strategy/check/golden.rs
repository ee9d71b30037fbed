//! Golden vectors: snapshots with the decisions that belong to them, in a directory. What a new
//! build decides about the same snapshot must be the same, byte for byte.

use crate::cli::strategy::bench::Bench;
use crate::cli::strategy::kind::{Kind, decision_json};
use crate::engine::Module;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const SNAPSHOT: &str = ".snapshot.json";
const DECISION: &str = ".decision.json";

/// A directory that is being written.
pub(in crate::cli::strategy) struct Golden {
    dir: PathBuf,
    written: usize,
}

impl Golden {
    /// A directory for new vectors. One that has some already is refused: they would mix.
    pub fn create(dir: &Path) -> Result<Golden> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        ensure!(names(dir)?.is_empty(), "{} holds golden vectors already", dir.display());
        Ok(Golden { dir: dir.to_owned(), written: 0 })
    }

    /// Adds a snapshot and what was decided about it.
    pub fn add(&mut self, form: &impl Serialize, decision: &Value) -> Result<()> {
        self.written += 1;
        let name = format!("{:04}", self.written);
        let write = |extension: &str, text: String| {
            let path = self.dir.join(format!("{name}{extension}"));
            fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))
        };
        write(SNAPSHOT, serde_json::to_string(form)?)?;
        write(DECISION, decision.to_string())
    }
}

/// The names of the vectors in a directory, sorted.
fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let file = entry?.file_name();
        names.extend(file.to_str().and_then(|file| file.strip_suffix(SNAPSHOT)).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Compares every vector of a directory; the number of them, or the first that differs.
pub(super) fn compare<K: Kind>(
    bench: &Bench,
    module: &Module<K>,
    dir: &Path,
) -> Result<Result<usize, String>> {
    let names = names(dir)?;
    if names.is_empty() {
        return Ok(Err(format!("{} holds no NAME{SNAPSHOT}", dir.display())));
    }
    for name in &names {
        let read = |extension: &str| {
            let path = dir.join(format!("{name}{extension}"));
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let form: K::Form =
            serde_json::from_str(&read(SNAPSHOT)?).with_context(|| format!("{name}{SNAPSHOT}"))?;
        let wanted = read(DECISION)?;
        let input = match K::read(&form, &module.description) {
            Ok(input) => input,
            Err(why) => return Ok(Err(format!("{name}: {why}"))),
        };
        match bench.engine.measure(module, &input).0 {
            Ok(decision) => {
                let decided = decision_json::<K>(&decision).to_string();
                if decided != wanted.trim_end() {
                    return Ok(Err(format!("{name}: {}", difference(wanted.trim_end(), &decided))));
                }
            }
            Err(fault) => return Ok(Err(format!("{name}: {fault}"))),
        }
    }
    Ok(Ok(names.len()))
}

/// Where two texts part, with a little of either.
fn difference(wanted: &str, decided: &str) -> String {
    const SHOWN: usize = 60;
    let same = wanted.bytes().zip(decided.bytes()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(SHOWN / 2);
    let part = |text: &str| -> String {
        let bytes = text.as_bytes().get(from..).unwrap_or_default();
        String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
    };
    format!("recorded ...{}... and now ...{}...", part(wanted), part(decided))
}
