//! How far the on-chain records of each channel are read, and what reading them brings.

use super::sql::Unsigned;
use super::{costs, lives, names};
use crate::econ::chain::AccountBooks;
use crate::model::life::Place;
use crate::model::{ChannelId, Scid, Txid, UnixTime};
use rusqlite::{Connection, Result, Transaction, params};
use std::collections::{HashMap, HashSet};

/// A channel whose account is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettled {
    pub channel_id: ChannelId,
    pub is_closed: bool,
    /// The funding transaction now, as far as known.
    pub funding: Option<Txid>,
}

/// Seconds after which an account that may still change is read again; doubled each time that it told nothing
/// new.
const READ_AGAIN_S: u64 = 600;

/// The most doublings: about a week.
const MOST_DOUBLINGS: u32 = 10;

/// Fees may follow their transaction: an account is not done before it stood still this long, s.
const STANDS_STILL_S: u64 = 600;

/// Channels whose accounts are to be read, those never read first. Of closing ones, `resolved` tells
/// which can be read to the end; others wait for their turn.
pub fn unsettled(conn: &Connection, resolved: &HashSet<ChannelId>, now: UnixTime) -> Result<Vec<Unsettled>> {
    let mut select = conn.prepare_cached(
        "SELECT l.channel_id, l.closed_at_s IS NOT NULL, l.books_read_s, l.funding_txid,
             l.books = 'open' AND l.books_tries = 0, l.books_tries
         FROM channel_lives l
         WHERE l.books IN ('unread', 'closing') OR (l.books = 'open' AND l.closed_at_s IS NOT NULL)
         ORDER BY l.books_read_s, l.channel_id",
    )?;
    let mut rows = select.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let read: Option<UnixTime> = row.get(2)?;
        let one = Unsettled { channel_id: row.get(0)?, is_closed: row.get(1)?, funding: row.get(3)? };
        let is_news: bool = row.get(4)?;
        let pause = READ_AGAIN_S << row.get::<_, u32>(5)?.min(MOST_DOUBLINGS);
        let can_end = one.is_closed && resolved.contains(&one.channel_id);
        // A clock that was set back must not keep an account waiting.
        let is_due = read.is_none_or(|read| now.since(read) >= pause || read > now);
        if is_news || can_end || is_due {
            found.push(one);
        }
    }
    Ok(found)
}

/// Books what was read of an account. `is_resolved`: bookkeeper said before that nothing more comes.
pub fn apply(
    tx: &Transaction<'_>,
    channel: &Unsettled,
    books: &AccountBooks,
    is_resolved: bool,
    now: UnixTime,
) -> Result<()> {
    let id = &channel.channel_id;
    costs::replace(tx, id, &books.costs)?;
    put_fundings(tx, id, books)?;
    let first_spent_later = books.fundings.len() > 1;
    tx.prepare_cached(
        "UPDATE channel_lives SET
             remote_funds_msat = iif(?2 IS NULL OR local_funds_msat IS ?2 OR NOT ?3, remote_funds_msat, NULL),
             local_funds_msat = coalesce(?2, local_funds_msat),
             pushed_msat = iif(?4 <> 0, ?4, pushed_msat),
             closing_txid = coalesce(?5, closing_txid), close_trace = coalesce(?6, close_trace)
         WHERE channel_id = ?1",
    )?
    .execute(params![
        id,
        books.local_funds,
        first_spent_later,
        books.pushed,
        books.closing.map(|(txid, _)| txid),
        books.trace.map(|trace| trace.name())
    ])?;
    if let Some(first) = books.fundings.first() {
        lives::opened(tx, id, first.at)?;
    }
    if channel.is_closed || books.closing.is_some() {
        lives::close(tx, id, books.closing.map(|(_, at)| at))?;
    }
    let stands_still = now.since(books.latest) >= STANDS_STILL_S;
    mark(tx, channel, state_after(channel, books, is_resolved, stands_still), stands_still, now)
}

/// Remembers that bookkeeper does not know the account, so that others come first next time, and later each
/// time.
pub fn unknown(tx: &Transaction<'_>, channel: &Unsettled, now: UnixTime) -> Result<()> {
    tx.prepare_cached(
        "UPDATE channel_lives SET books_funding_txid = ?2, books_read_s = ?3, books_tries = books_tries + 1
         WHERE channel_id = ?1",
    )?
    .execute(params![channel.channel_id, channel.funding, now])?;
    Ok(())
}

/// Has an account read soon, for something moved on it.
pub fn touch(tx: &Transaction<'_>, channel_id: &ChannelId) -> Result<()> {
    tx.prepare_cached(
        "UPDATE channel_lives SET books_read_s = NULL, books_tries = 0
         WHERE channel_id = ?1 AND (books IN ('unread', 'closing') OR (books = 'open' AND closed_at_s IS NOT NULL))",
    )?
    .execute([channel_id])?;
    Ok(())
}

fn state_after(
    channel: &Unsettled,
    books: &AccountBooks,
    is_resolved: bool,
    stands_still: bool,
) -> &'static str {
    if channel.is_closed || books.closing.is_some() {
        return if is_resolved { "settled" } else { "closing" };
    }
    let shows_funding = books.fundings.iter().any(|record| Some(record.outpoint.txid) == channel.funding);
    if shows_funding && stands_still { "open" } else { "unread" }
}

/// Another state is news, and so is anything that happened of late.
fn mark(
    tx: &Transaction<'_>,
    channel: &Unsettled,
    state: &str,
    stands_still: bool,
    now: UnixTime,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE channel_lives SET books = ?2, books_funding_txid = ?3, books_read_s = ?4,
             books_tries = iif(books = ?2 AND ?5, books_tries + 1, 0)
         WHERE channel_id = ?1",
    )?
    .execute(params![channel.channel_id, state, channel.funding, now, stands_still])?;
    Ok(())
}

fn put_fundings(tx: &Transaction<'_>, channel_id: &ChannelId, books: &AccountBooks) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO channel_fundings (channel_id, txid, output, local_delta_msat, at_s, height)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (channel_id, txid) DO UPDATE SET local_delta_msat = excluded.local_delta_msat,
             at_s = excluded.at_s, height = coalesce(excluded.height, height)",
    )?;
    for funding in &books.fundings {
        put.execute(params![
            channel_id,
            funding.outpoint.txid,
            funding.outpoint.output,
            funding.local_delta,
            funding.at,
            funding.height
        ])?;
    }
    Ok(())
}

/// A name that forwards bear and nobody owns, with a funding transaction that it fits by block and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fit {
    name: Scid,
    channel_id: ChannelId,
    funding: Txid,
}

impl Fit {
    /// Of the two at most one can be true: a name has one owner, an output of one transaction one name.
    fn excludes(&self, other: &Fit) -> bool {
        let same_place = (self.name.block, self.name.output) == (other.name.block, other.name.output);
        self.name == other.name || (self.channel_id == other.channel_id && same_place)
    }

    /// Whether the transaction stands where the name says; none: nobody knows where it stands.
    fn is_at(&self, places: &HashMap<Txid, Place>) -> Option<bool> {
        let place = places.get(&self.funding)?;
        Some((place.block, place.transaction) == (self.name.block, self.name.transaction))
    }
}

/// Whether forwards bear names that no channel is known by, and that may be a channel's.
pub fn has_unowned_names(conn: &Connection) -> Result<bool> {
    Ok(!fits(conn)?.is_empty())
}

/// Learns names that channels had before a splice, or before they were seen: forwards name them. Where
/// `places` does not tell whose a name is, block and output do, if they fit one funding transaction only;
/// so all accounts are to be read before. Returns how many were learned.
pub fn learn_names(tx: &Transaction<'_>, places: &HashMap<Txid, Place>, now: UnixTime) -> Result<usize> {
    let mut fits = fits(tx)?;
    fits.retain(|fit| fit.is_at(places) != Some(false));
    let is_alone = |fit: &Fit| fits.iter().filter(|other| fit.excludes(other)).count() == 1;
    let certain: Vec<&Fit> =
        fits.iter().filter(|fit| fit.is_at(places) == Some(true) || is_alone(fit)).collect();
    for fit in &certain {
        names::learn(tx, fit.name, &fit.channel_id, now)?;
    }
    Ok(certain.len())
}

fn fits(conn: &Connection) -> Result<Vec<Fit>> {
    conn.prepare_cached(
        "SELECT t.scid, f.channel_id, f.txid FROM flow_totals t
         JOIN channel_fundings f ON f.height = (t.scid >> 40 & 0xffffff) AND f.output = (t.scid & 0xffff)
         WHERE NOT EXISTS (SELECT 1 FROM channel_names n WHERE n.scid = t.scid)
             AND NOT EXISTS (SELECT 1 FROM channel_names n WHERE n.channel_id = f.channel_id AND n.kind = 'scid'
                 AND (n.scid >> 40 & 0xffffff) = f.height AND (n.scid & 0xffff) = f.output)",
    )?
    .query_map([], |row| Ok(Fit { name: row.get(0)?, channel_id: row.get(1)?, funding: row.get(2)? }))?
    .collect()
}

/// How many accounts were never read to the end, and how many wait for the end of their close.
pub fn open_ends(conn: &Connection) -> Result<(u64, u64)> {
    conn.query_row(
        "SELECT count(*) FILTER (WHERE books = 'unread'), count(*) FILTER (WHERE books = 'closing') FROM channel_lives",
        [],
        |row| Ok((row.get::<_, Unsigned>(0)?.0, row.get::<_, Unsigned>(1)?.0)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{channel, channel_id, memory};

    const BLOCK: u32 = 800_000;

    fn name(transaction: u32) -> Scid {
        Scid { block: BLOCK, transaction, output: 1 }
    }

    fn txid(n: u8) -> Txid {
        Txid([n; 32])
    }

    const NOW: UnixTime = UnixTime(1_800_000_000);

    /// Times in seconds, from the first try on, at which the only account is due in the next eight days of
    /// looks every ten minutes, when each reading tells what `read` books.
    fn tries(conn: &mut Connection, read: impl Fn(&Transaction<'_>, &Unsettled, UnixTime)) -> Vec<u64> {
        let due_at = |after: u64| {
            let tx = conn.transaction().expect("a transaction");
            let now = NOW.plus(after);
            let due = unsettled(&tx, &HashSet::new(), now).expect("accounts");
            due.iter().for_each(|one| read(&tx, one, now));
            tx.commit().expect("committed");
            (!due.is_empty()).then_some(after)
        };
        (0..8 * 144).map(|look| look * READ_AGAIN_S).filter_map(due_at).collect()
    }

    /// One channel whose books were in this state when it closed.
    fn closed(books: &str) -> Connection {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        names::observe(&tx, &[channel(1)], UnixTime(1)).expect("stored");
        tx.execute(
            "INSERT INTO channel_lives (channel_id, books, closed_at_s) VALUES (?1, ?2, 5)",
            params![channel_id(1), books],
        )
        .expect("a row");
        tx.commit().expect("committed");
        conn
    }

    #[test]
    fn an_account_that_tells_nothing_new_is_read_less_and_less_often() {
        let told_nothing = |tx: &Transaction<'_>, one: &Unsettled, now| {
            apply(tx, one, &AccountBooks::default(), false, now).expect("booked");
        };
        let nobody_knows = |tx: &Transaction<'_>, one: &Unsettled, now| {
            unknown(tx, one, now).expect("noted");
        };
        let doubled: Vec<u64> =
            [0, 2, 6, 14, 30, 62, 126, 254, 510, 1_022].map(|n| n * READ_AGAIN_S).to_vec();
        for books in ["unread", "open", "closing"] {
            assert_eq!(tries(&mut closed(books), nobody_knows), doubled, "{books} and unknown");
        }
        assert_eq!(tries(&mut closed("closing"), told_nothing), doubled);
        // Its first reading is news.
        let after_news: Vec<u64> =
            [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023].map(|n| n * READ_AGAIN_S).to_vec();
        assert_eq!(tries(&mut closed("unread"), told_nothing), after_news);
    }

    #[test]
    fn a_movement_or_the_end_of_its_close_has_an_account_read_at_once() {
        for books in ["unread", "open", "closing"] {
            let mut conn = closed(books);
            let tx = conn.transaction().expect("a transaction");
            let due = |resolved: &[ChannelId], after: u64| {
                let resolved = resolved.iter().copied().collect();
                unsettled(&tx, &resolved, NOW.plus(after)).expect("accounts")
            };
            for _ in 0..5 {
                unknown(&tx, &due(&[channel_id(1)], 0)[0], NOW).expect("noted");
            }
            assert!(due(&[], 600).is_empty(), "{books}");
            touch(&tx, &channel_id(1)).expect("noted");
            assert_eq!(due(&[], 600).len(), 1, "{books}");
        }
    }

    /// Channels 1 and 2, both spliced in one block, and forwards under two names of that block.
    fn two_splices() -> Connection {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        names::observe(&tx, &[channel(1), channel(2)], UnixTime(1)).expect("stored");
        for n in [1, 2] {
            tx.execute(
                "INSERT INTO channel_fundings (channel_id, txid, output, height) VALUES (?1, ?2, 1, ?3)",
                params![channel_id(n), txid(n), BLOCK],
            )
            .expect("a row");
        }
        for transaction in [5, 8] {
            let totals = "INSERT INTO flow_totals VALUES (?1, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL)";
            tx.execute(totals, [name(transaction)]).expect("a row");
        }
        tx.commit().expect("committed");
        conn
    }

    #[test]
    fn the_place_of_its_funding_transaction_names_a_channel() {
        let at = |n, transaction| (txid(n), Place { block: BLOCK, transaction });
        for (places, learned) in [
            (vec![], [None, None]),
            (vec![at(1, 8), at(2, 5)], [Some(8), Some(5)]),
            // What this leaves for the other is found the next time.
            (vec![at(1, 8)], [Some(8), None]),
            (vec![at(1, 8), at(2, 7)], [Some(8), None]),
            (vec![at(1, 7)], [None, None]),
        ] {
            let mut conn = two_splices();
            let tx = conn.transaction().expect("a transaction");
            assert_eq!(has_unowned_names(&tx), Ok(true));
            let count = learn_names(&tx, &places.iter().copied().collect(), UnixTime(2)).expect("learned");
            for (n, transaction) in (1..).zip(learned) {
                let names = names::of(&tx, &channel_id(n)).expect("names");
                let of_block: Vec<Scid> = names.into_iter().filter(|name| name.block == BLOCK).collect();
                assert_eq!(of_block, Vec::from_iter(transaction.map(name)), "channel {n} of {places:?}");
            }
            assert_eq!(count, learned.iter().flatten().count(), "{places:?}");
        }
    }
}
