//! Stretches of time in which a channel's rate was constant: what a strategy
//! learns from.
//!
//! A change that we make starts an interval when it is recorded
//! ([`super::changes::record`]); one that somebody else made starts it when a
//! look at the node shows it ([`observe`]). [`super::forwards::ingest`] counts
//! forwards into the interval that ran when they were received.

use super::changes::{self, FeeChange};
use super::sql::int;
use crate::model::strategy::FeeInterval;
use crate::model::{Channel, ChannelId, ClockJump, Msat, Ppm, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

/// Seconds after a change in which senders still act on the rate before; they
/// count neither as live time nor in any sum.
pub const BURN_IN_S: u64 = 3_600;
/// Longest time between two looks at the node, seconds, that still says what
/// was in between. After a longer one the plugin was down.
pub const LONGEST_GAP_S: u64 = 7_200;

/// The running interval of a channel.
struct Running {
    id: i64,
    start: UnixTime,
    fee: Ppm,
    base: Msat,
    sampled: UnixTime,
    sampled_live: bool,
}

impl Running {
    /// Usable seconds since the latest look, when both it and the one at `now`
    /// found the channel usable.
    fn live_until(&self, now: UnixTime, live: bool) -> u64 {
        let gap = now.since(self.sampled);
        if !(live && self.sampled_live) || gap > LONGEST_GAP_S {
            return 0;
        }
        now.since(self.sampled.max(self.start.plus(BURN_IN_S)))
    }
}

/// Looks at the node's channels: adds usable time, starts an interval where the
/// rate changed (and records changes by others), ends those of channels that
/// forward no more. A channel is usable when its peer is connected and it could
/// send `least_usable` or more.
pub fn observe(
    tx: &Transaction<'_>,
    now: UnixTime,
    channels: &[Channel],
    least_usable: impl Fn(&Channel) -> Msat,
) -> Result<()> {
    let mut running = load_running(tx)?;
    for channel in channels.iter().filter(|channel| channel.state.is_open()) {
        let live = channel.peer_connected && channel.spendable >= least_usable(channel);
        match running.remove(&channel.channel_id) {
            None => open(tx, &channel.channel_id, now, channel.fee_ppm, channel.fee_base, live)?,
            Some(run) if run.fee == channel.fee_ppm && run.base == channel.fee_base => {
                sample(tx, &run, now, live)?
            }
            Some(run) => {
                sample(tx, &run, now, live)?;
                note_change_by_others(tx, channel, &run, now)?;
            }
        }
    }
    for gone in running.values() {
        end(tx, gone, now)?;
    }
    Ok(())
}

/// A rate in force that this plugin did not record: the answer to one of our own
/// changes was lost, or somebody else set it.
fn note_change_by_others(
    tx: &Transaction<'_>,
    channel: &Channel,
    before: &Running,
    now: UnixTime,
) -> Result<()> {
    let ours = super::decisions::settle_unknown(tx, &channel.channel_id, channel.fee_ppm, channel.fee_base)?;
    changes::record(tx, &FeeChange::found(channel, before.fee, ours, now))
}

/// Ends the running interval at `at` and starts one with the new rate. Does
/// nothing when the rate is already that of the running one. One that began
/// later, by a clock that was ahead, becomes empty.
pub(super) fn start(
    tx: &Transaction<'_>,
    channel_id: &ChannelId,
    at: UnixTime,
    fee: Ppm,
    base: Msat,
) -> Result<()> {
    let run = tx
        .prepare_cached(&format!(
            "SELECT {RUNNING} FROM fee_intervals WHERE channel_id = ?1 AND end_s IS NULL"
        ))?
        .query_map([channel_id], read_running)?
        .next()
        .transpose()?;
    let Some((_, run)) = run else { return open(tx, channel_id, at, fee, base, false) };
    if run.fee == fee && run.base == base {
        return Ok(());
    }
    sample(tx, &run, at, run.sampled_live)?;
    end(tx, &run, at)?;
    let is_ahead = run.start.since(at) > ClockJump::TOLERANCE_S;
    let from = if is_ahead { at } else { at.max(run.start) };
    open(tx, channel_id, from, fee, base, run.sampled_live)
}

const RUNNING: &str = "channel_id, id, start_s, fee_ppm, base_msat, sampled_s, sampled_live";

fn load_running(conn: &Connection) -> Result<HashMap<ChannelId, Running>> {
    conn.prepare_cached(&format!("SELECT {RUNNING} FROM fee_intervals WHERE end_s IS NULL"))?
        .query_map([], read_running)?
        .collect()
}

fn read_running(row: &Row<'_>) -> Result<(ChannelId, Running)> {
    let run = Running {
        id: row.get(1)?,
        start: row.get(2)?,
        fee: row.get(3)?,
        base: row.get(4)?,
        sampled: row.get(5)?,
        sampled_live: row.get(6)?,
    };
    Ok((row.get(0)?, run))
}

fn open(
    tx: &Transaction<'_>,
    channel_id: &ChannelId,
    at: UnixTime,
    fee: Ppm,
    base: Msat,
    live: bool,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO fee_intervals (channel_id, start_s, fee_ppm, base_msat, sampled_s, sampled_live)
         VALUES (?1, ?2, ?3, ?4, ?2, ?5)",
    )?
    .execute(params![channel_id, at, fee, base, live])?;
    Ok(())
}

fn sample(tx: &Transaction<'_>, run: &Running, now: UnixTime, live: bool) -> Result<()> {
    tx.prepare_cached(
        "UPDATE fee_intervals SET live_s = live_s + ?2, sampled_s = ?3, sampled_live = ?4 WHERE id = ?1",
    )?
    .execute(params![run.id, int(run.live_until(now, live))?, now, live])?;
    Ok(())
}

fn end(tx: &Transaction<'_>, run: &Running, at: UnixTime) -> Result<()> {
    tx.prepare_cached("UPDATE fee_intervals SET end_s = max(start_s, ?2) WHERE id = ?1")?
        .execute(params![run.id, at])?;
    Ok(())
}

/// Intervals that reach past `since`, oldest first, at most the latest
/// `most_per_channel` of each channel. The running one ends at `now`.
pub fn load(
    conn: &Connection,
    since: UnixTime,
    most_per_channel: usize,
    now: UnixTime,
) -> Result<HashMap<ChannelId, Vec<FeeInterval>>> {
    let mut select = conn.prepare_cached(
        "SELECT channel_id, start_s, end_s, fee_ppm, live_s, settled, failed_liquidity, failed_downstream, out_msat,
             earned_msat
         FROM fee_intervals WHERE end_s IS NULL OR (end_s > ?1 AND end_s > start_s) ORDER BY start_s, id",
    )?;
    let mut rows = select.query([since])?;
    let mut intervals: HashMap<ChannelId, Vec<FeeInterval>> = HashMap::new();
    while let Some(row) = rows.next()? {
        intervals.entry(row.get(0)?).or_default().push(read_interval(row, now)?);
    }
    for of_channel in intervals.values_mut() {
        of_channel.drain(..of_channel.len().saturating_sub(most_per_channel));
    }
    Ok(intervals)
}

fn read_interval(row: &Row<'_>, now: UnixTime) -> Result<FeeInterval> {
    let start: UnixTime = row.get(1)?;
    Ok(FeeInterval {
        start,
        end: row.get::<_, Option<UnixTime>>(2)?.unwrap_or(now).max(start),
        fee: row.get(3)?,
        live_s: row.get(4)?,
        settled: row.get(5)?,
        failed_liquidity: row.get(6)?,
        failed_downstream: row.get(7)?,
        out: row.get(8)?,
        earned: row.get(9)?,
    })
}

/// Forgets intervals that ended before `before`. Returns how many.
pub fn prune(tx: &Transaction<'_>, before: UnixTime) -> Result<usize> {
    tx.execute("DELETE FROM fee_intervals WHERE end_s < ?1", [before])
}

#[cfg(test)]
mod tests;
