//! Attempts to rebalance, and what they cost.
//!
//! Two tables tell of them: one has a row for every attempt, the other one for each that cost something.
//! A pair of rows that mean the same becomes one.

use crate::model::{Msat, Scid, UnixTime};
use crate::store::adopt::found::{Found, FoundRebalance, Part};
use crate::store::adopt::table::{each_row, read_scid};
use rusqlite::{Connection, Result};
use std::collections::HashMap;

/// A job runs for two hours at most; its cost is noted at its end, the attempt at its beginning.
const LONGEST_JOB_S: u64 = 3 * UnixTime::HOUR;
/// Endings of attempts that may have cost something.
const PAID: [&str; 3] = ["success", "failed", "partial"];

/// A row of the second table.
struct Paid {
    to: Scid,
    fee: Msat,
    amount: Msat,
    at: UnixTime,
}

/// `since` is where the node's own record of payments begins: costs from then on are not counted.
pub(super) fn all(conn: &Connection, since: Option<UnixTime>, found: &mut Found) -> Result<()> {
    let mut attempts = attempts(conn, found)?;
    let (matched, lone) = assign(paid(conn, found)?, &attempts);
    for (index, paid) in matched {
        let attempt = &mut attempts[index];
        (attempt.amount, attempt.at, attempt.spent) = (paid.amount, paid.at, true);
    }
    attempts.extend(lone.into_iter().map(|paid| FoundRebalance {
        from: None,
        to: Some(paid.to),
        amount: paid.amount,
        fee: Some(paid.fee),
        status: "success".to_owned(),
        kind: "normal".to_owned(),
        at: paid.at,
        spent: true,
    }));
    for attempt in attempts.iter_mut().filter(|attempt| attempt.spent) {
        if since.is_some_and(|since| attempt.at >= since) {
            attempt.spent = false;
            found.tally.known(Part::RebalanceCosts, "the node's payments cover that time", 1);
        } else {
            found.tally.taken(Part::RebalanceCosts, 1);
        }
    }
    attempts.sort_by_key(|attempt| attempt.at);
    found.rebalances = attempts;
    Ok(())
}

const ATTEMPT: [&str; 7] =
    ["from_channel", "to_channel", "amount_sats", "actual_fee_sats", "status", "rebalance_type", "timestamp"];

fn attempts(conn: &Connection, found: &mut Found) -> Result<Vec<FoundRebalance>> {
    let mut attempts = Vec::new();
    let scid = |text: Option<String>| text.as_deref().and_then(read_scid);
    let tally = &mut found.tally;
    each_row(conn, "rebalance_history", &ATTEMPT, (tally, Part::RebalanceHistory), |cells, tally| {
        let (status, fee) = (cells.text("status")?, cells.opt_sats("actual_fee_sats")?);
        let spent = fee.is_some_and(|fee| fee > Msat::ZERO) && PAID.contains(&status.as_str());
        let amount = cells.sats("amount_sats")?;
        attempts.push(FoundRebalance {
            from: scid(cells.opt_text("from_channel")?),
            to: scid(cells.opt_text("to_channel")?),
            // What was wanted did not arrive where the attempt failed.
            amount: if spent && status != "success" { Msat::ZERO } else { amount },
            fee,
            kind: cells.opt_text("rebalance_type")?.unwrap_or_else(|| "normal".to_owned()),
            at: cells.time("timestamp")?,
            status,
            spent,
        });
        tally.taken(Part::RebalanceHistory, 1);
        Ok(())
    })?;
    Ok(attempts)
}

fn paid(conn: &Connection, found: &mut Found) -> Result<Vec<Paid>> {
    let mut rows = Vec::new();
    let names = ["channel_id", "cost_sats", "amount_sats", "timestamp"];
    each_row(conn, "rebalance_costs", &names, (&mut found.tally, Part::RebalanceCosts), |cells, _| {
        let fee = cells.sats("cost_sats")?;
        if fee == Msat::ZERO {
            return Err("it cost nothing".to_owned());
        }
        let (to, at) = (cells.scid("channel_id")?, cells.time("timestamp")?);
        rows.push(Paid { to, fee, amount: cells.sats("amount_sats")?, at });
        Ok(())
    })?;
    Ok(rows)
}

/// For each cost the attempt that it belongs to: the latest successful one before it to the same channel
/// with the same fee. Costs without one are returned apart.
fn assign(mut paid: Vec<Paid>, attempts: &[FoundRebalance]) -> (Vec<(usize, Paid)>, Vec<Paid>) {
    let mut open: HashMap<(Scid, Msat), Vec<(UnixTime, usize)>> = HashMap::new();
    for (index, attempt) in attempts.iter().enumerate() {
        if let (Some(to), Some(fee), "success") = (attempt.to, attempt.fee, attempt.status.as_str()) {
            open.entry((to, fee)).or_default().push((attempt.at, index));
        }
    }
    open.values_mut().for_each(|attempts| attempts.sort_unstable());
    paid.sort_by_key(|paid| paid.at);
    let (mut matched, mut lone) = (Vec::new(), Vec::new());
    // From the last cost backwards: each takes the last attempt before it.
    for cost in paid.into_iter().rev() {
        let candidates = open.get_mut(&(cost.to, cost.fee));
        let fits = |(at, _): &(UnixTime, usize)| *at <= cost.at && cost.at.since(*at) <= LONGEST_JOB_S;
        let taken = candidates.and_then(|candidates| {
            let position = candidates.iter().rposition(fits)?;
            Some(candidates.remove(position).1)
        });
        match taken {
            Some(index) => matched.push((index, cost)),
            None => lone.push(cost),
        }
    }
    (matched, lone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str, since: Option<u64>) -> Found {
        let conn = Connection::open_in_memory().expect("in memory");
        conn.execute_batch(&format!(
            "CREATE TABLE rebalance_history (from_channel, to_channel, amount_sats, actual_fee_sats, status, rebalance_type, timestamp);
             CREATE TABLE rebalance_costs (channel_id, cost_sats, amount_sats, timestamp); {rows}"
        ))
        .expect("rows");
        let mut found = Found::default();
        all(&conn, since.map(UnixTime), &mut found).expect("readable");
        found
    }

    fn spent(found: &Found) -> Vec<(u64, u64)> {
        let spent = found.rebalances.iter().filter(|one| one.spent);
        spent.map(|one| (one.at.0, one.fee.expect("a fee").sats())).collect()
    }

    #[test]
    fn a_cost_and_its_attempt_are_one() {
        let found = read(
            "INSERT INTO rebalance_history VALUES ('1x1x1', '2x2x2', 100, 7, 'success', 'normal', 1000),
                 ('1x1x1', '2x2x2', 100, 7, 'success', 'normal', 9000), ('1x1x1', '3x3x3', 50, 0, 'success', 'normal', 5000);
             INSERT INTO rebalance_costs VALUES ('2x2x2', 7, 90, 9500), ('2x2x2', 7, 90, 1500), ('4x4x4', 3, 10, 2000)",
            None,
        );
        assert_eq!(spent(&found), [(1500, 7), (2000, 3), (9500, 7)]);
        assert_eq!(found.rebalances.len(), 4);
        assert_eq!(found.rebalances[0].amount, Msat(90_000), "what arrived");
        assert!(found.rebalances.iter().any(|one| one.at.0 == 2000 && one.from.is_none()));
    }

    #[test]
    fn a_failed_attempt_may_have_cost_something() {
        let found = read(
            "INSERT INTO rebalance_history VALUES ('1x1x1', '2x2x2', 100, 9, 'failed', 'normal', 10),
                 ('1x1x1', '2x2x2', 100, NULL, 'failed', 'normal', 20), ('1x1x1', '2x2x2', 100, 5, 'pending', NULL, 30)",
            None,
        );
        assert_eq!(spent(&found), [(10, 9)]);
        assert_eq!(found.rebalances[0].amount, Msat::ZERO, "nobody knows what arrived");
    }

    #[test]
    fn what_the_nodes_payments_cover_is_not_counted() {
        let rows = "INSERT INTO rebalance_costs VALUES ('2x2x2', 7, 90, 99), ('2x2x2', 8, 90, 100)";
        let found = read(rows, Some(100));
        assert_eq!(spent(&found), [(99, 7)]);
        assert_eq!(found.rebalances.len(), 2, "it is still shown");
        assert_eq!(spent(&read(rows, None)).len(), 2);
    }
}
