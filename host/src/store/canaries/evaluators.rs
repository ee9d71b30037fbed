//! What is known of an evaluator's canary: its proposals and the cost of its jobs, and those of the evaluator
//! beside it.

use crate::econ::canary::Refusals;
use crate::econ::canary::evaluator::{Evidence, Group};
use crate::model::module::{Canary, InstalledModule};
use crate::model::refusal::RebalanceRefusal;
use crate::model::{ChannelId, Digest, Msat, UnixTime};
use crate::store::sql::Unsigned;
use anyhow::Result;
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// How far back from a canary's beginning jobs are looked at, at least: they are few.
const LEAST_BEFORE_S: u64 = 30 * UnixTime::DAY;

/// What a canary that evaluates rebalances, and the module in force for the other channels, did.
pub fn evaluations(
    conn: &Connection,
    module: &InstalledModule,
    canary: &Canary,
    now: UnixTime,
) -> Result<Evidence> {
    let channels: HashSet<ChannelId> = canary.channels.iter().copied().collect();
    let mut evidence = Evidence { faults: super::faults(conn, module, canary)?, ..Evidence::default() };
    let begin = canary.since.minus(now.since(canary.since).max(LEAST_BEFORE_S));
    for job in jobs(conn, begin, module)? {
        let is_since = job.at >= canary.since;
        match (channels.contains(&job.to), job.is_modules) {
            (true, true) if is_since => evidence.canary.since.push(job.ppm),
            (true, false) if !is_since => evidence.canary.before.push(job.ppm),
            (false, false) if is_since => evidence.rest.since.push(job.ppm),
            (false, false) => evidence.rest.before.push(job.ppm),
            // Of an earlier trial, or handed over as it began.
            _ => {}
        }
    }
    count_words(conn, &channels, canary.since, module, &mut evidence.canary, &mut evidence.rest)?;
    Ok(evidence)
}

/// A settled job that moved something.
struct Job {
    to: ChannelId,
    at: UnixTime,
    /// The module on trial proposed it.
    is_modules: bool,
    /// What it cost of what it moved.
    ppm: f64,
}

/// Jobs that evaluators proposed for the module's place from `begin` on, by nobody's force.
fn jobs(conn: &Connection, begin: UnixTime, module: &InstalledModule) -> Result<Vec<Job>> {
    let mut select = conn.prepare_cached(
        "SELECT j.to_channel, j.reserved_at_s, j.evaluator_digest, sum(r.amount_msat) AS moved, sum(r.fee_msat) AS fee
         FROM rebalance_jobs j JOIN rebalances r ON r.job_id = j.id
         WHERE j.reserved_at_s >= ?1 AND j.evaluator = ?2 AND j.forced = 0 AND j.state = 'settled'
         GROUP BY j.id HAVING moved > 0 ORDER BY j.id",
    )?;
    let jobs = select.query_map(params![begin, module.stands_for.as_str()], |row| {
        let (moved, fee): (Msat, Msat) = (row.get("moved")?, row.get("fee")?);
        Ok(Job {
            to: row.get("to_channel")?,
            at: row.get("reserved_at_s")?,
            is_modules: row.get::<_, Option<Digest>>("evaluator_digest")? == Some(module.digest),
            ppm: fee.0 as f64 * 1e6 / moved.0 as f64,
        })
    })?;
    Ok(jobs.collect::<rusqlite::Result<_>>()?)
}

/// Counts proposals in the cycles in which the module decided as a canary, and those that were refused as out
/// of place: for its channels they are its own, for the others those of the module in force.
fn count_words(
    conn: &Connection,
    channels: &HashSet<ChannelId>,
    since: UnixTime,
    module: &InstalledModule,
    own: &mut Group,
    rest: &mut Group,
) -> Result<()> {
    let mut select = conn.prepare_cached(
        "SELECT k.to_channel, k.verdict, count(*) AS proposals
         FROM trial_runs t JOIN rebalance_cycles c ON c.id = t.cycle_id
         JOIN rebalance_candidates k ON k.cycle_id = c.id
         WHERE t.name = ?4 AND t.digest = ?1 AND t.decides = 'rebalance' AND t.at_s >= ?2 AND t.stage = 'canary'
             AND t.fault_code IS NULL AND c.trigger <> 'operator' AND k.decider = ?3 AND k.amount_msat IS NOT NULL
         GROUP BY k.to_channel, k.verdict",
    )?;
    let (name, place) = (module.name.as_str(), module.stands_for.as_str());
    let rows = select.query_map(params![module.digest, since, place, name], |row| {
        let count = row.get::<_, Unsigned>("proposals")?.0;
        Ok((row.get::<_, ChannelId>("to_channel")?, row.get::<_, String>("verdict")?, count))
    })?;
    for row in rows {
        let (channel, verdict, count) = row?;
        let group: &mut Refusals =
            if channels.contains(&channel) { &mut own.refusals } else { &mut rest.refusals };
        group.proposals += count;
        if RebalanceRefusal::OUT_OF_PLACE.contains(&verdict.as_str()) {
            group.refused += count;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::module::{CanaryBounds, Stage};
    use crate::model::{CycleKind, StrategyName};
    use crate::store::testing::memory;

    const MODULE: Digest = Digest([7; 32]);
    const BEGIN: UnixTime = UnixTime(100 * UnixTime::DAY);

    /// A module on trial, and its canary.
    pub fn canary() -> (InstalledModule, Canary) {
        let bounds = CanaryBounds {
            max_revenue_fall_pct: 30.0,
            max_refusals_pct: 20.0,
            max_cost_rise_pct: 50.0,
            min_hours: 24,
            min_forwards: 20,
        };
        let canary = Canary { since: BEGIN, channels: vec![ChannelId([1; 32])], bounds };
        let module = InstalledModule {
            name: "mine".parse().expect("a name"),
            digest: MODULE,
            decides: CycleKind::Rebalance,
            version: "1.0.0".to_owned(),
            bytes: 1,
            stage: Stage::Canary,
            stage_since: BEGIN,
            installed_at: BEGIN,
            stands_for: StrategyName::rebalance_ev(),
            signers: Vec::new(),
            manifest: None,
            canary: Some(canary.clone()),
        };
        (module, canary)
    }

    /// A settled job of the module in force, or of the one on trial, that paid `fee` msat for 1,000 sat.
    fn job(conn: &Connection, to: u8, at: UnixTime, digest: Digest, fee: Msat) {
        conn.execute(
            "INSERT INTO rebalance_jobs (state, evaluator, forced, to_channel, to_scid, to_peer, amount_msat,
                 payment_msat, max_ppm, max_hops, keep_share, keep_most_msat, reserved_msat, fleet, reserved_at_s,
                 deadline_s, settled_at_s, outcome, evaluator_digest)
             VALUES ('settled', 'rebalance-ev', 0, ?1, 1, zeroblob(33), 1, 1, 1, 1, 0.2, 1, 1, 0, ?2, ?2, ?2, 'success',
                 ?3)",
            params![ChannelId([to; 32]), at, digest],
        )
        .expect("a job");
        conn.execute(
            "INSERT INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s, job_id, tries)
             VALUES (randomblob(32), 1, 0, 1000000, ?1, ?2, last_insert_rowid(), 0)",
            params![fee, at],
        )
        .expect("a payment");
    }

    #[test]
    fn jobs_count_where_they_belong() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let (module, canary) = canary();
        let other = Digest([9; 32]);
        for (to, days_ago, digest, fee) in
            [(1, 31, other, 1), (1, 5, other, 200), (1, 5, MODULE, 2), (2, 5, other, 300)]
        {
            job(&tx, to, BEGIN.minus(days_ago * UnixTime::DAY), digest, Msat(fee));
        }
        for (to, digest, fee) in [(1, MODULE, 400), (1, other, 3), (2, other, 500), (2, MODULE, 4)] {
            job(&tx, to, BEGIN.plus(60), digest, Msat(fee));
        }
        let found = evaluations(&tx, &module, &canary, BEGIN.plus(UnixTime::DAY)).expect("evidence");
        assert_eq!((found.canary.before, found.canary.since), (vec![200.0], vec![400.0]));
        assert_eq!((found.rest.before, found.rest.since), (vec![300.0], vec![500.0]));
        assert_eq!(found.faults, 0);
    }
}
