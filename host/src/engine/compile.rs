//! Compiles strangers' components where it cannot hurt: in a child process
//! that limits its own processor time and memory before it reads anything.
//!
//! Compiling is the dangerous part of running WebAssembly: a file of a few KB
//! can keep the optimiser busy for minutes and fill gigabytes. A child that
//! dies of its limits is tried once more with the quick tier, whose time is
//! linear in the size of the file.

use super::config::{self, Space, Tier};
use super::errand::{Errand, Failed};
use super::fault::printable;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use std::path::{Path, PathBuf};

/// The subcommand under which the program compiles one module.
pub const COMPILE_SUBCOMMAND: &str = "compile-module";
/// Carries class, tier and address space to the child.
pub(super) const JOB_VARIABLE: &str = "CL_REVENUE_OPS_COMPILE";

/// Where modules that are not the binary's own are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In a child: this program with the subcommand `compile-module`.
    Child {
        program: PathBuf,
        /// Under its limits alone where the system knows no filter for it; else nothing is compiled then.
        or_unsealed: bool,
    },
    /// In this process, without limits: for tests and benchmarks.
    InProcess,
}

/// One module to compile.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) class: LimitClass,
    pub(super) tier: Tier,
    pub(super) space: Space,
}

impl Compiler {
    /// The artefact, and the tier that made it: the one asked for, or the
    /// quick one where that hit its limits.
    pub(super) fn compile(&self, job: Job<'_>) -> Result<(Vec<u8>, Tier), LoadFault> {
        let tried = match self.once(job) {
            Err(Failed::Limit(..)) if job.tier != Tier::Quick => {
                let job = Job { tier: Tier::Quick, ..job };
                self.once(job).map(|artefact| (artefact, job.tier))
            }
            other => other.map(|artefact| (artefact, job.tier)),
        };
        tried.map_err(|failed| match failed {
            Failed::Limit(over, why) => LoadFault::CompileLimit { why, over, class: job.class },
            Failed::Refused(why) => LoadFault::Invalid { why },
            Failed::Broken(why) => LoadFault::Host { why: format!("the compiler's process {why}") },
        })
    }

    fn once(&self, job: Job<'_>) -> Result<Vec<u8>, Failed> {
        match self {
            Compiler::Child { program, or_unsealed } => in_child(program, *or_unsealed, job),
            Compiler::InProcess => in_process(job).map_err(Failed::Refused),
        }
    }
}

/// Compiles here and now; the message of a failure is printable.
pub(super) fn in_process(job: Job<'_>) -> Result<Vec<u8>, String> {
    config::compiling(job.tier, job.space)
        .and_then(|engine| engine.precompile_component(job.wasm))
        .map_err(|error| printable(&format!("{error:#}"), 400))
}

fn in_child(program: &Path, or_unsealed: bool, job: Job<'_>) -> Result<Vec<u8>, Failed> {
    let Job { wasm, class, tier, space } = job;
    let limits = class.limits();
    let errand = Errand {
        subcommand: COMPILE_SUBCOMMAND,
        job: (JOB_VARIABLE, format!("{} {} {}", class.name(), tier.name(), space.name())),
        or_unsealed,
        bytes: wasm,
        most: limits.artefact_bytes,
        patience: limits.compile_wall,
    };
    errand.run(program)
}
