//! Base fees and largest HTLCs that modules set, and what was there before the first of them did.
//!
//! What a module is about to set is written before the node is asked ([`intend`]), so that whatever happens
//! then, what was there can be put back. It stands beside what is in force until the node answers
//! ([`settle`]) or a look at the node shows it ([`observe`]), or shows for so long that nothing came of it
//! that it was refused. A value that no module asked for is somebody
//! else's word, and nothing is kept of it.

use super::changes::{self, FeeChange};
use super::decisions;
use super::sql::{require_durable, word};
use crate::model::{Channel, ChannelId, Digest, Msat, UnixTime};
use rusqlite::{Connection, Result, Row, Transaction, params};
use std::collections::HashMap;

/// An intent of which nothing came within this many seconds lightningd refused: a lost answer comes true
/// within minutes. Should somebody ask for the same later, it is his own word.
const COMES_TRUE_S: u64 = UnixTime::HOUR;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub of: Intent,
    pub got: Msat,
}

/// A value that a module set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The module that set it.
    pub digest: Digest,
    /// What was there before any module.
    pub before: Msat,
    /// What the node was asked for; it may have allowed less.
    pub asked: Msat,
    pub set: Msat,
}

/// What modules set on one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldTerms {
    pub base_fee: Option<Held>,
    pub htlc_max: Option<Held>,
}

/// What is kept of one term of a channel: what a module set, what one is about to set, or both.
struct Kept {
    channel_id: ChannelId,
    term: Term,
    before: Msat,
    held: Option<Held>,
    next: Option<Intent>,
    /// When that was noted.
    next_at: UnixTime,
}

impl Kept {
    /// What the latest known answer left in force.
    fn in_force(&self) -> Msat {
        self.held.map_or(self.before, |held| held.set)
    }

    /// Nothing is to be put back, and nothing was asked that the node lowered.
    fn is_as_before(&self) -> bool {
        self.held.is_none_or(|held| held.set == held.before && held.asked == held.set)
    }

    /// Whether what a module is about to set may still come to be. A clock that was set back tells nothing.
    fn may_come(&self, now: UnixTime) -> bool {
        self.next.is_some() && self.next_at <= now && now.since(self.next_at) <= COMES_TRUE_S
    }
}

/// Notes what modules are about to set. What was there before the first of them stays known. The
/// transaction must outlive a power failure, since what the node does then outlives it too.
pub fn intend(tx: &Transaction<'_>, now: UnixTime, intents: &[Intent]) -> Result<()> {
    require_durable(tx)?;
    let mut put = tx.prepare_cached(
        "INSERT INTO channel_terms (channel_id, term, before_msat, next_by, next_msat, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (channel_id, term) DO UPDATE SET next_by = excluded.next_by, next_msat = excluded.next_msat,
             next_at = excluded.next_at",
    )?;
    for one in intents {
        put.execute(params![one.channel_id, one.term.name(), one.before, one.digest, one.asked, now])?;
    }
    Ok(())
}

/// Notes what the node answered, whatever became of the intent in between.
pub(super) fn settle(tx: &Transaction<'_>, settled: &[Settled]) -> Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO channel_terms (channel_id, term, before_msat, digest, asked_msat, set_msat)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (channel_id, term) DO UPDATE SET digest = excluded.digest, asked_msat = excluded.asked_msat,
             set_msat = excluded.set_msat, next_by = NULL, next_msat = NULL, next_at = NULL",
    )?;
    for Settled { of, got } in settled {
        put.execute(params![of.channel_id, of.term.name(), of.before, of.digest, of.asked, got])?;
    }
    Ok(())
}

/// Looks at the node's channels: an answer that was lost is known now, and what is back as it was before,
/// or as somebody else set it, is forgotten. An intent that is not in force stays for a while, as it may
/// still come to be. Comes after [`super::intervals::observe`], which knows of rates.
pub fn observe(tx: &Transaction<'_>, now: UnixTime, channels: &[Channel]) -> Result<()> {
    let kept = all(tx)?;
    if kept.is_empty() {
        return Ok(());
    }
    let open: HashMap<ChannelId, &Channel> =
        channels.iter().filter(|one| one.state.is_open()).map(|one| (one.channel_id, one)).collect();
    for one in kept {
        let stays = match open.get(&one.channel_id) {
            Some(channel) => look(tx, &one, channel, now)?,
            None => false,
        };
        if !stays {
            forget(tx, &one)?;
        }
    }
    Ok(())
}

/// Whether anything of it is to be kept.
fn look(tx: &Transaction<'_>, kept: &Kept, channel: &Channel, now: UnixTime) -> Result<bool> {
    let value = kept.term.of(channel);
    if value == kept.in_force() {
        if kept.may_come(now) {
            return Ok(true);
        }
        return if kept.is_as_before() { Ok(false) } else { abandon(tx, kept).map(|()| true) };
    }
    let Some(of) = kept.next.clone().filter(|next| next.asked == value) else { return Ok(false) };
    settle(tx, &[Settled { of, got: value }])?;
    note_lost_answer(tx, channel, now)?;
    Ok(value != kept.before)
}

/// The node did what it was asked although its answer was lost: the latest decision is in force.
fn note_lost_answer(tx: &Transaction<'_>, channel: &Channel, now: UnixTime) -> Result<()> {
    let (fee, base) = (channel.fee_ppm, channel.fee_base);
    let Some(ours) = decisions::settle_unknown(tx, &channel.channel_id, fee, base)? else { return Ok(()) };
    changes::record(tx, &FeeChange::found(channel, fee, Some(ours), now))
}

/// Nothing came of what a module was about to set.
fn abandon(tx: &Transaction<'_>, kept: &Kept) -> Result<()> {
    let sql = "UPDATE channel_terms SET next_by = NULL, next_msat = NULL, next_at = NULL
               WHERE channel_id = ?1 AND term = ?2 AND next_by IS NOT NULL";
    tx.prepare_cached(sql)?.execute(params![kept.channel_id, kept.term.name()])?;
    Ok(())
}

fn forget(tx: &Transaction<'_>, kept: &Kept) -> Result<()> {
    tx.prepare_cached("DELETE FROM channel_terms WHERE channel_id = ?1 AND term = ?2")?
        .execute(params![kept.channel_id, kept.term.name()])?;
    Ok(())
}

/// What modules set, by channel.
pub fn load(conn: &Connection) -> Result<HashMap<ChannelId, HeldTerms>> {
    let mut by_channel: HashMap<ChannelId, HeldTerms> = HashMap::new();
    for Kept { channel_id, term, held, .. } in all(conn)? {
        let Some(held) = held else { continue };
        let of = by_channel.entry(channel_id).or_default();
        match term {
            Term::BaseFee => of.base_fee = Some(held),
            Term::HtlcMax => of.htlc_max = Some(held),
        }
    }
    Ok(by_channel)
}

fn all(conn: &Connection) -> Result<Vec<Kept>> {
    conn.prepare_cached("SELECT * FROM channel_terms")?.query_map([], read)?.collect()
}

fn read(row: &Row<'_>) -> Result<Kept> {
    let (channel_id, before) = (row.get("channel_id")?, row.get("before_msat")?);
    let term = word(row, "term", Term::from_name)?;
    let held = match row.get("digest")? {
        Some(digest) => {
            Some(Held { digest, before, asked: row.get("asked_msat")?, set: row.get("set_msat")? })
        }
        None => None,
    };
    let next = match row.get("next_by")? {
        Some(digest) => Some(Intent { channel_id, term, digest, before, asked: row.get("next_msat")? }),
        None => None,
    };
    let next_at = row.get::<_, Option<UnixTime>>("next_at")?.unwrap_or_default();
    Ok(Kept { channel_id, term, before, held, next, next_at })
}

#[cfg(test)]
mod tests;
