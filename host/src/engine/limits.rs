//! What a guest may use, by class, and the limiter that counts memory.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// Longest state of one channel, bytes.
pub const MAX_STATE_BYTES: usize = 1024;
/// Longest state of the node, bytes.
pub const MAX_NODE_STATE_BYTES: usize = 64 * 1024;
/// Most factors of one proposal.
pub const MAX_FACTORS: usize = 16;
/// Longest error text that is kept, bytes.
pub const MAX_ERROR_BYTES: usize = 400;
/// Native stack of a guest, bytes.
pub const STACK_BYTES: usize = 512 * 1024;
/// Most core instances that one component may be made of.
pub const CORE_INSTANCES: u32 = 32;
/// Calls that run at the same time; further ones wait.
pub const CALLS_AT_ONCE: u32 = 8;

/// Room for one proposal and one factor as the host holds them, bytes.
pub(super) const PROPOSAL_BYTES: usize = 96;
pub(super) const FACTOR_BYTES: usize = 16;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How much a module may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LimitClass {
    /// Compiled languages; what every module gets.
    Native,
    /// Modules that carry a Python or JavaScript runtime, by the operator's leave.
    Interpreted,
}

/// The limits of one class.
#[derive(Debug)]
pub struct Limits {
    /// Largest `.wasm` file, bytes.
    pub wasm_bytes: usize,
    /// Largest compiled artefact, bytes.
    pub artefact_bytes: usize,
    /// Linear memory of all memories together, bytes.
    pub memory_bytes: usize,
    /// Number of linear memories.
    pub memories: u32,
    /// Number of tables, and elements of each.
    pub tables: u32,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Fuel of a call without rows, fuel per row, and the most for any call.
    pub fuel_base: u64,
    pub fuel_per_row: u64,
    pub fuel_most: u64,
    /// Wall time of one call.
    pub deadline: Duration,
    /// CPU seconds of the compiling child, for each try.
    pub compile_cpu_s: u64,
    /// Wall time of the compiling child, for each try.
    pub compile_wall: Duration,
    /// Address space of the compiling child, bytes.
    pub compile_bytes: u64,
}

const NATIVE: Limits = Limits {
    wasm_bytes: 2 * MIB,
    artefact_bytes: 16 * MIB,
    memory_bytes: 32 * MIB,
    memories: 4,
    tables: 8,
    table_elements: 20_000,
    fuel_base: 5_000_000,
    fuel_per_row: 50_000,
    fuel_most: 4_000_000_000,
    deadline: Duration::from_secs(1),
    compile_cpu_s: 10,
    compile_wall: Duration::from_secs(12),
    compile_bytes: 1024 * MIB as u64,
};

const INTERPRETED: Limits = Limits {
    wasm_bytes: 32 * MIB,
    artefact_bytes: 128 * MIB,
    memory_bytes: 64 * MIB,
    memories: 4,
    tables: 8,
    table_elements: 20_000,
    fuel_base: 50_000_000,
    fuel_per_row: 1_000_000,
    fuel_most: 4_000_000_000,
    deadline: Duration::from_secs(10),
    compile_cpu_s: 40,
    compile_wall: Duration::from_secs(50),
    compile_bytes: 2048 * MIB as u64,
};

impl LimitClass {
    /// Every class.
    pub const ALL: [LimitClass; 2] = [LimitClass::Native, LimitClass::Interpreted];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            LimitClass::Native => "native",
            LimitClass::Interpreted => "interpreted",
        }
    }

    /// Reads the word used in answers.
    pub fn from_name(name: &str) -> Option<LimitClass> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Its limits.
    pub const fn limits(self) -> &'static Limits {
        match self {
            LimitClass::Native => &NATIVE,
            LimitClass::Interpreted => &INTERPRETED,
        }
    }

    /// Fuel of a call with `rows` channels.
    pub fn fuel(self, rows: usize) -> u64 {
        let limits = self.limits();
        let scaled = limits.fuel_per_row.saturating_mul(rows as u64);
        limits.fuel_base.saturating_add(scaled).min(limits.fuel_most)
    }
}

/// Bytes that a call with `rows` channels may hand to the host. Holds every
/// answer that the contract allows: a proposal with all its factors and a full
/// state for each channel, a full node state, and 192 KiB to spare.
pub fn output_bytes(rows: usize) -> usize {
    let per_row = MAX_STATE_BYTES + size_of::<u32>() + PROPOSAL_BYTES + MAX_FACTORS * FACTOR_BYTES;
    (192 * KIB + MAX_NODE_STATE_BYTES).saturating_add(rows.saturating_mul(per_row))
}

/// The memory limit that a guest ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exceeded {
    what: &'static str,
    most: usize,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asked for more than the {} {} it may have", self.most, self.what)
    }
}

impl std::error::Error for Exceeded {}

/// Counts what one instance takes, over all its memories and tables.
#[derive(Debug)]
pub struct Budget {
    limits: &'static Limits,
    memory_left: usize,
    elements_left: usize,
    /// The growth under way, given back if it does not come about.
    pending_memory: usize,
    pending_elements: usize,
}

impl Budget {
    pub(super) fn new(class: LimitClass) -> Budget {
        let limits = class.limits();
        Budget {
            limits,
            memory_left: limits.memory_bytes,
            elements_left: limits.table_elements,
            pending_memory: 0,
            pending_elements: 0,
        }
    }

    /// Linear memory taken so far, bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.limits.memory_bytes - self.memory_left
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.pending_memory = desired.saturating_sub(current);
        match self.memory_left.checked_sub(self.pending_memory) {
            Some(left) => self.memory_left = left,
            None => return Err(Exceeded { what: "bytes of memory", most: self.limits.memory_bytes }.into()),
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_left += std::mem::take(&mut self.pending_memory);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.pending_elements = desired.saturating_sub(current);
        match self.elements_left.checked_sub(self.pending_elements) {
            Some(left) => self.elements_left = left,
            None => return Err(Exceeded { what: "table elements", most: self.limits.table_elements }.into()),
        }
        Ok(true)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.elements_left += std::mem::take(&mut self.pending_elements);
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        self.limits.tables as usize
    }

    fn memories(&self) -> usize {
        self.limits.memories as usize
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fuel_scales_and_stops_at_the_most() {
        assert_eq!(LimitClass::Native.fuel(0), 5_000_000);
        assert_eq!(LimitClass::Native.fuel(1_000), 55_000_000);
        assert_eq!(LimitClass::Interpreted.fuel(1_000), 1_050_000_000);
        assert_eq!(LimitClass::Interpreted.fuel(usize::MAX), 4_000_000_000);
    }

    #[test]
    fn memory_is_counted_over_all_memories() {
        let mut budget = Budget::new(LimitClass::Native);
        assert!(budget.memory_growing(0, 20 * MIB, None).unwrap());
        let error = budget.memory_growing(0, 13 * MIB, None).unwrap_err();
        assert!(error.is::<Exceeded>(), "{error}");
        assert!(budget.memory_growing(0, 12 * MIB, None).unwrap());
        budget.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert!(budget.memory_growing(0, 12 * MIB, None).unwrap());
    }

    #[test]
    fn classes_are_read_by_name() {
        for class in LimitClass::ALL {
            assert_eq!(LimitClass::from_name(class.name()), Some(class));
        }
        assert_eq!(LimitClass::from_name("huge"), None);
    }
}
