//! The sandbox: the only code that speaks to the WebAssembly engine.
//!
//! A strategy is a component without imports. It is loaded by name, from the
//! binary or from the strategies directory, and called with a snapshot; what
//! it answers is checked for sense here, and for limits elsewhere. Whatever a
//! component does, a call ends within its class's fuel, time and memory, and
//! comes back as a decision or as a fault.
//!
//! | file | what it is for |
//! |---|---|
//! | `load`, `shelf`, `files` | from a name to a module, and when to look again |
//! | `vault`, `needed` | modules that are kept, by digest, and who needs them |
//! | `transcribe`, `replay` | calls written down, and made again |
//! | `imports` | what a component is, before it is compiled |
//! | `errand` | work given to a process of its own |
//! | `compile`, `child` | compiling strangers' code in a process that may die |
//! | `seal` | what those processes give up, and the system calls that they may still make |
//! | `cache` | artefacts on disk, authenticated |
//! | `config`, `limits`, `gate` | the engine's settings, the limits, the clock |
//! | `site`, `run` | where calls run, and one call |
//! | `worker` | the processes that calls run in, seen from both ends |
//! | `world`, `module`, `v1`, `check`, `describe` | the contract, and what may come back |

mod builtin;
mod cache;
mod check;
mod child;
mod compile;
mod config;
mod describe;
mod errand;
mod fault;
mod files;
mod gate;
mod imports;
mod limits;
mod load;
mod load_fault;
mod module;
mod needed;
mod replay;
mod run;
mod seal;
mod shelf;
mod site;
mod transcribe;
mod v1;
mod vault;
mod worker;
mod world;

pub use builtin::{component as built_in_component, digest as built_in_digest};
pub use check::MAX_PPM;
pub use child::compile_child_main;
pub use compile::{COMPILE_SUBCOMMAND, Compiler};
pub use config::{Allocation, Tier};
pub use errand::Bound;
pub use fault::{FaultKind, NO_WORKER, Repeats, StrategyFault, repeats};
pub use files::ModuleFile;
pub use imports::{Names, names};
pub use limits::{LimitClass, Limits};
pub use load_fault::LoadFault;
pub use module::{Module, Origin};
pub use replay::{REPLAY_SUBCOMMAND, Recording, Replayer, Target, replay_child_main};
pub use run::Cost;
pub use site::{Place, PlaceStatus};
pub use worker::{CrewStatus, Death, WORKER_SUBCOMMAND, WorkerStatus, worker_main};
pub use world::{Fees, Interface, Rebalances, World};

use crate::model::WorkerMode;
use crate::model::rebalance::{RebalanceDecision, RebalanceInput};
use crate::model::strategy::{FeeInput, StrategyDecision};
use crate::model::{CycleKind, Digest, StrategyName};
use anyhow::Context;
use load::Loader;
use site::Site;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// The interfaces of the contract that this version speaks, with their versions.
pub fn interfaces() -> Vec<String> {
    CycleKind::ALL.map(|world| interface(world).to_string()).to_vec()
}

/// What a component that exports these can decide.
pub fn worlds(exports: &[String]) -> Vec<CycleKind> {
    let is_there = |world: &CycleKind| exports.contains(&interface(*world).to_string());
    CycleKind::ALL.into_iter().filter(is_there).collect()
}

/// What a component of another version of the contract is for, so that it is told what is wrong there.
pub fn seems_for(exports: &[String]) -> CycleKind {
    let is_evaluator = |name: &String| name.starts_with(v1::REBALANCE.name);
    if exports.iter().any(is_evaluator) { CycleKind::Rebalance } else { CycleKind::Fee }
}

fn interface(world: CycleKind) -> &'static Interface {
    match world {
        CycleKind::Fee => &v1::FEE,
        CycleKind::Rebalance => &v1::REBALANCE,
    }
}

/// A module that evaluates rebalances.
pub type Evaluator = Module<Rebalances>;

/// Where the engine finds what it needs, and how it works.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Holds the operator's `<name>.wasm` files; created if absent.
    pub strategies_dir: PathBuf,
    /// Holds kept modules, `<sha256>.wasm`; created if absent.
    pub vault_dir: PathBuf,
    /// Holds calls that were written into files; created if absent.
    pub exports_dir: PathBuf,
    /// Holds compiled artefacts; created if absent. Nothing in it is trusted.
    pub cache_dir: PathBuf,
    /// Holds the 32 bytes that authenticate the artefacts; created if absent,
    /// replaced if others could read it.
    pub key_file: PathBuf,
    /// Compiles the modules of the strategies directory.
    pub compiler: Compiler,
    pub allocation: Allocation,
    /// Where calls run.
    pub place: Place,
    /// Names of modules that get the limits of `LimitClass::Interpreted`.
    pub interpreted: BTreeSet<String>,
}

impl EngineOptions {
    /// The options of a plugin with the data directory `dir`: calls run in workers where those can
    /// be set up.
    ///
    /// # Errors
    /// When the path of the running program is not known.
    pub fn in_dir(dir: &std::path::Path) -> anyhow::Result<EngineOptions> {
        let program = own_program().context("the path of this program")?;
        Ok(EngineOptions {
            strategies_dir: dir.join("strategies"),
            vault_dir: dir.join("modules"),
            exports_dir: dir.join("exports"),
            cache_dir: dir.join("cache"),
            key_file: dir.join("cache.key"),
            compiler: Compiler::Child { program: program.clone(), or_unsealed: true },
            place: Place::Worker { program, or_here: true },
            allocation: Allocation::default(),
            interpreted: BTreeSet::new(),
        })
    }

    /// The processes that `mode` wants.
    #[must_use]
    pub fn placed_as(mut self, mode: WorkerMode) -> EngineOptions {
        self.place = self.place.wanted(mode);
        if let Compiler::Child { or_unsealed, .. } = &mut self.compiler {
            *or_unsealed = mode != WorkerMode::Required;
        }
        self
    }
}

/// This very program, whatever its path leads to by now.
fn own_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// The sandbox. Clones share everything; all methods block and may be called
/// from any thread.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    strategies_dir: PathBuf,
    loader: Loader,
    exports: replay::Exports,
    site: Site,
}

impl Engine {
    /// Sets the engine up; compiles nothing.
    ///
    /// # Errors
    /// When a directory or the key cannot be used, or the machine cannot run
    /// WebAssembly.
    pub fn new(options: EngineOptions) -> anyhow::Result<Engine> {
        let files = files::Files::open(&options.strategies_dir)?;
        let vault = vault::Vault::open(&options.vault_dir)?;
        let exports = replay::Exports::open(&options.exports_dir)?;
        let cache = cache::Cache::open(&options.cache_dir, &options.key_file)?;
        let (site, engine, space) = Site::open(options.place, options.allocation)?;
        let loader = Loader::new(engine, space, (files, vault), cache, options.compiler);
        loader.set_interpreted(options.interpreted);
        Ok(Engine(Arc::new(Inner { strategies_dir: options.strategies_dir, loader, exports, site })))
    }

    /// A strategy that the binary carries.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn built_in(&self, name: &str) -> Result<Arc<Module>, LoadFault> {
        self.0.loader.built_in(name, &self.0.site)
    }

    /// The module of that name: built in, or from the strategies directory. A
    /// file that changed is loaded anew; one that did not is not even read.
    /// Takes up to 25 s for a new file (100 s in class interpreted), 0.1 s as a rule.
    ///
    /// # Errors
    /// Says why the module may not run; nothing of it has run then, but for
    /// its own description.
    pub fn load(&self, name: &StrategyName) -> Result<Arc<Module>, LoadFault> {
        self.load_in(name)
    }

    /// The module of that name in any world, as [`Engine::load`] does for strategies that set fees.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_in<W: World>(&self, name: &StrategyName) -> Result<Arc<Module<W>>, LoadFault> {
        self.0.loader.load(name, &self.0.site)
    }

    /// The evaluator of that name, as [`Engine::load`] does for strategies that
    /// set fees. A module that sets fees only is refused.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_evaluator(&self, name: &StrategyName) -> Result<Arc<Evaluator>, LoadFault> {
        self.load_in(name)
    }

    /// Keeps a module that is on its way in under its digest, until [`Engine::let_go`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn receive(&self, wasm: &[u8]) -> std::io::Result<Digest> {
        let digest = Digest::of(wasm);
        self.0.loader.receive(wasm, digest).map(|()| digest)
    }

    /// Ends what [`Engine::receive`] began. A module that is needed stays; any other goes, unless it was
    /// kept before, is on its way in some other way too, or decides.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn let_go(&self, digest: &Digest, is_needed: bool) -> std::io::Result<()> {
        self.0.loader.let_go(digest, is_needed)
    }

    /// A kept module's bytes.
    ///
    /// # Errors
    /// When it is not kept, was changed, or is larger than any module may be.
    pub fn kept(&self, digest: &Digest) -> Result<Vec<u8>, LoadFault> {
        self.0.loader.vault.get(digest, LimitClass::Interpreted)
    }

    /// The digests of all kept modules.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn all_kept(&self) -> std::io::Result<Vec<Digest>> {
        self.0.loader.vault.list()
    }

    /// Forgets what is kept of `candidates`, but for modules that this process has loaded or is taking
    /// in. Says how many were forgotten.
    ///
    /// Whoever needs a module writes that down before it is kept. Then nothing is lost when the
    /// candidates are those of [`Engine::all_kept`], less what is written down after that look.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn discard_all(&self, candidates: &BTreeSet<Digest>) -> std::io::Result<usize> {
        self.0.loader.discard(candidates)
    }

    /// Loads a kept module, which goes by `name`, as [`Engine::load`] does.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_kept<W: World>(
        &self,
        name: &StrategyName,
        digest: Digest,
    ) -> Result<Arc<Module<W>>, LoadFault> {
        self.0.loader.load_kept(name, digest, &self.0.site)
    }

    /// Loads a kept module as [`Engine::load_kept`] does, to look at it: nothing of it stays.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn try_kept<W: World>(
        &self,
        name: &StrategyName,
        digest: Digest,
    ) -> Result<Arc<Module<W>>, LoadFault> {
        self.0.loader.try_kept(name, digest, &self.0.site)
    }

    /// Gives the memory back that kept modules take, but for those that are to decide; the others are
    /// loaded anew when somebody asks for them.
    pub fn unload_but<'a>(&self, needed: impl Iterator<Item = (&'a StrategyName, Digest)>) {
        self.0.loader.unload_but(needed);
    }

    /// Looks at the module's file again at the next `load`, as if new; so with its kept modules.
    pub fn forget(&self, name: &StrategyName) {
        self.0.loader.forget(name);
    }

    /// The modules in the strategies directory, by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn available(&self) -> std::io::Result<Vec<ModuleFile>> {
        self.0.loader.list()
    }

    /// Where the operator's `<name>.wasm` files are.
    pub fn strategies_dir(&self) -> &std::path::Path {
        &self.0.strategies_dir
    }

    /// Names the modules that get the larger limits, from the next `load` on.
    pub fn set_interpreted(&self, names: BTreeSet<String>) {
        self.0.loader.set_interpreted(names);
    }

    /// Lets `module` decide about `input`. The same module and input give the
    /// same decision for the same fuel, on any machine.
    ///
    /// # Errors
    /// The one fault that ended the call, or made its answer worthless.
    pub fn decide_fees(&self, module: &Module, input: &FeeInput) -> Result<StrategyDecision, StrategyFault> {
        self.decide(module, input)
    }

    /// Lets `module` evaluate `input`, as [`Engine::decide_fees`] does for fees.
    ///
    /// # Errors
    /// The one fault that ended the call, or made its answer worthless.
    pub fn decide_rebalances(
        &self,
        module: &Evaluator,
        input: &RebalanceInput,
    ) -> Result<RebalanceDecision, StrategyFault> {
        self.decide(module, input)
    }

    fn decide<W: World>(&self, module: &Module<W>, input: &W::Input) -> Result<W::Decision, StrategyFault> {
        self.measure(module, input).0
    }

    /// Lets `module` decide about `input`, and says what the call took.
    pub fn measure<W: World>(
        &self,
        module: &Module<W>,
        input: &W::Input,
    ) -> (Result<W::Decision, StrategyFault>, Cost) {
        // A panic here would be a defect of the engine's; a strategy must not
        // be able to use it to stop the plugin.
        catch_unwind(AssertUnwindSafe(|| module.decide(input))).unwrap_or_else(|_| {
            (Err(StrategyFault::new(FaultKind::Trap, "the engine panicked")), Cost::default())
        })
    }

    /// Where calls run now.
    pub fn place(&self) -> PlaceStatus {
        self.0.site.status()
    }

    /// Makes an instance of `module` and drops it, as each call does in this process: for the
    /// benchmarks.
    ///
    /// # Errors
    /// The fault that kept the instance from being made.
    #[doc(hidden)]
    pub fn instantiate(&self, module: &Module) -> Result<(), StrategyFault> {
        module.instantiate()
    }
}
