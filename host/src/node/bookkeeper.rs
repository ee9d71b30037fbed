//! bookkeeper's records of what moved on the chain.

use super::rows::Rows;
use super::wire::msat;
use super::{BAD_PARAMETERS, CallError, Group, Node};
use crate::model::life::{Account, AccountState, BookEvent, BookKind, Outpoint};
use crate::model::{ChannelId, Msat, UnixTime};
use serde::Deserialize;
use serde_json::json;

/// Movements inside a channel that the books need; forwards and payments have lists of their own.
const CHANNEL_TAGS: [&str; 3] = ["lease_fee", "pushed", "penalty_adj"];

#[derive(Debug, Deserialize)]
struct Event {
    account: String,
    origin: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    tag: String,
    #[serde(default, deserialize_with = "msat")]
    credit_msat: Option<Msat>,
    #[serde(default, deserialize_with = "msat")]
    debit_msat: Option<Msat>,
    timestamp: u64,
    outpoint: Option<String>,
    txid: Option<String>,
    blockheight: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Balance {
    account: String,
    #[serde(default)]
    account_resolved: bool,
}

impl Node {
    /// The events of one account that matter on the chain; none when bookkeeper does not know it.
    pub async fn account_events(&self, account: Account) -> Result<Option<Vec<BookEvent>>, CallError> {
        match self.events(json!({ "account": account_name(account) })).await {
            Err(CallError::Refused { code: Some(BAD_PARAMETERS), .. }) => Ok(None),
            events => events.map(Some),
        }
    }

    /// The events of all accounts that matter on the chain. The answer holds two rows for every
    /// forward ever made: not for large nodes.
    pub async fn all_account_events(&self) -> Result<Vec<BookEvent>, CallError> {
        self.events(json!({})).await
    }

    /// The account of a busy channel holds a row for every forward that ever went through.
    async fn events(&self, params: serde_json::Value) -> Result<Vec<BookEvent>, CallError> {
        let rows = Rows::of("events", to_event);
        self.call_streamed(rows, Group::Bookkeeper, "bkpr-listaccountevents", params).await
    }

    /// How far each channel's close is: one call.
    pub async fn account_states(&self) -> Result<Vec<AccountState>, CallError> {
        let state = |balance: Balance| {
            Some(AccountState {
                channel_id: balance.account.parse().ok()?,
                resolved: balance.account_resolved,
            })
        };
        let rows = Rows::of("accounts", state);
        self.call_streamed(rows, Group::Bookkeeper, "bkpr-listbalances", json!({})).await
    }
}

fn account_name(account: Account) -> String {
    match account {
        Account::Channel(channel_id) => channel_id.to_string(),
        Account::Wallet => "wallet".to_owned(),
        Account::External | Account::Other => "external".to_owned(),
    }
}

fn account(name: &str) -> Account {
    match name {
        "wallet" => Account::Wallet,
        "external" => Account::External,
        id => id.parse::<ChannelId>().map_or(Account::Other, Account::Channel),
    }
}

fn to_event(raw: Event) -> Option<BookEvent> {
    let kind = match raw.kind.as_str() {
        "chain" => BookKind::Chain,
        "onchain_fee" => BookKind::OnchainFee,
        "channel" if CHANNEL_TAGS.contains(&raw.tag.as_str()) => BookKind::Channel,
        _ => return None,
    };
    Some(BookEvent {
        account: account(&raw.account),
        origin: raw.origin.as_deref().and_then(|origin| origin.parse().ok()),
        kind,
        tag: raw.tag,
        credit: raw.credit_msat.unwrap_or_default(),
        debit: raw.debit_msat.unwrap_or_default(),
        at: UnixTime(raw.timestamp),
        outpoint: raw.outpoint.as_deref().and_then(outpoint),
        txid: raw.txid.as_deref().and_then(|txid| txid.parse().ok()),
        height: raw.blockheight.filter(|height| *height > 0),
    })
}

/// Reads `<txid>:<output>`.
fn outpoint(text: &str) -> Option<Outpoint> {
    let (txid, output) = text.split_once(':')?;
    Some(Outpoint { txid: txid.parse().ok()?, output: output.parse().ok()? })
}
