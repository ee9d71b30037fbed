//! The commands: one table, one file per command.
//!
//! An error of an application is a *result* `{"status":"error","error":"..."}`, as callers
//! of these commands expect; it says what was wrong and what is allowed, and nothing was
//! changed.

mod analyze;
pub mod args;
pub mod capacity_report;
mod clboss_status;
mod cleanup_closed;
mod clear_reservations;
mod config;
pub mod dashboard;
mod fee_debug;
pub mod history;
mod ignore;
mod imported;
mod list_ignored;
mod policy;
pub mod profitability;
mod rebalance;
mod rebalance_debug;
mod remanage;
pub mod report;
mod set_fee;
mod sheet;
mod status;
pub mod strategy;
mod unignore;
mod wake_all;

use crate::cycles::Services;
use crate::cycles::lifecycle::Lifecycle;
use crate::cycles::schedule::panic_text;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// One command.
pub struct Command {
    pub name: &'static str,
    /// Parameters as `help` shows them.
    pub usage: &'static str,
    /// One sentence.
    pub description: &'static str,
    pub run: Run,
}

/// How a command runs.
pub enum Run {
    /// As soon as the plugin is ready.
    Ready(fn(Arc<Services>, Value) -> BoxFuture<'static, CommandResult>),
    /// At once, however far the plugin is.
    AtOnce(fn(Lifecycle, Value) -> BoxFuture<'static, CommandResult>),
}

/// A command's answer.
pub type CommandResult = Result<Value, CommandError>;

/// One sentence for the caller: what was wrong, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    text: String,
    /// Fields of the answer beside it.
    beside: Map<String, Value>,
}

impl From<String> for CommandError {
    fn from(text: String) -> Self {
        CommandError { text, beside: Map::new() }
    }
}

impl From<&str> for CommandError {
    fn from(text: &str) -> Self {
        CommandError::from(text.to_owned())
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        CommandError::from(format!("{error:#}"))
    }
}

impl From<args::ArgError> for CommandError {
    fn from(error: args::ArgError) -> Self {
        CommandError::from(error.to_string())
    }
}

impl CommandError {
    /// The error with a field beside it, as callers know it from the answer without an error.
    fn beside(mut self, name: &str, value: impl Into<Value>) -> CommandError {
        self.beside.insert(name.to_owned(), value.into());
        self
    }

    /// The one shape of an error.
    fn into_answer(self) -> Value {
        let mut answer = self.beside;
        answer.insert("status".to_owned(), json!("error"));
        answer.insert("error".to_owned(), json!(self.text));
        Value::Object(answer)
    }
}

/// The answer of a change with one more warning in it.
fn warned(mut answer: Value, warning: Option<String>) -> Value {
    if let Some(more) = warning {
        let warning = answer["warning"].as_str().map(|first| format!("{first}; {more}"));
        answer["warning"] = json!(warning.unwrap_or(more));
    }
    answer
}

/// All commands, in the order of the documentation.
pub const COMMANDS: &[Command] = &[
    status::COMMAND,
    config::COMMAND,
    analyze::COMMAND,
    dashboard::COMMAND,
    report::COMMAND,
    profitability::COMMAND,
    history::COMMAND,
    capacity_report::COMMAND,
    policy::COMMAND,
    set_fee::COMMAND,
    fee_debug::COMMAND,
    wake_all::COMMAND,
    rebalance::COMMAND,
    rebalance_debug::COMMAND,
    clear_reservations::COMMAND,
    strategy::COMMAND,
    cleanup_closed::COMMAND,
    clboss_status::COMMAND,
    remanage::COMMAND,
    ignore::COMMAND,
    unignore::COMMAND,
    list_ignored::COMMAND,
];

/// Runs a command to its answer. A panic becomes an error answer too: without it the caller
/// would wait for ever.
pub async fn answer(command: &'static Command, lifecycle: Lifecycle, params: Value) -> Value {
    let run = async {
        match command.run {
            Run::AtOnce(run) => run(lifecycle, params).await,
            Run::Ready(run) => run(lifecycle.services().await?, params).await,
        }
    };
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(result) => result.unwrap_or_else(CommandError::into_answer),
        Err(panic) => {
            let text = panic_text(&*panic);
            tracing::error!("{} panicked: {text}", command.name);
            let why = format!("{} failed by a defect of the plugin: {text}", command.name);
            CommandError::from(why).into_answer()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::cycles::settings::Settings;

    fn panics(_: Lifecycle, _: Value) -> BoxFuture<'static, CommandResult> {
        Box::pin(async { panic!("on purpose") })
    }

    static PANICS: Command =
        Command { name: "revenue-panics", usage: "", description: "", run: Run::AtOnce(panics) };

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let settings = Arc::new(Settings::new(Config::default()));
        let (_phase, lifecycle) = Lifecycle::starting(settings);
        let answer = answer(&PANICS, lifecycle, json!({})).await;
        assert_eq!(answer["status"], "error");
        assert!(answer["error"].as_str().expect("text").contains("on purpose"));
    }

    #[test]
    fn commands_are_documented_and_unique() {
        let names: std::collections::BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for command in COMMANDS {
            assert!(
                command.name.starts_with("revenue-") && command.description.ends_with('.'),
                "{}",
                command.name
            );
        }
    }
}
