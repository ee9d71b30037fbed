//! What channels earned and cost, over all time and over a window.

use crate::econ::classify::Purchases;
use crate::econ::pnl::{Costs, Pnl, Traffic};
use crate::model::ledger::{CostKind, CostSource, SignedMsat};
use crate::model::{ChannelId, Msat, Scid, UnixTime};
use crate::store::flow::{self, FlowSums};
use crate::store::forwards::Delta;
use crate::store::sql::word;
use rusqlite::{Connection, Result};
use std::collections::{HashMap, HashSet};

/// Payments to ourselves: parts that came in through a channel, and parts that left by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebalanced {
    pub in_count: u64,
    pub in_msat: Msat,
    pub out_count: u64,
    pub out_msat: Msat,
}

/// Whose each name is.
pub(super) type Owners = HashMap<Scid, ChannelId>;

/// What is known of one channel over all time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChannelSums {
    pub pnl: Pnl,
    pub rebalanced: Rebalanced,
    pub purchases: Purchases,
    pub last_in: Option<UnixTime>,
    pub last_out: Option<UnixTime>,
}

/// The sums of all channels, handed out one by one.
#[derive(Default)]
pub(super) struct Sums {
    by_channel: HashMap<ChannelId, ChannelSums>,
    elsewhere: Pnl,
}

impl Sums {
    fn of(&mut self, channel: ChannelId) -> &mut ChannelSums {
        self.by_channel.entry(channel).or_default()
    }

    pub fn take(&mut self, channel: &ChannelId) -> ChannelSums {
        self.by_channel.remove(channel).unwrap_or_default()
    }

    /// What is left when all known channels have taken theirs.
    pub fn rest(self) -> Pnl {
        self.by_channel.values().map(|sums| &sums.pnl).chain([&self.elsewhere]).sum()
    }
}

pub(super) fn all(conn: &Connection, owners: &Owners) -> Result<Sums> {
    let mut sums = on_chain(conn)?;
    add_traffic(conn, owners, &mut sums)?;
    add_rebalances(conn, &mut sums)?;
    Ok(sums)
}

/// On-chain costs alone.
pub(super) fn on_chain(conn: &Connection) -> Result<Sums> {
    let mut sums = Sums::default();
    each_cost(conn, UnixTime(0), |cost| {
        sums.of(cost.channel_id).pnl.costs.book(cost.kind, cost.source, cost.amount);
    })?;
    Ok(sums)
}

/// Traffic over all time, under every name that a channel ever had.
fn add_traffic(conn: &Connection, owners: &Owners, sums: &mut Sums) -> Result<()> {
    let mut select =
        conn.prepare_cached(&format!("SELECT scid, {}, last_in_s, last_out_s FROM flow_totals", flow::SUMS))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let part = traffic(flow::read_delta(row)?);
        let Some(channel) = owners.get(&row.get(0)?) else {
            sums.elsewhere.traffic += part;
            continue;
        };
        let own = sums.of(*channel);
        own.pnl.traffic += part;
        own.last_in = own.last_in.max(row.get(10)?);
        own.last_out = own.last_out.max(row.get(11)?);
    }
    Ok(())
}

/// An on-chain cost, as sums need it.
pub(super) struct ChainCost {
    pub channel_id: ChannelId,
    pub kind: CostKind,
    pub source: CostSource,
    pub amount: SignedMsat,
    pub at: UnixTime,
}

/// On-chain costs from `since` on.
pub(super) fn each_cost(conn: &Connection, since: UnixTime, mut each: impl FnMut(ChainCost)) -> Result<()> {
    let mut select =
        conn.prepare_cached("SELECT channel_id, kind, source, msat, at_s FROM costs WHERE at_s >= ?1")?;
    let mut rows = select.query([since])?;
    while let Some(row) = rows.next()? {
        each(ChainCost {
            channel_id: row.get(0)?,
            kind: word(row, 1, CostKind::from_name)?,
            source: word(row, 2, CostSource::from_name)?,
            amount: row.get(3)?,
            at: row.get(4)?,
        });
    }
    Ok(())
}

/// A payment's parts follow one another, so that a payment in parts is one purchase.
fn add_rebalances(conn: &Connection, sums: &mut Sums) -> Result<()> {
    let mut select = conn.prepare_cached(
        "SELECT payment_hash, amount_msat, fee_msat, completed_at_s, out_channel, in_channel
         FROM rebalances ORDER BY payment_hash",
    )?;
    let mut rows = select.query([])?;
    let imported = imported_payments(conn)?;
    let mut purchase: Option<([u8; 32], ChannelId)> = None;
    while let Some(row) = rows.next()? {
        let (hash, amount, fee): ([u8; 32], Msat, Msat) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_imported = imported.contains(&hash);
        if let Some(channel) = row.get::<_, Option<ChannelId>>(4)? {
            let own = &mut sums.of(channel).rebalanced;
            own.out_count += 1;
            own.out_msat += amount;
        }
        let Some(channel) = row.get::<_, Option<ChannelId>>(5)? else {
            sums.elsewhere.costs.book_rebalance(fee, is_imported);
            continue;
        };
        let this = (hash, channel);
        let own = sums.of(channel);
        own.rebalanced.in_count += 1;
        own.rebalanced.in_msat += amount;
        own.pnl.costs.book_rebalance(fee, is_imported);
        if purchase.replace(this) != Some(this) {
            own.purchases.add(row.get(3)?);
        }
    }
    Ok(())
}

/// The fee of a payment to ourselves, as sums need it.
pub(super) struct Filling {
    /// The channel that was filled.
    pub into: Option<ChannelId>,
    pub fee: Msat,
    pub imported: bool,
    pub at: UnixTime,
}

/// Fees of payments to ourselves from `since` on.
pub(super) fn each_rebalance(
    conn: &Connection,
    since: UnixTime,
    mut each: impl FnMut(Filling),
) -> Result<()> {
    let imported = imported_payments(conn)?;
    let mut select = conn.prepare_cached(
        "SELECT in_channel, fee_msat, payment_hash, completed_at_s FROM rebalances WHERE completed_at_s >= ?1",
    )?;
    let mut rows = select.query([since])?;
    while let Some(row) = rows.next()? {
        let imported = imported.contains(&row.get::<_, [u8; 32]>(2)?);
        each(Filling { into: row.get(0)?, fee: row.get(1)?, imported, at: row.get(3)? });
    }
    Ok(())
}

/// The payments that only the Python plugin's database tells of.
fn imported_payments(conn: &Connection) -> Result<HashSet<[u8; 32]>> {
    conn.prepare_cached("SELECT payment_hash FROM imported_rebalances WHERE payment_hash IS NOT NULL")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// The node's sums from an instant until now.
#[derive(Clone, Debug)]
pub struct Window {
    /// The start that was really used.
    pub from: UnixTime,
    pub by_channel: HashMap<ChannelId, Pnl>,
    pub elsewhere: Pnl,
}

impl Window {
    /// The node's sums.
    pub fn total(&self) -> Pnl {
        self.by_channel.values().chain([&self.elsewhere]).sum()
    }

    /// The sums of one channel.
    pub fn of(&self, channel: &ChannelId) -> Pnl {
        self.by_channel.get(channel).copied().unwrap_or_default()
    }
}

/// All costs from `since` on.
pub fn costs_since(conn: &Connection, since: UnixTime) -> Result<Costs> {
    let mut costs = Costs::default();
    each_cost(conn, since, |cost| costs.book(cost.kind, cost.source, cost.amount))?;
    each_rebalance(conn, since, |filling| costs.book_rebalance(filling.fee, filling.imported))?;
    Ok(costs)
}

/// What filling each channel cost from `since` on, before `until`.
pub fn rebalance_costs(
    conn: &Connection,
    since: UnixTime,
    until: UnixTime,
) -> Result<HashMap<ChannelId, Msat>> {
    let mut costs: HashMap<ChannelId, Msat> = HashMap::new();
    each_rebalance(conn, since, |filling| {
        if let Some(channel) = filling.into.filter(|_| filling.at < until) {
            *costs.entry(channel).or_default() += filling.fee;
        }
    })?;
    Ok(costs)
}

/// Sums of everything from `since` on: forwards by when they were received, costs by when they
/// were paid.
pub(super) fn window(conn: &Connection, owners: &Owners, since: UnixTime) -> Result<Window> {
    let since = flow::window_start(conn, since)?;
    let mut window = Window { from: since, by_channel: HashMap::new(), elsewhere: Pnl::default() };
    flow::each_name_since(conn, since, |scid, delta| {
        window.books_of(owners.get(&scid)).traffic += traffic(delta);
    })?;
    each_cost(conn, since, |cost| {
        window.books_of(Some(&cost.channel_id)).costs.book(cost.kind, cost.source, cost.amount);
    })?;
    each_rebalance(conn, since, |filling| {
        window.books_of(filling.into.as_ref()).costs.book_rebalance(filling.fee, filling.imported);
    })?;
    Ok(window)
}

impl Window {
    fn books_of(&mut self, channel: Option<&ChannelId>) -> &mut Pnl {
        match channel {
            Some(channel) => self.by_channel.entry(*channel).or_default(),
            None => &mut self.elsewhere,
        }
    }
}

pub(super) fn traffic(delta: Delta) -> Traffic {
    let sums = FlowSums::from(delta);
    Traffic {
        in_msat: sums.in_msat,
        out_msat: sums.out_msat,
        in_count: sums.in_count.into(),
        out_count: sums.out_count.into(),
        earned: sums.earned,
        sourced: sums.sourced,
    }
}
