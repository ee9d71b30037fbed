//! `revenue-strategy trust`: whose signatures let a module in.

use super::sub;
use crate::cycles::Services;
use crate::guard::signature;
use crate::rpc::args::{Args, Form, Kind, Menu, Param};
use crate::rpc::{CommandError, CommandResult};
use serde_json::{Value, json};

/// The longest label, characters.
const MAX_LABEL: usize = 64;

/// In the list of actions; the inner words have their own.
pub(super) const FORM: Form =
    Form { action: "trust", params: &[], doc: "Whose signatures let a module in: list, add, remove." };

static MENU: Menu = Menu {
    selector: sub::SELECTOR,
    default: Some("list"),
    forms: &[
        Form { action: "list", params: &[], doc: "Whose signatures count, and how many are needed." },
        Form {
            action: "add",
            params: &[
                Param::required("signer", Kind::PeerId, "The node id whose signatures count from now on."),
                Param::optional("label", Kind::Text, "What you call it, at most 64 characters."),
            ],
            doc: "Trusts a signer.",
        },
        Form {
            action: "remove",
            params: &[Param::required(
                "signer",
                Kind::PeerId,
                "The node id whose signatures count no longer.",
            )],
            doc: "Trusts a signer no longer; modules that are in stay.",
        },
    ],
    reads: &[],
    everywhere: &[],
    exact: &[],
};

pub(super) async fn run(services: &Services, params: Value) -> CommandResult {
    let (form, args) = Args::parse_menu(&params, &MENU).map_err(refused)?;
    match form.action {
        "add" => add(services, &args).await,
        "remove" => remove(services, &args).await,
        "list" => list(services).await,
        other => Menu::has_no(other),
    }
}

fn refused(why: impl std::fmt::Display) -> CommandError {
    format!("trust: {why}; nothing was changed").into()
}

async fn list(services: &Services) -> CommandResult {
    let signers = services.signers().await?;
    let pinned = signers.pinned.iter().map(
        |signer| json!({ "signer": signer.to_string(), "label": null, "source": "option", "added_at": null }),
    );
    let added = signers.added.iter().filter(|one| !signers.pinned.contains(&one.signer)).map(|one| {
        json!({ "signer": one.signer.to_string(), "label": one.label, "source": "command", "added_at": one.added_at.0 })
    });
    let history = signers.history.iter().map(|event| {
        json!({ "at": event.at.0, "action": event.action, "signer": event.signer.to_string(), "label": event.label })
    });
    let history: Vec<Value> = history.collect();
    Ok(
        json!({ "signers": pinned.chain(added).collect::<Vec<_>>(), "signatures_needed": signers.needed, "history": history }),
    )
}

async fn add(services: &Services, args: &Args) -> CommandResult {
    let (signer, label) =
        (args.peer_id("signer").map_err(refused)?, args.opt_text("label").unwrap_or_default());
    if !signature::is_key(&signer) {
        return Err(refused(format!("signer '{signer}' is no public key: use a node's id")));
    }
    if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
        return Err(refused(format!("label: use at most {MAX_LABEL} characters without line breaks")));
    }
    if services.signers().await?.pinned.contains(&signer) {
        let message = format!("{signer} is trusted already, by revenue-ops-strategy-signers");
        return Ok(json!({ "status": "noop", "signer": signer.to_string(), "message": message }));
    }
    let is_new = services.trust_signer(signer, label.to_owned()).await?;
    let message = if is_new { "its signatures count from now on" } else { "it was trusted already" };
    let status = if is_new { "success" } else { "noop" };
    Ok(json!({ "status": status, "signer": signer.to_string(), "label": label, "message": message }))
}

async fn remove(services: &Services, args: &Args) -> CommandResult {
    let signer = args.peer_id("signer").map_err(refused)?;
    if services.signers().await?.pinned.contains(&signer) {
        return Err(refused(format!(
            "{signer} is pinned by revenue-ops-strategy-signers: only lightningd's configuration takes it away"
        )));
    }
    if !services.distrust_signer(signer).await? {
        let message = format!("{signer} was not trusted");
        return Ok(json!({ "status": "noop", "signer": signer.to_string(), "message": message }));
    }
    Ok(
        json!({ "status": "success", "signer": signer.to_string(), "message": "its signatures count no longer" }),
    )
}
