//! Is what a policy or a setting names there?

use crate::config::Setting;
use crate::cycles::Services;
use crate::cycles::modules::pick;
use crate::engine::{Fees, LoadFault, Rebalances, World};
use crate::model::module::{InstalledModule, Stage};
use crate::model::{CycleKind, StrategyName};
use crate::store::trials::TrialSums;

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
        let of_name = own.iter().filter(|module| module.name == *name).map(|module| (*module).clone());
        if let Ok(module) = pick(of_name.collect(), name, None) {
            return self.not_in_force(what, &module).await;
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

    /// Why an installed module cannot be named yet, and which steps change that.
    async fn not_in_force(&self, what: &str, module: &InstalledModule) -> String {
        match self.seen_on_trial(module).await {
            Ok(seen) => format!(
                "{what} '{}' is installed ({}) but not in force under its name: {}",
                module.name,
                module.stage,
                next_step(module, &seen)
            ),
            Err(error) => format!("{what} '{}' cannot be looked up: {error:#}", module.name),
        }
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

/// The commands that `activate` and `shadow` take from a module that stands where this one does.
fn next_step(module: &InstalledModule, seen: &TrialSums) -> String {
    let InstalledModule { name, stands_for, stage, .. } = module;
    let activate = format!("revenue-strategy activate {name} for={name}");
    match stage {
        Stage::Active => format!("it is in force for '{stands_for}': name that, or roll it back first"),
        Stage::Superseded => format!("put it in force with {activate}"),
        _ if seen.faults > 0 => format!(
            "it failed in {} of {} decisions on trial; {activate} force=true puts it in force all the same",
            seen.faults, seen.runs
        ),
        _ if seen.runs > 0 => format!("put it in force with {activate}"),
        Stage::Shadow | Stage::Canary => {
            format!("it has not decided on trial yet; after the next cycle put it in force with {activate}")
        }
        Stage::Verified => format!(
            "try it with revenue-strategy shadow {name} for={name}, and after a cycle put it in force with {activate}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_one_that_is_taken() {
        let of = |stage| crate::cycles::modules::tests::module(1, "1.0.0", stage);
        for (stage, runs, faults, expect) in [
            (Stage::Active, 9, 9, "in force for 'dynamic': name that, or roll it back first"),
            (Stage::Superseded, 0, 0, "put it in force with revenue-strategy activate mine for=mine"),
            (Stage::Verified, 0, 0, "try it with revenue-strategy shadow mine for=mine"),
            (Stage::Verified, 3, 0, "put it in force with revenue-strategy activate mine for=mine"),
            (Stage::Shadow, 0, 0, "after the next cycle put it in force"),
            (Stage::Shadow, 3, 0, "put it in force with revenue-strategy activate mine for=mine"),
            (Stage::Canary, 3, 1, "failed in 1 of 3 decisions on trial"),
        ] {
            let step = next_step(&of(stage), &TrialSums { runs, faults, ..TrialSums::default() });
            assert!(step.contains(expect), "{stage} {runs} {faults}: {step}");
        }
    }
}
