//! From a name to a module: read, look into, compile or find compiled, link,
//! ask. What was loaded stays, and so does what was refused, until the file
//! changes: a file that costs much to refuse costs it once.

use super::builtin;
use super::cache::{Cache, CacheKey};
use super::compile::{Compiler, Job, in_process};
use super::config::{self, Space, Tier};
use super::fault::printable;
use super::files::{Files, ModuleFile, Stamp};
use super::gate::Gate;
use super::imports;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use super::module::{Header, Module, Origin};
use crate::model::{Digest, StrategyName};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::Engine;
use wasmtime::component::Component;

type Loaded = Result<Arc<Module>, LoadFault>;

/// What is known of one name. Locked while it is being loaded, so that two
/// callers do not compile the same file.
#[derive(Default)]
struct Slot {
    last: Option<Last>,
}

/// What the last look at a name gave, and what it holds for.
struct Last {
    /// Of the file; built-in ones have none.
    stamp: Option<Stamp>,
    digest: Digest,
    class: LimitClass,
    loaded: Loaded,
}

pub(super) struct Loader {
    engine: Engine,
    space: Space,
    /// In the order of `Tier::ALL`.
    fingerprints: [[u8; 32]; 2],
    files: Files,
    cache: Cache,
    compiler: Compiler,
    interpreted: Mutex<BTreeSet<String>>,
    slots: Mutex<HashMap<String, Arc<Mutex<Slot>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each of them is changed by single assignments only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A component on its way in.
struct Candidate<'a> {
    name: &'a str,
    wasm: &'a [u8],
    digest: Digest,
    class: LimitClass,
    built_in: bool,
}

impl Loader {
    pub(super) fn new(
        engine: Engine,
        space: Space,
        files: Files,
        cache: Cache,
        compiler: Compiler,
    ) -> Loader {
        let fingerprints = Tier::ALL.map(|tier| config::fingerprint(&engine, tier, space));
        let (interpreted, slots) = Default::default();
        Loader { engine, space, fingerprints, files, cache, compiler, interpreted, slots }
    }

    pub(super) fn set_interpreted(&self, names: BTreeSet<String>) {
        *lock(&self.interpreted) = names;
    }

    pub(super) fn forget(&self, name: &StrategyName) {
        lock(&self.slots).remove(name.as_str());
    }

    pub(super) fn list(&self) -> std::io::Result<Vec<ModuleFile>> {
        self.files.list()
    }

    fn slot(&self, name: &str) -> Arc<Mutex<Slot>> {
        Arc::clone(lock(&self.slots).entry(name.to_owned()).or_default())
    }

    pub(super) fn built_in(&self, name: &str, gate: &Gate) -> Loaded {
        let Some(wasm) = builtin::component(name) else {
            return Err(LoadFault::NotFound { name: printable(name, 80) });
        };
        let slot = self.slot(name);
        let mut slot = lock(&slot);
        if let Some(last) = &slot.last {
            return last.loaded.clone();
        }
        let digest = Digest(Sha256::digest(wasm).into());
        let class = LimitClass::Native;
        let loaded = self.admit(&Candidate { name, wasm, digest, class, built_in: true }, gate);
        slot.last = Some(Last { stamp: None, digest, class, loaded: loaded.clone() });
        loaded
    }

    pub(super) fn load(&self, name: &StrategyName, gate: &Gate) -> Loaded {
        if name.is_built_in() {
            return self.built_in(name.as_str(), gate);
        }
        let interpreted = lock(&self.interpreted).contains(name.as_str());
        let class = if interpreted { LimitClass::Interpreted } else { LimitClass::Native };
        let slot = self.slot(name.as_str());
        let mut slot = lock(&slot);
        let known = slot.last.take().filter(|last| last.class == class);
        if let Some(last) =
            known.as_ref().filter(|last| last.stamp.is_some_and(|stamp| self.files.is(name, stamp)))
        {
            let loaded = last.loaded.clone();
            slot.last = known;
            return loaded;
        }
        let (wasm, stamp) = self.files.read(name, class)?;
        let digest = Digest(Sha256::digest(&wasm).into());
        let loaded = match known {
            // Only the file's dates are new.
            Some(last) if last.digest == digest => last.loaded,
            _ => self
                .admit(&Candidate { name: name.as_str(), wasm: &wasm, digest, class, built_in: false }, gate),
        };
        if loaded.as_ref().err().is_none_or(LoadFault::is_lasting) {
            slot.last = Some(Last { stamp: Some(stamp), digest, class, loaded: loaded.clone() });
        }
        loaded
    }

    /// Everything between the bytes of a component and a module that can decide.
    fn admit(&self, candidate: &Candidate<'_>, gate: &Gate) -> Loaded {
        let (component, origin) = match self.cached(candidate) {
            // It is in the cache since it was looked into and compiled before.
            Some(component) => (component, Origin::Cached),
            None => {
                let tier = imports::inspect(candidate.wasm, self.engine.get_wasm_features())?;
                self.compile(candidate, tier)?
            }
        };
        let header = Header {
            name: candidate.name.to_owned(),
            digest: candidate.digest,
            class: candidate.class,
            built_in: candidate.built_in,
            bytes: candidate.wasm.len(),
            origin,
        };
        Module::new(header, &component, gate).map(Arc::new)
    }

    fn cached(&self, candidate: &Candidate<'_>) -> Option<Component> {
        let most = candidate.class.limits().artefact_bytes;
        Tier::ALL.into_iter().find_map(|tier| {
            let fingerprint = self.fingerprint(tier);
            let key = CacheKey { digest: &candidate.digest, fingerprint };
            let artefact = self.cache.get(key, most)?;
            // SAFETY: the MAC shows that this node wrote the artefact, as its
            // compiler made it, for this component, engine version, processor
            // and settings; nobody without the key could have changed it.
            unsafe { Component::deserialize(&self.engine, artefact) }.ok()
        })
    }

    fn compile(&self, candidate: &Candidate<'_>, tier: Tier) -> Result<(Component, Origin), LoadFault> {
        let job = Job { wasm: candidate.wasm, class: candidate.class, tier, space: self.space };
        let (artefact, tier) = if candidate.built_in {
            let artefact = in_process(job).map_err(|why| LoadFault::Invalid { why })?;
            (artefact, tier)
        } else {
            self.compiler.compile(job)?
        };
        // SAFETY: the artefact comes straight from our compiler, in this
        // process or through a pipe that only the child could write to.
        let component = unsafe { Component::deserialize(&self.engine, &artefact) }
            .map_err(|error| LoadFault::Host { why: printable(&format!("{error:#}"), 400) })?;
        let key = CacheKey { digest: &candidate.digest, fingerprint: self.fingerprint(tier) };
        let not_cached = self.cache.put(key, &artefact).err().map(|error| error.to_string());
        Ok((component, Origin::Compiled { tier, not_cached }))
    }

    fn fingerprint(&self, tier: Tier) -> &[u8; 32] {
        match tier {
            Tier::Speed => &self.fingerprints[0],
            Tier::Quick => &self.fingerprints[1],
        }
    }
}
