//! From a name to a module: read, look into, compile or find compiled, link,
//! ask. What was loaded stays, and so does what was refused, until the file
//! changes: a file that costs much to refuse costs it once.

use super::builtin;
use super::cache::{Artefact, Cache, CacheKey};
use super::compile::{Compiler, Job, in_process};
use super::config::{self, Space, Tier};
use super::fault::printable;
use super::files::{Files, ModuleFile, Stamp};
use super::imports;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use super::module::{Header, Module, Origin};
use super::site::{Seat, SeatFault, Site};
use super::vault::Vault;
use super::worker::Cargo;
use super::world::{Fees, Rebalances, World};
use crate::model::strategy::Description;
use crate::model::{Digest, StrategyName};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::Engine;

type Loaded<W> = Result<Arc<Module<W>>, LoadFault>;

type Seated<W> = (Seat<W>, Description);

/// What is known of one name. Locked while it is being loaded, so that two
/// callers do not compile the same file.
struct Slot<W: World> {
    last: Option<Last<W>>,
}

/// What the last look at a name gave, and what it holds for.
struct Last<W: World> {
    /// Of the file; built-in ones have none.
    seen: Option<Seen>,
    digest: Digest,
    class: LimitClass,
    loaded: Loaded<W>,
}

/// A stamp, and whether a file that has it still is as it was read. Changes that are less than a tick of
/// the file system's clock apart leave the same stamp, so it takes a reading after that.
struct Seen {
    stamp: Stamp,
    first: Instant,
    is_settled: bool,
}

/// Many times the longest tick of a file system's clock.
const TICK: Duration = Duration::from_secs(3);

impl Seen {
    /// What a reading that began at `now` saw, after what an earlier one did.
    fn again(earlier: Option<Seen>, stamp: Stamp, now: Instant) -> Seen {
        let first = earlier.filter(|seen| seen.stamp == stamp).map_or(now, |seen| seen.first);
        Seen { stamp, first, is_settled: now.duration_since(first) >= TICK }
    }
}

/// The names of one world. A file may serve both; it is compiled once, and counts as two modules.
pub struct Shelf<W: World>(Mutex<HashMap<String, Arc<Mutex<Slot<W>>>>>);

impl<W: World> Shelf<W> {
    fn new() -> Shelf<W> {
        Shelf(Mutex::default())
    }

    fn slot(&self, name: &str) -> Arc<Mutex<Slot<W>>> {
        let fresh = || Arc::new(Mutex::new(Slot { last: None }));
        Arc::clone(lock(&self.0).entry(name.to_owned()).or_insert_with(fresh))
    }

    fn forget(&self, name: &StrategyName) {
        lock(&self.0).remove(name.as_str());
    }
}

pub struct Loader {
    engine: Engine,
    space: Space,
    /// In the order of `Tier::ALL`.
    fingerprints: [[u8; 32]; 2],
    files: Files,
    pub(super) vault: Vault,
    cache: Cache,
    pub(super) compiler: Compiler,
    interpreted: Mutex<BTreeSet<String>>,
    /// What this process has loaded, and may let decide at any time.
    loaded: Mutex<BTreeSet<Digest>>,
    pub(super) fees: Shelf<Fees>,
    pub(super) evaluators: Shelf<Rebalances>,
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

impl Candidate<'_> {
    fn cargo(&self, artefact: Artefact) -> Cargo {
        Cargo { name: self.name.to_owned(), digest: self.digest, class: self.class, artefact }
    }
}

impl Loader {
    pub(super) fn new(
        engine: Engine,
        space: Space,
        (files, vault): (Files, Vault),
        cache: Cache,
        compiler: Compiler,
    ) -> Loader {
        let fingerprints = Tier::ALL.map(|tier| config::fingerprint(&engine, tier, space));
        Loader {
            engine,
            space,
            fingerprints,
            files,
            vault,
            cache,
            compiler,
            interpreted: Mutex::default(),
            loaded: Mutex::default(),
            fees: Shelf::new(),
            evaluators: Shelf::new(),
        }
    }

    pub(super) fn set_interpreted(&self, names: BTreeSet<String>) {
        *lock(&self.interpreted) = names;
    }

    pub(super) fn forget(&self, name: &StrategyName) {
        self.fees.forget(name);
        self.evaluators.forget(name);
    }

    pub(super) fn list(&self) -> std::io::Result<Vec<ModuleFile>> {
        self.files.list()
    }

    pub(super) fn built_in<W: World>(&self, name: &str, site: &Site) -> Loaded<W> {
        let (Some(wasm), Some(digest)) = (builtin::component(name), builtin::digest(name)) else {
            return Err(LoadFault::NotFound { name: printable(name, 80) });
        };
        let slot = W::shelf(self).slot(name);
        let mut slot = lock(&slot);
        if let Some(last) = &slot.last {
            return last.loaded.clone();
        }
        let class = LimitClass::Native;
        let loaded = self.admit(&Candidate { name, wasm, digest, class, built_in: true }, site);
        slot.last = Some(Last { seen: None, digest, class, loaded: loaded.clone() });
        loaded
    }

    pub(super) fn load<W: World>(&self, name: &StrategyName, site: &Site) -> Loaded<W> {
        if name.is_built_in() {
            return self.built_in(name.as_str(), site);
        }
        let class = self.class(name);
        let slot = W::shelf(self).slot(name.as_str());
        let mut slot = lock(&slot);
        let known = slot.last.take().filter(|last| last.class == class);
        let is_as_seen = |seen: &Seen| seen.is_settled && self.files.is(name, seen.stamp);
        if let Some(last) = known.as_ref().filter(|last| last.seen.as_ref().is_some_and(is_as_seen)) {
            let loaded = last.loaded.clone();
            slot.last = known;
            return loaded;
        }
        let now = Instant::now();
        let (wasm, stamp) = self.files.read(name, class)?;
        let digest = Digest::of(&wasm);
        let (loaded, earlier) = match known {
            // Only the file's dates are new, if anything.
            Some(last) if last.digest == digest => (last.loaded, last.seen),
            _ => {
                let candidate =
                    Candidate { name: name.as_str(), wasm: &wasm, digest, class, built_in: false };
                (self.admit(&candidate, site), None)
            }
        };
        if loaded.as_ref().err().is_none_or(LoadFault::is_lasting) {
            let seen = Some(Seen::again(earlier, stamp, now));
            slot.last = Some(Last { seen, digest, class, loaded: loaded.clone() });
        }
        loaded
    }

    /// A kept module, whose bytes are always the same.
    pub(super) fn load_kept<W: World>(&self, name: &StrategyName, digest: Digest, site: &Site) -> Loaded<W> {
        let class = self.class(name);
        let slot = W::shelf(self).slot(&format!("{name}@{digest}"));
        let mut slot = lock(&slot);
        if let Some(last) = slot.last.as_ref().filter(|last| last.class == class) {
            return last.loaded.clone();
        }
        let wasm = self.vault.get(&digest, class)?;
        let candidate = Candidate { name: name.as_str(), wasm: &wasm, digest, class, built_in: false };
        let loaded = self.admit(&candidate, site);
        if loaded.as_ref().err().is_none_or(LoadFault::is_lasting) {
            slot.last = Some(Last { seen: None, digest, class, loaded: loaded.clone() });
        }
        loaded
    }

    fn class(&self, name: &StrategyName) -> LimitClass {
        let is_interpreted = lock(&self.interpreted).contains(name.as_str());
        if is_interpreted { LimitClass::Interpreted } else { LimitClass::Native }
    }

    /// Forgets kept modules, but for those that may decide at any time.
    pub(super) fn discard(&self, candidates: &BTreeSet<Digest>) -> std::io::Result<usize> {
        let loaded = lock(&self.loaded);
        let unused = candidates.difference(&loaded);
        unused
            .map(|digest| self.vault.remove(digest))
            .try_fold(0, |count, gone| Ok(count + usize::from(gone?)))
    }

    /// Keeps a module that is to decide, or about to be asked for: whoever tidies up leaves it alone.
    pub(super) fn take_in(&self, wasm: &[u8], digest: Digest) -> std::io::Result<()> {
        lock(&self.loaded).insert(digest);
        self.vault.put(wasm, &digest)
    }

    /// Forgets a kept module that nobody is going to ask for.
    pub(super) fn give_up(&self, digest: &Digest) -> std::io::Result<bool> {
        let mut loaded = lock(&self.loaded);
        loaded.remove(digest);
        self.vault.remove(digest)
    }

    /// Everything between the bytes of a component and a module that can decide.
    fn admit<W: World>(&self, candidate: &Candidate<'_>, site: &Site) -> Loaded<W> {
        let (seated, origin) = match self.cached(candidate, site) {
            Some(found) => (found?, Origin::Cached),
            None => self.compile(candidate, site)?,
        };
        let header = Header {
            name: candidate.name.to_owned(),
            digest: candidate.digest,
            class: candidate.class,
            built_in: candidate.built_in,
            bytes: candidate.wasm.len(),
            origin,
        };
        let mut module = Module::new(header, seated)?;
        // Its calls can be made again then, whatever becomes of its file.
        let kept = self.take_in(candidate.wasm, candidate.digest);
        module.not_kept = kept.err().map(|error| error.to_string());
        Ok(Arc::new(module))
    }

    fn inspect<W: World>(&self, candidate: &Candidate<'_>) -> Result<Tier, LoadFault> {
        imports::inspect(candidate.wasm, self.engine.get_wasm_features(), W::INTERFACE)
    }

    /// The candidate as it was compiled before, if it was and that is of use still.
    fn cached<W: World>(
        &self,
        candidate: &Candidate<'_>,
        site: &Site,
    ) -> Option<Result<Seated<W>, LoadFault>> {
        let most = candidate.class.limits().artefact_bytes;
        Tier::ALL.into_iter().find_map(|tier| {
            let key = CacheKey { digest: &candidate.digest, fingerprint: self.fingerprint(tier) };
            match site.seat(candidate.cargo(self.cache.get(key, most)?)) {
                Ok(seated) => Some(Ok(seated)),
                Err(SeatFault::Stale(_)) => None,
                // It was looked into when it was compiled, but perhaps for another world.
                Err(SeatFault::Load(fault @ LoadFault::WrongWorld { .. })) => {
                    Some(Err(self.inspect::<W>(candidate).err().unwrap_or(fault)))
                }
                Err(SeatFault::Load(fault)) => Some(Err(fault)),
            }
        })
    }

    fn compile<W: World>(
        &self,
        candidate: &Candidate<'_>,
        site: &Site,
    ) -> Result<(Seated<W>, Origin), LoadFault> {
        let tier = self.inspect::<W>(candidate)?;
        let job = Job { wasm: candidate.wasm, class: candidate.class, tier, space: self.space };
        let (artefact, tier) = if candidate.built_in {
            let artefact = in_process(job).map_err(|why| LoadFault::Invalid { why })?;
            (artefact, tier)
        } else {
            self.compiler.compile(job)?
        };
        let artefact = Artefact::fresh(artefact);
        let seated = match site.seat(candidate.cargo(artefact.clone())) {
            Err(SeatFault::Stale(why)) => return Err(LoadFault::Host { why }),
            Err(SeatFault::Load(fault)) => Err(fault),
            Ok(seated) => Ok(seated),
        };
        let key = CacheKey { digest: &candidate.digest, fingerprint: self.fingerprint(tier) };
        let not_cached = self.cache.put(key, artefact.bytes()).err().map(|error| error.to_string());
        Ok((seated?, Origin::Compiled { tier, not_cached }))
    }

    fn fingerprint(&self, tier: Tier) -> &[u8; 32] {
        match tier {
            Tier::Speed => &self.fingerprints[0],
            Tier::Quick => &self.fingerprints[1],
        }
    }
}
