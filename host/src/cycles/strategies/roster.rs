//! Who decides for whom: the installed modules in force and on trial, read once per cycle, so that
//! a change holds from the next cycle on.

use super::Decider;
use crate::engine::{Module, World};
use crate::guard::params;
use crate::model::module::{InstalledModule, Stage};
use crate::model::strategy::ParamValue;
use crate::model::{CycleKind, Digest, StrategyName};
use crate::store::{Connection, installed, modules};
use anyhow::Result;
use std::collections::{HashMap, HashSet};

/// The roster of one cycle.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    pub quarantined: HashSet<(Digest, CycleKind)>,
    in_force: Vec<InstalledModule>,
    trials: Vec<InstalledModule>,
    /// By the name of the modules.
    params: HashMap<String, Vec<(String, ParamValue)>>,
}

impl Roster {
    pub fn read(conn: &Connection) -> Result<Roster> {
        let all = installed::all(conn)?;
        let (in_force, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|module| module.stage == Stage::Active);
        let mut params: HashMap<String, Vec<_>> = HashMap::new();
        for (name, param, value) in installed::set_params(conn)? {
            params.entry(name.to_string()).or_default().push((param, value));
        }
        Ok(Roster {
            quarantined: modules::quarantined(conn)?.into_iter().collect(),
            in_force,
            trials: others.into_iter().filter(|module| module.stage.is_trial()).collect(),
            params,
        })
    }

    /// The installed module that decides for the peers of a strategy, if there is one.
    pub fn in_force(&self, strategy: &StrategyName, decides: CycleKind) -> Option<&InstalledModule> {
        self.in_force.iter().find(|module| module.has_place(strategy, decides))
    }

    /// The modules on trial for a strategy.
    pub fn trials<'a>(
        &'a self,
        strategy: &'a StrategyName,
        decides: CycleKind,
    ) -> impl Iterator<Item = &'a InstalledModule> {
        self.trials.iter().filter(move |module| module.has_place(strategy, decides))
    }

    /// Whom a call asks with the module that answers for a strategy.
    pub fn decider(&self, strategy: &StrategyName, decides: CycleKind, digest: Digest) -> Decider {
        match self.in_force(strategy, decides) {
            Some(module) if module.digest == digest => Decider::installed(module),
            _ => Decider::Named(decides, strategy.clone(), digest),
        }
    }

    /// The parameters that an operator set for a module's name, as far as this module has and takes them.
    /// Where it does not take one its default holds, which is told.
    pub(in crate::cycles) fn told<W: World>(&self, module: &Module<W>) -> Vec<(String, ParamValue)> {
        let mut told = Vec::new();
        for (name, value) in self.params.get(&module.name).into_iter().flatten() {
            let Some(spec) = module.description.params.iter().find(|spec| spec.name == *name) else {
                continue;
            };
            match params::taken(spec, value) {
                Ok(value) => told.push((name.clone(), value)),
                Err(why) => {
                    let (module, version) = (&module.name, &module.description.version);
                    tracing::warn!("module '{module}' {version} has a parameter's default: {why}");
                }
            }
        }
        told
    }
}
