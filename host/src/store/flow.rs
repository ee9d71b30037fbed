//! What flowed: sums of forwards per channel over all its names, and the
//! results of flow analysis.

use super::adopt::IMPORTED_UNTIL;
use super::forwards::{self, Delta, HOURS_SINCE};
use super::sql::word;
use super::window::{self, FOR_EVER, Kept, Part, Source};
use super::{cursors, names};
use crate::model::flow::{FlowClass, FlowHour, FlowState};
use crate::model::{ChannelId, Msat, Scid, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

/// Sums of forwards on one channel, of settled ones except where a name says failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowSums {
    pub in_msat: Msat,
    pub out_msat: Msat,
    pub in_count: u32,
    pub out_count: u32,
    /// Fees of forwards that left here.
    pub earned: Msat,
    /// Fees, earned elsewhere, of forwards that entered here.
    pub sourced: Msat,
    /// Should have left here and failed for want of balance.
    pub failed_liquidity: u32,
    /// Left here and failed further down the route.
    pub failed_downstream: u32,
    /// Failed at this node for another reason.
    pub failed_other: u32,
}

/// Sums over all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTotals {
    pub sums: FlowSums,
    /// When the latest settled forward that entered here was received.
    pub last_in: Option<UnixTime>,
    /// When the latest settled forward that left here was received.
    pub last_out: Option<UnixTime>,
}

pub(super) const SUMS: &str = "in_msat, out_msat, in_count, out_count, earned_msat, sourced_msat, \
                    failed_liquidity, failed_downstream, failed_other";

/// Settled flow by UTC hour, oldest first, from the hour that contains `since`.
pub fn hours(conn: &Connection, since: UnixTime) -> Result<HashMap<ChannelId, Vec<FlowHour>>> {
    let owners = names::all(conn)?;
    let mut select = conn.prepare_cached(
        "SELECT hour_s, scid, in_msat, out_msat, in_count, out_count, earned_msat, sourced_msat
         FROM flow_hours WHERE hour_s >= ?1 AND in_count + out_count > 0 ORDER BY hour_s",
    )?;
    let mut rows = select.query([since.minus(since.0 % UnixTime::HOUR)])?;
    let mut flow: HashMap<ChannelId, Vec<FlowHour>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let Some(channel_id) = owners.get(&row.get::<_, Scid>(1)?) else { continue };
        let hours = flow.entry(*channel_id).or_default();
        let hour = read_hour(row)?;
        match hours.last_mut() {
            Some(last) if last.start == hour.start => merge(last, &hour),
            _ => hours.push(hour),
        }
    }
    Ok(flow)
}

fn read_hour(row: &Row<'_>) -> Result<FlowHour> {
    Ok(FlowHour {
        start: row.get(0)?,
        in_msat: row.get(2)?,
        out_msat: row.get(3)?,
        in_count: row.get(4)?,
        out_count: row.get(5)?,
        earned: row.get(6)?,
        sourced: row.get(7)?,
    })
}

fn merge(hour: &mut FlowHour, other: &FlowHour) {
    hour.in_msat += other.in_msat;
    hour.out_msat += other.out_msat;
    hour.in_count += other.in_count;
    hour.out_count += other.out_count;
    hour.earned += other.earned;
    hour.sourced += other.sourced;
}

/// Sums of forwards over a window, and the window that they are true for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowSums {
    /// As asked for, or the start of that UTC day when no finer sums are kept for it any more.
    pub from: UnixTime,
    /// The first instant that does not belong to it, likewise.
    pub until: UnixTime,
    pub by_channel: HashMap<ChannelId, FlowSums>,
    /// Fees that the node earned, those of channels without a known name included.
    pub earned: Msat,
    /// Settled forwards, likewise.
    pub settled: u64,
}

/// Sums of forwards received from `since` on: exact while rows are kept, from the start of that UTC
/// day afterwards.
pub fn sums(conn: &Connection, since: UnixTime) -> Result<HashMap<ChannelId, FlowSums>> {
    sums_between(conn, since, FOR_EVER).map(|window| window.by_channel)
}

/// Sums of forwards received in `[from, until)`.
pub fn sums_between(conn: &Connection, from: UnixTime, until: UnixTime) -> Result<WindowSums> {
    let owners = names::all(conn)?;
    let mut by_channel: HashMap<ChannelId, Delta> = HashMap::new();
    let mut all = Delta::default();
    let (from, until) = each_name_between(conn, from, until, |scid, delta| {
        all.add(&delta, 1);
        if let Some(channel_id) = owners.get(&scid) {
            by_channel.entry(*channel_id).or_default().add(&delta, 1);
        }
    })?;
    let by_channel = by_channel.into_iter().map(|(channel_id, delta)| (channel_id, FlowSums::from(delta)));
    let settled = u64::try_from(all.out_count).unwrap_or(0);
    Ok(WindowSums {
        from,
        until,
        by_channel: by_channel.collect(),
        earned: FlowSums::from(all).earned,
        settled,
    })
}

/// Fees that the node earned with forwards received in `[from, until)`, those of channels without a known
/// name included. Never those of more time: where no finer sums are kept, both ends move to the end of their
/// hour or UTC day.
pub fn earned_between(conn: &Connection, from: UnixTime, until: UnixTime) -> Result<Msat> {
    let mut earned = Delta::default();
    let kept = kept(conn)?;
    let (from, until) = (window::told_late(from, kept), window::told_late(until, kept));
    each_name_between(conn, from, until, |_, delta| earned.add(&delta, 1))?;
    Ok(FlowSums::from(earned).earned)
}

/// Where a window that is asked for from `since` on truly begins: there, or at the start of that UTC
/// day when no finer sums are kept for it any more.
pub fn window_start(conn: &Connection, since: UnixTime) -> Result<UnixTime> {
    Ok(window::told(since, kept(conn)?))
}

/// Calls `each` once for each name, with its sums over everything from [`window_start`] on.
pub(super) fn each_name_since(
    conn: &Connection,
    since: UnixTime,
    each: impl FnMut(Scid, Delta),
) -> Result<()> {
    each_name_between(conn, since, FOR_EVER, each).map(drop)
}

/// Calls `each` once for each name, with its sums over the window, and returns the window that they are
/// true for.
pub(super) fn each_name_between(
    conn: &Connection,
    from: UnixTime,
    until: UnixTime,
    mut each: impl FnMut(Scid, Delta),
) -> Result<(UnixTime, UnixTime)> {
    let kept = kept(conn)?;
    let (from, until) = (window::told(from, kept), window::told(until, kept));
    let mut by_name: HashMap<Scid, Delta> = HashMap::new();
    for part in window::parts(from, until, kept) {
        add_part(conn, part, &mut by_name)?;
    }
    by_name.retain(|_, delta| *delta != Delta::default());
    by_name.into_iter().for_each(|(scid, delta)| each(scid, delta));
    Ok((from, until))
}

/// Adds what a part of a window holds. Added up here: grouping in SQL would sort all rows by name first.
fn add_part(conn: &Connection, part: Part, by_name: &mut HashMap<Scid, Delta>) -> Result<()> {
    let Part { source, from, until, sign } = part;
    let mut put = |scid, delta: Delta| by_name.entry(scid).or_default().add(&delta, sign);
    let (table, key) = match source {
        Source::Rows => {
            let add = |forward| Delta::of(&forward, &mut put);
            return forwards::received_between(conn, from, until, add);
        }
        Source::Hours => ("flow_hours", "hour_s"),
        Source::Days => ("flow_days", "day_s"),
        Source::Months => ("flow_months", "month_s"),
    };
    let mut select =
        conn.prepare_cached(&format!("SELECT scid, {SUMS} FROM {table} WHERE {key} >= ?1 AND {key} < ?2"))?;
    let mut rows = select.query([from, until])?;
    while let Some(row) = rows.next()? {
        put(row.get(0)?, read_delta(row)?);
    }
    Ok(())
}

/// From when on rows and hours are there in full.
pub(super) fn kept(conn: &Connection) -> Result<Kept> {
    let since = |name| cursors::get(conn, name).map(|since| UnixTime(since.unwrap_or(0)));
    // Imported days have sums by day only.
    let imported = since(IMPORTED_UNTIL)?;
    let (rows, hours) = (since(forwards::ROLLED_UNTIL)?, since(HOURS_SINCE)?);
    Ok(Kept { rows: rows.max(imported), hours: hours.max(imported) })
}

/// Sums over all time, per channel.
pub fn totals(conn: &Connection) -> Result<HashMap<ChannelId, FlowTotals>> {
    let mut totals: HashMap<ChannelId, (Delta, Option<UnixTime>, Option<UnixTime>)> = HashMap::new();
    let mut select = conn.prepare_cached(&format!(
        "SELECT n.channel_id, {SUMS}, t.last_in_s, t.last_out_s
         FROM flow_totals t JOIN channel_names n ON n.scid = t.scid"
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (delta, last_in, last_out) = totals.entry(row.get(0)?).or_default();
        delta.add(&read_delta(row)?, 1);
        *last_in = (*last_in).max(row.get(10)?);
        *last_out = (*last_out).max(row.get(11)?);
    }
    let finish = |(channel_id, (delta, last_in, last_out))| {
        (channel_id, FlowTotals { sums: FlowSums::from(delta), last_in, last_out })
    };
    Ok(totals.into_iter().map(finish).collect())
}

/// The nine sums, from the second column on.
pub(super) fn read_delta(row: &Row<'_>) -> Result<Delta> {
    Ok(Delta {
        in_msat: row.get(1)?,
        out_msat: row.get(2)?,
        in_count: row.get(3)?,
        out_count: row.get(4)?,
        earned_msat: row.get(5)?,
        sourced_msat: row.get(6)?,
        failed_liquidity: row.get(7)?,
        failed_downstream: row.get(8)?,
        failed_other: row.get(9)?,
    })
}

impl From<Delta> for FlowSums {
    fn from(delta: Delta) -> FlowSums {
        // Sums of stored rows are never negative, for every row is counted once.
        let amount = |msat: i64| Msat(u64::try_from(msat).unwrap_or(0));
        let count = |count: i64| u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        FlowSums {
            in_msat: amount(delta.in_msat),
            out_msat: amount(delta.out_msat),
            in_count: count(delta.in_count),
            out_count: count(delta.out_count),
            earned: amount(delta.earned_msat),
            sourced: amount(delta.sourced_msat),
            failed_liquidity: count(delta.failed_liquidity),
            failed_downstream: count(delta.failed_downstream),
            failed_other: count(delta.failed_other),
        }
    }
}

/// Forgets hours of the UTC days before `before`; sums by day and over all time stay. Returns how many
/// rows went.
pub fn prune_hours(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    let before = before.minus(before.0 % UnixTime::DAY);
    if kept(tx)?.hours < before {
        cursors::set(tx, HOURS_SINCE, before.0)?;
    }
    tx.execute("DELETE FROM flow_hours WHERE hour_s < ?1", [before])
}

/// Sums hours again from tomorrow on, where a clock that was ahead forgot hours that are still to come.
/// Nothing may be booked for them yet.
pub fn resume_hours(tx: &Transaction<'_>, now: UnixTime) -> Result<()> {
    let tomorrow = now.minus(now.0 % UnixTime::DAY).plus(UnixTime::DAY);
    let since = UnixTime(cursors::get(tx, HOURS_SINCE)?.unwrap_or(0));
    let is_unbooked = "SELECT NOT EXISTS (SELECT 1 FROM flow_days WHERE day_s >= ?1 AND day_s < ?2)";
    let resumes = since > tomorrow
        && tx.prepare_cached(is_unbooked)?.query_row([tomorrow, since], |row| row.get::<_, bool>(0))?;
    if resumes { cursors::set(tx, HOURS_SINCE, tomorrow.0) } else { Ok(()) }
}

/// Forgets the analyses of these channels. Returns those that had one.
pub fn forget_states(tx: &Transaction<'_>, channels: &[ChannelId]) -> Result<Vec<ChannelId>> {
    let mut delete = tx.prepare_cached("DELETE FROM flow_states WHERE channel_id = ?1")?;
    let mut forgotten = Vec::new();
    for channel in channels {
        if delete.execute([channel])? > 0 {
            forgotten.push(*channel);
        }
    }
    Ok(forgotten)
}

/// Keeps the latest analysis of each channel.
pub fn put_states(tx: &Transaction<'_>, states: &[FlowState]) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT OR REPLACE INTO flow_states (channel_id, peer_id, class, flow_ratio, window_in_msat, window_out_msat,
             window_days, capacity_msat, confidence, velocity, ema_decay, forward_count, last_forward_s, updated_at_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for state in states {
        put.execute(params![
            state.channel_id,
            state.peer_id,
            state.class.name(),
            state.flow_ratio,
            state.window_in,
            state.window_out,
            state.window_days,
            state.capacity,
            state.confidence,
            state.velocity,
            state.ema_decay,
            state.forward_count,
            state.last_forward,
            state.updated_at,
        ])?;
    }
    Ok(())
}

/// The latest analysis of each channel that ever had one.
pub fn load_states(conn: &Connection) -> Result<HashMap<ChannelId, FlowState>> {
    conn.prepare_cached("SELECT * FROM flow_states")?
        .query_map([], |row| read_state(row).map(|state| (state.channel_id, state)))?
        .collect()
}

fn read_state(row: &Row<'_>) -> Result<FlowState> {
    Ok(FlowState {
        channel_id: row.get("channel_id")?,
        peer_id: row.get("peer_id")?,
        class: word(row, "class", FlowClass::from_name)?,
        flow_ratio: row.get("flow_ratio")?,
        window_in: row.get("window_in_msat")?,
        window_out: row.get("window_out_msat")?,
        window_days: row.get("window_days")?,
        capacity: row.get("capacity_msat")?,
        confidence: row.get("confidence")?,
        velocity: row.get("velocity")?,
        ema_decay: row.get("ema_decay")?,
        forward_count: row.get("forward_count")?,
        last_forward: row.get("last_forward_s")?,
        updated_at: row.get("updated_at_s")?,
    })
}
