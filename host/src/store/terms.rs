//! Base fees and largest HTLCs that modules set, and what was there before the first of them did.
//!
//! A row is written before the node is asked ([`intend`]), so that whatever happens then, what was there
//! can be put back. A look at the node settles what came of it ([`observe`]): a value that no module asked
//! for is somebody else's word, and nothing is kept of it.

use super::changes::{self, FeeChange};
use super::decisions;
use super::sql::word;
use crate::model::{Channel, ChannelId, Digest, Msat, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

/// What goes with a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    BaseFee,
    HtlcMax,
}

impl Term {
    const fn name(self) -> &'static str {
        match self {
            Term::BaseFee => "base_fee",
            Term::HtlcMax => "htlc_max",
        }
    }

    fn from_name(name: &str) -> Option<Term> {
        [Term::BaseFee, Term::HtlcMax].into_iter().find(|term| term.name() == name)
    }

    /// The value in force.
    pub fn of(self, channel: &Channel) -> Msat {
        match self {
            Term::BaseFee => channel.fee_base,
            // What lightningd does not tell is no limit of its own.
            Term::HtlcMax => channel.htlc_max.min(channel.total),
        }
    }
}

/// A value that a module is about to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub channel_id: ChannelId,
    pub term: Term,
    pub digest: Digest,
    /// In force now.
    pub before: Msat,
    pub asked: Msat,
}

/// What the node made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub channel_id: ChannelId,
    pub term: Term,
    pub got: Msat,
}

/// A value that a module set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The module that set it.
    pub digest: Digest,
    /// What was there before any module.
    pub before: Msat,
    /// What the node was asked for last; it may have allowed less.
    pub asked: Msat,
    pub set: Msat,
    asked_by: Digest,
}

/// What modules set on one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldTerms {
    pub base_fee: Option<Held>,
    pub htlc_max: Option<Held>,
}

/// Notes what modules are about to set. What was there before the first of them stays known.
pub fn intend(tx: &Transaction<'_>, intents: &[Intent]) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO channel_terms (channel_id, term, digest, before_msat, asked_by, asked_msat, set_msat)
         VALUES (?1, ?2, ?3, ?4, ?3, ?5, ?4)
         ON CONFLICT (channel_id, term) DO UPDATE SET asked_by = excluded.asked_by, asked_msat = excluded.asked_msat",
    )?;
    for one in intents {
        put.execute(params![one.channel_id, one.term.name(), one.digest, one.before, one.asked])?;
    }
    Ok(())
}

/// Notes what the node answered.
pub(super) fn settle(tx: &Transaction<'_>, settled: &[Settled]) -> Result<()> {
    let mut put = tx.prepare_cached(
        "UPDATE channel_terms SET set_msat = ?3, digest = asked_by WHERE channel_id = ?1 AND term = ?2",
    )?;
    for one in settled {
        put.execute(params![one.channel_id, one.term.name(), one.got])?;
    }
    Ok(())
}

/// Looks at the node's channels: an answer that was lost is known now, and what is as it was before, or as
/// somebody else set it, is forgotten. Comes after [`super::intervals::observe`], which knows of rates.
pub fn observe(tx: &Transaction<'_>, now: UnixTime, channels: &[Channel]) -> Result<()> {
    let rows = rows(tx)?;
    if rows.is_empty() {
        return Ok(());
    }
    let open: HashMap<ChannelId, &Channel> =
        channels.iter().filter(|one| one.state.is_open()).map(|one| (one.channel_id, one)).collect();
    for (id, term, held) in rows {
        let seen = open.get(&id).map(|channel| (*channel, term.of(channel)));
        match seen.filter(|(_, value)| *value != held.before) {
            Some((_, value)) if value == held.set => {}
            Some((channel, value)) if value == held.asked => {
                settle(tx, &[Settled { channel_id: id, term, got: value }])?;
                note_lost_answer(tx, channel, now)?;
            }
            _ => forget(tx, &id, term)?,
        }
    }
    Ok(())
}

/// The node did what it was asked although its answer was lost: the latest decision is in force.
fn note_lost_answer(tx: &Transaction<'_>, channel: &Channel, now: UnixTime) -> Result<()> {
    let (fee, base) = (channel.fee_ppm, channel.fee_base);
    let Some(ours) = decisions::settle_unknown(tx, &channel.channel_id, fee, base)? else { return Ok(()) };
    changes::record(tx, &FeeChange::found(channel, fee, Some(ours), now))
}

fn forget(tx: &Transaction<'_>, channel_id: &ChannelId, term: Term) -> Result<()> {
    tx.prepare_cached("DELETE FROM channel_terms WHERE channel_id = ?1 AND term = ?2")?
        .execute(params![channel_id, term.name()])?;
    Ok(())
}

/// What modules set, by channel.
pub fn load(conn: &Connection) -> Result<HashMap<ChannelId, HeldTerms>> {
    let mut all: HashMap<ChannelId, HeldTerms> = HashMap::new();
    for (id, term, held) in rows(conn)? {
        let of = all.entry(id).or_default();
        match term {
            Term::BaseFee => of.base_fee = Some(held),
            Term::HtlcMax => of.htlc_max = Some(held),
        }
    }
    Ok(all)
}

fn rows(conn: &Connection) -> Result<Vec<(ChannelId, Term, Held)>> {
    conn.prepare_cached("SELECT * FROM channel_terms")?.query_map([], read)?.collect()
}

fn read(row: &Row<'_>) -> Result<(ChannelId, Term, Held)> {
    let held = Held {
        digest: row.get("digest")?,
        before: row.get("before_msat")?,
        asked: row.get("asked_msat")?,
        set: row.get("set_msat")?,
        asked_by: row.get("asked_by")?,
    };
    Ok((row.get("channel_id")?, word(row, "term", Term::from_name)?, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{channel, channel_id, memory};

    const ONE: Digest = Digest([1; 32]);
    const TWO: Digest = Digest([2; 32]);

    fn intent(digest: Digest, before: u64, asked: u64) -> Intent {
        Intent {
            channel_id: channel_id(1),
            term: Term::HtlcMax,
            digest,
            before: Msat(before),
            asked: Msat(asked),
        }
    }

    /// What is kept once a look at the node found this largest HTLC.
    fn seen(tx: &Transaction<'_>, htlc_max: u64) -> Option<(Digest, u64, u64)> {
        let channel = Channel { htlc_max: Msat(htlc_max), ..channel(1) };
        observe(tx, UnixTime(5), &[channel]).expect("looked at");
        let held = load(tx).expect("rows").remove(&channel_id(1))?.htlc_max?;
        Some((held.digest, held.before.0, held.set.0))
    }

    #[test]
    fn what_was_there_first_stays_known_until_it_is_back_or_somebody_else_speaks() {
        for (what, last, expect) in [
            ("kept while in force", 700, Some((TWO, 900, 700))),
            ("what was there before is back", 900, None),
            ("somebody else set another", 650, None),
        ] {
            let mut conn = memory();
            let tx = conn.transaction().expect("a transaction");
            intend(&tx, &[intent(ONE, 900, 800)]).expect("noted");
            assert_eq!(
                seen(&tx, 800),
                Some((ONE, 900, 800)),
                "{what}: the answer was lost, the list shows it"
            );
            intend(&tx, &[intent(TWO, 800, 700)]).expect("noted");
            assert_eq!(seen(&tx, 800), Some((ONE, 900, 800)), "{what}: it was not done");
            intend(&tx, &[intent(TWO, 800, 700)]).expect("noted");
            let answer = Settled { channel_id: channel_id(1), term: Term::HtlcMax, got: Msat(700) };
            settle(&tx, &[answer]).expect("noted");
            assert_eq!(seen(&tx, last), expect, "{what}");
        }
    }

    #[test]
    fn less_than_asked_for_counts_as_set_by_the_module() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        intend(&tx, &[intent(ONE, 500, 900)]).expect("noted");
        settle(&tx, &[Settled { channel_id: channel_id(1), term: Term::HtlcMax, got: Msat(850) }])
            .expect("noted");
        assert_eq!(seen(&tx, 850), Some((ONE, 500, 850)));
        observe(&tx, UnixTime(6), &[]).expect("looked at");
        assert_eq!(load(&tx), Ok(HashMap::new()), "a channel that is gone");
    }
}
