//! Is what a policy or a setting names there?

use crate::config::Setting;
use crate::cycles::Services;
use crate::engine::{Fees, LoadFault, Rebalances, World};
use crate::model::module::Stage;
use crate::model::{CycleKind, StrategyName};

impl Services {
    /// Whether the strategy can be used; if not, one sentence why.
    pub async fn check_strategy(&self, name: &StrategyName) -> Result<(), String> {
        self.check_usable::<Fees>("strategy", name).await
    }

    /// Whether the evaluator can be used; if not, one sentence why.
    pub async fn check_evaluator(&self, name: &StrategyName) -> Result<(), String> {
        self.check_usable::<Rebalances>("evaluator", name).await
    }

    async fn check_usable<W: World>(&self, what: &str, name: &StrategyName) -> Result<(), String> {
        if self.is_in_force(name, W::CYCLE).await {
            return Ok(());
        }
        match self.load_module::<W>(name).await {
            Ok(_) => Ok(()),
            Err(LoadFault::NotFound { .. }) => Err(self.not_there::<W>(what, name).await),
            Err(fault) => Err(format!("{what} '{name}': {fault}")),
        }
    }

    /// Why nothing in force goes by a name, and what may be named.
    async fn not_there<W: World>(&self, what: &str, name: &StrategyName) -> String {
        let installed = match self.installed().await {
            Ok(installed) => installed,
            Err(error) => return format!("{what} '{name}' cannot be looked up: {error:#}"),
        };
        let own: Vec<_> = installed.iter().filter(|module| module.decides == W::CYCLE).collect();
        if let Some(module) = own.iter().find(|module| module.name == *name) {
            let stage = module.stage.name();
            return format!(
                "{what} '{name}' is installed ({stage}) but not in force under its name: put it in force with \
                 revenue-strategy activate {name} for={name}"
            );
        }
        let built_in = match W::CYCLE {
            CycleKind::Fee => &StrategyName::BUILT_IN[..],
            CycleKind::Rebalance => &StrategyName::EVALUATORS[..],
        };
        let in_force =
            own.iter().filter(|module| module.stage == Stage::Active).map(|module| &module.stands_for);
        let others = in_force.filter(|name| !name.is_built_in()).map(StrategyName::as_str);
        let known: Vec<&str> = built_in.iter().copied().chain(others).collect();
        format!(
            "there is no {what} '{name}': use {}, or put {name}.wasm into the strategies directory",
            known.join(", ")
        )
    }

    /// Whether what a setting is to name is there; if not, one sentence why. What is no name at all is for
    /// the table of settings to refuse.
    pub async fn check_named(&self, setting: &Setting, value: &str) -> Result<(), String> {
        match value.trim().parse() {
            Ok(name) if setting.key == "rebalance_strategy" => self.check_evaluator(&name).await,
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
