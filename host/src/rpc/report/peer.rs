//! Everything about one peer: its channels, each and together.

use crate::econ::networth::Phase;
use crate::econ::pnl::Pnl;
use crate::guard::policy::in_force;
use crate::model::flow::FlowState;
use crate::model::{ChannelId, PeerId, UnixTime};
use crate::rpc::policy::answer::policy;
use crate::rpc::profitability::{imported, life, money, money_told, profitability};
use crate::rpc::sheet::{Sheet, as_of, days_back};
use crate::rpc::status::flow_state;
use crate::store::books::{self, Account, ChannelFunds, ImportedChannel, Window};
use crate::store::{Connection, flow, policies};
use serde_json::Value;
use std::collections::HashMap;

/// Days of the sums beside those over all time.
const RECENT_DAYS: u64 = 30;

/// The report on one peer; a peer that never had a channel has an empty one.
pub fn report(conn: &Connection, now: UnixTime, peer_id: PeerId) -> anyhow::Result<Value> {
    let books = books::all(conn)?;
    let window = books.window(conn, days_back(now, RECENT_DAYS))?;
    let states = flow::load_states(conn)?;
    let mut accounts: Vec<&Account> =
        books.accounts.iter().filter(|account| account.channel.peer_id == peer_id).collect();
    accounts.sort_by_key(|account| {
        (
            account.phase != Phase::Open,
            std::cmp::Reverse(account.channel.capacity),
            account.channel.channel_id,
        )
    });
    let mut forgotten = books.imported(conn)?;
    forgotten.retain(|channel| channel.peer_id == peer_id);
    let recent: Vec<Pnl> = accounts.iter().map(|account| window.of(&account.channel.channel_id)).collect();
    let recent: Pnl = recent.iter().sum();
    let policy_now = in_force(policies::get(conn, &peer_id)?, peer_id, now);
    let largest = accounts.iter().find_map(|account| shown_state(account, &states));
    let known = accounts.iter().map(|account| channel(account, &window, &states, now));
    let channels: Vec<Value> = known.chain(forgotten.iter().map(|one| imported(one).done())).collect();
    Ok(Sheet::new()
        .with("type", "peer")
        .with("peer_id", peer_id.to_string())
        .with("policy", policy(&policy_now, now))
        .with("profitability", together(&accounts, &forgotten))
        .with("recent_days", RECENT_DAYS)
        .with("recent", money(&recent))
        // That of the largest open channel; each channel below has its own.
        .with("flow_state", largest.unwrap_or(Value::Null))
        .with("channel_count", channels.len())
        .with("channels", channels)
        .with("as_of", as_of(&books))
        .with("generated_at", now.0)
        .done())
}

/// The money of all channels; where the file alone tells of them, without the amounts that it does not have.
fn together(accounts: &[&Account], forgotten: &[ImportedChannel]) -> Value {
    let told = forgotten.iter().map(|channel| &channel.pnl);
    let sum: Pnl = accounts.iter().map(|account| &account.pnl).chain(told).sum();
    let sheet = match (accounts, forgotten) {
        ([], []) => return Value::Null,
        ([], _) => money_told(&sum),
        _ => money(&sum),
    };
    sheet.with("imported_count", forgotten.len()).done()
}

fn shown_state(account: &Account, states: &HashMap<ChannelId, FlowState>) -> Option<Value> {
    states.get(&account.channel.channel_id).map(|state| flow_state(state, Some(&account.channel)))
}

fn channel(
    account: &Account,
    window: &Window,
    states: &HashMap<ChannelId, FlowState>,
    now: UnixTime,
) -> Value {
    Sheet::new()
        .channel(account)
        .with("state", account.phase.name())
        .with("profitability", profitability(account, now))
        .with("recent", money(&window.of(&account.channel.channel_id)))
        .with("flow_state", shown_state(account, states).unwrap_or(Value::Null))
        .with("balance", account.funds.as_ref().map_or(Value::Null, balance))
        .with("life", life(account))
        .done()
}

fn balance(funds: &ChannelFunds) -> Value {
    Sheet::new()
        .with("state", funds.state.as_str())
        .with("connected", funds.connected)
        .money("local", funds.to_us)
        .money("total", funds.total)
        .money("spendable", funds.spendable)
        .money("receivable", funds.receivable)
        .with("fee_ppm", funds.fee_ppm.0)
        .with("base_fee_msat", funds.base_fee.0)
        .done()
}
