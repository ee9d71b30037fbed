//! How amounts stand in the answers of reports: in whole sats, rounded once, from the sum, towards
//! zero, and the exact msat beside them.

use crate::econ::networth::{NetWorth, Phase};
use crate::econ::pnl::Costs;
use crate::model::ledger::{CostKind, SignedMsat};
use crate::model::{Msat, UnixTime};
use crate::store::books::{Account, Books, ImportedChannel};
use serde_json::{Map, Value, json};

/// An object of an answer under construction.
#[derive(Default)]
pub(super) struct Sheet(Map<String, Value>);

impl Sheet {
    /// An empty one.
    pub fn new() -> Sheet {
        Sheet::default()
    }

    /// Any field.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Sheet {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// An amount, as `<name>_sats` and `<name>_msat`.
    pub fn money(self, name: &str, amount: impl Into<SignedMsat>) -> Sheet {
        let amount = amount.into();
        self.with(&format!("{name}_sats"), amount.sats()).with(&format!("{name}_msat"), amount.0)
    }

    /// An amount whose field in sats has no unit in its name, as `<name>` and `<name>_msat`.
    pub fn bare(self, name: &str, amount: impl Into<SignedMsat>) -> Sheet {
        let amount = amount.into();
        self.with(name, amount.sats()).with(&format!("{name}_msat"), amount.0)
    }

    /// The fields of a cost list: every kind, sums of kinds, and how much of it is no record.
    pub fn costs(self, costs: &Costs) -> Sheet {
        self.money("opening_cost", costs.opening())
            .money("closure_cost", costs.closure())
            .money("close_fee", costs.of(CostKind::Close))
            .money("sweep_fee", costs.of(CostKind::Sweep))
            .money("penalty", costs.of(CostKind::Penalty))
            .money("splice_cost", costs.of(CostKind::Splice))
            .money("lease_cost", costs.of(CostKind::Lease))
            .money("rebalance_cost", costs.rebalance)
            .money("total_cost", costs.total())
            .money("estimated", costs.estimated)
            .with("estimated_pct", two(costs.estimated_pct()))
            .money("imported", costs.imported)
    }

    /// The names of a channel: `channel_id` is the short one, as users of these commands know it.
    pub fn channel(self, account: &Account) -> Sheet {
        self.with("channel_id", account.name())
            .with("full_channel_id", account.channel.channel_id.to_string())
            .with("peer_id", account.channel.peer_id.to_string())
    }

    /// The answer.
    pub fn done(self) -> Value {
        Value::Object(self.0)
    }
}

impl From<Sheet> for Value {
    fn from(sheet: Sheet) -> Value {
        sheet.done()
    }
}

/// Two decimals: shares in percent are no more exact than that.
pub(super) fn two(value: f64) -> f64 {
    let rounded = (value * 100.0).round() / 100.0;
    // Not minus zero.
    rounded + 0.0
}

/// A share as percent with two decimals.
pub(super) fn pct(share: f64) -> f64 {
    two(100.0 * share)
}

/// What the node owns, part by part; null before the first look.
pub(super) fn net_worth(worth: Option<&NetWorth>) -> Value {
    let Some(worth) = worth else { return Value::Null };
    Sheet::new()
        .money("total", worth.total())
        .money("onchain_confirmed", worth.wallet.confirmed)
        .money("onchain_unconfirmed", worth.wallet.unconfirmed)
        .money("onchain_reserved", worth.wallet.reserved)
        .money("channels_local", worth.channels)
        .money("channels_opening", worth.opening)
        .money("pending_closes", worth.closing)
        .with(
            "note",
            "what closing would cost is not taken off; reserved outputs are part of the confirmed ones",
        )
        .done()
}

/// Channels whose end may still cost something.
pub(super) fn unsettled(books: &Books) -> Vec<Value> {
    let row = |account: &Account| {
        Sheet::new()
            .channel(account)
            .with(
                "state",
                account.funds.as_ref().map_or(&account.channel.state, |funds| &funds.state).as_str(),
            )
            .with("close_type", account.life.close_kind.map_or("unknown", |kind| kind.name()))
            .with("closed_at", account.life.closed_at.map(|at| at.0))
            .money("booked", account.pnl.costs.closure())
            .money("local", account.funds.as_ref().map_or(Msat::ZERO, |funds| funds.to_us))
            .done()
    };
    books.accounts.iter().filter(|account| account.is_unsettled()).map(row).collect()
}

/// How many channels are in each phase, and how many of the closed ones are known from an import alone.
pub(super) fn phases(books: &Books, imported: &[ImportedChannel]) -> Sheet {
    Phase::ALL
        .into_iter()
        .fold(Sheet::new(), |sheet, phase| sheet.with(phase.name(), books.in_phase(phase).count()))
        .with(Phase::Closed.name(), books.in_phase(Phase::Closed).count() + imported.len())
        .with("imported_count", imported.len())
}

/// When the node was last looked at.
pub(super) fn as_of(books: &Books) -> Value {
    json!(books.funds.map(|funds| funds.at.0))
}

/// The start of a window that ends now.
pub(super) fn days_back(now: UnixTime, days: u64) -> UnixTime {
    now.minus(days * UnixTime::DAY)
}
