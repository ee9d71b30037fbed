//! `revenue-policy`: what the operator, or the fleet, wants for each peer.

pub(super) mod answer;
pub(super) mod change;
pub(super) mod read;
mod suggest;
#[cfg(test)]
mod tests;
mod update;

use super::args::{Args, Form, Kind, Menu, Param};
use super::{Command, CommandResult, Run, warned};
use crate::cycles::Services;
use serde_json::Value;
use std::sync::Arc;

/// The command's row in the table of commands.
pub(super) const COMMAND: Command = Command {
    name: "revenue-policy",
    usage: "action [peer_id] [strategy] [rebalance] [fee_ppm] [tags] [fee_multiplier_min] [fee_multiplier_max] \
            [expires_in_hours] [rebalance_strategy] [tag] [since] [updates]",
    description: "Shows and changes what is done for each peer: its fee strategy, fee bounds, rebalancing and tags. \
                  Actions: list, get, set, delete, tag, untag, find, changes, batch, suggest.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PEER_ID: Param = Param::required("peer_id", Kind::PeerId, "The peer's node id.");
const TAG: Param = Param::required("tag", Kind::Word, "The tag.");

/// Actions, each with its parameters in positional order.
static MENU: Menu = Menu {
    selector: "action",
    default: None,
    forms: &[
        Form { action: "list", params: &[], doc: "All policies in force." },
        Form {
            action: "get",
            params: &[PEER_ID],
            doc: "The policy in force for a peer; the default one when nothing was set.",
        },
        Form {
            action: "set",
            params: update::PARAMS,
            doc: "Changes what is named and leaves the rest as it is.",
        },
        Form { action: "delete", params: &[PEER_ID], doc: "Returns a peer to the default policy." },
        Form { action: "tag", params: &[PEER_ID, TAG], doc: "Adds one tag." },
        Form { action: "untag", params: &[PEER_ID, TAG], doc: "Removes one tag." },
        Form { action: "find", params: &[TAG], doc: "The policies in force with a tag." },
        Form {
            action: "changes",
            params: &[Param::optional(
                "since",
                Kind::Int { min: 0, max: i64::MAX },
                "A `cursor` or `last_change_timestamp` seen before (unix seconds); 0 for everything.",
            )
            .or_blank()],
            doc: "The latest change of each peer after a cursor, deletions and expiries too, newest first.",
        },
        Form {
            action: "batch",
            params: &[Param::required(
                "updates",
                Kind::Array,
                "At most 100 objects with the parameters of `set`, or policies as `list` shows them.",
            )],
            doc: "Makes all changes or none. Entries apply in order: a later one for the same peer builds on the \
                  earlier. Does not count against the limit of changes per minute.",
        },
        Form { action: "suggest", params: &[], doc: "Policies that would serve better, with the reasons." },
    ],
    reads: &["list", "get", "find", "changes", "suggest"],
    everywhere: &["peer_id", "strategy", "rebalance", "fee_ppm", "tag", "since", "updates"],
    exact: &["delete"],
};

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let (form, args) = Args::parse_menu(&params, &MENU)?;
    let warning = args.unused();
    let answer = match form.action {
        "list" => read::list(&services).await,
        "get" => read::get(&services, &args).await,
        "find" => read::find(&services, &args).await,
        "changes" => read::changes(&services, &args).await,
        "set" => change::set(services, &args).await,
        "delete" => change::delete(services, &args).await,
        "tag" => change::tag(services, &args).await,
        "untag" => change::untag(services, &args).await,
        "batch" => change::batch(services, &args).await,
        "suggest" => suggest::run(&services).await,
        other => Menu::has_no(other),
    }?;
    Ok(match MENU.reads(form) {
        true => answer,
        false => warned(answer, warning),
    })
}
