//! Forwards that failed here and ask for a channel that nobody knows. An onion may name any channel, so all of
//! them count under one stand-in: else strangers could make the sums as large as they like.

use super::attribution::Attribution;
use super::rows::{COLUMNS, read};
use super::sums::Sums;
use crate::model::Scid;
use crate::model::forward::{Forward, ForwardStatus};
use crate::store::sql::int;
use crate::store::window::Kept;
use rusqlite::{Result, Transaction, params};
use std::collections::HashMap;

/// The name for what no channel is known to have a part in. No funding transaction stands there.
pub(in crate::store) const NO_CHANNEL: Scid = Scid { block: 0, transaction: 0, output: 0 };

/// A forward of a list, as it is kept.
struct Stray {
    /// Its place in the list.
    at: usize,
    asked_for: Scid,
    kept: Forward,
}

/// Those of some forwards that are strays.
pub(super) struct Strays(Vec<Stray>);

impl Strays {
    /// A name is somebody's when a channel is known by it, and also when anything but failures of this kind
    /// was counted under it: lightningd sent something on there.
    pub fn among(tx: &Transaction<'_>, forwards: &[&Forward]) -> Result<Strays> {
        let mut is_known = tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM channel_names WHERE scid = ?1)
                 OR EXISTS (SELECT 1 FROM flow_totals WHERE scid = ?1)",
        )?;
        let (mut known, mut strays) = (HashMap::<Scid, bool>::new(), Vec::new());
        for (at, forward) in forwards.iter().enumerate() {
            let (ForwardStatus::LocalFailed, Some(name)) = (forward.status, forward.out_channel) else {
                continue;
            };
            let is_known = match known.get(&name) {
                Some(is_known) => *is_known,
                None => *known.entry(name).or_insert(is_known.query_row([name], |row| row.get(0))?),
            };
            if !is_known && name != NO_CHANNEL {
                let kept = Forward { out_channel: Some(NO_CHANNEL), ..(*forward).clone() };
                strays.push(Stray { at, asked_for: name, kept });
            }
        }
        Ok(Strays(strays))
    }

    /// Puts them in their places as they are kept.
    pub fn stand_in<'a>(&'a self, forwards: &mut [&'a Forward]) {
        for stray in &self.0 {
            forwards[stray.at] = &stray.kept;
        }
    }

    /// Notes what those asked for that have a row.
    pub fn note(&self, tx: &Transaction<'_>) -> Result<()> {
        let mut note = tx.prepare_cached(
            "INSERT OR IGNORE INTO stray_forwards (in_channel, htlc_id, asked_for)
             SELECT in_scid, in_htlc_id, ?3 FROM forwards
             WHERE in_scid = ?1 AND in_htlc_id = ?2 AND status = 1 AND out_scid = ?4",
        )?;
        for Stray { kept, asked_for, .. } in &self.0 {
            note.execute(params![kept.in_channel, int(kept.in_htlc_id)?, asked_for, NO_CHANNEL])?;
        }
        Ok(())
    }
}

/// Gives strays to the channels that are known by now under the name that they asked for, as far as their rows
/// are there. Returns how many.
pub fn claim_strays(tx: &Transaction<'_>) -> Result<usize> {
    // From the names on: there may be any number of strays.
    let strays: Vec<(Forward, Forward)> = tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, asked_for FROM channel_names CROSS JOIN stray_forwards ON asked_for = scid
             CROSS JOIN forwards ON in_scid = in_channel AND in_htlc_id = htlc_id
             WHERE status = 1 AND out_scid = ?1"
        ))?
        .query_map([NO_CHANNEL], |row| {
            let stray = read(row)?;
            let claimed = Forward { out_channel: row.get("asked_for")?, ..stray.clone() };
            Ok((stray, claimed))
        })?
        .collect::<Result<_>>()?;
    let mut rename =
        tx.prepare_cached("UPDATE forwards SET out_scid = ?3 WHERE in_scid = ?1 AND in_htlc_id = ?2")?;
    let mut sums = Sums::new(tx, Kept::default().hours, 2 * strays.len())?;
    let mut attribution = Attribution::new(tx)?;
    for (stray, claimed) in &strays {
        sums.subtract(stray)?;
        sums.add(claimed)?;
        attribution.add(claimed)?;
        rename.execute(params![claimed.in_channel, int(claimed.in_htlc_id)?, claimed.out_channel])?;
    }
    if !strays.is_empty() {
        sums.store(tx)?;
        attribution.store(tx)?;
    }
    tx.prepare_cached("DELETE FROM stray_forwards WHERE asked_for IN (SELECT scid FROM channel_names)")?
        .execute([])?;
    Ok(strays.len())
}
