//! From a name to a module: read, look into, compile or find compiled, link,
//! ask. What was loaded stays, and so does what was refused, until the file
//! changes: a file that costs much to refuse costs it once, and where the
//! machine's load had a part in that, once in a while.

use super::builtin;
use super::cache::{Artefact, Cache, CacheKey};
use super::compile::{Compiler, Job, in_process};
use super::config::{self, Space, Tier};
use super::fault::printable;
use super::files::{Files, ModuleFile};
use super::imports;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use super::module::{Header, Module, Origin};
use super::needed::Needed;
use super::shelf::{Last, Loaded, Seen, Shelf, kept_key, lock};
use super::site::{Seat, SeatFault, Site};
use super::vault::Vault;
use super::worker::Cargo;
use super::world::{Fees, Rebalances, World};
use crate::model::strategy::Description;
use crate::model::{Digest, StrategyName};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use wasmtime::Engine;

type Seated<W> = (Seat<W>, Description);

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
    needed: Mutex<Needed>,
    pub(super) fees: Shelf<Fees>,
    pub(super) evaluators: Shelf<Rebalances>,
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
            needed: Mutex::default(),
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
        let class = LimitClass::Native;
        if let Some(last) = slot.last.as_ref().filter(|last| last.holds(class, Instant::now())) {
            return last.loaded.clone();
        }
        let loaded = self.admit(&Candidate { name, wasm, digest, class, built_in: true }, site);
        slot.last = Last::of(None, (digest, class), &loaded, Instant::now());
        loaded
    }

    pub(super) fn load<W: World>(&self, name: &StrategyName, site: &Site) -> Loaded<W> {
        if name.is_built_in() {
            return self.built_in(name.as_str(), site);
        }
        let class = self.class(name);
        let slot = W::shelf(self).slot(name.as_str());
        let mut slot = lock(&slot);
        let now = Instant::now();
        let known = slot.last.take().filter(|last| last.holds(class, now));
        let is_as_seen = |seen: &Seen| seen.is_settled && self.files.is(name, seen.stamp);
        if let Some(last) = known.as_ref().filter(|last| last.seen.as_ref().is_some_and(is_as_seen)) {
            let loaded = last.loaded.clone();
            slot.last = known;
            return loaded;
        }
        let (wasm, stamp) = self.files.read(name, class)?;
        let digest = Digest::of(&wasm);
        // Only the file's dates are new, if anything.
        if let Some(last) = known.filter(|last| last.digest == digest) {
            let (loaded, seen) = (last.loaded.clone(), Some(Seen::again(last.seen, stamp, now)));
            slot.last = Some(Last { seen, ..last });
            return loaded;
        }
        let candidate = Candidate { name: name.as_str(), wasm: &wasm, digest, class, built_in: false };
        let loaded = self.admit(&candidate, site);
        let seen = Some(Seen::again(None, stamp, now));
        slot.last = Last::of(seen, (digest, class), &loaded, Instant::now());
        loaded
    }

    /// A kept module, whose bytes are always the same.
    pub(super) fn load_kept<W: World>(&self, name: &StrategyName, digest: Digest, site: &Site) -> Loaded<W> {
        let class = self.class(name);
        let slot = W::shelf(self).slot(&kept_key(name, digest));
        let mut slot = lock(&slot);
        if let Some(last) = slot.last.as_ref().filter(|last| last.holds(class, Instant::now())) {
            return last.loaded.clone();
        }
        let wasm = self.vault.get(&digest, class)?;
        let candidate = Candidate { name: name.as_str(), wasm: &wasm, digest, class, built_in: false };
        let loaded = self.admit(&candidate, site);
        slot.last = Last::of(None, (digest, class), &loaded, Instant::now());
        loaded
    }

    /// A kept module that is looked at only: nothing is remembered of it.
    pub(super) fn try_kept<W: World>(&self, name: &StrategyName, digest: Digest, site: &Site) -> Loaded<W> {
        let class = self.class(name);
        let wasm = self.vault.get(&digest, class)?;
        let candidate = Candidate { name: name.as_str(), wasm: &wasm, digest, class, built_in: false };
        self.seat(&candidate, site).map(Arc::new)
    }

    /// Forgets how kept modules were loaded, but for these; their files stay.
    pub(super) fn unload_but<'a>(&self, needed: impl Iterator<Item = (&'a StrategyName, Digest)>) {
        let needed = needed.map(|(name, digest)| kept_key(name, digest)).collect();
        self.fees.unload_but(&needed);
        self.evaluators.unload_but(&needed);
    }

    fn class(&self, name: &StrategyName) -> LimitClass {
        let is_interpreted = lock(&self.interpreted).contains(name.as_str());
        if is_interpreted { LimitClass::Interpreted } else { LimitClass::Native }
    }

    /// Forgets kept modules, but for those that may decide at any time.
    pub(super) fn discard(&self, candidates: &BTreeSet<Digest>) -> std::io::Result<usize> {
        let needed = lock(&self.needed);
        let unused = candidates.iter().filter(|digest| !needed.has(digest));
        unused
            .map(|digest| self.vault.remove(digest))
            .try_fold(0, |count, gone| Ok(count + usize::from(gone?)))
    }

    /// Keeps a module that is to decide: whoever tidies up leaves it alone.
    fn take_in(&self, wasm: &[u8], digest: Digest) -> std::io::Result<()> {
        lock(&self.needed).loaded(digest);
        self.vault.put(wasm, &digest)
    }

    /// Keeps a module that is on its way in, until `let_go`.
    pub(super) fn receive(&self, wasm: &[u8], digest: Digest) -> std::io::Result<()> {
        lock(&self.needed).arrives(digest, || self.vault.has(&digest));
        self.vault.put(wasm, &digest).inspect_err(|_| {
            // The first error is the one to report.
            let _ = self.let_go(&digest, false);
        })
    }

    /// Ends what `receive` began. The module goes if nobody needs it and it was not there before.
    pub(super) fn let_go(&self, digest: &Digest, is_needed: bool) -> std::io::Result<()> {
        let mut needed = lock(&self.needed);
        if is_needed {
            needed.loaded(*digest);
        }
        if needed.is_over(digest) { self.vault.remove(digest).map(drop) } else { Ok(()) }
    }

    /// A module that is to decide.
    fn admit<W: World>(&self, candidate: &Candidate<'_>, site: &Site) -> Loaded<W> {
        let mut module = self.seat(candidate, site)?;
        // Its calls can be made again then, whatever becomes of its file.
        let kept = self.take_in(candidate.wasm, candidate.digest);
        module.not_kept = kept.err().map(|error| error.to_string());
        Ok(Arc::new(module))
    }

    /// Everything between the bytes of a component and a module that can decide.
    fn seat<W: World>(&self, candidate: &Candidate<'_>, site: &Site) -> Result<Module<W>, LoadFault> {
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
        Module::new(header, seated)
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
