//! Splices: every funding transaction of a channel after the first.

use crate::model::ledger::SignedMsat;
use crate::model::{ChannelId, UnixTime};
use rusqlite::{Connection, Result};

/// How often channels were resized, and by how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Splices {
    pub count: u32,
    /// Those that put in, and those that took out, of our own funds.
    pub in_count: u32,
    pub out_count: u32,
    pub put_in: SignedMsat,
    pub taken_out: SignedMsat,
}

/// All splices from `since` on; those whose time is not known count always.
pub fn splices(conn: &Connection, since: UnixTime) -> Result<Splices> {
    let mut select = conn.prepare_cached(
        "SELECT channel_id, local_delta_msat, at_s FROM channel_fundings
         ORDER BY channel_id, height IS NULL, height, at_s IS NULL, at_s, txid",
    )?;
    let mut rows = select.query([])?;
    let (mut splices, mut channel) = (Splices::default(), None);
    while let Some(row) = rows.next()? {
        let id: ChannelId = row.get(0)?;
        let opening = channel.replace(id) != Some(id);
        let at: Option<UnixTime> = row.get(2)?;
        if !opening && at.is_none_or(|at| at >= since) {
            splices.add(SignedMsat(row.get::<_, Option<i64>>(1)?.unwrap_or(0)));
        }
    }
    Ok(splices)
}

impl Splices {
    fn add(&mut self, delta: SignedMsat) {
        self.count += 1;
        if delta > SignedMsat::ZERO {
            self.in_count += 1;
            self.put_in += delta;
        } else if delta < SignedMsat::ZERO {
            self.out_count += 1;
            self.taken_out += -delta;
        }
    }
}
