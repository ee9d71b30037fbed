//! Calls as files, made again by the program alone.

use super::replay::{decided, node, replay};
use crate::engine::place::Place;
use cl_revenue_ops::engine::Recording;
use cl_revenue_ops::model::Answer;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tool(file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cl-revenue-ops"));
    command.args(["strategy", "replay"]).arg(file).args(more).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_call_replays_anywhere_to_the_same_bytes() {
    let stage = node().await;
    let cycle = decided(&stage).await;
    let words = [format!("cycle={cycle}"), "export=true".to_owned()];
    let answer = replay(&stage, &words).await;
    let calls = answer["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 4, "{answer}");
    let again = replay(&stage, &words).await;
    let elsewhere = Place::new();
    for (call, again) in calls.iter().zip(again["calls"].as_array().unwrap()) {
        let path = PathBuf::from(call["export"]["path"].as_str().unwrap());
        assert_eq!(path.parent().unwrap(), stage.data_dir().join("exports"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(call["export"], again["export"], "the same call is the same file");
        let there = elsewhere.path("call.replay");
        fs::copy(&path, &there).unwrap();
        for engine in ["native", "pulley"] {
            let output = tool(&there, &["--engine", engine, "--json"]);
            assert!(output.status.success(), "{}", printed(&output));
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(told["identical"], true, "{told}");
            for field in ["strategy", "digest", "fuel", "decision_sha256"] {
                assert_eq!(told[field], call[field], "{field}");
            }
        }
        let output = tool(&there, &[]);
        assert!(output.status.success() && printed(&output).ends_with("identical\n"), "{}", printed(&output));
    }
    assert_eq!(fs::read_dir(stage.data_dir().join("exports")).unwrap().count(), 4);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_differs_or_is_none_fails() {
    let stage = node().await;
    let cycle = decided(&stage).await;
    let words = [format!("cycle={cycle}"), "strategy=dynamic".to_owned(), "export=1".to_owned()];
    let answer = replay(&stage, &words).await;
    let bytes = fs::read(answer["calls"][0]["export"]["path"].as_str().unwrap()).unwrap();
    let place = Place::new();
    let file = place.path("call.replay");

    let mut other = Recording::from_bytes(&bytes).unwrap();
    assert_eq!(other.to_bytes(), bytes);
    let Answer::Decided { fuel, .. } = &mut other.transcript.answer else { panic!("{answer}") };
    *fuel += 1;
    fs::write(&file, other.to_bytes()).unwrap();
    let output = tool(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("differs in 1 places:\nall      fuel: "), "{}", printed(&output));

    let mut spoilt = bytes.clone();
    spoilt[100] ^= 1;
    for (bytes, part) in [
        (spoilt, "its checksum differs"),
        (b"revenue-ops replay 2\n...".to_vec(), "no recording of a call, or one of another version"),
        (Vec::new(), "no recording"),
    ] {
        fs::write(&file, bytes).unwrap();
        let output = tool(&file, &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(printed(&output).contains(part) && output.stdout.is_empty(), "{}", printed(&output));
    }
    stage.end().await;
}
