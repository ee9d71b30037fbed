//! What is kept of a module besides its stage: whether it is there at all, and its parameters.

use super::{Refused, Wish, again, by_operator};
use crate::cycles::Services;
use crate::guard::params;
use crate::model::module::{InstalledModule, Stage};
use crate::model::strategy::ParamValue;
use crate::store::states::{self, Holder};
use crate::store::{installed, policies};

impl Services {
    /// Forgets a module that decides nothing. Its bytes go unless a recorded cycle needs them.
    pub async fn remove_module(&self, module: InstalledModule) -> Wish<InstalledModule> {
        let now = self.now();
        self.store
            .write(move |tx| {
                let module = match again(tx, &module)? {
                    Ok(module) => module,
                    Err(why) => return Ok(Err(why)),
                };
                if module.stage.is_trial() {
                    let why = format!("'{}' is a {}: roll it back first", module.name, module.stage);
                    return Ok(Err(why));
                }
                if module.stage == Stage::Active {
                    let policies = policies::load_all(tx)?;
                    let users = policies.iter().filter(|policy| module.is_named_by(policy)).count();
                    if users > 0 || module.stands_for.is_built_in() {
                        return Ok(Err(in_use(&module, users)));
                    }
                }
                installed::remove(tx, &module.name, &module.digest)?;
                states::forget(tx, &Holder::own(&module))?;
                installed::note(tx, &by_operator(&module, "remove", format!("was {}", module.stage), now))?;
                Ok(Ok(module))
            })
            .await
    }

    /// Sets one of a module's own parameters; without a value its default holds again.
    pub async fn set_param(
        &self,
        module: InstalledModule,
        param: String,
        value: Option<String>,
    ) -> Wish<ParamValue> {
        let about = match self.describe_installed(&module).await {
            Ok(about) => about,
            Err(why) => return Ok(Err(why)),
        };
        let Some(spec) = about.params.iter().find(|spec| spec.name == param) else {
            let names: Vec<&str> = about.params.iter().map(|spec| spec.name.as_str()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Ok(Err(format!("'{}' has no parameter '{param}'; it has: {names}", module.name)));
        };
        let value = match value.as_deref().map(|text| params::read(spec, text)).transpose() {
            Ok(value) => value,
            Err(why) => return Ok(Err(why)),
        };
        let (now, default) = (self.now(), spec.default.clone());
        self.store
            .write(move |tx| {
                match &value {
                    Some(value) => installed::set_param(tx, &module.name, &param, value, now)?,
                    None => drop(installed::reset_param(tx, &module.name, &param)?),
                }
                let told =
                    value.as_ref().map_or_else(|| "its default".to_owned(), |value| format!("{value:?}"));
                installed::note(tx, &by_operator(&module, "set-param", format!("{param} = {told}"), now))?;
                Ok(Ok(value.unwrap_or(default)))
            })
            .await
    }
}

fn in_use(module: &InstalledModule, users: usize) -> Refused {
    let InstalledModule { name, stands_for, .. } = module;
    let peers = if users == 0 { String::new() } else { format!(", which {users} policies name") };
    format!("'{name}' decides for '{stands_for}'{peers}: roll it back, or change the policies, first")
}
