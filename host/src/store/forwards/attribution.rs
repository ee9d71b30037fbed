//! Which fee interval a forward speaks for: the one that ran when it was
//! received. The first hour of an interval is left out, for senders still act
//! on the rate before.

use super::delta::Delta;
use super::received_s;
use crate::model::forward::Forward;
use crate::model::{Scid, UnixTime};
use crate::store::intervals::BURN_IN_S;
use rusqlite::{CachedStatement, OptionalExtension, Result, Transaction, params};
use std::collections::HashMap;

/// An interval: row, start and end in seconds.
struct Span {
    id: i64,
    start: UnixTime,
    end: Option<UnixTime>,
}

/// Gathers what forwards add to each interval.
pub(super) struct Attribution<'tx> {
    /// No interval starts before this; `None` when there is none at all.
    earliest: Option<UnixTime>,
    select: CachedStatement<'tx>,
    spans: HashMap<Scid, Vec<Span>>,
    /// By row of the interval.
    deltas: HashMap<i64, Delta>,
}

impl<'tx> Attribution<'tx> {
    pub fn new(tx: &'tx Transaction<'_>) -> Result<Attribution<'tx>> {
        let earliest = tx
            .prepare_cached("SELECT start_s FROM fee_intervals ORDER BY start_s LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let select = tx.prepare_cached(
            "SELECT i.id, i.start_s, i.end_s FROM channel_names n JOIN fee_intervals i ON i.channel_id = n.channel_id
             WHERE n.scid = ?1 ORDER BY i.start_s DESC",
        )?;
        Ok(Attribution { earliest, select, spans: HashMap::new(), deltas: HashMap::new() })
    }

    pub fn add(&mut self, forward: &Forward) -> Result<()> {
        self.put(forward, 1)
    }

    pub fn subtract(&mut self, forward: &Forward) -> Result<()> {
        self.put(forward, -1)
    }

    fn put(&mut self, forward: &Forward, sign: i64) -> Result<()> {
        let received = UnixTime(received_s(forward));
        let (Some(earliest), Some(out)) = (self.earliest, forward.out_channel) else { return Ok(()) };
        let delta = Delta::outgoing(forward)?;
        if received < earliest.plus(BURN_IN_S) || delta == Delta::default() {
            return Ok(());
        }
        let running_then = self
            .spans_of(out)?
            .iter()
            .find(|span| received >= span.start.plus(BURN_IN_S) && span.end.is_none_or(|end| received < end))
            .map(|span| span.id);
        if let Some(id) = running_then {
            self.deltas.entry(id).or_default().add(&delta, sign);
        }
        Ok(())
    }

    fn spans_of(&mut self, out: Scid) -> Result<&[Span]> {
        if !self.spans.contains_key(&out) {
            let spans = self
                .select
                .query_map([out], |row| Ok(Span { id: row.get(0)?, start: row.get(1)?, end: row.get(2)? }))?
                .collect::<Result<_>>()?;
            self.spans.insert(out, spans);
        }
        Ok(self.spans.get(&out).map_or(&[], Vec::as_slice))
    }

    pub fn store(self, tx: &Transaction<'_>) -> Result<()> {
        // What is taken out was counted in the same interval, unless the clock
        // jumped in between: then nothing goes below zero.
        let mut update = tx.prepare_cached(
            "UPDATE fee_intervals SET settled = max(settled + ?2, 0), failed_liquidity = max(failed_liquidity + ?3, 0),
                 failed_downstream = max(failed_downstream + ?4, 0), out_msat = max(out_msat + ?5, 0),
                 earned_msat = max(earned_msat + ?6, 0) WHERE id = ?1",
        )?;
        for (id, sum) in self.deltas {
            update.execute(params![
                id,
                sum.out_count,
                sum.failed_liquidity,
                sum.failed_downstream,
                sum.out_msat,
                sum.earned_msat
            ])?;
        }
        Ok(())
    }
}
