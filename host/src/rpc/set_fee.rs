//! `revenue-set-fee`: one channel's fee by hand, within the operator's own bounds.

use super::args::{Args, Kind, Param};
use super::{Command, CommandError, CommandResult, Run};
use crate::cycles::Services;
use crate::cycles::fee::{ManualFee, Undone};
use crate::model::Ppm;
use crate::model::fee::{Outcome, Refusal};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const COMMAND: Command = Command {
    name: "revenue-set-fee",
    usage: "channel_id fee_ppm [force]",
    description: "Sets one channel's fee rate in ppm, within the bounds of settings and policy unless force=true.",
    run: Run::Ready(|services, params| Box::pin(run(services, params))),
};

const PARAMS: &[Param] = &[
    Param::required("channel_id", Kind::Channel, "The channel, by short channel id or channel_id.")
        .or(&["scid", "channel"]),
    Param::required("fee_ppm", Kind::Int { min: 0, max: 1_000_000 }, "The fee rate, ppm.").or(&["ppm"]),
    Param::optional("force", Kind::Bool, "Go beyond the bounds of settings and policy.").or_blank(),
];

async fn run(services: Arc<Services>, params: Value) -> CommandResult {
    let unchanged = |why| CommandError::from(format!("{why}; nothing was changed"));
    let args = Args::parse(&params, PARAMS).map_err(unchanged)?;
    let name = args.channel("channel_id")?;
    let fee = Ppm(args.u32("fee_ppm")?);
    let force = args.opt_bool("force").unwrap_or(false);
    let done = services.set_fee(name, fee, force).await?.ok_or_else(|| {
        CommandError::from(format!("channel {name} is not one of this node's; nothing was changed"))
    })?;
    answer(&done, fee)
}

fn answer(done: &ManualFee, fee: Ppm) -> CommandResult {
    let (old, name) = (done.channel.fee_ppm, done.channel.name());
    let (outcome, message) = match (&done.verdict.result, &done.outcome) {
        (Err(Refusal::Unchanged), _) => ("unchanged", format!("Fee is {} PPM already", fee.0)),
        (Err(refusal), _) => {
            return Err(
                format!("fee_ppm {} for channel {name}: {refusal}; nothing was changed", fee.0).into()
            );
        }
        (Ok(_), Some(outcome @ (Outcome::Applied | Outcome::Lowered(_) | Outcome::Reconciled))) => {
            (outcome.code(), format!("Fee set to {} PPM", fee.0))
        }
        (Ok(_), Some(Outcome::DryRun)) => ("dry_run", format!("Dry run: fee would be set to {} PPM", fee.0)),
        (Ok(_), Some(Outcome::Failed(why) | Outcome::Unknown(why))) => {
            return Err(format!("channel {name}: the node did not confirm the fee: {why}").into());
        }
        (Ok(_), None) => {
            return Err(format!("channel {name}: the fee was not sent; nothing was changed").into());
        }
    };
    let mut answer = json!({
        "status": "success",
        "success": true,
        "channel": name,
        "channel_id": name,
        "full_channel_id": done.channel.channel_id.to_string(),
        "new_fee_ppm": fee.0,
        "fee_ppm": fee.0,
        "old_fee_ppm": old.0,
        "outcome": outcome,
        "message": message,
    });
    let warnings: Vec<String> = done.undone.iter().map(warning).chain(done.unrecorded.clone()).collect();
    if !warnings.is_empty() {
        answer["warning"] = json!(warnings.join("; "));
    }
    Ok(answer)
}

/// How long the fee lasts when the peer's policy is against it.
fn warning(undone: &Undone) -> String {
    let Undone { strategy, bounds } = undone;
    match bounds.exact {
        Some(exact) => {
            format!("the peer's policy '{strategy}' sets {} ppm again at the next fee cycle", exact.0)
        }
        None => format!(
            "the next fee cycle brings it back within {} to {} ppm, unless the peer's policy becomes passive",
            bounds.min.0, bounds.max.0
        ),
    }
}
