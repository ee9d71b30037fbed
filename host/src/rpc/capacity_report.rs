//! `revenue-capacity-report`: where capacity earns, where it lies idle, and what to do about it.

use super::args::Args;
use super::sheet::{Sheet, as_of, days_back, pct};
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::econ::capacity::{Candidate, Loser, Mempool, TRIES_DAYS, advise};
use crate::econ::networth::Phase;
use crate::model::UnixTime;
use crate::store::Connection;
use crate::store::books::{self, Account, Window};
use serde_json::Value;
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-capacity-report",
    usage: "",
    description: "Advises which channels to enlarge, to revive and to close, with the figures behind it.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

/// What the report depends on besides the books.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Days that turnover and direction are taken from.
    pub window_days: u32,
    /// Days in which a new channel is not called stagnant.
    pub grace_days: u64,
}

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    let (now, config) = (services.now(), services.config());
    let settings = Settings {
        window_days: u32::try_from(config.flow_window_days).unwrap_or(u32::MAX),
        grace_days: config.new_channel_grace_days,
    };
    Ok(services.store.read(move |conn| report(conn, now, settings)).await?)
}

/// The advice from the books as they are.
pub fn report(conn: &Connection, now: UnixTime, settings: Settings) -> anyhow::Result<Value> {
    let books = books::all(conn)?;
    let window = books.window(conn, days_back(now, settings.window_days.into()))?;
    let candidates: Vec<Candidate> = books
        .in_phase(Phase::Open)
        .map(|account| candidate(account, &window, settings.window_days, now))
        .collect();
    let feerate = books.funds.and_then(|funds| funds.feerate_perkb);
    let advice = advise(&candidates, feerate, settings.grace_days);
    Ok(Sheet::new()
        .with("timestamp", now.0)
        .with("mempool_recommendation", advice.mempool.recommendation())
        .with("feerate_sat_per_vb", advice.mempool.sat_per_vb())
        .with("winners", advice.winners.iter().map(|channel| winner(channel)).collect::<Vec<_>>())
        .with("losers", advice.losers.iter().map(|one| loser(one, advice.mempool)).collect::<Vec<_>>())
        .with("recommendations", advice.recommendations)
        .with("window_days", settings.window_days)
        .with("channels", candidates.len())
        .with("as_of", as_of(&books))
        .done())
}

fn candidate(account: &Account, window: &Window, recent_days: u32, now: UnixTime) -> Candidate {
    let purchases = account.standing.purchases;
    let lately = |at: &Option<UnixTime>| at.is_some_and(|at| at >= days_back(now, TRIES_DAYS));
    let recent = [purchases.last, purchases.before_last].iter().filter(|at| lately(at)).count();
    let funds = account.funds.as_ref();
    Candidate {
        channel_id: account.channel.channel_id,
        name: account.name(),
        peer_id: account.channel.peer_id,
        capacity: account.channel.capacity,
        local: funds.map(|funds| funds.to_us).unwrap_or_default(),
        age_days: account.days(now),
        class: account.class(now),
        pnl: account.pnl,
        recent: window.of(&account.channel.channel_id).traffic,
        recent_days,
        recent_purchases: recent as u32,
        peer_splices: funds.and_then(|funds| funds.peer_splices),
    }
}

/// What winners and losers both show.
fn figures(channel: &Candidate) -> Sheet {
    Sheet::new()
        .with("scid", channel.name.as_str())
        .with("full_channel_id", channel.channel_id.to_string())
        .with("peer_id", channel.peer_id.to_string())
        .with("roi", pct(channel.pnl.contribution_roi()))
        .with("marginal_roi", pct(channel.pnl.marginal_roi()))
        .with("classification", channel.class.name())
        .with("flow_ratio", super::analyze::rounded(channel.recent.direction()))
        .with("turnover", super::analyze::rounded(channel.turnover()))
        .bare("capacity", channel.capacity)
        .money("local", channel.local)
        .with("days_open", channel.age_days)
        .money("earned", channel.pnl.traffic.earned)
        .money("sourced", channel.pnl.traffic.sourced)
        .money("costs", channel.pnl.costs.total())
        .with("peer_supports_splice", channel.peer_splices)
}

fn winner(channel: &Candidate) -> Value {
    figures(channel).done()
}

fn loser(loser: &Loser<'_>, mempool: Mempool) -> Value {
    let (close, priced) = mempool.close_cost();
    figures(loser.channel)
        .with("reason", loser.reason())
        .money("estimated_closure_cost", close)
        .with(
            "closure_cost_basis",
            if priced { "200 vbytes at the present feerate" } else { "assumed: no feerate is known" },
        )
        .with("recent_purchases", loser.channel.recent_purchases)
        .with("action", loser.action.name())
        .done()
}
