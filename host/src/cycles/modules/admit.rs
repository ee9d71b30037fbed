//! From bytes to an installed module: everything that can be checked without setting a fee.

use super::{Refused, SelfTest, Wish, by_operator, short};
use crate::cycles::Services;
use crate::engine::{Fees, LoadFault, Module, Rebalances, World};
use crate::model::module::{InstalledModule, Stage};
use crate::model::strategy::Description;
use crate::model::{CycleKind, Digest, PeerId, StrategyName};
use crate::store::{Transaction, installed};
use anyhow::{Context, Result};

/// A module on its way in.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub wasm: Vec<u8>,
    /// The name to install it under; its own if none is given.
    pub name: Option<StrategyName>,
    /// Trusted node keys that signed the manifest, and the manifest. Both empty for an unsigned one.
    pub signers: Vec<PeerId>,
    pub manifest: Option<String>,
    /// How it came, for the audit.
    pub how: String,
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

impl Services {
    /// Checks a module's bytes: size, imports, world, description, and a decision on the present
    /// snapshot. Keeps nothing of it.
    pub async fn verify_module(&self, wasm: Vec<u8>, name: Option<StrategyName>) -> Wish<Verified> {
        let digest = Digest::of(&wasm);
        let was_kept = self.take_in(wasm, digest).await?;
        let verified = self.verify_kept(digest, name.as_ref()).await;
        self.let_go_unless(was_kept, digest).await?;
        verified
    }

    /// Installs a module that passes all checks. It decides nothing yet.
    pub async fn install_module(&self, arrival: Arrival) -> Wish<Installed> {
        let Arrival { wasm, name, signers, manifest, how } = arrival;
        let digest = Digest::of(&wasm);
        let was_kept = self.take_in(wasm, digest).await?;
        let verified = match self.verify_kept(digest, name.as_ref()).await {
            Ok(Ok(verified)) => verified,
            Ok(Err(why)) => {
                self.let_go_unless(was_kept, digest).await?;
                return Ok(Err(why));
            }
            Err(error) => {
                self.let_go_unless(was_kept, digest).await?;
                return Err(error);
            }
        };
        let now = self.now();
        let module = InstalledModule {
            name: verified.name.clone(),
            digest,
            decides: verified.decides,
            version: verified.description.version.clone(),
            bytes: verified.bytes as u64,
            stage: Stage::Verified,
            stage_since: now,
            installed_at: now,
            stands_for: verified.name.clone(),
            signers,
            manifest,
            canary: None,
        };
        let event = by_operator(&module, "install", how, now);
        let (module, known) = self
            .store
            .write(move |tx| {
                if let Some(known) = installed::get(tx, &module.name, &module.digest)? {
                    return Ok((signed_meanwhile(tx, known, &module)?, true));
                }
                installed::put(tx, &module)?;
                installed::note(tx, &event)?;
                Ok((module, false))
            })
            .await?;
        Ok(Ok(Installed { module, verified, known }))
    }

    /// Keeps a module's bytes. Says whether they were kept before.
    async fn take_in(&self, wasm: Vec<u8>, digest: Digest) -> Result<bool> {
        let kept = self.on_engine(move |engine| {
            let was_kept = engine.all_kept()?.contains(&digest);
            engine.keep(&wasm).map(|_| was_kept)
        });
        kept.await?.context("keeping the module")
    }

    async fn let_go_unless(&self, is_needed: bool, digest: Digest) -> Result<()> {
        if !is_needed {
            let gone = self.on_engine(move |engine| engine.discard(&digest));
            gone.await?.context("the module that is not kept")?;
        }
        Ok(())
    }

    async fn verify_kept(&self, digest: Digest, name: Option<&StrategyName>) -> Wish<Verified> {
        // Compiling needs some name; what the module itself says is known only after it.
        let unnamed: StrategyName = short(&digest).parse().map_err(anyhow::Error::msg)?;
        let working = name.unwrap_or(&unnamed);
        let (about, self_test) = match self.load_kept::<Fees>(working, digest).await {
            Ok(module) => {
                let input = self.fee_input_now(&module).await?;
                (About::of(&module), self.try_twice(working, module, input).await?)
            }
            Err(LoadFault::WrongWorld { .. }) => match self.load_kept::<Rebalances>(working, digest).await {
                Ok(module) => {
                    let input = self.rebalance_input_now(&module).await?;
                    (About::of(&module), self.try_twice(working, module, input).await?)
                }
                Err(fault) => return Ok(Err(fault.to_string())),
            },
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        let About { decides, bytes, description } = about;
        let name = match name.cloned().map_or_else(|| description.name.parse(), Ok) {
            Ok(name) => name,
            Err(why) => return Ok(Err(format!("its own name cannot be used: {why}"))),
        };
        if let Err(why) = may_be_called(&name) {
            return Ok(Err(why));
        }
        Ok(self_test.map(|self_test| Verified { name, digest, bytes, decides, description, self_test }))
    }
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
