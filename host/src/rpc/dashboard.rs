//! `revenue-dashboard`: how the business goes, over the last days.

use super::args::{Args, Kind, Param};
use super::sheet::{Sheet, as_of, days_back, net_worth, two, unsettled};
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::econ::networth::Phase;
use crate::econ::pnl::{Pnl, return_on_capacity_pct};
use crate::model::UnixTime;
use crate::model::ledger::SignedMsat;
use crate::store::Connection;
use crate::store::books::{self, Account, Books, Window};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-dashboard",
    usage: "[window_days]",
    description: "Shows net worth, profit, margin and return over the last days (30 by default), and channels that lose money.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] = &[Param::optional(
    "window_days",
    Kind::Number { min: f64::MIN, max: 3650.0 },
    "How many whole days to look back on; less than 1 means 1.",
)
.or(&["days"])
.or_blank()];

/// Days of a call that does not say.
const DEFAULT_DAYS: u64 = 30;
/// After this many seconds the last look at the node is worth a warning.
const STALE_S: u64 = UnixTime::HOUR;

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS)?;
    let days = args.opt_number("window_days").map_or(DEFAULT_DAYS, |days| days as u64).max(1);
    let now = services.now();
    Ok(services.store.read(move |conn| report(conn, now, days)).await?)
}

/// The dashboard over the last `days` days.
pub fn report(conn: &Connection, now: UnixTime, days: u64) -> anyhow::Result<Value> {
    let books = books::outline(conn)?;
    let window = books.window(conn, days_back(now, days))?;
    let total = window.total();
    let bleeders = bleeders(&books, &window);
    Ok(json!({
        "financial_health": health(&books, &window, &total, now),
        "period": period(&window, &total, days, now),
        "warnings": warnings(&books, &total, &bleeders, days, now),
        "bleeder_count": bleeders.len(),
        "bleeders": bleeders.iter().map(Bleeder::row).collect::<Vec<_>>(),
        "unsettled_closes": unsettled(&books),
        "as_of": as_of(&books),
    }))
}

fn health(books: &Books, window: &Window, total: &Pnl, now: UnixTime) -> Value {
    let worth = books.net_worth();
    let profit = total.operating_profit();
    let (roc, yearly) = return_on_capacity_pct(profit, books.capacity(), now.since(window.from));
    let sheet = match &worth {
        Some(worth) => Sheet::new().money("tlv", worth.total()),
        None => Sheet::new().with("tlv_sats", Value::Null).with("tlv_msat", Value::Null),
    };
    sheet
        .money("net_profit", profit)
        .money("net_profit_after_opening", total.net())
        .with("operating_margin_pct", two(total.margin_pct()))
        .with("annualized_roc_pct", two(yearly))
        .with("roc_pct", two(roc))
        .with("net_worth", net_worth(worth.as_ref()))
        .done()
}

fn period(window: &Window, total: &Pnl, days: u64, now: UnixTime) -> Value {
    Sheet::new()
        .with("window_days", days)
        .with("start", window.from.0)
        .with("end", now.0)
        .money("gross_revenue", total.traffic.earned)
        .money("opex", total.costs.operating())
        .with("total_forwards", total.traffic.out_count)
        .money("forwarded", total.traffic.out_msat)
        .costs(&total.costs)
        .done()
}

/// A channel for which rebalancing cost more than the fees it had a part in.
struct Bleeder<'a> {
    account: &'a Account,
    pnl: Pnl,
}

/// The open channels that lose money while forwards pass, the worst first.
fn bleeders<'a>(books: &'a Books, window: &Window) -> Vec<Bleeder<'a>> {
    let mut bleeders: Vec<Bleeder<'a>> = books
        .in_phase(Phase::Open)
        .map(|account| Bleeder { account, pnl: window.of(&account.channel.channel_id) })
        .filter(|one| one.pnl.traffic.count() > 0 && one.pnl.after_rebalancing() < SignedMsat::ZERO)
        .collect();
    bleeders.sort_by_key(|one| (one.pnl.after_rebalancing(), one.account.channel.channel_id));
    bleeders
}

impl Bleeder<'_> {
    fn row(&self) -> Value {
        Sheet::new()
            .channel(self.account)
            .money("earned", self.pnl.traffic.earned)
            .money("sourced", self.pnl.traffic.sourced)
            .money("rebalance_cost", self.pnl.costs.rebalance)
            .money("loss", -self.pnl.after_rebalancing())
            .done()
    }

    fn warning(&self, days: u64) -> String {
        format!(
            "{} bleeds: in {days} days it earned {} and brought in {} sat, and filling it cost {} sat",
            self.account.name(),
            self.pnl.traffic.earned.sats(),
            self.pnl.traffic.sourced.sats(),
            self.pnl.costs.rebalance.sats()
        )
    }
}

fn warnings(books: &Books, total: &Pnl, bleeders: &[Bleeder<'_>], days: u64, now: UnixTime) -> Vec<String> {
    let mut warnings: Vec<String> = bleeders.iter().map(|one| one.warning(days)).collect();
    match books.funds {
        None => warnings.push("the node's funds have not been read yet, so there is no net worth".to_owned()),
        Some(funds) if now.since(funds.at) > STALE_S => warnings.push(format!(
            "the node was last looked at {} minutes ago: balances are of that time",
            now.since(funds.at) / 60
        )),
        Some(_) => {}
    }
    if total.costs.estimated != SignedMsat::ZERO {
        warnings.push(format!(
            "{} sat of the costs are estimates, to be replaced when the node's records appear",
            total.costs.estimated.sats()
        ));
    }
    let unsettled = books.accounts.iter().filter(|account| account.is_unsettled()).count();
    if unsettled > 0 {
        warnings.push(format!("{unsettled} closes are not settled: sweeps may still cost something"));
    }
    warnings
}
