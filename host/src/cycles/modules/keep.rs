//! Whether a module is there at all.

use super::{Refused, Wish, again, by_operator};
use crate::cycles::Services;
use crate::model::module::{InstalledModule, Stage};
use crate::store::states::{self, Holder};
use crate::store::{installed, policies};

impl Services {
    /// Forgets a module that decides nothing. Its bytes go unless a recorded cycle needs them.
    pub async fn remove_module(&self, module: InstalledModule) -> Wish<InstalledModule> {
        let now = self.now();
        let removed = self
            .store
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
            .await?;
        self.unload_idle().await?;
        Ok(removed)
    }
}

fn in_use(module: &InstalledModule, users: usize) -> Refused {
    let InstalledModule { name, stands_for, .. } = module;
    let peers = if users == 0 { String::new() } else { format!(", which {users} policies name") };
    format!("'{name}' decides for '{stands_for}'{peers}: roll it back, or change the policies, first")
}
