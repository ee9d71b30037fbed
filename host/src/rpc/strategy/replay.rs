//! Has a cycle decided again, and says whether it comes to the same.

use crate::cycles::Services;
use crate::cycles::journal::{Difference, Judgement, Replayed, Wanted};
use crate::engine::Target;
use crate::model::{Answer, CycleKind, StrategyName};
use crate::rpc::args::{Args, Form, Kind, Param};
use crate::rpc::{CommandError, CommandResult};
use serde_json::{Value, json};

/// Most differences of a call that an answer shows.
const MOST_SHOWN: usize = 20;

pub(super) const FORM: Form = Form {
    action: "replay",
    params: &[
        Param::required("cycle", Kind::Int { min: 1, max: i64::MAX }, "The cycle's number."),
        Param::optional("kind", Kind::Text, "The kind of cycle: fee or rebalance; fee without it."),
        Param::optional("strategy", Kind::Text, "One strategy's call; without it, all calls of the cycle.")
            .or(&["name"]),
        Param::optional("engine", Kind::Text, "The engine: native or pulley; native without it."),
        Param::optional("export", Kind::Bool, "Also write each call into a file that replays anywhere."),
    ],
    doc: "Has a cycle decided again from what strategies were told, and says whether it comes to the same.",
};

/// How to have a cycle's call made again.
pub(in crate::rpc) fn how(kind: CycleKind, cycle: i64, strategy: &str) -> String {
    format!("revenue-strategy replay cycle={cycle} kind={} strategy={strategy}", kind.name())
}

pub(super) async fn run(services: &Services, args: &Args) -> CommandResult {
    let wanted = wanted(args)?;
    let calls = services.replay(wanted.clone()).await??;
    if calls.iter().all(|call| call.outcome.is_err())
        && let Some(Err(why)) = calls.iter().map(|call| &call.outcome).next()
    {
        return Err(why.clone().into());
    }
    Ok(json!({
        "status": "success",
        "kind": wanted.kind.name(),
        "cycle": wanted.cycle,
        "engine": wanted.on.name(),
        "identical": all_identical(&calls),
        "calls": calls.iter().map(shown).collect::<Vec<_>>(),
    }))
}

fn wanted(args: &Args) -> Result<Wanted, CommandError> {
    let word = |name: &str, default| args.opt_text(name).unwrap_or(default).to_ascii_lowercase();
    let (kind, on) = (word("kind", CycleKind::Fee.name()), word("engine", Target::Native.name()));
    let strategy = args.opt_text("strategy").map(str::parse::<StrategyName>).transpose();
    Ok(Wanted {
        kind: CycleKind::from_name(&kind)
            .ok_or_else(|| format!("replay: kind: '{kind}' is not allowed: use fee or rebalance"))?,
        cycle: args.u64("cycle")?,
        strategy: strategy.map_err(CommandError::from)?,
        on: Target::from_name(&on)
            .ok_or_else(|| format!("replay: engine: '{on}' is not allowed: use native or pulley"))?,
        export: args.opt_bool("export").unwrap_or(false),
    })
}

/// Whether all calls are known to come to the same; null when of some that is not known.
fn all_identical(calls: &[Replayed]) -> Option<bool> {
    let each: Vec<Option<bool>> = calls.iter().map(identical).collect();
    if each.contains(&Some(false)) {
        return Some(false);
    }
    each.into_iter().collect::<Option<Vec<bool>>>().map(|all| all.into_iter().all(|one| one))
}

fn identical(call: &Replayed) -> Option<bool> {
    match &call.outcome {
        Ok((_, Judgement::Identical)) => Some(true),
        Ok((_, Judgement::Differs(_))) => Some(false),
        Ok((_, Judgement::Unknown(_))) | Err(_) => None,
    }
}

fn shown(call: &Replayed) -> Value {
    let then = &call.kept.transcript;
    let (now, differences, why): (_, &[Difference], _) = match &call.outcome {
        Ok((now, Judgement::Identical)) => (Some(now), &[], None),
        Ok((now, Judgement::Differs(differences))) => (Some(now), differences, None),
        Ok((now, Judgement::Unknown(why))) => (Some(now), &[], Some(why)),
        Err(why) => (None, &[], Some(why)),
    };
    json!({
        "strategy": then.strategy.as_str(),
        "digest": then.module.to_string(),
        "class": then.class,
        "at": call.kept.at.0,
        "recorded_by": call.kept.program,
        "identical": identical(call),
        "why": why,
        "fuel": { "then": then.answer.fuel(), "now": now.and_then(Answer::fuel) },
        "fault": { "then": fault(&then.answer), "now": now.and_then(fault) },
        "decision_sha256": {
            "then": then.answer.digest().map(|digest| digest.to_string()),
            "now": now.and_then(Answer::digest).map(|digest| digest.to_string()),
        },
        "differences_total": differences.len(),
        "differences": differences.iter().take(MOST_SHOWN).map(|one| difference(one, call)).collect::<Vec<_>>(),
        "export": call.export.as_ref().map(|export| match export {
            Ok(path) => json!({ "path": path }),
            Err(why) => json!({ "error": why }),
        }),
    })
}

fn fault(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::Failed { code, .. } => Some(code),
        Answer::Decided { .. } => None,
    }
}

fn difference(one: &Difference, call: &Replayed) -> Value {
    json!({
        "row": one.row,
        "channel": one.row.and_then(|row| call.rows.get(row)),
        "field": one.field,
        "then": one.then,
        "now": one.now,
    })
}
