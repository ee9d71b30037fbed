//! A place to try a strategy in: an engine with directories of its own, which
//! compiles as the plugin does and leaves nothing behind.

use crate::engine::{
    Engine, EngineOptions, Evaluator, LimitClass, LoadFault, Module, Names, built_in_component, names,
    seems_for,
};
use crate::model::{CycleKind, Digest, StrategyName};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The name that every file has on the bench.
const SUBJECT: &str = "subject";

/// A component as bytes.
pub(super) struct Source {
    /// The file's name without `.wasm`, or that of the built-in.
    pub label: String,
    /// As it was named.
    path: PathBuf,
    pub wasm: Vec<u8>,
    pub digest: Digest,
}

impl Source {
    /// Reads a file; where there is none, `path` may be the name of a built-in strategy.
    pub fn open(path: &Path) -> Result<Source> {
        let label = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if let Some(wasm) = path.to_str().filter(|_| !path.exists()).and_then(built_in_component) {
            return Ok(Source::new(label, path, wasm.to_vec()));
        }
        let about = fs::metadata(path).with_context(|| match path.extension() {
            None => format!("{}: no built-in strategy has this name, and no file", path.display()),
            Some(_) => path.display().to_string(),
        })?;
        if !about.is_file() {
            bail!("{} is not a regular file", path.display());
        }
        let most = LimitClass::Interpreted.limits().wasm_bytes as u64;
        if about.len() > most {
            let fault = LoadFault::TooLarge { bytes: about.len(), class: LimitClass::Interpreted };
            bail!("{}: {fault}", path.display());
        }
        let wasm = fs::read(path).with_context(|| path.display().to_string())?;
        Ok(Source::new(label, path, wasm))
    }

    fn new(label: String, path: &Path, wasm: Vec<u8>) -> Source {
        Source { label, path: path.to_owned(), digest: Digest::of(&wasm), wasm }
    }
}

/// A component that may be loaded, as what it is.
pub(super) struct Subject {
    pub label: String,
    pub names: Names,
    pub fees: Option<Arc<Module>>,
    pub rebalances: Option<Arc<Evaluator>>,
}

/// The bench; its directory goes with it.
pub(super) struct Bench {
    pub engine: Engine,
    dir: PathBuf,
}

impl Bench {
    /// A bench whose subjects get the limits of `class`.
    pub fn new(class: LimitClass) -> Result<Bench> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("cl-revenue-ops-bench.{}.{number}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("making {}", dir.display()))?;
        let interpreted = match class {
            LimitClass::Native => BTreeSet::new(),
            LimitClass::Interpreted => BTreeSet::from([SUBJECT.to_owned()]),
        };
        // From here on the directory is taken away whatever comes.
        let options = EngineOptions::in_dir(&dir).map(|options| EngineOptions { interpreted, ..options });
        match options.and_then(Engine::new) {
            Ok(engine) => Ok(Bench { engine, dir }),
            Err(error) => {
                // The first error is the one to tell.
                let _ = fs::remove_dir_all(&dir);
                Err(error)
            }
        }
    }

    /// Loads a component as the plugin does: looked into, compiled in a child under limits, linked
    /// with nothing, asked what it is.
    pub fn load(&self, source: &Source) -> Result<Result<Subject, LoadFault>> {
        let name: StrategyName = SUBJECT.parse().map_err(anyhow::Error::msg)?;
        let file = self.dir.join("strategies").join(format!("{SUBJECT}.wasm"));
        fs::write(&file, &source.wasm).with_context(|| format!("writing {}", file.display()))?;
        self.engine.forget(&name);
        let fees = self.engine.load(&name);
        if let Err(fault) = &fees
            && !matches!(fault, LoadFault::WrongWorld { .. })
        {
            return Ok(Err(fault.clone()));
        }
        let (fees, rebalances) = match (fees, self.engine.load_evaluator(&name)) {
            (Err(_), Err(fault)) if is_for_rebalances(&source.wasm) => return Ok(Err(fault)),
            (Err(fault), Err(_)) => return Ok(Err(fault)),
            (fees, rebalances) => (fees.ok(), rebalances.ok()),
        };
        Ok(names(&source.wasm).map(|names| Subject { label: source.label.clone(), names, fees, rebalances }))
    }

    /// As [`Bench::load`]; a component that may not be loaded is an error.
    pub fn subject(&self, source: &Source) -> Result<Subject> {
        self.load(source)?.with_context(|| source.path.display().to_string())
    }
}

/// Whether the fault to show is that of an evaluator.
fn is_for_rebalances(wasm: &[u8]) -> bool {
    names(wasm).is_ok_and(|names| seems_for(&names.exports) == CycleKind::Rebalance)
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What is left of it is the system's to clean.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
