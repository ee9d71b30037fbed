//! The life of installed modules: verified -> shadow -> canary -> active -> superseded.
//!
//! Every step is one transaction with its row in the audit, and holds from the next cycle on.

mod admit;
mod canary;
mod keep;
mod params;
mod stages;
mod trials;
mod watch;

pub use admit::{Arrival, Installed, NotTaken, Verified};
pub use canary::CanaryWish;
pub use params::Named;
pub use trials::SelfTest;

use super::Services;
use super::strategies::FAULTS_TO_QUARANTINE;
use crate::engine::{Fees, LoadFault, Rebalances, World};
use crate::model::module::{InstalledModule, ModuleEvent, Stage};
use crate::model::strategy::Description;
use crate::model::{CycleKind, Digest, StrategyName, UnixTime};
use crate::store::{Transaction, installed, modules};
use anyhow::Result;

/// One sentence for the operator: what was wrong, what is allowed; nothing was changed.
pub type Refused = String;

/// An answer, or why not. The outer error is the host's own trouble.
pub type Wish<T> = Result<Result<T, Refused>>;

impl Services {
    /// All installed modules.
    pub async fn installed(&self) -> Result<Vec<InstalledModule>> {
        self.store.read(|conn| Ok(installed::all(conn)?)).await
    }

    /// The module of that name which `which` names by version or by the first digits of its digest;
    /// without it the one that is furthest on its way in, else the one in force, else the latest.
    pub async fn find_installed(&self, name: &StrategyName, which: Option<&str>) -> Wish<InstalledModule> {
        let all = self.installed().await?;
        Ok(pick(all.into_iter().filter(|module| module.name == *name).collect(), name, which))
    }

    /// Whether an installed module decides for a strategy's peers.
    pub(super) async fn is_in_force(&self, strategy: &StrategyName, decides: CycleKind) -> bool {
        let all = self.installed().await;
        all.is_ok_and(|all| all.iter().any(|module| module.is_in_force_for(strategy, decides)))
    }

    /// Whether an author's module decides for a strategy's peers: installed, or a file of that name.
    pub async fn is_authors(&self, strategy: &StrategyName, decides: CycleKind) -> bool {
        !strategy.is_built_in() || self.is_in_force(strategy, decides).await
    }

    /// What an installed module says of itself.
    pub async fn describe_installed(&self, module: &InstalledModule) -> Result<Description, String> {
        let described = match module.decides {
            CycleKind::Fee => self.description_of::<Fees>(module).await,
            CycleKind::Rebalance => self.description_of::<Rebalances>(module).await,
        };
        described.map_err(|fault| fault.to_string())
    }

    /// Refuses a module that would not be asked if it were to decide.
    async fn may_be_asked(&self, module: &InstalledModule) -> Result<Result<(), Refused>> {
        let InstalledModule { name, version, .. } = module;
        if self.rests(module).await? {
            return Ok(Err(format!(
                "'{name}' {version} failed {FAULTS_TO_QUARANTINE} times in a row and rests: clear it first, with \
                 revenue-strategy clear-quarantine {name}"
            )));
        }
        let loaded = self.describe_installed(module).await;
        Ok(loaded.map(drop).map_err(|why| format!("'{name}' {version} cannot be loaded now: {why}")))
    }

    /// Whether an installed module is in quarantine.
    pub async fn rests(&self, module: &InstalledModule) -> Result<bool> {
        let (digest, decides) = (module.digest, module.decides);
        let faults = self.store.read(move |conn| Ok(modules::get(conn, &digest, decides)?)).await?;
        Ok(faults.is_some_and(|faults| faults.quarantined_at.is_some()))
    }

    async fn description_of<W: World>(&self, module: &InstalledModule) -> Result<Description, LoadFault> {
        let loaded = self.load_kept::<W>(&module.name, module.digest).await;
        loaded.map(|module| module.description.clone())
    }
}

pub(super) fn pick(
    of_name: Vec<InstalledModule>,
    name: &StrategyName,
    which: Option<&str>,
) -> Result<InstalledModule, Refused> {
    if of_name.is_empty() {
        return Err(format!("no module '{name}' is installed: see revenue-strategy list"));
    }
    let Some(which) = which else {
        let rank = |module: &&InstalledModule| match module.stage {
            Stage::Canary => 0,
            Stage::Shadow => 1,
            Stage::Verified => 2,
            Stage::Active => 3,
            Stage::Superseded => 4,
        };
        let first = of_name.iter().min_by_key(rank).expect("there is one at least");
        return Ok(first.clone());
    };
    let digits = which.to_ascii_lowercase();
    let is_meant = |module: &&InstalledModule| {
        module.version == which || digits.len() >= 6 && module.digest.to_string().starts_with(&digits)
    };
    let found: Vec<&InstalledModule> = of_name.iter().filter(is_meant).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(format!(
            "no module '{name}' has version or digest '{which}': see revenue-strategy show {name}"
        )),
        _ => Err(format!("{} modules '{name}' have version '{which}': name one by its digest", found.len())),
    }
}

/// An audit row for what an operator did.
fn by_operator(module: &InstalledModule, action: &str, detail: String, now: UnixTime) -> ModuleEvent {
    ModuleEvent {
        at: now,
        name: module.name.clone(),
        digest: Some(module.digest),
        action: action.to_owned(),
        by: "operator".to_owned(),
        detail,
    }
}

/// Moves a module to another stage, which ends its canary.
fn moved(module: &InstalledModule, stage: Stage, now: UnixTime) -> InstalledModule {
    InstalledModule { stage, stage_since: now, canary: None, ..module.clone() }
}

/// The module as it stands in this transaction, which is where it stood when it was looked at; else
/// somebody removed it or took a step with it meanwhile.
fn again(tx: &Transaction<'_>, module: &InstalledModule) -> Result<Result<InstalledModule, Refused>> {
    let Some(found) = installed::get(tx, &module.name, &module.digest)? else {
        return Ok(Err(format!("module '{}' was removed meanwhile", module.name)));
    };
    if (found.stage, &found.stands_for) == (module.stage, &module.stands_for) {
        return Ok(Ok(found));
    }
    let InstalledModule { name, version, stage, stands_for, .. } = found;
    Ok(Err(format!(
        "'{name}' {version} became {stage} of '{stands_for}' meanwhile: look at it and say it again"
    )))
}

/// A module's digest in an answer's sentence.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cycles) fn module(digest: u8, version: &str, stage: Stage) -> InstalledModule {
        InstalledModule {
            name: "mine".parse().expect("a name"),
            digest: Digest([digest; 32]),
            decides: CycleKind::Fee,
            version: version.to_owned(),
            bytes: 1,
            stage,
            stage_since: UnixTime(1),
            installed_at: UnixTime(1),
            stands_for: StrategyName::dynamic(),
            signers: Vec::new(),
            manifest: None,
            canary: None,
        }
    }

    #[test]
    fn a_module_is_found_by_what_an_operator_types() {
        let name: StrategyName = "mine".parse().expect("a name");
        let all = || {
            vec![
                module(0xaa, "1.0.0", Stage::Active),
                module(0xbb, "1.1.0", Stage::Verified),
                module(0xcc, "1.1.0", Stage::Superseded),
            ]
        };
        let found = |which| pick(all(), &name, which).map(|module| module.digest.0[0]);
        assert_eq!(found(None), Ok(0xbb));
        assert_eq!(found(Some("1.0.0")), Ok(0xaa));
        assert_eq!(found(Some("CCCCCC")), Ok(0xcc));
        for (which, part) in [("1.1.0", "2 modules"), ("cc", "no module 'mine' has"), ("2.0.0", "'2.0.0'")] {
            let why = found(Some(which)).expect_err(which);
            assert!(why.contains(part), "{why}");
        }
        assert!(pick(Vec::new(), &name, None).expect_err("none").contains("no module 'mine' is installed"));
    }
}
