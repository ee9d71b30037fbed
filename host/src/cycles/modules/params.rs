//! Parameters of strategies: of installed modules, of files, and of those that the binary carries.

use super::{Refused, Wish, pick};
use crate::cycles::Services;
use crate::engine::{Fees, LoadFault, Module, Rebalances, World};
use crate::guard::params;
use crate::model::module::{InstalledModule, ModuleEvent};
use crate::model::strategy::{Description, ParamSpec, ParamValue};
use crate::model::{CycleKind, Digest, StrategyName};
use crate::store::installed;
use anyhow::Result;

/// What a name means where no module is installed under it: what the binary carries, or a file in the
/// strategies directory.
#[derive(Clone, Debug)]
pub struct Named {
    pub decides: CycleKind,
    pub digest: Digest,
    pub bytes: usize,
    pub built_in: bool,
    pub description: Description,
}

impl Named {
    fn of<W: World>(module: &Module<W>) -> Named {
        Named {
            decides: W::CYCLE,
            digest: module.digest,
            bytes: module.bytes,
            built_in: module.built_in,
            description: module.description.clone(),
        }
    }
}

/// The modules whose parameters are meant.
struct Meant {
    digest: Digest,
    about: Description,
    /// Other versions of the name that decide, each with what to call it: they get the same values.
    beside: Vec<(String, Description)>,
}

impl Services {
    /// What a name means where no module is installed under it, for each world that it serves.
    pub async fn named(&self, name: &StrategyName) -> Result<Vec<Named>, Refused> {
        let fees = self.load_module::<Fees>(name).await.map(|module| Named::of(&module));
        let rebalances = self.load_module::<Rebalances>(name).await.map(|module| Named::of(&module));
        match (fees, rebalances) {
            (Err(LoadFault::NotFound { .. }), Err(_)) => Err(format!(
                "no module '{name}' is installed, and the strategies directory has no {name}.wasm: see \
                 revenue-strategy list"
            )),
            (Err(LoadFault::WrongWorld { .. }), Err(why)) | (Err(why), Err(_)) => {
                Err(format!("no module '{name}' is installed, and its file cannot be loaded: {why}"))
            }
            (fees, rebalances) => Ok(fees.into_iter().chain(rebalances).collect()),
        }
    }

    /// Sets one of the parameters of a strategy; without a value its default holds again. `which` tells
    /// installed modules of one name apart.
    pub async fn set_param(
        &self,
        name: StrategyName,
        which: Option<&str>,
        param: String,
        value: Option<String>,
    ) -> Wish<ParamValue> {
        let meant = match self.meant(&name, which).await? {
            Ok(meant) => meant,
            Err(why) => return Ok(Err(why)),
        };
        let (value, default) = match meant.read(&name, &param, value.as_deref()) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why)),
        };
        let now = self.now();
        self.store
            .write(move |tx| {
                match &value {
                    Some(value) => installed::set_param(tx, &name, &param, value, now)?,
                    None => drop(installed::reset_param(tx, &name, &param)?),
                }
                let told = value.as_ref().map_or_else(|| "its default".to_owned(), ToString::to_string);
                let event = ModuleEvent {
                    at: now,
                    name,
                    digest: Some(meant.digest),
                    action: "set-param".to_owned(),
                    by: "operator".to_owned(),
                    detail: format!("{param} = {told}"),
                };
                installed::note(tx, &event)?;
                Ok(Ok(value.unwrap_or(default)))
            })
            .await
    }

    async fn meant(&self, name: &StrategyName, which: Option<&str>) -> Wish<Meant> {
        let all = self.installed().await?;
        let of_name: Vec<InstalledModule> = all.into_iter().filter(|module| module.name == *name).collect();
        if of_name.is_empty() && which.is_none() {
            let named = self.named(name).await;
            return Ok(named.map(|mut named| {
                let Named { digest, description: about, .. } = named.swap_remove(0);
                Meant { digest, about, beside: Vec::new() }
            }));
        }
        let module = match pick(of_name.clone(), name, which) {
            Ok(module) => module,
            Err(why) => return Ok(Err(why)),
        };
        let about = match self.describe_installed(&module).await {
            Ok(about) => about,
            Err(why) => return Ok(Err(why)),
        };
        let mut beside = Vec::new();
        for other in of_name.iter().filter(|other| other.stage.decides() && other.digest != module.digest) {
            // What cannot be loaded is not told either.
            if let Ok(about) = self.describe_installed(other).await {
                beside.push((format!("'{name}' {}, which is {}", other.version, other.stage), about));
            }
        }
        Ok(Ok(Meant { digest: module.digest, about, beside }))
    }
}

impl Meant {
    /// A value as it was typed, and the default.
    fn read(
        &self,
        name: &StrategyName,
        param: &str,
        text: Option<&str>,
    ) -> Result<(Option<ParamValue>, ParamValue), Refused> {
        let Some(own) = spec(&self.about, param) else {
            let names: Vec<&str> = self.about.params.iter().map(|spec| spec.name.as_str()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("'{name}' has no parameter '{param}'; it has: {names}"));
        };
        let value = text.map(|text| params::read(own, text)).transpose()?;
        if let Some(value) = &value {
            for (who, about) in &self.beside {
                let taken = spec(about, param).map_or(Ok(()), |spec| params::taken(spec, value).map(drop));
                taken.map_err(|why| format!("{who}, does not take that: {why}"))?;
            }
        }
        Ok((value, own.default.clone()))
    }
}

fn spec<'a>(about: &'a Description, param: &str) -> Option<&'a ParamSpec> {
    about.params.iter().find(|spec| spec.name == param)
}
