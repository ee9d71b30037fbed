//! A plugin whose clock somebody sets while it runs, or while it does not.

#![allow(clippy::unwrap_used)]

use crate::support::{Setup, Stage};
use lab::{Lab, PluginCommand};
use std::fs;
use std::path::PathBuf;

/// Has a shell do something before it becomes the plugin.
pub fn after_shell(command: &mut PluginCommand, first: &str) {
    if command.args.is_empty() {
        let plugin = std::mem::replace(&mut command.program, "/bin/sh".into());
        command.args = vec!["-c".to_owned(), String::new(), plugin.display().to_string()];
    }
    command.args[1] = format!("{first}; exec \"$0\"");
}

fn file(lab: &Lab) -> PathBuf {
    lab.lightning_dir().join("clock")
}

/// The plugin ready, with a clock that [`set`] sets.
pub async fn start(setup: Setup) -> Stage {
    let mut backstage = setup.build().await;
    let name = lab::clock::CLOCK_ENV;
    let export = format!("export {name}=\"${name}:{}\"", file(&backstage.lab).display());
    after_shell(&mut backstage.command, &export);
    let stage = backstage.start().await;
    stage.until_ready().await;
    stage
}

/// Sets the clock to this many seconds beside the right time.
pub fn set(stage: &Stage, by_s: i64) {
    // Whoever looks at the clock meanwhile sees the old time or the new one.
    let (file, new) = (file(&stage.lab), file(&stage.lab).with_extension("new"));
    fs::write(&new, (by_s * 1_000).to_string()).unwrap();
    fs::rename(new, file).unwrap();
}

/// The same, and waits until the plugin has told that it saw it.
pub async fn set_and_seen(stage: &Stage, by_s: i64, jump_s: i64) {
    set(stage, by_s);
    let is_seen = |status: &serde_json::Value| {
        let seen = status["clock"]["last_jump"]["by_s"].as_i64().unwrap_or(0);
        seen.signum() == jump_s.signum() && (seen - jump_s).abs() < jump_s.abs() / 10
    };
    stage.until_status(is_seen).await;
}
