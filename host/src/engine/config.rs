//! The engine's settings, and their fingerprint.
//!
//! Everything that could make two runs of one call differ is fixed here: NaN
//! bits are canonical, relaxed SIMD and threads are off, memory growth is
//! decided by our own limiter, and fuel rather than time ends a call.

use super::limits::{CORE_INSTANCES, LimitClass, STACK_BYTES};
use super::replay::Target;
use rlimit::Resource;
use sha2::{Digest as _, Sha256};
use std::hash::{Hash, Hasher};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm,
};

/// How hard the compiler tries. Both give the same answers for the same fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Fast code.
    Speed,
    /// Fast compilation: linear in the size of what it is given.
    Quick,
}

impl Tier {
    pub(super) const ALL: [Tier; 2] = [Tier::Speed, Tier::Quick];

    /// The word used in answers and in the child's environment.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Speed => "speed",
            Tier::Quick => "quick",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Tier> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

/// How much address space each memory gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// 4 GiB and a guard region, so that accesses need no check.
    Wide,
    /// What its largest size needs; accesses are checked.
    Compact,
}

impl Space {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Space::Wide => "wide",
            Space::Compact => "compact",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Space> {
        [Space::Wide, Space::Compact].into_iter().find(|space| space.name() == name)
    }

    /// Wide where a process may have the address space that the calls at once
    /// take, with as much again to spare.
    pub(super) fn probe() -> Space {
        const NEEDED: u64 = 512 << 30;
        let limit = Resource::AS.get_soft().unwrap_or(u64::MAX);
        if cfg!(target_pointer_width = "64") && limit >= NEEDED { Space::Wide } else { Space::Compact }
    }
}

/// Where instances get their memory from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// From a pool where the address space allows it.
    #[default]
    Pooled,
    /// From the system, call by call.
    OnDemand,
}

impl Allocation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Allocation::Pooled => "pooled",
            Allocation::OnDemand => "on-demand",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Allocation> {
        [Allocation::Pooled, Allocation::OnDemand].into_iter().find(|allocation| allocation.name() == name)
    }
}

/// The settings that compiling and running share.
pub(super) fn settings(tier: Tier, space: Space) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .concurrency_support(false)
        .shared_memory(false)
        .max_wasm_stack(STACK_BYTES)
        // An image to copy from would be a file, and a worker has none.
        .memory_init_cow(false)
        .native_unwind_info(false)
        // A tenth of an artefact, all of which is verified before its first call; frames are told by name.
        .generate_address_map(false);
    match tier {
        Tier::Speed => config.cranelift_opt_level(OptLevel::Speed),
        Tier::Quick => config
            .cranelift_opt_level(OptLevel::None)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass),
    };
    match space {
        Space::Wide => config.memory_reservation(4 << 30).memory_guard_size(32 << 20),
        Space::Compact => config
            .memory_reservation(LimitClass::Native.limits().memory_bytes as u64)
            .memory_guard_size(64 << 10)
            .memory_reservation_for_growth(1 << 20),
    };
    config
}

fn pool(calls: u32) -> PoolingAllocationConfig {
    let limits = LimitClass::Interpreted.limits();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls * CORE_INSTANCES)
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(calls * limits.memories)
        .max_memories_per_component(limits.memories)
        .max_memories_per_module(limits.memories)
        .total_tables(calls * limits.tables)
        .max_tables_per_component(limits.tables)
        .max_tables_per_module(limits.tables)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        // A call with 1,000 channels touches about 1 MiB: cleared pages cost less
        // than new ones.
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(limits.table_elements * size_of::<usize>())
        // Reads a file of the process, which a worker may not have.
        .pagemap_scan(Enabled::No);
    pool
}

/// The engine that runs up to so many calls at once.
pub(super) fn running(allocation: Allocation, space: Space, calls: u32) -> wasmtime::Result<Engine> {
    if allocation == Allocation::Pooled && space == Space::Wide {
        let mut config = settings(Tier::Speed, space);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(calls)));
        // The reservation of the pool's address space is the probe.
        if let Ok(engine) = Engine::new(&config) {
            return Ok(engine);
        }
    }
    reference(space)
}

/// An engine that accepts the same artefacts as one that runs, and takes nothing from a pool.
pub(super) fn reference(space: Space) -> wasmtime::Result<Engine> {
    let mut config = settings(Tier::Speed, space);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config)
}

/// The engine that compiles for the one that runs.
pub(super) fn compiling(tier: Tier, space: Space) -> wasmtime::Result<Engine> {
    Engine::new(&settings(tier, space))
}

/// The engine that makes recorded calls again, which both compiles and runs: as the others, but for
/// what its code is made into.
pub(super) fn replaying(tier: Tier, target: Target) -> wasmtime::Result<Engine> {
    let mut config = settings(tier, Space::Compact);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    if target == Target::Pulley {
        config.target("pulley64")?;
    }
    Engine::new(&config)
}

/// A fingerprint of everything that an artefact depends on besides the
/// module: the engine's version, the processor's features and every setting,
/// those that the engine's own check leaves out included.
pub(super) fn fingerprint(engine: &Engine, tier: Tier, space: Space) -> [u8; 32] {
    let mut hash = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hash);
    let ours = format!(
        "layout 2; {} {}; nan {:?}; fuel {}; epoch {}; stack {}; relaxed {}; reserve {}; guard {}; cow {}; unwind {:?}; \
         features {:?}; arch {}",
        tier.name(),
        space.name(),
        engine.get_cranelift_nan_canonicalization(),
        engine.get_consume_fuel(),
        engine.get_epoch_interruption(),
        engine.get_max_wasm_stack(),
        engine.get_relaxed_simd_deterministic(),
        engine.get_memory_reservation(),
        engine.get_memory_guard_size(),
        engine.get_memory_init_cow(),
        engine.get_native_unwind_info(),
        engine.get_wasm_features(),
        std::env::consts::ARCH,
    );
    hash.0.update(ours.as_bytes());
    hash.0.finalize().into()
}

/// Feeds what is hashed into a cryptographic hash.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_fingerprint_tells_settings_apart_and_is_stable() {
        let engine = compiling(Tier::Speed, Space::Wide).unwrap();
        let base = fingerprint(&engine, Tier::Speed, Space::Wide);
        let again = compiling(Tier::Speed, Space::Wide).unwrap();
        assert_eq!(base, fingerprint(&again, Tier::Speed, Space::Wide));
        assert_ne!(base, fingerprint(&engine, Tier::Quick, Space::Wide));

        let mut other = settings(Tier::Speed, Space::Wide);
        other.cranelift_nan_canonicalization(false);
        let other = Engine::new(&other).unwrap();
        assert_ne!(base, fingerprint(&other, Tier::Speed, Space::Wide));
    }

    #[test]
    fn an_engine_that_runs_accepts_what_each_tier_compiles() {
        let component = wat::parse_str("(component)").unwrap();
        let space = Space::probe();
        let engine = running(Allocation::Pooled, space, 1).unwrap();
        for tier in Tier::ALL {
            let artefact = compiling(tier, space).unwrap().precompile_component(&component).unwrap();
            // SAFETY: the artefact comes straight from the compiler.
            unsafe { wasmtime::component::Component::deserialize(&engine, artefact) }.unwrap();
        }
    }
}
