//! The steps of a module's life that an operator takes.

use super::{Refused, Wish, again, by_operator, moved, short};
use crate::cycles::Services;
use crate::engine::{Fees, Rebalances};
use crate::model::module::{InstalledModule, Stage};
use crate::model::{CycleKind, Digest, StrategyName, UnixTime};
use crate::store::states::{self, Holder};
use crate::store::trials::TrialSums;
use crate::store::{Transaction, installed, policies, trials};
use anyhow::Result;

impl Services {
    /// Lets a module decide beside the one in force, from the next cycle on.
    pub async fn shadow(
        &self,
        module: InstalledModule,
        stands_for: Option<StrategyName>,
    ) -> Wish<InstalledModule> {
        let stands_for = match self.place(&module, stands_for).await? {
            Ok(place) => place,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = self.may_be_asked(&module).await? {
            return Ok(Err(why));
        }
        let now = self.now();
        self.store
            .write(move |tx| {
                let module = match again(tx, &module)? {
                    Ok(module) if module.stage == Stage::Active => {
                        return Ok(Err(format!(
                            "'{}' {} is in force: it cannot be its own shadow",
                            module.name, module.version
                        )));
                    }
                    Ok(module) => module,
                    Err(why) => return Ok(Err(why)),
                };
                let shadow = InstalledModule { stands_for, ..moved(&module, Stage::Shadow, now) };
                let (live, own) = (Holder::place(&shadow), Holder::own(&shadow));
                if !states::has_any(tx, &own)? {
                    // What it cannot read is not given to it: states carry their format's version.
                    states::copy(tx, &live, &own)?;
                }
                installed::put(tx, &shadow)?;
                let detail = format!("from {} to shadow of '{}'", module.stage, shadow.stands_for);
                installed::note(tx, &by_operator(&module, "shadow", detail, now))?;
                Ok(Ok(shadow))
            })
            .await
    }

    /// Puts a module in force, from the next cycle on. What was in force is kept for a rollback.
    pub async fn activate(
        &self,
        module: InstalledModule,
        stands_for: Option<StrategyName>,
        force: bool,
    ) -> Wish<InstalledModule> {
        let place = match self.place(&module, stands_for).await? {
            Ok(place) => place,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = self.has_proved_itself(&module, force).await? {
            return Ok(Err(why));
        }
        if let Err(why) = self.may_be_asked(&module).await? {
            return Ok(Err(why));
        }
        let (before, now) = (self.named_digest(&place, module.decides).await, self.now());
        self.store.write(move |tx| put_in_force(tx, &module, place, before, now)).await
    }

    /// Takes a module's last step back: ends its trial, or puts what was in force before it in force
    /// again. Gives the module, and what decides then.
    pub async fn rollback(&self, name: StrategyName) -> Wish<(InstalledModule, Option<InstalledModule>)> {
        let all = self.installed().await?;
        let meant = |one: &&InstalledModule| one.name == name || one.stands_for == name;
        let on_trial = all.iter().filter(meant).find(|one| one.stage.is_trial() && one.name == name);
        let Some(module) =
            on_trial.or_else(|| all.iter().filter(meant).find(|one| one.stage == Stage::Active)).cloned()
        else {
            return Ok(Err(format!(
                "no installed module '{name}' is in force or on trial: there is nothing to take back"
            )));
        };
        let now = self.now();
        if module.stage.is_trial() {
            let ended = self.store.write(move |tx| end_trial(tx, &module, now)).await?;
            return Ok(ended.map(|module| (module, None)));
        }
        let before = self.named_digest(&module.stands_for, module.decides).await;
        self.store.write(move |tx| put_back(tx, &module, before, now)).await
    }

    /// The strategy for whose peers a module is to decide. Without a word: where it stands, when it
    /// is on trial or in force; else its own name, if a peer's policy names it; else the built-in one.
    async fn place(&self, module: &InstalledModule, wish: Option<StrategyName>) -> Wish<StrategyName> {
        let place = match wish {
            Some(wish) => wish,
            None if module.stage.is_trial() || module.stage == Stage::Active => module.stands_for.clone(),
            None => {
                let policies = self.store.read(|conn| Ok(policies::load_all(conn)?)).await?;
                let named = InstalledModule { stands_for: module.name.clone(), ..module.clone() };
                let is_used = policies.iter().any(|policy| named.is_named_by(policy));
                if is_used { module.name.clone() } else { module.decides.built_in() }
            }
        };
        Ok(check_place(module, place))
    }

    async fn has_proved_itself(&self, module: &InstalledModule, force: bool) -> Result<Result<(), Refused>> {
        if force || matches!(module.stage, Stage::Active | Stage::Superseded) {
            return Ok(Ok(()));
        }
        let (seen, name) = (self.seen_on_trial(module).await?, &module.name);
        Ok(if seen.runs == 0 {
            Err(format!("'{name}' never decided on trial: shadow it first, or say force=true"))
        } else if seen.faults > 0 {
            Err(format!(
                "'{name}' failed in {} of {} decisions on trial: say force=true to put it in force all the same",
                seen.faults, seen.runs
            ))
        } else {
            Ok(())
        })
    }

    /// What a module did on trial since it was installed.
    pub(in crate::cycles) async fn seen_on_trial(&self, module: &InstalledModule) -> Result<TrialSums> {
        let (tried, since) = (module.clone(), module.installed_at);
        self.store.read(move |conn| Ok(trials::sums(conn, &tried, since)?)).await
    }

    /// The digest of the module that the name alone means: built in, or a file.
    async fn named_digest(&self, strategy: &StrategyName, decides: CycleKind) -> Option<Digest> {
        match decides {
            CycleKind::Fee => self.load_module::<Fees>(strategy).await.ok().map(|module| module.digest),
            CycleKind::Rebalance => {
                self.load_module::<Rebalances>(strategy).await.ok().map(|module| module.digest)
            }
        }
    }
}

fn check_place(module: &InstalledModule, place: StrategyName) -> Result<StrategyName, Refused> {
    let fits = match module.decides {
        _ if place.is_static() || place.is_passive() => false,
        CycleKind::Fee => !StrategyName::EVALUATORS.contains(&place.as_str()),
        CycleKind::Rebalance => !StrategyName::BUILT_IN.contains(&place.as_str()),
    };
    if fits {
        return Ok(place);
    }
    let may = match module.decides {
        CycleKind::Fee => "dynamic, hive, or a name that policies use",
        CycleKind::Rebalance => "rebalance-ev, or a name that policies use",
    };
    Err(format!("'{}' ({}) cannot stand for '{place}': it may for {may}", module.name, module.decides.name()))
}

/// Makes a module the one in force for `place`. What was in force there is kept, with its memory.
fn put_in_force(
    tx: &Transaction<'_>,
    module: &InstalledModule,
    place: StrategyName,
    before: Option<Digest>,
    now: UnixTime,
) -> Wish<InstalledModule> {
    let module = match again(tx, module)? {
        Ok(module) => module,
        Err(why) => return Ok(Err(why)),
    };
    if module.stage == Stage::Active {
        return Ok(if module.stands_for == place { Ok(module) } else { Err(elsewhere(&module, &place)) });
    }
    let in_force = |one: &InstalledModule| one.is_in_force_for(&place, module.decides);
    let mut aside = before.map(|digest| Holder::Module(module.decides, place.clone(), digest));
    for old in installed::all(tx)?.into_iter().filter(in_force) {
        aside = Some(Holder::own(&old));
        installed::put(tx, &moved(&old, Stage::Superseded, now))?;
        let detail = format!("by '{}' {} ({})", module.name, module.version, short(&module.digest));
        installed::note(tx, &by_operator(&old, "superseded", detail, now))?;
    }
    let active = InstalledModule { stands_for: place, ..moved(&module, Stage::Active, now) };
    let (live, own) = (Holder::place(&active), Holder::own(&active));
    if let Some(aside) = aside {
        states::copy(tx, &live, &aside)?;
    }
    if states::has_any(tx, &own)? {
        states::hand_over(tx, &own, &live)?;
    }
    installed::put(tx, &active)?;
    let detail = format!("from {} to decide for '{}'", module.stage, active.stands_for);
    installed::note(tx, &by_operator(&module, "activate", detail, now))?;
    Ok(Ok(active))
}

/// What decides there gets its memory back by a rollback only.
fn elsewhere(module: &InstalledModule, place: &StrategyName) -> Refused {
    let InstalledModule { name, version, stands_for, .. } = module;
    format!(
        "'{name}' {version} is in force for '{stands_for}': roll it back before it decides for '{place}', or install it \
         once more under another name=... to have it decide for both"
    )
}

/// Ends a module's trial.
fn end_trial(tx: &Transaction<'_>, module: &InstalledModule, now: UnixTime) -> Wish<InstalledModule> {
    let module = match again(tx, module)? {
        Ok(module) => module,
        Err(why) => return Ok(Err(why)),
    };
    let ended = moved(&module, Stage::Verified, now);
    installed::put(tx, &ended)?;
    installed::note(tx, &by_operator(&module, "rollback", format!("the {} ended", module.stage), now))?;
    Ok(Ok(ended))
}

/// What was in force for the module's strategy before it.
fn previous(tx: &Transaction<'_>, module: &InstalledModule) -> Result<Option<InstalledModule>> {
    let superseded = installed::all(tx)?.into_iter().filter(|one| one.stage == Stage::Superseded);
    Ok(superseded
        .filter(|one| one.has_place(&module.stands_for, module.decides))
        .max_by_key(|one| one.stage_since))
}

/// Ends a module's time in force. What was in force before it, or whatever the strategy's name alone
/// means (`before`), has its memory back.
fn put_back(
    tx: &Transaction<'_>,
    module: &InstalledModule,
    before: Option<Digest>,
    now: UnixTime,
) -> Wish<(InstalledModule, Option<InstalledModule>)> {
    let module = &match again(tx, module)? {
        Ok(module) => module,
        Err(why) => return Ok(Err(why)),
    };
    let previous = previous(tx, module)?;
    let ended = moved(module, Stage::Verified, now);
    installed::put(tx, &ended)?;
    let live = Holder::place(module);
    states::hand_over(tx, &live, &Holder::own(module))?;
    let named = || Some(Holder::Module(module.decides, module.stands_for.clone(), before?));
    if let Some(aside) = previous.as_ref().map(Holder::own).or_else(named) {
        states::hand_over(tx, &aside, &live)?;
    }
    let back = previous.map(|previous| moved(&previous, Stage::Active, now));
    if let Some(back) = &back {
        installed::put(tx, back)?;
    }
    let instead = back.as_ref().map_or_else(
        || format!("what '{}' was before", module.stands_for),
        |back| format!("'{}' {}", back.name, back.version),
    );
    installed::note(tx, &by_operator(module, "rollback", format!("to {instead}"), now))?;
    Ok(Ok((ended, back)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;
    use super::*;
    use crate::cycles::strategies::{Decider, Roster};
    use crate::store::testing::memory;

    #[test]
    fn a_memory_goes_with_its_module_through_steps_in_the_middle_of_a_cycle() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let (place, now) = (StrategyName::dynamic(), UnixTime(9));
        let (built_in, mine) = (Digest([0xdd; 32]), module(0xaa, "1.0.0", Stage::Shadow));
        installed::put(&tx, &mine).expect("kept");
        let asked = |digest: Digest| {
            let roster = Roster::read(&tx).expect("read");
            roster.decider(&place, CycleKind::Fee, digest)
        };
        let lies = |decider: &Decider| decider.holder(&tx).expect("read");
        let live = Some(Holder::place(&mine));
        let aside = Some(Holder::Module(CycleKind::Fee, place.clone(), built_in));

        let (named, on_trial) = (asked(built_in), Decider::installed(&mine));
        assert_eq!((lies(&named), lies(&on_trial)), (live.clone(), Some(Holder::own(&mine))));
        let active = put_in_force(&tx, &mine, place.clone(), Some(built_in), now).expect("stored");
        assert_eq!((lies(&named), lies(&on_trial)), (aside.clone(), live.clone()));

        let (in_force, stands_in) = (asked(mine.digest), asked(built_in));
        assert_eq!((lies(&in_force), lies(&stands_in)), (live.clone(), aside));
        put_back(&tx, &active.expect("in force"), Some(built_in), now).expect("stored").expect("taken back");
        assert_eq!((lies(&in_force), lies(&stands_in)), (Some(Holder::own(&mine)), live));

        installed::remove(&tx, &mine.name, &mine.digest).expect("removed");
        assert_eq!(lies(&in_force), None);
    }

    #[test]
    fn a_step_back_is_not_taken_from_where_a_module_is_no_longer() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let now = UnixTime(9);
        let (old, new) = (module(0xaa, "1.0.0", Stage::Active), module(0xbb, "1.1.0", Stage::Verified));
        installed::put(&tx, &old).expect("kept");
        installed::put(&tx, &new).expect("kept");
        let place = StrategyName::dynamic();
        put_in_force(&tx, &new, place, None, now).expect("stored").expect("in force");
        // Somebody looked while the old one was in force.
        let why = put_back(&tx, &old, None, now).expect("stored").expect_err("it is not in force");
        assert!(why.contains("'mine' 1.0.0 became superseded of 'dynamic' meanwhile"), "{why}");
        let stage =
            |digest: &Digest| installed::get(&tx, &old.name, digest).expect("read").map(|one| one.stage);
        assert_eq!((stage(&old.digest), stage(&new.digest)), (Some(Stage::Superseded), Some(Stage::Active)));

        let seen = InstalledModule { stage: Stage::Active, ..new.clone() };
        let (ended, back) = put_back(&tx, &seen, None, now).expect("stored").expect("taken back");
        assert_eq!((ended.stage, back.map(|back| back.digest)), (Stage::Verified, Some(old.digest)));
        let on_trial = module(0xbb, "1.1.0", Stage::Shadow);
        let why = end_trial(&tx, &on_trial, now).expect("stored").expect_err("it is on trial no more");
        assert!(why.contains("became verified"), "{why}");
    }
}
