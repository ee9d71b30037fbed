//! Why a module is not loaded, as data.

use super::errand::Bound;
use super::fault::{FaultKind, StrategyFault};
use super::limits::{LimitClass, Limits};
use super::world::Interface;
use crate::model::Digest;
use std::fmt;

/// Why a module is not loaded. Each prints as one sentence that says what is
/// wrong and what is allowed; guest text in it is escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadFault {
    /// There is no such file.
    NotFound { name: String },
    /// No module with this digest is kept.
    NotKept { digest: Digest },
    /// There is something, but no file that can be read.
    Unreadable { name: String, why: String },
    /// The file is larger than its class allows.
    TooLarge { bytes: u64, class: LimitClass },
    /// Not a component: a core module, text, or something else.
    NotAComponent { found: &'static str },
    /// It wants something from the host.
    Import { name: String, what: &'static str },
    /// It does not export the interface that is called for, or in another form.
    WrongWorld { why: String, needed: &'static Interface },
    /// Compiling it took more than its class allows.
    CompileLimit { why: String, over: Bound, class: LimitClass },
    /// Not valid WebAssembly, or of a kind that is switched off.
    Invalid { why: String },
    /// What it says of itself is against the contract.
    BadDescription { why: String },
    /// It could not be asked what it is.
    Describe(StrategyFault),
    /// Something on the host's side: the compiler could not be started.
    Host { why: String },
}

impl LoadFault {
    /// The code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            LoadFault::NotFound { .. } | LoadFault::NotKept { .. } => "not_found",
            LoadFault::Unreadable { .. } => "unreadable",
            LoadFault::TooLarge { .. } => "too_large",
            LoadFault::NotAComponent { .. } => "not_a_component",
            LoadFault::Import { .. } => "import",
            LoadFault::WrongWorld { .. } => "wrong_world",
            LoadFault::CompileLimit { over: Bound::Time, .. } => "compile_time",
            LoadFault::CompileLimit { .. } => "compile_limit",
            LoadFault::Invalid { .. } => "invalid",
            LoadFault::BadDescription { .. } => "bad_description",
            LoadFault::Describe(fault) if matches!(fault.kind, FaultKind::Deadline) => "describe_time",
            LoadFault::Describe(_) => "describe",
            LoadFault::Host { .. } => "host",
        }
    }

    /// How long the same bytes will be refused, so that trying is a waste.
    pub(super) const fn holds(&self) -> Holds {
        match self {
            LoadFault::NotFound { .. }
            | LoadFault::NotKept { .. }
            | LoadFault::Unreadable { .. }
            | LoadFault::Host { .. } => Holds::Once,
            LoadFault::CompileLimit { over: Bound::Time, .. } => Holds::AWhile,
            LoadFault::Describe(fault) if matches!(fault.kind, FaultKind::Deadline) => Holds::AWhile,
            // The call itself came to an end that it would come to again, or its worker was lost.
            LoadFault::Describe(fault) if fault.fuel.is_none() => Holds::Once,
            _ => Holds::Always,
        }
    }
}

/// How long a refusal holds for the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The bytes decided it.
    Always,
    /// How busy the machine was decided it too, and it is dear to find out.
    AWhile,
    /// The bytes have no part in it.
    Once,
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadFault::NotFound { name } => {
                write!(
                    f,
                    "no module '{name}' is in force, and there is no {name}.wasm in the strategies directory"
                )
            }
            LoadFault::NotKept { digest } => {
                write!(f, "no module with the digest {digest} is kept: install it")
            }
            LoadFault::Unreadable { name, why } => write!(f, "the module '{name}' cannot be read: {why}"),
            LoadFault::TooLarge { bytes, class } => {
                let Limits { wasm_bytes, .. } = class.limits();
                write!(f, "the module has {bytes} bytes; class {} allows {wasm_bytes}", class.name())
            }
            LoadFault::NotAComponent { found } => {
                write!(
                    f,
                    "the file is {found}; a WebAssembly component is needed (link with wasm-component-ld)"
                )
            }
            LoadFault::Import { name, what } => {
                write!(f, "the component imports {what} '{name}'; a strategy may import nothing but types")
            }
            LoadFault::WrongWorld { why, needed } => write!(f, "{why}; the interface {needed} is needed"),
            LoadFault::CompileLimit { why, over, class } => {
                let Limits { compile_cpu_s, compile_wall, compile_bytes, artefact_bytes, .. } =
                    class.limits();
                write!(f, "compiling the module {why}; ")?;
                match over {
                    Bound::Time => {
                        let wall_s = compile_wall.as_secs();
                        write!(f, "{compile_cpu_s} s of processor time within {wall_s} s are allowed")
                    }
                    Bound::Memory => write!(f, "{} MiB of memory are allowed", compile_bytes >> 20),
                    Bound::Answer => write!(f, "{} MiB of machine code are allowed", artefact_bytes >> 20),
                }
            }
            LoadFault::Invalid { why } => write!(f, "the module is not valid here: {why}"),
            LoadFault::BadDescription { why } => {
                write!(f, "the module's description is against the contract: {why}")
            }
            LoadFault::Describe(fault) => {
                write!(f, "the module failed when asked to describe itself: {fault}")
            }
            LoadFault::Host { why } => write!(f, "the module could not be tried: {why}"),
        }
    }
}

impl std::error::Error for LoadFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::strategy::NOT_THE_MODULES;

    fn compiling(over: Bound) -> LoadFault {
        LoadFault::CompileLimit { why: "was not done".to_owned(), over, class: LimitClass::Native }
    }

    fn describing(kind: FaultKind, fuel: Option<u64>) -> LoadFault {
        LoadFault::Describe(StrategyFault { fuel, ..StrategyFault::new(kind, "") })
    }

    #[test]
    fn what_is_not_the_modules_are_codes_of_the_host_and_the_machine() {
        let why = String::new;
        let mut codes = [
            LoadFault::NotFound { name: why() }.code(),
            LoadFault::Unreadable { name: why(), why: why() }.code(),
            LoadFault::Host { why: why() }.code(),
            compiling(Bound::Time).code(),
            describing(FaultKind::Deadline, None).code(),
            FaultKind::NoWorker.code(),
        ];
        codes.sort_unstable();
        let mut listed = NOT_THE_MODULES;
        listed.sort_unstable();
        assert_eq!(listed, codes);
        assert_eq!(LoadFault::NotKept { digest: Digest([1; 32]) }.code(), "not_found");
    }

    #[test]
    fn a_refusal_holds_for_ever_only_where_the_bytes_decide_it() {
        let host = LoadFault::Host { why: String::new() };
        for (fault, holds) in [
            (LoadFault::Invalid { why: String::new() }, Holds::Always),
            (compiling(Bound::Memory), Holds::Always),
            (compiling(Bound::Answer), Holds::Always),
            (compiling(Bound::Time), Holds::AWhile),
            (describing(FaultKind::OutOfFuel, Some(5)), Holds::Always),
            (describing(FaultKind::Deadline, Some(5)), Holds::AWhile),
            (describing(FaultKind::Deadline, None), Holds::AWhile),
            (describing(FaultKind::WorkerDied, None), Holds::Once),
            (LoadFault::NotKept { digest: Digest([1; 32]) }, Holds::Once),
            (host, Holds::Once),
        ] {
            assert_eq!(fault.holds(), holds, "{fault}");
        }
    }
}
