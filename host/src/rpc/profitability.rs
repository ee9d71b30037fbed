//! `revenue-profitability`: what each channel earned, cost and is worth.

mod imported;

use super::args::{Args, ChannelName, Kind, Param};
use super::history::unattributed;
use super::sheet::{Sheet, as_of, pct, phases, two};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::econ::classify::{Class, FlowProfile, inbound_outbound_ratio, role};
use crate::econ::networth::Phase;
use crate::econ::pnl::Pnl;
use crate::model::{ChannelId, Msat, UnixTime};
use crate::store::books::{self, Account};
use crate::store::{Connection, names};
pub(super) use imported::{imported, money_told};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-profitability",
    usage: "[channel_id]",
    description: "Shows one channel's profit and loss, closed ones too, under any name it ever had; without one, ranks \
                  all open channels by class.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] =
    &[Param::optional("channel_id", Kind::Channel, "A channel, by short channel id or channel_id.")
        .or(&["scid"])
        .or_blank()];

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let args = Args::parse(&params, PARAMS)?;
    let now = services.now();
    let Some(name) = args.opt_channel("channel_id") else {
        return Ok(services.store.read(move |conn| ranking(conn, now)).await?);
    };
    services.store.read(move |conn| single(conn, name, now)).await?.ok_or_else(|| {
        CommandError::from(format!("No data available: {name} is not, and never was, a channel of this node"))
            .beside("channel_id", name.to_string())
    })
}

/// All open channels by class.
pub fn ranking(conn: &Connection, now: UnixTime) -> anyhow::Result<Value> {
    let books = books::all(conn)?;
    let mut open: Vec<(&Account, Class)> =
        books.in_phase(Phase::Open).map(|account| (account, account.class(now))).collect();
    open.sort_by_key(|(account, _)| (std::cmp::Reverse(account.pnl.net()), account.channel.channel_id));
    let by_class: Map<String, Value> = Class::ALL
        .into_iter()
        .map(|class| {
            let rows = open.iter().filter(|(_, of)| *of == class).map(|(account, _)| row(account, now));
            (class.name().to_owned(), rows.collect())
        })
        .collect();
    let closed: Pnl = books
        .accounts
        .iter()
        .filter(|account| account.phase != Phase::Open)
        .map(|account| &account.pnl)
        .sum();
    let total = books.total();
    Ok(json!({
        "summary": summary(&open),
        "channels_by_class": by_class,
        "other_channels": phases(&books, &books.imported(conn)?).money("net_profit", closed.net()).done(),
        "unattributed": unattributed(&books.elsewhere),
        "node": Sheet::new().money("net_profit", total.net()).with("roi_pct", pct(total.roi())).done(),
        "as_of": as_of(&books),
    }))
}

fn summary(open: &[(&Account, Class)]) -> Value {
    let count = |class: Class| open.iter().filter(|(_, of)| *of == class).count();
    let total: Pnl = open.iter().map(|(account, _)| &account.pnl).sum();
    let profile = |profile: FlowProfile| {
        open.iter().filter(|(account, _)| FlowProfile::of(&account.pnl.traffic) == profile).count()
    };
    let profiles = FlowProfile::ALL
        .into_iter()
        .fold(Sheet::new(), |sheet, one| sheet.with(&format!("{}_count", one.name()), profile(one)));
    Class::ALL
        .into_iter()
        .fold(Sheet::new().with("total_channels", open.len()), |sheet, class| {
            sheet.with(&format!("{}_count", class.name()), count(class))
        })
        .money("total_profit", total.net())
        .money("total_revenue", total.traffic.earned)
        // Each fee once: what channels brought to each other is in what those earned.
        .money("total_contribution", total.traffic.earned)
        .money("total_costs", total.costs.total())
        .with("overall_roi_pct", pct(total.roi()))
        .with("flow_profiles", profiles)
        .done()
}

/// One channel in the ranking.
fn row(account: &Account, now: UnixTime) -> Value {
    let pnl = &account.pnl;
    Sheet::new()
        .channel(account)
        .money("net_profit", pnl.net())
        .with("roi_percentage", pct(pnl.roi()))
        .with("contribution_roi_percentage", pct(pnl.contribution_roi()))
        .with("marginal_roi_percentage", pct(pnl.marginal_roi()))
        .money("revenue", pnl.traffic.earned)
        .money("sourced", pnl.traffic.sourced)
        .money("costs", pnl.costs.total())
        .with("days_active", account.days(now))
        .with("flow_profile", FlowProfile::of(&pnl.traffic).name())
        .with("role", role(&pnl.traffic))
        .done()
}

/// One channel by any name it ever had, also one that only the Python plugin's database tells of; none
/// when there never was such a channel.
pub fn single(conn: &Connection, name: ChannelName, now: UnixTime) -> anyhow::Result<Option<Value>> {
    let id: Option<ChannelId> = match name {
        ChannelName::ChannelId(id) => Some(id),
        ChannelName::Scid(scid) => names::resolve(conn, scid)?,
    };
    let books = books::all(conn)?;
    let Some(account) = id.and_then(|id| books.account(&id)) else {
        let forgotten = books.imported(conn)?;
        let found = forgotten.iter().find(|channel| name == ChannelName::Scid(channel.scid));
        return Ok(found.map(|channel| imported(channel).with("as_of", as_of(&books)).done()));
    };
    let known: Vec<String> =
        names::of(conn, &account.channel.channel_id)?.iter().map(ToString::to_string).collect();
    Ok(Some(
        Sheet::new()
            .with("channel_id", name.to_string())
            .with("full_channel_id", account.channel.channel_id.to_string())
            .with("peer_id", account.channel.peer_id.to_string())
            .with("names", known)
            .with("state", account.phase.name())
            .with("profitability", profitability(account, now))
            .with("life", life(account))
            .with("as_of", as_of(&books))
            .done(),
    ))
}

/// Everything about the money of one channel.
pub(super) fn profitability(account: &Account, now: UnixTime) -> Value {
    let class = account.class(now);
    money(&account.pnl)
        .with("profitability_class", class.name())
        .with("days_active", account.days(now))
        .with("idle_days", account.standing.idle_days(now))
        .with("fee_multiplier", class.fee_multiplier(account.pnl.marginal_roi()))
        .with("rebalance_priority", class.rebalance_priority())
        .with("rebalanced_in", rebalanced(account.rebalanced.in_count, account.rebalanced.in_msat))
        .with("rebalanced_out", rebalanced(account.rebalanced.out_count, account.rebalanced.out_msat))
        .done()
}

/// What can be said of the money of a channel, and of that of several.
pub(super) fn money(pnl: &Pnl) -> Sheet {
    let traffic = &pnl.traffic;
    let ratio = inbound_outbound_ratio(traffic).map_or_else(|| json!("infinite"), |ratio| json!(two(ratio)));
    Sheet::new()
        .money("total_costs", pnl.costs.total())
        .money("total_contribution", pnl.contribution())
        .money("net_profit", pnl.net())
        .with("roi_percentage", pct(pnl.roi()))
        .with("contribution_roi_percentage", pct(pnl.contribution_roi()))
        .with("marginal_roi_percentage", pct(pnl.marginal_roi()))
        .with("outbound_flow", outbound(pnl))
        .with("inbound_flow", inbound(pnl))
        .with("flow_profile", FlowProfile::of(traffic).name())
        .with("role", role(traffic))
        .with("inbound_outbound_ratio", ratio)
        .money("total_revenue", traffic.earned)
        .money("volume_routed", traffic.volume())
        .with("forward_count", traffic.count())
        .with("costs", Sheet::new().costs(&pnl.costs))
}

fn outbound(pnl: &Pnl) -> Value {
    Sheet::new()
        .with("payment_count", pnl.traffic.out_count)
        .money("volume", pnl.traffic.out_msat)
        .money("revenue_earned", pnl.traffic.earned)
        .done()
}

fn inbound(pnl: &Pnl) -> Value {
    Sheet::new()
        .with("payment_count", pnl.traffic.in_count)
        .money("volume", pnl.traffic.in_msat)
        .money("contribution_to_other_channels", pnl.traffic.sourced)
        .done()
}

fn rebalanced(count: u64, amount: Msat) -> Value {
    Sheet::new().with("payment_count", count).money("amount", amount).done()
}

/// How the channel began and ended.
pub(super) fn life(account: &Account) -> Value {
    let (life, time) = (&account.life, |at: Option<UnixTime>| at.map(|at| at.0));
    Sheet::new()
        .bare("capacity", account.channel.capacity)
        .with("opener", account.channel.opener.name())
        .with("opened_at", time(life.opened_at))
        .with("first_seen", account.channel.first_seen.0)
        .with("local_funds_msat", life.local_funds.map(|msat| msat.0))
        .with("remote_funds_msat", life.remote_funds.map(|msat| msat.0))
        .money("pushed_at_opening", life.pushed)
        .with("closed_at", time(life.closed_at))
        .with("close_type", life.close_kind.map(|kind| kind.name()))
        .with("closer", life.closer.clone())
        .with("close_cause", life.close_cause.clone())
        .with("closing_txid", life.closing_txid.map(|txid| txid.to_string()))
        .with("final_to_us_msat", life.final_to_us.map(|msat| msat.0))
        .with("is_settled", !account.is_unsettled())
        .done()
}
