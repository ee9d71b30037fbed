//! `revenue-report`: the summary, one peer, the fleet, policies, and costs.

mod costs;
mod peer;

use super::args::{Args, Form, Kind, Menu, Param};
use super::policy::answer::policies as policy_rows;
use super::sheet::{Sheet, as_of, days_back, net_worth, pct, phases, two, unsettled};
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::econ::classify::Class;
use crate::econ::networth::Phase;
use crate::econ::pnl::{Pnl, return_on_capacity_pct};
use crate::model::{Policy, UnixTime};
use crate::store::books::{self, Books, ImportedChannel};
use crate::store::{Connection, policies};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use costs::report as costs;
pub use peer::report as peer;

pub(super) const COMMAND: Command = Command {
    name: "revenue-report",
    usage: "[report_type] [peer_id]",
    description: "Reports on the node (summary), on one peer (peer), on members of the fleet (hive), on policies \
                  (policies) or on what was spent (costs).",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

/// Days that the summary's margin and return look back on.
const SUMMARY_DAYS: u64 = 30;

static MENU: Menu = Menu {
    selector: "report_type",
    default: Some("summary"),
    forms: &[
        Form {
            action: "summary",
            params: &[],
            doc: "Net worth, margin, return, and how many channels are how.",
        },
        Form {
            action: "peer",
            params: &[Param::required("peer_id", Kind::PeerId, "The peer's node id.")],
            doc: "All channels of one peer, each and together, with policy and flow.",
        },
        Form { action: "hive", params: &[], doc: "The peers with the strategy hive." },
        Form { action: "policies", params: &[], doc: "How many policies are how." },
        Form { action: "costs", params: &[], doc: "What was spent, by cause and time." },
    ],
    reads: &["summary", "peer", "hive", "policies", "costs"],
    everywhere: &["peer_id"],
    exact: &[],
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    let (now, config) = (services.now(), services.config());
    let store = &services.store;
    let report = match form.action {
        "summary" => store.read(move |conn| summary(conn, now)).await,
        "peer" => {
            let peer_id = args.peer_id("peer_id")?;
            store.read(move |conn| peer(conn, now, peer_id)).await
        }
        "hive" => store.read(move |conn| hive(conn, now)).await,
        "policies" => store.read(move |conn| by_policy(conn, now)).await,
        "costs" => store.read(move |conn| costs(conn, now, config.estimated_open_cost_sats)).await,
        other => Menu::has_no(other),
    };
    Ok(report?)
}

/// The node as a whole.
pub fn summary(conn: &Connection, now: UnixTime) -> anyhow::Result<Value> {
    let books = books::all(conn)?;
    let window = books.window(conn, days_back(now, SUMMARY_DAYS))?;
    let (recent, lifetime) = (window.total(), books.total());
    let profit = recent.operating_profit();
    let (roc, yearly) = return_on_capacity_pct(profit, books.capacity(), now.since(window.from));
    let policies = in_force(conn, now)?;
    Ok(Sheet::new()
        .with("type", "summary")
        .with("net_worth", net_worth(books.net_worth().as_ref()))
        .with("operating_margin_pct", two(recent.margin_pct()))
        .with("roc_pct", two(roc))
        .with("annualized_roc_pct", two(yearly))
        .with("period", period(&recent, window.from, now))
        .with("lifetime", profit_and_loss(&lifetime))
        .with("channels", channels(&books, &books.imported(conn)?, now))
        .with("unsettled_closes", unsettled(&books))
        .with("policies", counts(&policies))
        .with("as_of", as_of(&books))
        .with("generated_at", now.0)
        .done())
}

fn period(recent: &Pnl, from: UnixTime, now: UnixTime) -> Value {
    let mut period = profit_and_loss(recent);
    period["start"] = json!(from.0);
    period["end"] = json!(now.0);
    period
}

fn profit_and_loss(pnl: &Pnl) -> Value {
    Sheet::new()
        .money("revenue", pnl.traffic.earned)
        .with("forward_count", pnl.traffic.out_count)
        .money("forwarded", pnl.traffic.out_msat)
        .costs(&pnl.costs)
        .money("operating_profit", pnl.operating_profit())
        .money("net_profit", pnl.net())
        .with("roi_pct", pct(pnl.roi()))
        .done()
}

fn channels(books: &Books, imported: &[ImportedChannel], now: UnixTime) -> Value {
    let classes: Vec<Class> = books.in_phase(Phase::Open).map(|account| account.class(now)).collect();
    let by_class = Class::ALL.into_iter().fold(Sheet::new(), |sheet, class| {
        sheet.with(class.name(), classes.iter().filter(|of| **of == class).count())
    });
    phases(books, imported)
        .with("unsettled", books.accounts.iter().filter(|account| account.is_unsettled()).count())
        .money("open_capacity", books.capacity())
        .with("by_class", by_class)
        .done()
}

fn in_force(conn: &Connection, now: UnixTime) -> anyhow::Result<Vec<Policy>> {
    let mut policies = policies::load_all(conn)?;
    policies.retain(|policy| !policy.is_expired(now));
    Ok(policies)
}

/// Members of the fleet, by their policies.
pub fn hive(conn: &Connection, now: UnixTime) -> anyhow::Result<Value> {
    let mut members = in_force(conn, now)?;
    members.retain(|policy| policy.strategy.is_fleet());
    Ok(json!({ "type": "hive", "peers": policy_rows(&members, now), "count": members.len() }))
}

/// How many policies are how.
pub fn by_policy(conn: &Connection, now: UnixTime) -> anyhow::Result<Value> {
    let policies = in_force(conn, now)?;
    let mut report = counts(&policies);
    report["type"] = json!("policies");
    report["by_tag"] = tally(policies.iter().flat_map(|policy| policy.tags.iter().map(String::as_str)));
    Ok(report)
}

fn counts(policies: &[Policy]) -> Value {
    json!({
        "total": policies.len(),
        "by_strategy": tally(policies.iter().map(|policy| policy.strategy.as_str())),
        "by_rebalance_mode": tally(policies.iter().map(|policy| policy.rebalance_mode.name())),
    })
}

/// How often each word comes.
fn tally<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    json!(counts)
}
