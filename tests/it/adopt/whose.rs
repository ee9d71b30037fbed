//! Which file is taken over: where it may be, and whose it must be.

#![allow(clippy::unwrap_used)]

use super::python::{PythonDb, channels, files, home, node, old_default, part};
use crate::support::{Backstage, Stage, why_degraded};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the node with a policy for its second peer.
fn python(backstage: &Backstage, path: &Path) -> PythonDb {
    let python = PythonDb::of_node(backstage, path);
    python.policy(&channels(backstage)[1].1, "passive", 1_790_000_000);
    python
}

/// A file that names `ours` of the node's four channels, and `others` that are not its own.
fn mixed(backstage: &Backstage, path: &Path, ours: usize, others: usize) -> PythonDb {
    let python = PythonDb::create(path);
    for (scid, peer) in channels(backstage).iter().take(ours) {
        python.name_channel(scid, peer);
    }
    for n in 0..others {
        python.name_channel(&format!("{n}x9x9"), &format!("03{n:064x}"));
    }
    python.policy(&channels(backstage)[1].1, "passive", 1_790_000_000);
    python
}

async fn strategy(stage: &Stage) -> Value {
    stage.success("revenue-policy", json!(["get", stage.peer(1)])).await["policy"]["strategy"].clone()
}

async fn started(backstage: Backstage) -> Stage {
    let stage = backstage.start().await;
    stage.until_ready().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_path_is_its_place_and_ours_stands_beside() {
    for path in ["books/python.db", "~/python.db"] {
        let backstage = node(|setup| setup.option("db-path", path)).await;
        let dir = match path.strip_prefix("~/") {
            Some(rest) => home(&backstage).join(rest),
            None => backstage.lab.lightning_dir().join(path),
        };
        // What is at the old default does not matter then.
        let decoy = python(&backstage, &old_default(&backstage));
        decoy.policy(&channels(&backstage)[2].1, "hive", 1_790_000_000);
        drop(python(&backstage, &dir));
        let before = files(&dir);
        let mut stage = started(backstage).await;
        assert_eq!(strategy(&stage).await, "passive");
        assert_eq!(stage.status().await["imported"]["path"], dir.to_str().unwrap());
        assert_eq!(part(&stage.status().await, "policies"), (1, 0, 0));
        assert_eq!(files(&dir), before);
        let own = dir.with_extension("v2.db");
        assert!(own.is_file() && !stage.db_path().exists());
        // Once the Python plugin's file is gone, ours is still the one beside it.
        stage.plugin.stop().await.unwrap();
        for (name, ..) in files(&dir) {
            fs::remove_file(dir.with_file_name(name)).unwrap();
        }
        stage.start_again().await;
        assert_eq!(strategy(&stage).await, "passive");
        assert!(!dir.exists());
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_old_default_at_least_half_of_its_channels_must_be_the_nodes() {
    for (ours, others, taken) in [(4, 0, true), (2, 2, true), (1, 2, false), (0, 1, false), (0, 0, false)] {
        let backstage = node(|setup| setup).await;
        let path = old_default(&backstage);
        drop(mixed(&backstage, &path, ours, others));
        let before = files(&path);
        let stage = started(backstage).await;
        let status = stage.status().await;
        assert_eq!(!status["imported"].is_null(), taken, "{ours} and {others}: {status}");
        assert_eq!(strategy(&stage).await, if taken { "passive" } else { "dynamic" });
        assert_eq!(why_degraded(&status, "import"), None);
        if !taken {
            let why = format!("of the {} channels in it this node lists {ours}", ours + others);
            stage.until_logged(&[&why]).await;
        }
        assert_eq!(files(&path), before);
        assert!(stage.db_path().is_file(), "ours is in the network's directory");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_the_node_at_the_other_end_is_not_taken() {
    let backstage = node(|setup| setup).await;
    let python = PythonDb::create(&old_default(&backstage));
    let own_id = backstage.lab.with_node(|node| node.id.clone());
    for (scid, _) in channels(&backstage) {
        python.name_channel(&scid, &own_id);
    }
    python.policy(&channels(&backstage)[1].1, "passive", 1_790_000_000);
    let mut stage = started(backstage).await;
    assert_eq!(strategy(&stage).await, "dynamic");
    // Having been refused it is not read again.
    stage.restart().await;
    assert!(!stage.plugin.logs().iter().any(|line| line.message.contains("is not taken over")));
    assert!(stage.status().await["imported"].is_null());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_file_of_another_node_is_told_and_left_alone() {
    let backstage = node(|setup| setup.option("db-path", "python.db")).await;
    let path = backstage.lab.lightning_dir().join("python.db");
    drop(mixed(&backstage, &path, 0, 3));
    let before = files(&path);
    let stage = started(backstage).await;
    let why = stage.degraded("import").await.expect("it is told");
    assert!(why.contains("it is another node's") && why.contains("revenue-ops-db-path"), "{why}");
    assert!(stage.status().await["imported"].is_null());
    assert_eq!(files(&path), before);
    stage.end().await;
    // One channel is enough where the operator says that it is this node's, and so is none at all.
    for (ours, others) in [(1, 9), (0, 0)] {
        let backstage = node(|setup| setup.option("db-path", "python.db")).await;
        drop(mixed(&backstage, &path_of(&backstage), ours, others));
        let stage = started(backstage).await;
        assert_eq!(strategy(&stage).await, "passive");
        stage.end().await;
    }
}

fn path_of(backstage: &Backstage) -> PathBuf {
    backstage.lab.lightning_dir().join("python.db")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_channel_counts_too() {
    let backstage = node(|setup| setup).await;
    let python = python(&backstage, &old_default(&backstage));
    backstage.lab.with_node(|node| {
        for channel in 0..3 {
            node.close_channel(channel, lab::node::CloseKind::Mutual);
        }
        node.mine(101);
    });
    let stage = started(backstage).await;
    assert_eq!(stage.status().await["imported"]["channels_ours"], 4);
    assert_eq!(strategy(&stage).await, "passive");
    drop(python);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_database_is_no_books_to_take_over() {
    for named in [true, false] {
        let setup =
            |setup: crate::support::Setup| if named { setup.option("db-path", "python.db") } else { setup };
        let backstage = node(setup).await;
        let path = if named { path_of(&backstage) } else { old_default(&backstage) };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE songs (title); INSERT INTO songs VALUES ('x')")
            .unwrap();
        let before = files(&path);
        let stage = started(backstage).await;
        let why = stage.degraded("import").await;
        assert_eq!(why.is_some_and(|why| why.contains("not that of the Python cl-revenue-ops")), named);
        assert_eq!(files(&path), before);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_home_directory_there_is_no_old_default() {
    let mut backstage = node(|setup| setup).await;
    backstage.command = backstage.command.env("HOME", "");
    let stage = started(backstage).await;
    assert!(stage.status().await["imported"].is_null());
    stage.end().await;
    let mut backstage = node(|setup| setup.option("db-path", "~/books.db")).await;
    backstage.command = backstage.command.env("HOME", "");
    let why = backstage.lab.attach(backstage.command.clone()).await.err().expect("it does not start");
    assert!(format!("{why:#}").contains("'~/books.db' needs a home directory"), "{why:#}");
}
