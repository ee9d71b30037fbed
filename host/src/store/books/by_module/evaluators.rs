//! What rebalances moved and cost, by who proposed them.

use crate::model::{Digest, Msat, StrategyName, UnixTime};
use crate::store::sql::{Unsigned, word};
use crate::store::tenures;
use rusqlite::{Connection, Result};

/// Who proposed a rebalance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposer {
    Evaluator {
        name: StrategyName,
        /// Its module; none where it was not noted.
        digest: Option<Digest>,
        version: Option<String>,
    },
    /// Somebody by `revenue-rebalance`.
    Operator,
    /// Another program, or somebody by hand.
    Others,
}

/// The payments of one proposer's jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluatorBooks {
    pub by: Proposer,
    /// Jobs that moved something.
    pub jobs: u64,
    pub payments: u64,
    pub moved: Msat,
    pub fee: Msat,
}

/// All payments to ourselves from `since` on, by proposer.
pub fn by_evaluator(conn: &Connection, since: UnixTime) -> Result<Vec<EvaluatorBooks>> {
    let versions = tenures::versions(conn)?;
    let mut select = conn.prepare_cached(
        "SELECT j.id IS NOT NULL AS is_job, j.evaluator AS evaluator, j.evaluator_digest AS digest,
             count(DISTINCT j.id) AS jobs, count(*) AS payments, sum(r.amount_msat) AS moved, sum(r.fee_msat) AS fee
         FROM rebalances r LEFT JOIN rebalance_jobs j ON j.id = r.job_id
         WHERE r.completed_at_s >= ?1 GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3",
    )?;
    let books = select.query_map([since], |row| {
        let by = match (row.get("is_job")?, row.get::<_, Option<String>>("evaluator")?) {
            (false, _) => Proposer::Others,
            (true, None) => Proposer::Operator,
            (true, Some(_)) => {
                let digest: Option<Digest> = row.get("digest")?;
                let version = digest.and_then(|digest| versions.get(&digest).cloned());
                let name = word(row, "evaluator", |name| name.parse().ok())?;
                Proposer::Evaluator { name, digest, version }
            }
        };
        let count = |column: &str| row.get::<_, Unsigned>(column).map(|count| count.0);
        Ok(EvaluatorBooks {
            by,
            jobs: count("jobs")?,
            payments: count("payments")?,
            moved: row.get("moved")?,
            fee: row.get("fee")?,
        })
    })?;
    books.collect()
}
