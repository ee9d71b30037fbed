//! The books as reports read them: every channel's account over all time, the node's sums over a
//! window, and what the node owns.
//!
//! What belongs to no known channel (forwards under names that nobody can place any more,
//! rebalances whose channels are not known) is kept as `elsewhere`, so that sums over all parts are
//! the node's, to the msat.

#[cfg(test)]
mod any_order;
mod by_module;
mod imported;
mod life;
mod splices;
mod sums;
#[cfg(test)]
mod tests;

pub use by_module::{ByModule, DayBooks, EvaluatorBooks, ModuleBooks, Proposer, by_evaluator};
pub use imported::ImportedChannel;
pub use life::{ChannelFunds, Life, NodeFunds, node_funds};
pub use splices::{Splices, splices};
use sums::Owners;
pub use sums::{Rebalanced, Window, costs_since, rebalance_costs};

use super::names::{self, KnownChannel};
use crate::econ::classify::{Class, Standing};
use crate::econ::networth::{NetWorth, OurSide, Phase, Wallet};
use crate::econ::pnl::Pnl;
use crate::model::ledger::CostKind;
use crate::model::{ChannelId, Msat, UnixTime};
use rusqlite::{Connection, Result};

/// One channel from its opening until now, or until its end.
#[derive(Clone, Debug)]
pub struct Account {
    pub channel: KnownChannel,
    pub phase: Phase,
    pub life: Life,
    /// As the node listed it at the last look; none when it does not.
    pub funds: Option<ChannelFunds>,
    pub pnl: Pnl,
    pub rebalanced: Rebalanced,
    pub standing: Standing,
}

impl Account {
    /// The name to show.
    pub fn name(&self) -> String {
        self.channel.name()
    }

    /// Its class by return.
    pub fn class(&self, now: UnixTime) -> Class {
        self.standing.class(&self.pnl, now)
    }

    /// When it was opened, as far as known; else when it was first seen.
    pub fn since(&self) -> UnixTime {
        self.life.opened_at.unwrap_or(self.channel.first_seen)
    }

    /// Whole days from the opening to the end, or until now.
    pub fn days(&self, now: UnixTime) -> u64 {
        self.life.closed_at.unwrap_or(now).since(self.since()) / UnixTime::DAY
    }

    /// The channel ended, and what its end costs is not all known yet.
    pub fn is_unsettled(&self) -> bool {
        self.phase >= Phase::Closing && !self.life.settled
    }
}

/// Every channel's account, and what belongs to none.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By channel id.
    pub accounts: Vec<Account>,
    pub elsewhere: Pnl,
    /// None before the first look at the node.
    pub funds: Option<NodeFunds>,
    owners: Owners,
}

impl Books {
    /// The node's sums from an instant until now, read from the same state of the store as these
    /// books if `conn` is in the same transaction.
    pub fn window(&self, conn: &Connection, since: UnixTime) -> Result<Window> {
        sums::window(conn, &self.owners, since)
    }

    /// What each module's decisions brought and cost from an instant until now, with what no module
    /// was in force for.
    pub fn by_module(&self, conn: &Connection, since: UnixTime, now: UnixTime) -> Result<ByModule> {
        by_module::all(conn, &self.owners, since, now)
    }

    /// The node's sums.
    pub fn total(&self) -> Pnl {
        self.accounts.iter().map(|account| &account.pnl).chain([&self.elsewhere]).sum()
    }

    /// One channel's account.
    pub fn account(&self, id: &ChannelId) -> Option<&Account> {
        let place = self.accounts.binary_search_by_key(id, |account| account.channel.channel_id).ok()?;
        self.accounts.get(place)
    }

    /// Closed channels that have no account: the Python plugin's database alone tells of them. What
    /// they earned and cost is part of `elsewhere`, as far as it counts.
    pub fn imported(&self, conn: &Connection) -> Result<Vec<ImportedChannel>> {
        let mut channels = imported::channels(conn)?;
        channels.retain(|channel| !self.owners.contains_key(&channel.scid));
        Ok(channels)
    }

    /// The accounts in one phase.
    pub fn in_phase(&self, phase: Phase) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(move |account| account.phase == phase)
    }

    /// The capacity of open channels.
    pub fn capacity(&self) -> Msat {
        self.in_phase(Phase::Open).map(|account| account.channel.capacity).sum()
    }

    /// What the node owned at the last look; none before the first.
    pub fn net_worth(&self) -> Option<NetWorth> {
        let funds = self.funds?;
        let wallet =
            Wallet { confirmed: funds.confirmed, unconfirmed: funds.unconfirmed, reserved: funds.reserved };
        let sides = self.accounts.iter().filter_map(|account| {
            let listed = account.funds.as_ref()?;
            Some(OurSide {
                to_us: listed.to_us,
                state: &listed.state,
                phase: account.phase,
                close_kind: account.life.close_kind,
                swept: account.pnl.costs.of(CostKind::Sweep).0 != 0 || account.life.settled,
            })
        });
        Some(NetWorth::new(wallet, sides))
    }
}

/// Reads the books over all time.
pub fn all(conn: &Connection) -> Result<Books> {
    read(conn, sums::all)
}

/// The same without forwards and payments to ourselves, which are most of what there is to read: enough
/// for what is owned, for what closes cost, and for sums over a window.
pub fn outline(conn: &Connection) -> Result<Books> {
    read(conn, |conn, _| sums::on_chain(conn))
}

fn read(conn: &Connection, sums: impl FnOnce(&Connection, &Owners) -> Result<sums::Sums>) -> Result<Books> {
    let funds = node_funds(conn)?;
    let owners = names::all(conn)?;
    let mut sums = sums(conn, &owners)?;
    let (mut lives, mut listed) = (life::lives(conn)?, life::channel_funds(conn)?);
    let accounts = names::channels(conn)?
        .into_iter()
        .map(|channel| {
            let id = channel.channel_id;
            let life = lives.remove(&id).unwrap_or_default();
            let listed = listed.remove(&id);
            account(channel, life, listed, funds.is_some(), sums.take(&id))
        })
        .collect();
    Ok(Books { accounts, elsewhere: sums.rest(), funds, owners })
}

fn account(
    channel: KnownChannel,
    life: Life,
    funds: Option<ChannelFunds>,
    node_was_read: bool,
    sums: sums::ChannelSums,
) -> Account {
    let state = funds.as_ref().map_or(&channel.state, |funds| &funds.state);
    // Before the first look the state last seen is all there is.
    let phase = Phase::of(state, life.closed_at.is_some(), funds.is_some() || !node_was_read);
    let standing = Standing {
        usable: phase == Phase::Open && funds.as_ref().is_some_and(|funds| funds.connected),
        since: Some(life.opened_at.unwrap_or(channel.first_seen)),
        last_in: sums.last_in,
        last_out: sums.last_out,
        purchases: sums.purchases,
    };
    Account { channel, phase, life, funds, pnl: sums.pnl, rebalanced: sums.rebalanced, standing }
}
