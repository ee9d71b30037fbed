//! Strategies run in processes of their own: what becomes of those is nobody else's harm.

use super::{digest, faults_of, market, stage, states};
use crate::acts::{cycle, install, set_policy};
use crate::engine::place::{Place, guest, name};
use crate::engine::worker::{signal, state};
use crate::support::{DEADLINE, Stage, wait_until};
use lab::Flavour;
use serde_json::{Value, json};
use std::fs;

#[cfg(target_arch = "x86_64")]
mod escape {
    use super::*;
    use crate::engine::escape::{Call, artefact, engine, with_code};

    /// Modules that break out of the sandbox, and the call that each makes then.
    const MODULES: [(&str, Call); 3] = [
        ("escape-open", Call::any(libc::SYS_open)),
        ("escape-connect", Call::any(libc::SYS_connect)),
        ("escape-fork", Call::any(libc::SYS_fork)),
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn modules_that_break_out_move_no_fee_and_the_plugin_carries_on() {
        let place = Place::new();
        for (module, call) in MODULES {
            let wasm = guest(module);
            place.install(module, &wasm);
            engine(&place, &with_code(artefact(&wasm), call)).load(&name(module)).unwrap();
        }
        let backstage = Stage::on(Flavour::V26_06).spec(market(&[50, 50, 50, 3])).unhurried().build().await;
        let data_dir = backstage.lab.lightning_dir().join("revenue-ops");
        for dir in ["cache", "strategies"] {
            fs::create_dir_all(data_dir.join(dir)).unwrap();
            for file in fs::read_dir(place.path(dir)).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), data_dir.join(dir).join(file.file_name())).unwrap();
            }
        }
        fs::copy(place.path("cache.key"), data_dir.join("cache.key")).unwrap();
        let stage = backstage.start().await;
        stage.until_ready().await;
        for (channel, (module, _)) in MODULES.into_iter().enumerate() {
            set_policy(&stage, channel, &[&format!("strategy={module}")]).await;
        }
        let done = cycle(&stage).await;
        assert_eq!(stage.fees(), [50, 50, 50, 10], "dynamic's channel alone is changed: {done}");
        let status = stage.status().await;
        for (module, _) in MODULES {
            let record = faults_of(&status, &digest(&guest(module))).unwrap();
            assert_eq!(record["last_fault"]["code"], "worker_died", "{record}");
            let text = record["last_fault"]["text"].as_str().unwrap();
            assert!(text.contains("a system call that it may not make"), "{record}");
        }
        let place = &status["strategies"]["place"];
        assert!(place["deaths"].as_u64() >= Some(3), "{place}");
        // What is kept of such a call says what it was. Made again by code of our own compiler, it ends.
        let replay = json!(["replay", done["id"], "fee", "escape-open"]);
        let answer = stage.success("revenue-strategy", replay).await;
        let call = &answer["calls"][0];
        assert_eq!((&answer["identical"], &call["differences_total"]), (&json!(null), &json!(0)), "{answer}");
        assert_eq!(call["fault"], json!({ "then": "worker_died", "now": null }), "{answer}");
        let why = "the call of then has no answer: the process that ran it died (worker_died)";
        assert_eq!(call["why"], why, "{answer}");
        stage.end().await;
    }
}

/// The workers of a module now.
fn workers(status: &Value, module: &str) -> Vec<Value> {
    let workers = status["strategies"]["place"]["workers"].as_array().unwrap();
    workers.iter().filter(|worker| worker["module"] == module).cloned().collect()
}

fn pid(worker: &Value) -> u32 {
    u32::try_from(worker["pid"].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_mid_cycle_moves_no_fee_and_keeps_the_state() {
    let wasm = guest("grow");
    // A call that takes ten seconds unless somebody ends it.
    let setup = Stage::on(Flavour::V26_06).spec(market(&[250; 100]));
    let stage = setup.unhurried().option("interpreted-modules", "guest").start().await;
    install(&stage, "guest", &guest("honest"));
    let updates: Vec<_> =
        (0..100).map(|channel| json!({"peer_id": stage.peer(channel), "strategy": "guest"})).collect();
    stage.success("revenue-policy", json!({"action": "batch", "updates": updates})).await;
    cycle(&stage).await;
    let (kept, fees) = (states(&stage, "guest"), stage.fees());
    assert!(kept.0.len() == 100 && kept.0.iter().all(|state| state[0] > 0), "the honest guest has decided");

    install(&stage, "guest", &wasm);
    stage.success("revenue-wake-all", json!({})).await;
    let busy =
        |status: &Value| workers(status, "guest").into_iter().find(|worker| worker["doing"] == "decide");
    let worker = pid(&busy(&stage.until_status(|status| busy(status).is_some()).await).unwrap());
    signal(worker, "-KILL");
    let digest = digest(&wasm);
    let status = stage.until_status(|status| faults_of(status, &digest).is_some()).await;
    let record = faults_of(&status, &digest).unwrap();
    assert_eq!(record["last_fault"]["code"], "worker_died", "{record}");
    assert_eq!(record["last_fault"]["text"], "the worker process was killed");
    let death = &status["strategies"]["place"]["last_death"];
    assert_eq!((&death["module"], &death["why"]), (&json!("guest"), &json!("the worker process was killed")));
    assert_eq!((states(&stage, "guest"), stage.fees()), (kept.clone(), fees));

    install(&stage, "guest", &guest("honest"));
    cycle(&stage).await;
    let next = states(&stage, "guest");
    assert!(kept.0.iter().zip(&next.0).all(|(old, new)| new[0] == old[0] + 1), "{kept:?} {next:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_die_with_the_plugin_however_it_dies() {
    let stage = stage(&[250; 4]).await;
    cycle(&stage).await;
    let status = stage.until_status(|status| !workers(status, "dynamic").is_empty()).await;
    assert_eq!(status["strategies"]["place"]["runs_in"], "worker");
    let worker = pid(&workers(&status, "dynamic")[0]);
    stage.plugin.kill().await.unwrap();
    wait_until(DEADLINE, async || match state(worker) {
        // Whoever adopts it may take its time to bury it.
        None | Some('Z') => Ok(()),
        Some(other) => Err(json!(format!("the worker is in state {other}"))),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_have_strategies_run_in_the_plugin() {
    let setup = Stage::on(Flavour::V26_06).spec(market(&[3]));
    let stage = setup.unhurried().option("strategy-worker", "off").start().await;
    cycle(&stage).await;
    assert_eq!(stage.fee(0), 10);
    let status = stage.status().await;
    assert_eq!(status["strategies"]["place"], json!({ "runs_in": "plugin", "problem": null }));
    assert_eq!(stage.degraded("strategy_worker").await, None);
    stage.end().await;
}
