//! The part of the status about where strategies run.

use crate::engine::{PlaceStatus, WorkerStatus};
use serde_json::{Value, json};

/// Where strategies run, and how the workers fare.
pub(super) fn answer(PlaceStatus { workers, problem }: &PlaceStatus) -> Value {
    let Some(crew) = workers else {
        return json!({ "runs_in": "plugin", "problem": problem });
    };
    let worker =
        |worker: &WorkerStatus| json!({ "pid": worker.pid, "module": worker.module, "doing": worker.doing });
    json!({
        "runs_in": "worker",
        "problem": problem,
        "workers": crew.workers.iter().map(worker).collect::<Vec<_>>(),
        "started": crew.started,
        "deaths": crew.deaths,
        "last_death": crew.last_death.as_ref().map(|death| json!({
            "module": death.module,
            "why": format!("the worker process {}", death.why),
            "seconds_ago": death.ago.as_secs(),
        })),
    })
}

/// Why strategies do not run where they should.
pub(super) fn degraded(PlaceStatus { workers, problem }: &PlaceStatus) -> Option<Value> {
    let (why, instead) = match (problem.as_ref()?, workers) {
        (why, None) => (why, "strategies run in the plugin's own process, which holds lightningd's socket"),
        (why, Some(_)) => (why, "a strategy that needs a new one is not asked"),
    };
    Some(json!({ "part": "strategy_worker", "why": format!("the worker process {why}; {instead}") }))
}
