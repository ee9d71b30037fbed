//! Writing what came of the file, in one transaction.

use super::found::{DayKey, Found, FoundCost, FoundOverride, Part, Tally};
use super::original::Horizons;
use crate::model::ledger::CostKind;
use crate::model::{ChannelId, Digest, Policy, Scid, UnixTime};
use crate::store::forwards::Delta;
use crate::store::rebalances::MOST_TRIES;
use crate::store::sql::{int, opt_int};
use crate::store::window::MONTH;
use crate::store::{cursors, overrides, policies};
use rusqlite::{Connection, Result, Transaction, params};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The cursor with the instant until which there may be sums by day that no finer ones stand behind.
pub(in crate::store) const IMPORTED_UNTIL: &str = "flow_days.imported_until";

/// Everything that is to be written.
#[derive(Debug)]
pub struct Adoption {
    /// Where the file is.
    pub path: String,
    pub digest: Digest,
    pub now: UnixTime,
    /// Channels that the file names, and how many of them are this node's.
    pub channels: u64,
    pub channels_ours: u64,
    pub horizons: Horizons,
    /// The channels that the node lists, under every name.
    pub names: HashMap<Scid, ChannelId>,
    /// Channels of the file whose peers have channels that the node lists under other names.
    pub renamed: BTreeSet<Scid>,
    /// Checked already.
    pub policies: Vec<(Policy, Part)>,
    pub overrides: Vec<FoundOverride>,
    /// All the rest, with the count of what was left out so far.
    pub found: Found,
}

/// Whether these books have taken over a file before.
pub fn is_done(conn: &Connection) -> Result<bool> {
    conn.prepare("SELECT 1 FROM imports")?.exists([])
}

/// Writes it all, and returns what became of the file's rows. What these books say already stays.
pub fn book(tx: &Transaction<'_>, mut adoption: Adoption) -> Result<Tally> {
    let mut tally = std::mem::take(&mut adoption.found.tally);
    let adoption = &adoption;
    tx.execute(
        "INSERT INTO imports (path, digest, imported_at_s, channels, channels_ours, first_forward_s, first_payment_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            adoption.path,
            adoption.digest,
            adoption.now,
            int(adoption.channels)?,
            int(adoption.channels_ours)?,
            adoption.horizons.forwards,
            adoption.horizons.payments,
        ],
    )?;
    let import_id = tx.last_insert_rowid();
    wishes(tx, adoption, &mut tally)?;
    costs(tx, adoption, &mut tally)?;
    closed(tx, adoption)?;
    rebalances(tx, adoption)?;
    days(tx, &adoption.found.days)?;
    daily_snapshots(tx, adoption, &mut tally)?;
    counts(tx, import_id, &tally)?;
    Ok(tally)
}

fn wishes(tx: &Transaction<'_>, adoption: &Adoption, tally: &mut Tally) -> Result<()> {
    for (policy, part) in &adoption.policies {
        if policies::get(tx, &policy.peer_id)?.is_some() {
            tally.skipped(*part, "the peer has a policy here already", 1);
        } else {
            policies::put(tx, policy)?;
            tally.taken(*part, 1);
        }
    }
    let own = overrides::load_all(tx)?;
    for one in &adoption.overrides {
        if own.iter().any(|row| row.key == one.key) {
            tally.skipped(Part::ConfigOverrides, &format!("{}: it is set here already", one.key), 1);
        } else {
            overrides::put(tx, &one.key, &one.value, one.updated_at)?;
            tally.taken(Part::ConfigOverrides, 1);
        }
    }
    Ok(())
}

const fn part_of(kind: CostKind) -> Part {
    match kind {
        CostKind::Open | CostKind::Lease => Part::OpenCosts,
        CostKind::Splice => Part::SpliceCosts,
        CostKind::Close | CostKind::Sweep | CostKind::Penalty => Part::ClosureCosts,
    }
}

/// What a channel that the node no longer lists has instead of a channel id.
fn forgotten(scid: Scid) -> ChannelId {
    ChannelId(Sha256::digest(scid.to_string()).into())
}

/// Costs stand among the others, unless the channel's records are read or hold one of the kind.
fn costs(tx: &Transaction<'_>, adoption: &Adoption, tally: &mut Tally) -> Result<()> {
    let mut keep = tx.prepare_cached(
        "INSERT INTO imported_costs (scid, channel_id, kind, txid, msat, at_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut end_estimates =
        tx.prepare_cached("DELETE FROM costs WHERE channel_id = ?1 AND kind = ?2 AND source = 'estimate'")?;
    let mut count = tx.prepare_cached(
        "INSERT INTO costs (channel_id, kind, txid, msat, at_s, source) SELECT ?1, ?2, ?3, ?4, ?5, 'imported'
         WHERE NOT EXISTS (SELECT 1 FROM costs WHERE channel_id = ?1 AND kind = ?2 AND source <> 'imported')
             AND NOT EXISTS (SELECT 1 FROM channel_lives WHERE channel_id = ?1 AND books <> 'unread')
         ON CONFLICT (channel_id, kind, coalesce(txid, x'')) DO UPDATE SET msat = msat + excluded.msat
             WHERE kind = 'splice'",
    )?;
    for cost in &adoption.found.costs {
        let FoundCost { scid, kind, txid, amount, at } = cost;
        let listed = adoption.names.get(scid).copied();
        let channel_id = listed.or_else(|| (!adoption.renamed.contains(scid)).then(|| forgotten(*scid)));
        keep.execute(params![scid.to_string(), channel_id, kind.name(), txid, amount, at])?;
        let counted = match channel_id {
            None => false,
            Some(id) => {
                end_estimates.execute(params![id, kind.name()])?;
                count.execute(params![id, kind.name(), txid, amount, at])? > 0
            }
        };
        match counted {
            true => tally.taken(part_of(*kind), 1),
            false => tally.known(part_of(*kind), "the node has a record of the channel", 1),
        }
    }
    Ok(())
}

fn closed(tx: &Transaction<'_>, adoption: &Adoption) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT OR REPLACE INTO imported_closed_channels (scid, channel_id, peer_id, capacity_msat, opened_at_s,
             closed_at_s, close_kind, closer, closing_txid, open_cost_msat, closure_cost_msat, rebalance_cost_msat,
             revenue_msat, forward_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for one in &adoption.found.closed {
        insert.execute(params![
            one.scid.to_string(),
            adoption.names.get(&one.scid),
            one.peer_id,
            one.capacity,
            one.opened_at,
            one.closed_at,
            one.close_kind.name(),
            one.closer,
            one.closing_txid,
            one.open_cost,
            one.closure_cost,
            one.rebalance_cost,
            one.revenue,
            int(one.forward_count)?,
        ])?;
    }
    Ok(())
}

/// Those that count stand among the node's own too. No payment will tell their channels.
fn rebalances(tx: &Transaction<'_>, adoption: &Adoption) -> Result<()> {
    let mut keep = tx.prepare_cached(
        "INSERT INTO imported_rebalances (id, from_scid, to_scid, amount_msat, fee_msat, status, kind, at_s, payment_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut count = tx.prepare_cached(
        "INSERT INTO rebalances (payment_hash, groupid, partid, amount_msat, fee_msat, completed_at_s, out_channel, in_channel, tries)
         VALUES (?1, 0, 0, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (number, one) in (1u64..).zip(&adoption.found.rebalances) {
        let text = |scid: Option<Scid>| scid.map(|scid| scid.to_string());
        let hash = one.spent.then(|| stand_in(number));
        let (from, to) = (text(one.from), text(one.to));
        keep.execute(params![
            int(number)?,
            from,
            to,
            one.amount,
            one.fee,
            one.status,
            one.kind,
            one.at,
            hash
        ])?;
        if hash.is_some() {
            let channel = |scid: Option<Scid>| scid.and_then(|scid| adoption.names.get(&scid));
            let fee = one.fee.unwrap_or_default();
            count.execute(params![
                hash,
                one.amount,
                fee,
                one.at,
                channel(one.from),
                channel(one.to),
                MOST_TRIES
            ])?;
        }
    }
    Ok(())
}

/// What an imported rebalance has instead of a payment hash.
fn stand_in(number: u64) -> Digest {
    Digest::of(format!("cl-revenue-ops imported rebalance {number}"))
}

/// Days before the node's first forward, so that no forward was or will be added to them.
fn days(tx: &Transaction<'_>, days: &BTreeMap<DayKey, Delta>) -> Result<()> {
    const SUMS: &str = "in_msat, out_msat, in_count, out_count, earned_msat, sourced_msat";
    let mut keep = tx.prepare_cached(&format!(
        "INSERT INTO imported_days (day_s, scid, {SUMS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?;
    let failures = "failed_liquidity, failed_downstream, failed_other";
    let more = "in_msat = in_msat + excluded.in_msat, out_msat = out_msat + excluded.out_msat,
         in_count = in_count + excluded.in_count, out_count = out_count + excluded.out_count,
         earned_msat = earned_msat + excluded.earned_msat, sourced_msat = sourced_msat + excluded.sourced_msat";
    let mut add_day = tx.prepare_cached(&format!(
        "INSERT INTO flow_days (day_s, scid, {SUMS}, {failures}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0)
         ON CONFLICT (day_s, scid) DO UPDATE SET {more}"
    ))?;
    let mut add_month = tx.prepare_cached(&format!(
        "INSERT INTO flow_months (month_s, scid, {SUMS}, {failures})
         VALUES (?1 - ?1 % {MONTH}, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0)
         ON CONFLICT (month_s, scid) DO UPDATE SET {more}"
    ))?;
    // A forward of the node is later than any of these, so its time stays; theirs is known to the day.
    let mut add_total = tx.prepare_cached(&format!(
        "INSERT INTO flow_totals (scid, {SUMS}, {failures}, last_in_s, last_out_s)
         VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, iif(?5 > 0, ?1, NULL), iif(?6 > 0, ?1, NULL))
         ON CONFLICT (scid) DO UPDATE SET {more},
             last_in_s = coalesce(max(last_in_s, excluded.last_in_s), last_in_s, excluded.last_in_s),
             last_out_s = coalesce(max(last_out_s, excluded.last_out_s), last_out_s, excluded.last_out_s)"
    ))?;
    if let Some((last, _)) = days.keys().next_back() {
        cursors::set(tx, IMPORTED_UNTIL, last + UnixTime::DAY)?;
    }
    for ((day, scid), sum) in days {
        let Delta { in_msat, out_msat, in_count, out_count, earned_msat, sourced_msat, .. } = sum;
        for statement in [&mut keep, &mut add_day, &mut add_month, &mut add_total] {
            statement.execute(params![
                int(*day)?,
                scid,
                in_msat,
                out_msat,
                in_count,
                out_count,
                earned_msat,
                sourced_msat
            ])?;
        }
    }
    Ok(())
}

/// Days that are over; today's is the node's own to take, and makes the sums of these.
fn daily_snapshots(tx: &Transaction<'_>, adoption: &Adoption, tally: &mut Tally) -> Result<()> {
    let today = adoption.now.minus(adoption.now.0 % UnixTime::DAY);
    let mut insert = tx.prepare_cached(
        "INSERT INTO financial_snapshots (day_s, source, taken_at_s, onchain_confirmed_msat, channels_local_msat,
             channels_remote_msat, capacity_msat, channels_open, forward_count, revenue_msat, open_cost_msat,
             close_cost_msat, sweep_cost_msat, splice_cost_msat, penalty_cost_msat, lease_cost_msat, rebalance_cost_msat)
         VALUES (?1, 'imported', ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, 0, 0, 0, 0, 0, 0)
         ON CONFLICT (day_s) DO NOTHING",
    )?;
    for one in &adoption.found.snapshots {
        if one.day >= today {
            tally.skipped(Part::Snapshots, "the day is not over", 1);
            continue;
        }
        let new = insert.execute(params![
            one.day,
            one.taken_at,
            one.onchain,
            one.local,
            one.remote,
            one.capacity,
            opt_int(one.channels)?
        ])?;
        match new {
            0 => tally.skipped(Part::Snapshots, "the day has one here already", 1),
            _ => tally.taken(Part::Snapshots, 1),
        }
    }
    Ok(())
}

fn counts(tx: &Transaction<'_>, import_id: i64, tally: &Tally) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO import_counts (import_id, part, outcome, why, rows) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (part, outcome, why, rows) in tally.iter() {
        insert.execute(params![import_id, part.name(), outcome.name(), why, int(rows)?])?;
    }
    Ok(())
}
