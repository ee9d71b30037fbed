//! What goes wrong with a module, as data.

use super::limits::Exceeded;
use serde::{Deserialize, Serialize};
use std::fmt;
use wasmtime::{Trap, WasmBacktrace};

/// Longest detail of a fault, bytes.
const MAX_DETAIL: usize = 1_000;
/// Most frames of the guest's stack that a detail shows.
const MAX_FRAMES: usize = 6;
/// Longest line of the stack that a detail shows, bytes.
const MAX_FRAME: usize = 120;

/// The code of a call that was not made since there is no worker.
pub const NO_WORKER: &str = "no_worker";

/// The kind of a fault in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultKind {
    /// The guest stopped itself or did what no program may: panic, division
    /// by zero, access out of bounds.
    Trap,
    /// The fuel of the call was used up.
    OutOfFuel,
    /// The wall time of the call was over.
    Deadline,
    /// It wanted more memory or table elements than its class has.
    Memory,
    /// Its stack was used up.
    Stack,
    /// It handed over more bytes than any valid answer takes.
    OutputTooLarge,
    /// The answer makes no sense.
    BadOutput,
    /// It said itself that it cannot decide.
    GuestError,
    /// The process that ran the call died of it, or answered what no worker answers.
    WorkerDied,
    /// There is no process to run the call in: the module has no part in that.
    NoWorker,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 10] = [
        FaultKind::Trap,
        FaultKind::OutOfFuel,
        FaultKind::Deadline,
        FaultKind::Memory,
        FaultKind::Stack,
        FaultKind::OutputTooLarge,
        FaultKind::BadOutput,
        FaultKind::GuestError,
        FaultKind::WorkerDied,
        FaultKind::NoWorker,
    ];

    /// The code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            FaultKind::Trap => "trap",
            FaultKind::OutOfFuel => "out_of_fuel",
            FaultKind::Deadline => "deadline",
            FaultKind::Memory => "memory",
            FaultKind::Stack => "stack",
            FaultKind::OutputTooLarge => "output_too_large",
            FaultKind::BadOutput => "bad_output",
            FaultKind::GuestError => "guest_error",
            FaultKind::WorkerDied => "worker_died",
            FaultKind::NoWorker => NO_WORKER,
        }
    }

    /// Reads the code.
    pub fn of_code(code: &str) -> Option<FaultKind> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether the engine itself finds it within a call.
    pub(super) const fn is_within_a_call(self) -> bool {
        !matches!(self, FaultKind::WorkerDied | FaultKind::NoWorker)
    }
}

/// How a call that ended by a fault ends when it is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The same, at the same fuel.
    Exactly,
    /// The same by the same code of the same machine; else perhaps later, or otherwise.
    Here,
    /// Perhaps not by a fault at all.
    Never,
}

/// How a call with a fault of this code ends when it is made again, anywhere.
pub fn repeats(code: &str) -> Repeats {
    match FaultKind::of_code(code) {
        Some(
            FaultKind::Trap
            | FaultKind::OutOfFuel
            | FaultKind::Memory
            | FaultKind::OutputTooLarge
            | FaultKind::BadOutput
            | FaultKind::GuestError,
        ) => Repeats::Exactly,
        // How much a frame takes depends on the machine's code.
        Some(FaultKind::Stack) => Repeats::Here,
        Some(FaultKind::Deadline | FaultKind::WorkerDied | FaultKind::NoWorker) | None => Repeats::Never,
    }
}

/// A call that gave no decision. Nothing of it may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyFault {
    pub kind: FaultKind,
    /// For the operator: printable ASCII, at most 1,000 bytes.
    pub detail: String,
    /// Fuel used up to the fault; none if it is not known.
    pub fuel: Option<u64>,
}

impl fmt::Display for StrategyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.detail)
    }
}

impl std::error::Error for StrategyFault {}

impl StrategyFault {
    /// A fault found by the host in what the guest said; `detail` may hold the
    /// guest's text.
    pub(super) fn new(kind: FaultKind, detail: &str) -> StrategyFault {
        StrategyFault { kind, detail: printable(detail, MAX_DETAIL), fuel: None }
    }

    /// A fault that ended a call.
    pub(super) fn of(error: &wasmtime::Error) -> StrategyFault {
        let mut detail = error.root_cause().to_string();
        if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
            detail = format!("{detail}, in {}", frames(trace));
        }
        StrategyFault::new(kind_of(error), &detail)
    }
}

fn kind_of(error: &wasmtime::Error) -> FaultKind {
    if error.is::<Exceeded>() {
        return FaultKind::Memory;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => FaultKind::OutOfFuel,
        Some(Trap::Interrupt) => FaultKind::Deadline,
        Some(Trap::StackOverflow) => FaultKind::Stack,
        Some(_) => FaultKind::Trap,
        // The engine keeps this error's type to itself.
        None if format!("{error:#}").contains("fuel allocated for hostcalls") => FaultKind::OutputTooLarge,
        None => FaultKind::BadOutput,
    }
}

/// The guest's stack, innermost frame first, in one line.
fn frames(trace: &WasmBacktrace) -> String {
    let text = trace.to_string();
    let all: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": ").map(|(_, name)| name.trim()))
        .filter(|name| !name.is_empty())
        .collect();
    let mut shown: Vec<String> = all.iter().take(MAX_FRAMES).map(|name| printable(name, MAX_FRAME)).collect();
    if all.len() > shown.len() {
        shown.push(format!("{} more", all.len() - shown.len()));
    }
    shown.join(" < ")
}

/// `text` as printable ASCII of at most `most` bytes, fit for a log.
pub(super) fn printable(text: &str, most: usize) -> String {
    let mut out = String::new();
    for char in text.chars() {
        let before = out.len();
        match char {
            ' '..='~' => out.push(char),
            other => out.extend(other.escape_default()),
        }
        if out.len() > most.saturating_sub(3) {
            out.truncate(before);
            out.push_str("...");
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), FaultKind::ALL.len());
    }

    #[test]
    fn text_is_escaped_and_cut() {
        assert_eq!(printable("plain", 80), "plain");
        assert_eq!(printable("a\n\u{1b}[2J\u{202e}b", 80), "a\\n\\u{1b}[2J\\u{202e}b");
        assert_eq!(printable("abcdefghij", 8), "abcde...");
    }

    proptest! {
        #[test]
        fn any_text_becomes_short_and_printable(text in ".*", most in 3usize..200) {
            let shown = printable(&text, most);
            prop_assert!(shown.len() <= most);
            prop_assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
