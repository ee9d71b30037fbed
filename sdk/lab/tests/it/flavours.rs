//! The node against recordings of real ones: what was asked there is asked here, and the answers
//! must have the same fields of the same types.

mod schema;
mod stage;

use std::path::{Path, PathBuf};

use lab::Flavour;
use serde_json::{Value, json};

use schema::Schema;
use stage::Stage;

/// Fields that may be on one side only: method, path, why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("listconfigs", "configs.<sling option>", "the recorded nodes had no sling when they were asked"),
    ("listpeerchannels", "channels.[].funding.psbt", "the lab signs no transactions"),
    ("listclosedchannels", "closedchannels.[].funding_psbt", "the lab signs no transactions"),
    ("listpeerchannels", "channels.[].last_stable_connection", "absent in a channel's first minute"),
    (
        "listclosedchannels",
        "closedchannels.[].last_stable_connection",
        "absent if it closed in its first minute",
    ),
];

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recordings")
}

fn folder(flavour: Flavour) -> PathBuf {
    recordings().join(match flavour {
        Flavour::V23_05 => "v23.05",
        Flavour::V24_11 => "v24.11",
        Flavour::V26_06 => "v26.06",
    })
}

fn allowed(about: &str) -> Vec<&'static str> {
    ALLOWED.iter().filter(|(file, ..)| *file == about).map(|(_, path, _)| *path).collect()
}

/// What differs between one recording and the node's answer to the same request.
fn differences(stage: &mut Stage, file: &Path) -> Vec<String> {
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let method = recorded["request"]["method"].as_str().unwrap();
    let params = stage.translate(method, recorded["request"]["params"].clone());
    let answer = stage.node.call_now(method, &params);
    let name = file.file_name().unwrap().to_string_lossy();
    let found = match (recorded.get("error"), answer) {
        (Some(error), Err(got)) => {
            // sling sends an empty data member, lightningd none.
            let same = error["code"] == got.code && error["message"] == got.message;
            let message = format!("{} instead of {error}", got.to_json());
            if same { Vec::new() } else { vec![message] }
        }
        (None, Ok(got)) => Schema::of(&recorded["result"]).differences(&Schema::of(&got), &allowed(method)),
        (Some(error), Ok(got)) => vec![format!("an answer, {got}, instead of {error}")],
        (None, Err(got)) => vec![format!("an error: {got}")],
    };
    found.into_iter().map(|line| format!("{name}: {line}")).collect()
}

fn compare(flavour: Flavour, wants: impl Fn(&str) -> bool, mut stage: Stage) -> usize {
    let mut problems = Vec::new();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder(flavour)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.retain(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        file.extension().is_some_and(|extension| extension == "json") && wants(&name)
    });
    for file in &files {
        problems.extend(differences(&mut stage, file));
    }
    assert!(problems.is_empty(), "{} differs:\n{}", flavour.version(), problems.join("\n"));
    files.len()
}

fn late(name: &str) -> bool {
    ["-after-", "-onchain", "sling-", "listpays"].iter().any(|part| name.contains(part))
}

#[test]
fn answers_of_a_node_at_work() {
    for flavour in Flavour::ALL {
        let compared = compare(flavour, |name| !late(name), Stage::at_work(flavour));
        assert!(compared >= 20, "{compared} recordings of {}", flavour.version());
    }
}

#[test]
fn answers_after_rebalances() {
    for flavour in [Flavour::V24_11, Flavour::V26_06] {
        let wants = |name: &str| name.ends_with("-after-sling");
        assert!(compare(flavour, wants, Stage::at_work(flavour).rebalanced()) >= 4);
    }
}

#[test]
fn answers_after_a_splice() {
    let wants = |name: &str| name.ends_with("-after-splice");
    let stage = Stage::at_work(Flavour::V26_06).rebalanced().spliced();
    assert!(compare(Flavour::V26_06, wants, stage) >= 3);
}

#[test]
fn answers_while_closes_resolve_and_after() {
    for flavour in Flavour::ALL {
        let stage = || Stage::at_work(flavour).rebalanced().closed();
        assert_eq!(compare(flavour, |name| name.ends_with("-onchain"), stage()), 1);
        let wants = |name: &str| name.ends_with("-after-close") && !name.starts_with("listsendpays");
        assert!(compare(flavour, wants, stage().resolved()) >= 5);
    }
}

/// Recordings of sling's commands in an order in which they follow from each other, with the
/// seconds that pass after each.
const SLING: &[(&str, f64)] = &[
    ("sling-version", 0.0),
    ("sling-stats-empty", 0.0),
    ("sling-jobsettings", 0.0),
    ("sling-job-bad", 0.0),
    ("sling-once", 60.0),
    ("sling-stats-after-once", 0.0),
    ("sling-stats-scid-after-once", 0.0),
    ("sling-job", 0.0),
    ("sling-jobsettings-one", 0.0),
    ("sling-go", 300.0),
    ("sling-stats-running", 0.0),
    ("sling-stats-scid", 0.0),
    ("listsendpays-after-sling", 0.0),
    ("listpays-after-sling", 0.0),
    ("sling-stop", 0.0),
    ("sling-deletejob", 0.0),
];

#[test]
fn slings_answers() {
    for flavour in [Flavour::V24_11, Flavour::V26_06] {
        let mut stage = Stage::at_work(flavour);
        let mut compared = 0;
        for (name, seconds) in SLING {
            let file = folder(flavour).join(format!("{name}.json"));
            if file.exists() {
                let problems = differences(&mut stage, &file);
                assert!(problems.is_empty(), "{problems:?}");
                compared += 1;
            }
            stage.node.skip(stage.node.now_unix_s() + seconds);
        }
        assert!(compared >= if flavour == Flavour::V26_06 { SLING.len() } else { 2 });
        assert!(stage.node.sling().payments().len() >= 2, "money moved");
    }
}

#[test]
fn a_job_and_a_once_task_of_one_channel_are_two_rows() {
    let mut stage = Stage::at_work(Flavour::V26_06);
    for (name, seconds) in SLING {
        let file = folder(Flavour::V26_06).join(format!("{name}.json"));
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let method = recorded["request"]["method"].as_str().unwrap();
        let params = stage.translate(method, recorded["request"]["params"].clone());
        let answer = stage.node.call_now(method, &params);
        if let (true, Ok(answer)) = (recorded["result"].is_array(), answer) {
            let rows = |value: &Value| value.as_array().map(Vec::len);
            assert_eq!(rows(&answer), rows(&recorded["result"]), "{name}");
        }
        stage.node.skip(stage.node.now_unix_s() + seconds);
    }
}

#[test]
fn notifications() {
    for flavour in Flavour::ALL {
        let news = Stage::eventful(flavour);
        let text = std::fs::read_to_string(folder(flavour).join("notifications.jsonl")).unwrap();
        let recorded: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut compared = 0;
        for key in schema::kinds(&news) {
            let of = |all: &[Value]| -> Value {
                all.iter().filter(|one| schema::kind(one) == key).map(|one| one["params"].clone()).collect()
            };
            let (theirs, ours) = (of(&recorded), of(&news));
            if theirs == json!([]) {
                continue;
            }
            let problems = Schema::of(&theirs).differences(&Schema::of(&ours), &[]);
            assert!(problems.is_empty(), "{} {key}: {problems:?}", flavour.version());
            compared += 1;
        }
        assert!(compared >= 5, "{compared} kinds of {}", flavour.version());
    }
}
