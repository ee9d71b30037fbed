//! Keeping the books in step with the node.
//!
//! A round looks at everything again in a number of calls that does not depend on the number of
//! channels, and reads in small pieces what is only read once. Each piece is one transaction, so a
//! round may end anywhere: the next one goes on from what is stored. Notifications only bring the next
//! round forward.

mod costs;
mod look;
mod names;
mod payments;

use super::Services;
use super::schedule::JobName;
use crate::model::ChannelId;
use crate::node::{StateChangeRow, side_from_notification};
use crate::store::{accounts, cursors, funds, lives, rebalances, snapshots};
use anyhow::Result;
use serde_json::Value;

/// Lists that may be long and are asked for as a last resort are read at most this often, s.
const LONG_LISTS_EVERY_S: u64 = 3_600;

impl Services {
    /// Whether such a list is to be read now, which is noted before it is: one that takes too long is not
    /// asked for more often. `last_read` names the number that notes when.
    async fn take_turn(&self, last_read: &'static str) -> Result<bool> {
        let now = self.now().0;
        let last = self.store.read(move |conn| Ok(cursors::get(conn, last_read)?)).await?;
        let is_due = last.is_none_or(|last| last > now || now - last >= LONG_LISTS_EVERY_S);
        if is_due {
            self.store.write(move |tx| Ok(cursors::set(tx, last_read, now)?)).await?;
        }
        Ok(is_due)
    }

    /// Looks at the node: channels, closures, payments to ourselves, what is owned.
    pub async fn ledger_round(&self) -> Result<String> {
        self.look_at_clock().await?;
        let channels = self.look_at_channels().await?;
        let rebalanced = self.read_rebalances().await?;
        let now = self.now();
        self.store.write(move |tx| Ok(rebalances::match_sides(tx, now)?)).await?;
        self.jobs.wake(JobName::Accounts);
        Ok(format!("{channels} channels looked at, {rebalanced} new rebalances"))
    }

    /// Reads completed payments to ourselves that are new, with the channels that movements told of.
    pub(super) async fn read_payments(&self) -> Result<()> {
        self.read_rebalances().await?;
        let now = self.now();
        self.store.write(move |tx| Ok(rebalances::match_sides(tx, now)?)).await?;
        Ok(())
    }

    /// Asks bookkeeper for what only it knows, and takes the day's snapshot when all that was due is read.
    pub async fn accounts_round(&self) -> Result<String> {
        let read = self.read_accounts().await?;
        // What fails here keeps nothing else from being done.
        let snapshot = if read.are_all { self.take_snapshot().await } else { Ok(()) };
        let mut words = vec![format!("{} accounts read", read.accounts)];
        if read.are_all {
            words.push(match self.learn_names().await? {
                Ok(learned) => format!("{learned} old names learned"),
                Err(error) => format!("no old names learned, for listtransactions failed: {error}"),
            });
        } else {
            self.jobs.wake(JobName::Accounts);
        }
        if let Err(error) = self.find_channels().await? {
            words.push(format!("no channels of payments looked for, for listhtlcs failed: {error}"));
        }
        snapshot?;
        Ok(words.join(", "))
    }

    /// Takes the day's snapshot once the forwards until now are in.
    async fn take_snapshot(&self) -> Result<()> {
        let now = self.now();
        let is_due =
            self.store.read(move |conn| Ok(funds::is_known(conn)? && snapshots::is_due(conn, now)?)).await?;
        if is_due {
            self.ingest_forwards().await?;
            self.store.write(move |tx| Ok(snapshots::take(tx, now)?)).await?;
        }
        Ok(())
    }

    /// Takes note of a `channel_state_changed`: the step is kept, for lightningd may forget it, and the
    /// channel looked at.
    pub async fn channel_state_changed(&self, payload: &Value) -> Result<()> {
        if let Some((channel_id, change)) = StateChangeRow::from_notification(payload) {
            self.store.write(move |tx| Ok(lives::note_state(tx, &channel_id, &change)?)).await?;
        }
        self.jobs.wake(JobName::Ledger);
        Ok(())
    }

    /// Takes note of a `coin_movement`: an end of a payment is kept, for it may be one to ourselves;
    /// what moves on the chain concerns the books.
    pub async fn coin_movement(&self, payload: &Value) -> Result<()> {
        if let Some(side) = side_from_notification(payload) {
            let now = self.now();
            return self.store.write(move |tx| Ok(rebalances::put_sides(tx, &[side], now)?)).await;
        }
        let movement = payload.get("coin_movement").unwrap_or(payload);
        if movement["type"] != "chain_mvt" {
            return Ok(());
        }
        let account = movement.get("account_id").and_then(Value::as_str);
        if let Some(channel_id) = account.and_then(|account| account.parse::<ChannelId>().ok()) {
            self.store.write(move |tx| Ok(accounts::touch(tx, &channel_id)?)).await?;
        }
        self.jobs.wake(JobName::Ledger);
        Ok(())
    }
}
