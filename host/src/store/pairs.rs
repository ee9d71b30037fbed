//! Which channels' outflow came in where.

use super::names;
use super::sql::int;
use crate::model::{ChannelId, Msat, UnixTime};
use rusqlite::{Connection, Result, params};
use std::collections::HashMap;

/// Settled forwards received from `since` on: by the channel that they left by, what came in by
/// which channel, the most first. Reads every such row: not for every cycle.
pub fn inflow_by_outflow(
    conn: &Connection,
    since: UnixTime,
) -> Result<HashMap<ChannelId, Vec<(ChannelId, Msat)>>> {
    let owners = names::all(conn)?;
    let mut sums: HashMap<(ChannelId, ChannelId), Msat> = HashMap::new();
    let mut select = conn.prepare_cached(
        "SELECT in_scid, out_scid, sum(out_msat) FROM forwards
         WHERE received_ms >= ?1 AND status = 3 AND out_scid IS NOT NULL GROUP BY in_scid, out_scid",
    )?;
    let mut rows = select.query(params![int(since.0 * 1_000)?])?;
    while let Some(row) = rows.next()? {
        if let (Some(from), Some(to)) = (owners.get(&row.get(0)?), owners.get(&row.get(1)?)) {
            *sums.entry((*to, *from)).or_default() += row.get::<_, Msat>(2)?;
        }
    }
    let mut pairs: HashMap<ChannelId, Vec<(ChannelId, Msat)>> = HashMap::new();
    for ((to, from), sum) in sums {
        pairs.entry(to).or_default().push((from, sum));
    }
    for senders in pairs.values_mut() {
        senders.sort_unstable_by_key(|(from, sum)| (std::cmp::Reverse(*sum), *from));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::forward::{Forward, ForwardStatus};
    use crate::store::forwards;
    use crate::store::testing::{channel, channel_id, memory, scid};

    #[test]
    fn names_of_one_channel_count_together_and_only_what_settled() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let now = UnixTime(1_800_000_000);
        let mut aliased = channel(1);
        aliased.alias_local = Some(scid(900));
        names::observe(&tx, &[aliased, channel(2), channel(3)], now).expect("stored");
        let forward = |id: u64, from: u32, sats: u64, status: ForwardStatus| Forward {
            in_channel: scid(from),
            in_htlc_id: id,
            out_channel: Some(scid(3)),
            in_msat: Msat::from_sats(sats) + Msat(1),
            out_msat: Msat::from_sats(sats),
            fee_msat: Msat(1),
            status,
            received_ms: now.0 * 1_000,
            resolved_ms: Some(now.0 * 1_000 + 1),
            failcode: None,
            created_index: None,
            updated_index: None,
        };
        let page = [
            forward(1, 1, 10, ForwardStatus::Settled),
            forward(2, 900, 10, ForwardStatus::Settled),
            forward(3, 2, 15, ForwardStatus::Settled),
            forward(4, 2, 99, ForwardStatus::Failed),
        ];
        forwards::ingest(&tx, &page).expect("stored");
        let pairs = inflow_by_outflow(&tx, now).expect("pairs");
        let expect = vec![(channel_id(1), Msat::from_sats(20)), (channel_id(2), Msat::from_sats(15))];
        assert_eq!(pairs, HashMap::from([(channel_id(3), expect)]));
        assert!(inflow_by_outflow(&tx, now.plus(1)).expect("pairs").is_empty());
    }
}
