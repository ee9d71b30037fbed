//! The part of the status about the books.

use crate::cycles::Health;
use crate::node::Companion;
use crate::store::books_state::BooksState;
use serde_json::{Map, Value, json};

/// How complete the books are.
pub(super) fn answer(books: &BooksState) -> Value {
    let costs: Map<String, Value> = books
        .costs
        .iter()
        .map(|(source, rows, amount)| (source.name().to_owned(), json!({ "rows": rows, "msat": amount.0 })))
        .collect();
    json!({
        "since": books.since.map(|day| day.0),
        "forwards_settled": books.forwards_settled,
        "forwards_kept_since": books.forwards_kept_since.map(|day| day.0),
        "channels_closed": books.channels_closed,
        "rebalances": books.rebalances,
        "rebalances_unpaired": books.rebalances_unpaired,
        "accounts_unread": books.accounts_unread,
        "accounts_closing": books.accounts_closing,
        "costs": costs,
        "estimated_share": books.estimated_share(),
        "last_snapshot": books.last_snapshot.map(|day| day.0),
    })
}

/// Why on-chain costs are not from records, unless the absence of bookkeeper says it already.
pub(super) fn degraded(health: &Health) -> Option<Value> {
    let why = health.books_error.as_ref().filter(|_| !health.lacks(Companion::Bookkeeper))?;
    Some(
        json!({ "part": "bookkeeper", "why": format!("{why}: on-chain costs without a record are estimates") }),
    )
}
