//! Who decides for whom: the installed modules in force and on trial, read once per cycle, so that
//! a change holds from the next cycle on.

use crate::model::module::{Decides, InstalledModule, Stage};
use crate::model::strategy::ParamValue;
use crate::model::{ChannelId, Digest, StrategyName};
use crate::store::{Connection, installed, modules};
use anyhow::Result;
use std::collections::{HashMap, HashSet};

/// The roster of one cycle.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    pub quarantined: HashSet<Digest>,
    in_force: Vec<InstalledModule>,
    trials: Vec<InstalledModule>,
    params: HashMap<StrategyName, Vec<(String, ParamValue)>>,
}

impl Roster {
    pub fn read(conn: &Connection) -> Result<Roster> {
        let all = installed::all(conn)?;
        let (in_force, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|module| module.stage == Stage::Active);
        let mut params: HashMap<StrategyName, Vec<_>> = HashMap::new();
        for (name, param, value) in installed::set_params(conn)? {
            params.entry(name).or_default().push((param, value));
        }
        Ok(Roster {
            quarantined: modules::quarantined(conn)?.into_iter().collect(),
            in_force,
            trials: others.into_iter().filter(|module| module.stage.is_trial()).collect(),
            params,
        })
    }

    /// The installed module that decides for the peers of a strategy, if there is one.
    pub fn in_force(&self, strategy: &StrategyName, decides: Decides) -> Option<&InstalledModule> {
        self.in_force.iter().find(|module| module.stands_for == *strategy && module.decides == decides)
    }

    /// The modules on trial for a strategy.
    pub fn trials<'a>(
        &'a self,
        strategy: &'a StrategyName,
        decides: Decides,
    ) -> impl Iterator<Item = &'a InstalledModule> {
        self.trials.iter().filter(move |module| module.stands_for == *strategy && module.decides == decides)
    }

    /// The channels that a strategy's canary decides for; none if it has none.
    pub fn canary_channels(&self, strategy: &StrategyName, decides: Decides) -> HashSet<ChannelId> {
        let canaries = self.trials(strategy, decides).filter_map(|module| module.canary.as_ref());
        canaries.flat_map(|canary| canary.channels.iter().copied()).collect()
    }

    /// The parameters that an operator set for the modules of a name.
    pub fn params(&self, name: &StrategyName) -> &[(String, ParamValue)] {
        self.params.get(name).map_or(&[], Vec::as_slice)
    }
}
