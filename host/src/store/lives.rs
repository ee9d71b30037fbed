//! How channels began, changed and ended: what the node's lists and notifications tell, in any order
//! and any number of times.

use super::names;
use super::sql::{Unsigned, int};
use crate::econ::closure::{self, CloseTrace, Evidence};
use crate::model::life::{ClosedChannel, LiveChannel, Outpoint, StateChange, Terms};
use crate::model::{ChannelId, Msat, Opener, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

/// Notes the channels that the node lists, how they were funded and the path of their states.
pub fn observe_live(tx: &Transaction<'_>, channels: &[LiveChannel], now: UnixTime) -> Result<()> {
    names::observe(tx, channels.iter().map(|live| &live.channel), now)?;
    for live in channels {
        let channel_id = live.channel.channel_id;
        put_terms(tx, &channel_id, live.terms, live.closer, live.funding)?;
        let state = live.channel.state.name();
        // Until one is in the chain, another attempt may take its place.
        let is_certain = closure::is_funded(state) || closure::is_closed(state);
        let was_certain = has_funding(tx, &channel_id)?;
        let is_opening = match live.funding.filter(|_| is_certain) {
            None => true,
            Some(funding) => put_funding(tx, &channel_id, funding, live.channel.total)?,
        };
        if is_opening {
            put_funds(tx, live, was_certain)?;
        }
        for change in &live.path {
            note_state(tx, &channel_id, change)?;
        }
        if let Some(normal) = live.path.iter().find(|change| change.new_state == "CHANNELD_NORMAL") {
            opened(tx, &channel_id, UnixTime(normal.at_ms / 1000))?;
        }
        if closure::is_closed(state) {
            close(tx, &channel_id, Some(now))?;
        } else if closure::is_funded(state) {
            compare_books(tx, live)?;
        }
    }
    Ok(())
}

/// Notes the channels that the node remembers as closed.
pub fn observe_closed(tx: &Transaction<'_>, channels: &[ClosedChannel], now: UnixTime) -> Result<()> {
    names::observe_closed(tx, channels, now)?;
    for closed in channels {
        put_terms(tx, &closed.channel_id, closed.terms, closed.closer, closed.funding)?;
        let changed = tx
            .prepare_cached(
                "UPDATE channel_lives SET final_to_us_msat = ?2, last_commitment_txid = ?3,
                     last_commitment_fee_msat = ?4, close_cause = ?5
                 WHERE channel_id = ?1 AND (final_to_us_msat IS NOT ?2 OR last_commitment_txid IS NOT ?3
                     OR last_commitment_fee_msat IS NOT ?4 OR close_cause IS NOT ?5 OR closed_at_s IS NULL)",
            )?
            .execute(params![
                closed.channel_id,
                closed.final_to_us,
                closed.last_commitment_txid,
                closed.last_commitment_fee,
                closed.close_cause
            ])?;
        if let Some(funding) = closed.funding {
            put_funding(tx, &closed.channel_id, funding, closed.total)?;
        }
        if changed > 0 {
            close(tx, &closed.channel_id, Some(now))?;
        }
    }
    Ok(())
}

/// Notes one step of a channel's state, from a list or a notification.
pub fn note_state(tx: &Transaction<'_>, channel_id: &ChannelId, change: &StateChange) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO channel_state_changes (channel_id, at_ms, new_state, old_state, cause)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        channel_id,
        int(change.at_ms)?,
        change.new_state,
        change.old_state,
        change.cause
    ])?;
    Ok(())
}

fn put_terms(
    tx: &Transaction<'_>,
    channel_id: &ChannelId,
    terms: Terms,
    closer: Option<Opener>,
    funding: Option<Outpoint>,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO channel_lives (channel_id, pushed_msat, lease_msat, closer, funding_txid)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (channel_id) DO UPDATE SET
             pushed_msat = iif(excluded.pushed_msat <> 0, excluded.pushed_msat, pushed_msat),
             lease_msat = iif(excluded.lease_msat <> 0, excluded.lease_msat, lease_msat),
             closer = coalesce(excluded.closer, closer),
             funding_txid = coalesce(excluded.funding_txid, funding_txid)
         WHERE excluded.pushed_msat NOT IN (0, pushed_msat) OR excluded.lease_msat NOT IN (0, lease_msat)
             OR coalesce(excluded.closer, closer) IS NOT closer
             OR coalesce(excluded.funding_txid, funding_txid) IS NOT funding_txid",
    )?
    .execute(params![
        channel_id,
        terms.pushed,
        terms.lease,
        closer.map(Opener::name),
        funding.map(|funding| funding.txid)
    ])?;
    Ok(())
}

/// What each side put in at the opening: a splice shows later sums under the same names. `was_certain`: the
/// opening was in the chain before; until then the latest attempt counts.
fn put_funds(tx: &Transaction<'_>, live: &LiveChannel, was_certain: bool) -> Result<()> {
    tx.prepare_cached(
        "UPDATE channel_lives SET local_funds_msat = ?2, remote_funds_msat = ?3
         WHERE channel_id = ?1 AND (local_funds_msat IS NULL OR NOT ?4)
             AND (local_funds_msat IS NOT ?2 OR remote_funds_msat IS NOT ?3)",
    )?
    .execute(params![live.channel.channel_id, live.local_funds, live.remote_funds, was_certain])?;
    Ok(())
}

/// Whether a funding transaction of the channel is known that is in the chain.
fn has_funding(conn: &Connection, channel_id: &ChannelId) -> Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM channel_fundings WHERE channel_id = ?1)")?
        .query_row([channel_id], |row| row.get(0))
}

/// Notes a funding output, and says whether it is the only one known of its channel.
fn put_funding(
    tx: &Transaction<'_>,
    channel_id: &ChannelId,
    funding: Outpoint,
    capacity: Msat,
) -> Result<bool> {
    tx.prepare_cached(
        "INSERT INTO channel_fundings (channel_id, txid, output, capacity_msat) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (channel_id, txid) DO UPDATE SET capacity_msat = excluded.capacity_msat
         WHERE capacity_msat IS NOT excluded.capacity_msat",
    )?
    .execute(params![channel_id, funding.txid, funding.output, capacity])?;
    tx.prepare_cached("SELECT count(*) = 1 FROM channel_fundings WHERE channel_id = ?1")?
        .query_row([channel_id], |row| row.get(0))
}

/// A channel is as old as the first sign of its life.
pub(super) fn opened(tx: &Transaction<'_>, channel_id: &ChannelId, at: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "UPDATE channel_lives SET opened_at_s = ?2
         WHERE channel_id = ?1 AND (opened_at_s IS NULL OR opened_at_s > ?2)",
    )?
    .execute(params![channel_id, at])?;
    Ok(())
}

/// Has the records of a channel read again when it was spliced since, and none when there can be none:
/// the peer opened it alone, and paid for that.
fn compare_books(tx: &Transaction<'_>, live: &LiveChannel) -> Result<()> {
    tx.prepare_cached(
        "UPDATE channel_lives SET books = 'unread', books_read_s = NULL, books_tries = 0
         WHERE channel_id = ?1 AND books_funding_txid IS NOT funding_txid
             AND (books = 'open' OR (books = 'unread' AND books_read_s IS NOT NULL))",
    )?
    .execute([live.channel.channel_id])?;
    let nothing_of_ours = live.channel.opener == Opener::Remote
        && live.local_funds == Some(Msat::ZERO)
        && live.terms == Terms::default();
    if nothing_of_ours {
        tx.prepare_cached(
            "UPDATE channel_lives SET books = 'open', books_funding_txid = funding_txid
             WHERE channel_id = ?1 AND books = 'unread'
                 AND (SELECT count(*) FROM channel_fundings f WHERE f.channel_id = ?1) = 1",
        )?
        .execute([live.channel.channel_id])?;
    }
    Ok(())
}

/// Works out when and how a channel closed, from all that is known by now. The earliest sign counts;
/// `seen` is when the close was noticed, if nothing better is known.
pub(super) fn close(tx: &Transaction<'_>, channel_id: &ChannelId, seen: Option<UnixTime>) -> Result<()> {
    let (path, closed_at) = path(tx, channel_id)?;
    let Some((evidence, known)) = evidence(tx, channel_id, &path)? else { return Ok(()) };
    let closed_at = [known, closed_at, seen].into_iter().flatten().min();
    let kind = closed_at.map(|_| closure::kind(&evidence).name());
    tx.prepare_cached(
        "UPDATE channel_lives SET closed_at_s = ?2, close_kind = ?3
         WHERE channel_id = ?1 AND (closed_at_s IS NOT ?2 OR close_kind IS NOT ?3)",
    )?
    .execute(params![channel_id, closed_at, kind])?;
    Ok(())
}

/// The path of states, oldest first, and when it first shows the channel closed.
fn path(conn: &Connection, channel_id: &ChannelId) -> Result<(Vec<String>, Option<UnixTime>)> {
    let mut select = conn.prepare_cached(
        "SELECT new_state, at_ms FROM channel_state_changes WHERE channel_id = ?1 ORDER BY at_ms",
    )?;
    let mut rows = select.query([channel_id])?;
    let (mut states, mut closed_at) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let state: String = row.get(0)?;
        if closed_at.is_none() && closure::is_closed(&state) {
            closed_at = Some(UnixTime(row.get::<_, Unsigned>(1)?.0 / 1000));
        }
        states.push(state);
    }
    Ok((states, closed_at))
}

/// What is known of a channel's close, and since when it counts as closed.
fn evidence(
    conn: &Connection,
    channel_id: &ChannelId,
    path: &[String],
) -> Result<Option<(Evidence, Option<UnixTime>)>> {
    conn.prepare_cached(
        "SELECT close_trace, closing_txid, last_commitment_txid, closed_at_s FROM channel_lives WHERE channel_id = ?1",
    )?
    .query_row([channel_id], |row| {
        let trace: Option<String> = row.get(0)?;
        let evidence = Evidence {
            path: closure::from_path(path.iter().map(String::as_str)),
            trace: trace.as_deref().and_then(CloseTrace::from_name),
            closing_txid: row.get(1)?,
            last_commitment_txid: row.get(2)?,
        };
        Ok((evidence, row.get(3)?))
    })
    .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, ChannelState, Txid};
    use crate::store::books;
    use crate::store::testing::{channel, channel_id, memory};

    /// Channel number 1 in this state, funded by transaction number `txid` with so much from each side.
    fn live(state: &str, txid: u8, msat: u64) -> LiveChannel {
        LiveChannel {
            channel: Channel { state: ChannelState::Other(state.to_owned()), ..channel(1) },
            funding: Some(Outpoint { txid: Txid([txid; 32]), output: 0 }),
            local_funds: Some(Msat(msat)),
            remote_funds: Some(Msat(msat + 1)),
            terms: Terms::default(),
            path: Vec::new(),
            closer: None,
        }
    }

    #[test]
    fn an_attempt_at_an_opening_that_another_replaced_is_no_funding() {
        let waiting = "DUALOPEND_AWAITING_LOCKIN";
        let last_seen_waiting = [live(waiting, 1, 10), live(waiting, 2, 20), live("CHANNELD_NORMAL", 2, 20)];
        let not_seen_waiting =
            [live(waiting, 1, 10), live("CHANNELD_NORMAL", 2, 20), live("CHANNELD_NORMAL", 2, 20)];
        for looks in [last_seen_waiting, not_seen_waiting] {
            let mut conn = memory();
            let tx = conn.transaction().expect("a transaction");
            let spliced = live("CHANNELD_NORMAL", 3, 30);
            for (look, count) in looks.iter().chain([&spliced]).zip([0, 0, 0, 1]) {
                observe_live(&tx, std::slice::from_ref(look), UnixTime(5)).expect("stored");
                let found = books::splices(&tx, UnixTime(0)).expect("splices");
                assert_eq!(found.count, count, "{look:?}");
            }
            let funds = "SELECT local_funds_msat, remote_funds_msat FROM channel_lives WHERE channel_id = ?1";
            let funds = tx.query_row(funds, [channel_id(1)], |row| Ok((row.get(0)?, row.get(1)?)));
            assert_eq!(funds, Ok((20, 21)), "those of the opening");
        }
    }
}
