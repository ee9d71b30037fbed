//! `revenue-cleanup-closed`: has closes looked at now, and forgets what only open channels need.

use super::args::Args;
use super::sheet::{Sheet, unsettled};
use super::{Command, CommandResult, Run};
use crate::cycles::Services;
use crate::cycles::schedule::JobName;
use crate::econ::networth::Phase;
use crate::store::{books, flow};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-cleanup-closed",
    usage: "",
    description: "Reconciles closed channels with the node now, and drops their flow analyses; their profit and loss stays.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

/// The books keep closed channels by themselves. What is left to clean are analyses of channels
/// through which nothing flows any more.
async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    Args::parse(&params, &[])?;
    services.jobs.wake(JobName::Ledger);
    let (books, imported, cleaned) = services
        .store
        .write(|tx| {
            let books = books::all(tx)?;
            let closed: Vec<_> =
                books.in_phase(Phase::Closed).map(|account| account.channel.channel_id).collect();
            let cleaned = flow::forget_states(tx, &closed)?;
            let imported = books.imported(tx)?.len();
            Ok((books, imported, cleaned))
        })
        .await?;
    let names: Vec<String> =
        cleaned.iter().filter_map(|id| books.account(id)).map(books::Account::name).collect();
    let kept = books.in_phase(Phase::Closed).count() + imported;
    let message = match cleaned.len() {
        0 => format!("No closed channels found to clean up; the books keep {kept}"),
        count => format!("{count} closed channels cleaned up; the books keep {kept}"),
    };
    Ok(Sheet::new()
        .with("archived", cleaned.len())
        .with("cleaned", cleaned.len())
        .with("channels", names)
        .with("errors", json!([]))
        .with("message", message)
        .with("closed_channels_kept", kept)
        .with("imported_count", imported)
        .with("unsettled_closes", unsettled(&books))
        .done())
}
