//! From bytes to an installed module: everything that can be checked without setting a fee.

use super::{Refused, SelfTest, by_operator, short};
use crate::cycles::Services;
use crate::engine::{self, Fees, LoadFault, Module, Rebalances, World};
use crate::guard::admission::{self, AdmissionRefusal};
use crate::model::manifest::Signed;
use crate::model::module::{InstalledModule, Stage};
use crate::model::strategy::Description;
use crate::model::{CycleKind, Digest, StrategyName};
use crate::store::{Transaction, installed};
use anyhow::{Context, Result};
use std::fmt;

/// A module on its way in.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub wasm: Vec<u8>,
    /// The name to install it under; its own if none is given.
    pub name: Option<StrategyName>,
    /// What it is to decide; what it can decide if nothing is said.
    pub world: Option<CycleKind>,
    /// The manifest that was let in, with the trusted keys that signed it; none for an unsigned module.
    pub signed: Option<Signed>,
}

impl Arrival {
    /// A module as its manifest describes it.
    pub fn signed(signed: &Signed, wasm: Vec<u8>) -> Arrival {
        let manifest = &signed.manifest;
        let world = engine::worlds(std::slice::from_ref(&manifest.abi)).pop();
        Arrival { wasm, name: Some(manifest.name.clone()), world, signed: Some(signed.clone()) }
    }
}

/// Why a module is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is not what was said of it, or nobody who counts said it.
    Claim(AdmissionRefusal),
    /// It is not fit to decide.
    Module(Refused),
}

impl From<AdmissionRefusal> for NotTaken {
    fn from(why: AdmissionRefusal) -> NotTaken {
        NotTaken::Claim(why)
    }
}

impl From<Refused> for NotTaken {
    fn from(why: Refused) -> NotTaken {
        NotTaken::Module(why)
    }
}

impl From<LoadFault> for NotTaken {
    fn from(fault: LoadFault) -> NotTaken {
        NotTaken::Module(fault.to_string())
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTaken::Claim(why) => why.fmt(f),
            NotTaken::Module(why) => f.write_str(why),
        }
    }
}

/// What was found out about a module.
#[derive(Clone, Debug)]
pub struct Verified {
    pub name: StrategyName,
    pub digest: Digest,
    pub bytes: usize,
    pub decides: CycleKind,
    pub description: Description,
    pub self_test: SelfTest,
}

/// What installing did.
#[derive(Clone, Debug)]
pub struct Installed {
    pub module: InstalledModule,
    pub verified: Verified,
    /// The same bytes were installed under this name before: nothing was changed.
    pub known: bool,
}

/// A module that came through, or why it did not. The outer error is the host's own trouble.
type Came<T> = Result<Result<T, NotTaken>>;

impl Services {
    /// Checks a module's bytes: size, imports, world, description, and a decision on the present
    /// snapshot. Keeps nothing of it.
    pub async fn verify_module(&self, mut arrival: Arrival) -> Came<Verified> {
        let taken = self.take_in(std::mem::take(&mut arrival.wasm)).await?;
        let verified = self.verify_kept(&taken, &arrival).await;
        self.let_go(taken.digest, false).await?;
        verified
    }

    /// Installs a module that passes all checks; `how` it came is for the audit. It decides nothing yet.
    pub async fn install_module(&self, mut arrival: Arrival, how: String) -> Came<Installed> {
        let taken = self.take_in(std::mem::take(&mut arrival.wasm)).await?;
        let installed = match self.verify_kept(&taken, &arrival).await {
            Ok(Ok(verified)) => self.keep_verified(verified, arrival.signed, how).await,
            Ok(Err(why)) => Ok(Err(why)),
            Err(error) => Err(error),
        };
        self.let_go(taken.digest, matches!(installed, Ok(Ok(_)))).await?;
        installed
    }

    async fn keep_verified(
        &self,
        verified: Verified,
        signed: Option<Signed>,
        how: String,
    ) -> Came<Installed> {
        let now = self.now();
        let module = InstalledModule {
            name: verified.name.clone(),
            digest: verified.digest,
            decides: verified.decides,
            version: verified.description.version.clone(),
            bytes: verified.bytes as u64,
            stage: Stage::Verified,
            stage_since: now,
            installed_at: now,
            stands_for: verified.name.clone(),
            manifest: signed.as_ref().map(|signed| signed.manifest.to_string()),
            signers: signed.map(|signed| signed.signers).unwrap_or_default(),
            canary: None,
        };
        let event = by_operator(&module, "install", how, now);
        let kept = self.store.write(move |tx| {
            if let Some(known) = installed::get(tx, &module.name, &module.digest)? {
                if let Err(why) = same_world(&known, &module) {
                    return Ok(Err(why));
                }
                return Ok(Ok((signed_meanwhile(tx, known, &module)?, true)));
            }
            installed::put(tx, &module)?;
            installed::note(tx, &event)?;
            Ok(Ok((module, false)))
        });
        let kept = kept.await?;
        Ok(kept.map(|(module, known)| Installed { module, verified, known }).map_err(NotTaken::Module))
    }

    /// Keeps a module's bytes until they are let go.
    async fn take_in(&self, wasm: Vec<u8>) -> Result<Taken> {
        let kept = self.on_engine(move |engine| {
            // What is no component exports nothing.
            let exports = engine::names(&wasm).map(|names| names.exports).unwrap_or_default();
            engine.receive(&wasm).map(|digest| Taken { digest, exports })
        });
        kept.await?.context("keeping the module")
    }

    async fn let_go(&self, digest: Digest, is_needed: bool) -> Result<()> {
        let gone = self.on_engine(move |engine| engine.let_go(&digest, is_needed));
        gone.await?.context("the module that is not kept")
    }

    async fn verify_kept(&self, taken: &Taken, arrival: &Arrival) -> Came<Verified> {
        let digest = taken.digest;
        let world = match world(&taken.exports, arrival.world) {
            Ok(world) => world,
            Err(why) => return Ok(Err(why.into())),
        };
        // Compiling needs some name; what the module itself says is known only after it.
        let unnamed: StrategyName = short(&digest).parse().map_err(anyhow::Error::msg)?;
        let working = arrival.name.as_ref().unwrap_or(&unnamed);
        let (about, self_test) = match world {
            CycleKind::Fee => match self.try_kept::<Fees>(working, digest).await {
                Ok(module) => {
                    let input = self.fee_input_now(&module).await?;
                    (About::of(&module), self.try_twice(working, module, input).await?)
                }
                Err(fault) => return Ok(Err(fault.into())),
            },
            CycleKind::Rebalance => match self.try_kept::<Rebalances>(working, digest).await {
                Ok(module) => {
                    let input = self.rebalance_input_now().await?;
                    (About::of(&module), self.try_twice(working, module, input).await?)
                }
                Err(fault) => return Ok(Err(fault.into())),
            },
        };
        Ok(about.judge(digest, arrival, self_test))
    }
}

/// A module's bytes, now kept.
struct Taken {
    digest: Digest,
    exports: Vec<String>,
}

/// What a loaded module is.
struct About {
    decides: CycleKind,
    bytes: usize,
    description: Description,
}

impl About {
    fn of<W: World>(module: &Module<W>) -> About {
        About { decides: W::CYCLE, bytes: module.bytes, description: module.description.clone() }
    }

    /// Whether it is what was said of it, may be called so, and did well on trial.
    fn judge(
        self,
        digest: Digest,
        arrival: &Arrival,
        self_test: Result<SelfTest, Refused>,
    ) -> Result<Verified, NotTaken> {
        let About { decides, bytes, description } = self;
        if let Some(signed) = &arrival.signed {
            admission::same_version(&signed.manifest, &description.version)?;
        }
        let own = || description.name.parse().map_err(|why| format!("its own name cannot be used: {why}"));
        let name = arrival.name.clone().map_or_else(own, Ok)?;
        may_be_called(&name)?;
        Ok(Verified { name, digest, bytes, decides, description, self_test: self_test? })
    }
}

/// What a module is to decide. Loading it says what is wrong with one that exports neither interface.
fn world(exports: &[String], wish: Option<CycleKind>) -> Result<CycleKind, Refused> {
    match (wish, engine::worlds(exports).as_slice()) {
        (Some(wish), _) => Ok(wish),
        (None, [one]) => Ok(*one),
        (None, []) => Ok(engine::seems_for(exports)),
        (None, _) => Err(
            "the module can set fees and evaluate rebalances, and one installation does one of both: say \
             world=fee or world=rebalance, and for both install it twice, under two names"
                .to_owned(),
        ),
    }
}

/// One name holds a module for one world.
fn same_world(known: &InstalledModule, again: &InstalledModule) -> Result<(), Refused> {
    let InstalledModule { name, decides, .. } = known;
    if *decides == again.decides {
        return Ok(());
    }
    Err(format!(
        "'{name}' is installed with world={}: install it under another name=... to have it do both",
        decides.name()
    ))
}

/// A module that is there already, with the signatures under which it came again.
fn signed_meanwhile(
    tx: &Transaction<'_>,
    known: InstalledModule,
    again: &InstalledModule,
) -> Result<InstalledModule> {
    if again.signers.is_empty() || again.signers == known.signers {
        return Ok(known);
    }
    let (signers, manifest) = (again.signers.clone(), again.manifest.clone());
    let signed = InstalledModule { signers, manifest, ..known };
    installed::put(tx, &signed)?;
    let detail = format!("{} trusted keys signed it", signed.signers.len());
    installed::note(tx, &by_operator(&signed, "sign", detail, again.installed_at))?;
    Ok(signed)
}

fn may_be_called(name: &StrategyName) -> Result<(), Refused> {
    if !name.is_built_in() {
        return Ok(());
    }
    Err(format!(
        "'{name}' is the name of a built-in strategy: install it under another name=..., and let it stand for \
         '{name}' with shadow or activate"
    ))
}
