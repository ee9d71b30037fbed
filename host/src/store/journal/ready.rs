//! Calls made ready to be kept: what takes long about it, done before there is a transaction.

use super::{MOST_ON_BASE, pack};
use crate::model::{Answer, Digest, Transcript};
use crate::store::sql::Unsigned;
use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// A call ready to be kept.
#[derive(Clone, Debug)]
pub struct Ready {
    pub(super) call: Arc<Transcript>,
    pub(super) decision_digest: Option<Digest>,
    /// The call that it is compressed against; none: it stands for itself.
    pub(super) base: Option<i64>,
    pub(super) packed: Vec<u8>,
}

/// A call that stands for itself, and those against it.
#[derive(Debug)]
pub struct Base {
    id: i64,
    packed: Vec<u8>,
    /// Bytes of it that are packed.
    bytes: u64,
    /// Calls against it, and the bytes that they take.
    count: u64,
    sum: u64,
}

/// What the next call like this one is compressed against.
pub fn base(conn: &Connection, call: &Transcript) -> Result<Option<Base>> {
    let found = conn
        .prepare_cached(
            "SELECT id, input_bytes + decision_bytes, packed FROM journal
             WHERE module = ?1 AND kind = ?2 AND strategy = ?3 AND base_id IS NULL ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![call.module, call.kind.name(), call.strategy.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Unsigned>(1)?.0, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()?;
    let Some((id, bytes, packed)) = found else { return Ok(None) };
    let (count, sum) = conn
        .prepare_cached("SELECT count(*), coalesce(sum(packed_bytes), 0) FROM journal WHERE base_id = ?1")?
        .query_row([id], |row| Ok((row.get::<_, Unsigned>(0)?.0, row.get::<_, Unsigned>(1)?.0)))?;
    Ok((count < MOST_ON_BASE).then_some(Base { id, packed, bytes, count, sum }))
}

impl Ready {
    /// The call against its base. When it is so different from that by now that the mean of all calls
    /// against it would grow, it stands for itself, as the next base.
    pub fn new(call: Arc<Transcript>, base: Option<Base>) -> Result<Ready> {
        let decision_digest = call.answer.digest();
        let raw = raw(&call);
        if let Some(base) = base
            // A damaged base spoils what was compressed against it, not what comes.
            && let Ok(prefix) = pack::unpack(&base.packed, base.bytes, &[])
        {
            let packed = pack::pack(&raw, &prefix)?;
            let mean = (base.sum + base.packed.len() as u64) / (base.count + 1);
            if packed.len() as u64 <= mean {
                return Ok(Ready { call, decision_digest, base: Some(base.id), packed });
            }
        }
        Ok(Ready { packed: pack::pack(&raw, &[])?, call, decision_digest, base: None })
    }

    /// The same call, which stands for itself.
    pub(super) fn alone(&self) -> Result<Ready> {
        Ready::new(Arc::clone(&self.call), None)
    }
}

/// What is packed of a call: input, then decision.
fn raw(call: &Transcript) -> Vec<u8> {
    [&*call.input, decision(&call.answer)].concat()
}

pub(super) fn decision(answer: &Answer) -> &[u8] {
    match answer {
        Answer::Decided { decision, .. } => decision,
        Answer::Failed { .. } => &[],
    }
}
