//! On-chain costs, from bookkeeper's accounts: one by one, since the list of all accounts holds two
//! rows for every forward ever made.

use crate::cycles::Services;
use crate::econ::chain;
use crate::model::life::{Account, BookEvent};
use crate::model::{ChannelId, Msat};
use crate::node::{CallError, Companion};
use crate::store::accounts::{self, Unsettled};
use crate::store::{costs, forwards};
use anyhow::Result;
use std::collections::HashSet;

/// Most accounts read in one round.
const ACCOUNTS_PER_ROUND: usize = 25;

/// With fewer forwards than this the list of all accounts is cheaper than many single ones.
const FEW_FORWARDS: u64 = 20_000;

/// What a round read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub accounts: usize,
    /// Nothing that was due is left for the next round.
    pub are_all: bool,
}

impl Services {
    /// Reads accounts whose books are not closed, and books their costs. Without bookkeeper what can be
    /// known is estimated.
    pub(super) async fn read_accounts(&self) -> Result<Read> {
        let was_absent = self.health().lacks(Companion::Bookkeeper);
        let (read, failure) = match self.account_round().await? {
            Ok(read) => (read, None),
            Err(error) => (Read { accounts: 0, are_all: true }, Some(error.to_string())),
        };
        let (alone, now) = (failure.is_some(), self.now());
        let opening = Msat::from_sats(self.config().estimated_open_cost_sats);
        self.store.write(move |tx| Ok(costs::stand_in(tx, opening, alone, now)?)).await?;
        self.note_health(|health| {
            // What failed before it came says nothing of it.
            let has_come = was_absent && health.has(Companion::Bookkeeper);
            health.books_error = failure.filter(|_| !has_come);
        });
        Ok(read)
    }

    /// The outer error is ours, the inner one bookkeeper's.
    async fn account_round(&self) -> Result<Result<Read, CallError>> {
        let resolved: HashSet<ChannelId> = match self.node.account_states().await {
            Ok(states) => {
                states.iter().filter(|state| state.resolved).map(|state| state.channel_id).collect()
            }
            Err(error) => return Ok(Err(error)),
        };
        let (known, now) = (resolved.clone(), self.now());
        let (mut due, at_once) = self
            .store
            .read(move |conn| {
                let due = accounts::unsettled(conn, &known, now)?;
                let at_once = due.len() > ACCOUNTS_PER_ROUND && forwards::count(conn)? < FEW_FORWARDS;
                Ok((due, at_once))
            })
            .await?;
        let are_all = at_once || due.len() <= ACCOUNTS_PER_ROUND;
        if !at_once {
            due.truncate(ACCOUNTS_PER_ROUND);
        }
        let shared = match self.shared_events(&due, at_once).await {
            Ok(shared) => shared,
            Err(error) => return Ok(Err(error)),
        };
        for channel in &due {
            let own = if at_once {
                Some(Vec::new())
            } else {
                match self.node.account_events(Account::Channel(channel.channel_id)).await {
                    Ok(events) => events,
                    Err(error) => return Ok(Err(error)),
                }
            };
            let events = own.map(|own| own.into_iter().chain(related(&shared, channel)).collect());
            self.book_account(*channel, events, resolved.contains(&channel.channel_id)).await?;
        }
        Ok(Ok(Read { accounts: due.len(), are_all }))
    }

    /// Events that belong to several channels: all there are, or those of the wallet and outside of it
    /// when some channel is closed.
    async fn shared_events(&self, due: &[Unsettled], at_once: bool) -> Result<Vec<BookEvent>, CallError> {
        if at_once {
            return self.node.all_account_events().await;
        }
        let mut events = Vec::new();
        if due.iter().any(|channel| channel.is_closed) {
            for account in [Account::Wallet, Account::External] {
                events.extend(self.node.account_events(account).await?.unwrap_or_default());
            }
        }
        Ok(events)
    }

    /// Books what an account says; no events: bookkeeper does not know it.
    async fn book_account(
        &self,
        channel: Unsettled,
        events: Option<Vec<BookEvent>>,
        is_resolved: bool,
    ) -> Result<()> {
        let now = self.now();
        self.store
            .write(move |tx| {
                let known = events.filter(|events| {
                    events.iter().any(|event| event.account == Account::Channel(channel.channel_id))
                });
                let Some(events) = known else { return Ok(accounts::unknown(tx, &channel, now)?) };
                let books = chain::read_account(channel.channel_id, &events);
                Ok(accounts::apply(tx, &channel, &books, is_resolved, now)?)
            })
            .await
    }
}

/// The shared events that speak of a channel: its own, those that moved its money, and the wallet's.
fn related(shared: &[BookEvent], channel: &Unsettled) -> impl Iterator<Item = BookEvent> {
    let id = channel.channel_id;
    shared
        .iter()
        .filter(move |event| match event.account {
            Account::Channel(account) => account == id,
            Account::Wallet => true,
            Account::External | Account::Other => event.origin == Some(id),
        })
        .cloned()
}
