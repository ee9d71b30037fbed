//! What may be named in a policy, and what failed.

use crate::cycles::Services;
use crate::model::StrategyName;
use crate::rpc::CommandResult;
use crate::store::modules::{self, ModuleFaults};
use serde_json::{Value, json};

pub(super) async fn run(services: &Services) -> CommandResult {
    let files = services.engine.available().map_err(|error| format!("the strategies directory: {error}"))?;
    let faults = services.store.read(|conn| Ok(modules::list(conn)?)).await?;
    let installed = services.installed().await?;
    Ok(json!({
        "built_in": StrategyName::BUILT_IN,
        "evaluators": StrategyName::EVALUATORS,
        "modules": files.iter().map(|file| json!({ "name": file.name, "bytes": file.bytes })).collect::<Vec<_>>(),
        "installed": installed.iter().map(super::life::brief).collect::<Vec<_>>(),
        "faults": faults.iter().map(fault).collect::<Vec<_>>(),
    }))
}

/// A module's faults, as the status shows them too.
pub(in crate::rpc) fn fault(module: &ModuleFaults) -> Value {
    json!({
        "strategy": module.strategy.as_str(),
        "digest": module.digest.to_string(),
        "decides": module.decides.name(),
        "faults_total": module.faults_total,
        "faults_in_row": module.faults_in_row,
        "quarantined": module.quarantined_at.is_some(),
        "quarantined_at": module.quarantined_at.map(|time| time.0),
        "last_fault": { "code": module.last_code, "text": module.last_text, "at": module.last_fault_at.0 },
    })
}
