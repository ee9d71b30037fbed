//! What modules on trial would have done, against what the modules in force did.

use super::cycles::Terms;
use super::sql::{Unsigned, int, opt_int};
use crate::model::module::{InstalledModule, Stage};
use crate::model::strategy::NOT_THE_MODULES;
use crate::model::{ChannelId, CycleKind, Digest, StrategyName, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};

/// One decision of a module on trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRun {
    pub name: StrategyName,
    pub digest: Digest,
    /// The world in which it decides.
    pub decides: CycleKind,
    pub stage: Stage,
    pub channels: u32,
    /// Channels for which both want the same.
    pub same: u32,
    pub differences: Vec<Difference>,
    /// Proposals that the guard refused.
    pub refused: u32,
    pub fuel: Option<u64>,
    pub took_us: u64,
    /// Code and text.
    pub fault: Option<(String, String)>,
}

/// A channel for which the two want different things: a fee rate in ppm with what goes with it, or an
/// amount in msat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub channel_id: ChannelId,
    pub in_force: Option<u64>,
    pub on_trial: Option<u64>,
    /// What goes with the fee rates.
    pub in_force_terms: Terms,
    pub on_trial_terms: Terms,
    pub reason: String,
    /// The guard's word on what the module on trial wants.
    pub verdict: String,
}

/// All decisions of one module on trial, in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrialSums {
    pub runs: u64,
    pub since: Option<UnixTime>,
    pub last: Option<UnixTime>,
    /// Channels summed over the runs.
    pub channels: u64,
    pub same: u64,
    pub differing: u64,
    /// Sum of the differences, ppm or msat.
    pub difference: u64,
    pub refused: u64,
    pub faults: u64,
    pub fuel: u64,
    pub took_us: u64,
}

/// Keeps a decision on trial; `cycle` is the cycle in which it was made.
pub fn record(tx: &Transaction<'_>, run: &TrialRun, cycle: i64, now: UnixTime) -> Result<()> {
    let apart = |one: &Difference| one.in_force.unwrap_or(0).abs_diff(one.on_trial.unwrap_or(0));
    let difference: u64 = run.differences.iter().map(apart).fold(0, u64::saturating_add);
    tx.prepare_cached(
        "INSERT INTO trial_runs (at_s, cycle_id, name, digest, stage, channels, same, differing, difference, refused,
             fuel, took_us, fault_code, fault_text, decides)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        now,
        cycle,
        run.name.as_str(),
        run.digest,
        run.stage.name(),
        run.channels,
        run.same,
        int(run.differences.len() as u64)?,
        int(difference)?,
        run.refused,
        opt_int(run.fuel)?,
        int(run.took_us)?,
        run.fault.as_ref().map(|(code, _)| code),
        run.fault.as_ref().map(|(_, text)| text),
        run.decides.name(),
    ])?;
    let id = tx.last_insert_rowid();
    let mut put = tx.prepare_cached(
        "INSERT INTO trial_differences (run_id, channel_id, in_force, on_trial, reason, verdict, in_force_base_msat,
             on_trial_base_msat, in_force_htlc_max_msat, on_trial_htlc_max_msat)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for one in &run.differences {
        let (in_force, on_trial) = (opt_int(one.in_force)?, opt_int(one.on_trial)?);
        put.execute(params![
            id,
            one.channel_id,
            in_force,
            on_trial,
            one.reason,
            one.verdict,
            one.in_force_terms.base_fee,
            one.on_trial_terms.base_fee,
            one.in_force_terms.htlc_max,
            one.on_trial_terms.htlc_max,
        ])?;
    }
    Ok(())
}

/// An installed module's decisions on trial since `since`: not those of its file under another name, or
/// in the other world. Where it could not be asked, it made none.
pub fn sums(conn: &Connection, of: &InstalledModule, since: UnixTime) -> Result<TrialSums> {
    conn.prepare_cached(&format!(
        "SELECT count(*) AS runs, min(at_s) AS first, max(at_s) AS last, coalesce(sum(channels), 0) AS channels,
             coalesce(sum(same), 0) AS same, coalesce(sum(differing), 0) AS differing,
             coalesce(sum(difference), 0) AS difference, coalesce(sum(refused), 0) AS refused,
             count(fault_code) AS faults, coalesce(sum(fuel), 0) AS fuel, coalesce(sum(took_us), 0) AS took_us
         FROM trial_runs WHERE name = ?1 AND digest = ?2 AND decides = ?3 AND at_s >= ?4
             AND (fault_code IS NULL OR fault_code NOT IN ('{}'))",
        NOT_THE_MODULES.join("', '")
    ))?
    .query_row(params![of.name.as_str(), of.digest, of.decides.name(), since], |row| {
        let count = |column: &str| row.get::<_, Unsigned>(column).map(|count| count.0);
        Ok(TrialSums {
            runs: count("runs")?,
            since: row.get("first")?,
            last: row.get("last")?,
            channels: count("channels")?,
            same: count("same")?,
            differing: count("differing")?,
            difference: count("difference")?,
            refused: count("refused")?,
            faults: count("faults")?,
            fuel: count("fuel")?,
            took_us: count("took_us")?,
        })
    })
}

/// The differences of an installed module's latest decision on trial.
pub fn latest(conn: &Connection, of: &InstalledModule) -> Result<Vec<Difference>> {
    conn.prepare_cached(
        "SELECT * FROM trial_differences
         WHERE run_id = (SELECT max(id) FROM trial_runs WHERE name = ?1 AND digest = ?2 AND decides = ?3)
         ORDER BY channel_id",
    )?
    .query_map(params![of.name.as_str(), of.digest, of.decides.name()], |row| {
        let amount = |column: &str| row.get::<_, Option<Unsigned>>(column).map(|value| value.map(|v| v.0));
        Ok(Difference {
            channel_id: row.get("channel_id")?,
            in_force: amount("in_force")?,
            on_trial: amount("on_trial")?,
            in_force_terms: Terms {
                base_fee: row.get("in_force_base_msat")?,
                htlc_max: row.get("in_force_htlc_max_msat")?,
            },
            on_trial_terms: Terms {
                base_fee: row.get("on_trial_base_msat")?,
                htlc_max: row.get("on_trial_htlc_max_msat")?,
            },
            reason: row.get("reason")?,
            verdict: row.get("verdict")?,
        })
    })?
    .collect()
}

/// Forgets decisions on trial made before `before`. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute("DELETE FROM trial_runs WHERE at_s < ?1", [before])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Msat;
    use crate::store::testing::memory;

    /// One file, installed by this name for this world.
    fn installed(name: &str, decides: CycleKind) -> InstalledModule {
        InstalledModule {
            name: name.parse().expect("a name"),
            digest: Digest([7; 32]),
            decides,
            version: "1.0.0".to_owned(),
            bytes: 1,
            stage: Stage::Shadow,
            stage_since: UnixTime(0),
            installed_at: UnixTime(0),
            stands_for: decides.built_in(),
            signers: Vec::new(),
            manifest: None,
            canary: None,
        }
    }

    #[test]
    fn one_file_has_trials_of_its_own_under_each_name_and_in_each_world() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let run = |of: &InstalledModule, fault: Option<&str>| TrialRun {
            name: of.name.clone(),
            digest: of.digest,
            decides: of.decides,
            stage: of.stage,
            channels: 1,
            same: 0,
            differences: Vec::new(),
            refused: 0,
            fuel: None,
            took_us: 1,
            fault: fault.map(|code| (code.to_owned(), String::new())),
        };
        let (one, other) = (installed("one", CycleKind::Fee), installed("other", CycleKind::Fee));
        let evaluator = installed("one", CycleKind::Rebalance);
        record(&tx, &run(&one, None), 1, UnixTime(10)).expect("kept");
        record(&tx, &run(&evaluator, Some("trap")), 1, UnixTime(10)).expect("kept");
        let told = [&one, &other, &evaluator].map(|of| {
            let sums = sums(&tx, of, UnixTime(0)).expect("sums");
            (sums.runs, sums.faults)
        });
        assert_eq!(told, [(1, 0), (0, 0), (1, 1)]);
    }

    #[test]
    fn decisions_on_trial_are_summed_and_the_latest_is_shown() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let difference = |on_trial| Difference {
            channel_id: ChannelId([1; 32]),
            in_force: Some(100),
            on_trial,
            in_force_terms: Terms { base_fee: Some(Msat(0)), htlc_max: None },
            on_trial_terms: Terms { base_fee: Some(Msat(1)), htlc_max: Some(Msat(9)) },
            reason: "night".to_owned(),
            verdict: "approved".to_owned(),
        };
        let run = |on_trial| TrialRun {
            name: "mine".parse().expect("a name"),
            digest: Digest([7; 32]),
            decides: CycleKind::Fee,
            stage: Stage::Shadow,
            channels: 3,
            same: 2,
            differences: vec![difference(on_trial)],
            refused: 1,
            fuel: Some(10),
            took_us: 5,
            fault: None,
        };
        for (at, on_trial) in [(10, Some(130)), (20, None)] {
            record(&tx, &run(on_trial), 1, UnixTime(at)).expect("kept");
        }
        let module = installed("mine", CycleKind::Fee);
        let all = sums(&tx, &module, UnixTime(0)).expect("sums");
        assert_eq!((all.runs, all.channels, all.same, all.differing, all.difference), (2, 6, 4, 2, 130));
        assert_eq!(
            (all.since, all.last, all.fuel, all.faults),
            (Some(UnixTime(10)), Some(UnixTime(20)), 20, 0)
        );
        assert_eq!(latest(&tx, &module), Ok(vec![difference(None)]));
        // A run in which it could not be asked is none of its.
        for (code, faults) in [("host", 0), ("no_worker", 0), ("compile_time", 0), ("trap", 1)] {
            let fault = Some((code.to_owned(), String::new()));
            record(&tx, &TrialRun { fault, ..run(None) }, 1, UnixTime(15)).expect("kept");
            let all = sums(&tx, &module, UnixTime(0)).expect("sums");
            assert_eq!((all.runs, all.faults), (2 + faults, faults), "{code}");
        }
        assert_eq!(prune(&tx, UnixTime(20)), Ok(5));
        assert_eq!(sums(&tx, &module, UnixTime(0)).map(|sums| sums.runs), Ok(1));
    }
}
