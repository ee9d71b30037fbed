//! On-chain costs, each booked once.
//!
//! What is read of a channel's account replaces what was booked for it before, so that any order and
//! repetition of readings ends in the same books. Estimates stand only where no record does.

use crate::model::ledger::{Cost, CostKind, CostSource};
use crate::model::{ChannelId, Msat, SignedMsat, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};

/// Books what bookkeeper records of a channel, in place of all that stood for it: earlier readings,
/// estimates, and figures from elsewhere of the kinds that it records.
pub fn replace(tx: &Transaction<'_>, channel_id: &ChannelId, costs: &[Cost]) -> Result<()> {
    tx.prepare_cached("DELETE FROM costs WHERE channel_id = ?1 AND source IN ('bookkeeper', 'estimate')")?
        .execute([channel_id])?;
    let mut forget = tx
        .prepare_cached("DELETE FROM costs WHERE channel_id = ?1 AND kind = ?2 AND source <> 'bookkeeper'")?;
    for cost in costs {
        forget.execute(params![channel_id, cost.kind.name()])?;
    }
    costs.iter().try_for_each(|cost| put(tx, cost))
}

fn put(tx: &Transaction<'_>, cost: &Cost) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO costs (channel_id, kind, txid, msat, at_s, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        cost.channel_id,
        cost.kind.name(),
        cost.txid,
        cost.amount,
        cost.at,
        cost.source.name()
    ])?;
    Ok(())
}

/// Where estimates are due: no record was read to the end, and none will soon, or none was found.
const UNRECORDED: &str = "SELECT l.*, c.opener, c.state, c.first_seen_s
     FROM channel_lives l JOIN channels c ON c.channel_id = l.channel_id
     WHERE (l.books = 'unread' AND (?5 OR l.books_read_s IS NOT NULL))
         OR (?5 AND l.closed_at_s IS NOT NULL AND l.books <> 'settled')";

/// Kind and source of what stands in for a record, and the channels (with amount and instant) it is due for.
const STAND_INS: [(CostKind, CostSource, &str); 3] = [
    (
        CostKind::Open,
        CostSource::Estimate,
        "SELECT channel_id, ?1, coalesce(opened_at_s, first_seen_s)
         FROM unrecorded WHERE opener = 'local' AND local_funds_msat IS NOT 0
             AND state NOT IN ('OPENINGD', 'CHANNELD_AWAITING_LOCKIN') AND state NOT LIKE 'DUALOPEND%'",
    ),
    (
        CostKind::Close,
        CostSource::Estimate,
        "SELECT channel_id, last_commitment_fee_msat, closed_at_s
         FROM unrecorded WHERE opener = 'local' AND closed_at_s IS NOT NULL AND last_commitment_fee_msat > 0",
    ),
    (
        CostKind::Lease,
        CostSource::Node,
        "SELECT channel_id, lease_msat, coalesce(opened_at_s, first_seen_s)
         FROM unrecorded WHERE lease_msat <> 0",
    ),
];

/// Books what stands in for records that there are none of: the opening of a channel that we opened,
/// at `opening`; its closing transaction, whose fee the opener pays, at the fee of the last commitment;
/// and the price of leased liquidity, which lightningd itself knows. A channel that the peer opened
/// alone cost us nothing. Without bookkeeper (`alone`) that is for every channel whose account was not
/// read to the end, else for those that bookkeeper was asked about in vain.
pub fn stand_in(tx: &Transaction<'_>, opening: Msat, alone: bool, now: UnixTime) -> Result<()> {
    for (kind, source, due) in STAND_INS {
        tx.prepare_cached(&format!(
            "WITH unrecorded AS ({UNRECORDED}), due (channel_id, msat, at_s) AS ({due})
             INSERT INTO costs (channel_id, kind, msat, at_s, source)
             SELECT channel_id, ?2, msat, coalesce(at_s, ?4), ?3 FROM due d
             WHERE msat <> 0
                 AND NOT EXISTS (SELECT 1 FROM costs k WHERE k.channel_id = d.channel_id AND k.kind = ?2)"
        ))?
        .execute(params![opening, kind.name(), source.name(), now, alone])?;
    }
    Ok(())
}

/// Costs over all time by source: rows and sum, in the order of [`CostSource::ALL`].
pub fn by_source(conn: &Connection) -> Result<Vec<(CostSource, u64, SignedMsat)>> {
    let mut select =
        conn.prepare_cached("SELECT count(*), coalesce(sum(msat), 0) FROM costs WHERE source = ?1")?;
    let sum = |source: &CostSource| {
        select.query_row([source.name()], |row| Ok((*source, row.get::<_, u32>(0)?.into(), row.get(1)?)))
    };
    CostSource::ALL.iter().map(sum).collect()
}
