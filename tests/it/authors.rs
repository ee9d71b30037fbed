//! `cl-revenue-ops strategy`, as an author uses it: the real binary, files in and text out.

#![allow(clippy::unwrap_used)]

mod backtests;
mod checks;
mod histories;
mod inspects;
mod makes;
mod other_languages;
mod runs;
mod signs;
mod whole;

use crate::support::TempDir;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A directory of one test, removed at its end.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(TempDir::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "authors"))
    }

    /// Writes a file, and says where.
    fn file(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.0.path().join(name), content).unwrap();
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cl-revenue-ops"));
        command.arg("strategy").args(arguments).current_dir(self.0.path()).env("TMPDIR", self.0.path());
        command
    }

    /// Runs a tool with `stdin`.
    fn feed(&self, arguments: &[&str], stdin: &str) -> Done {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Done(child.wait_with_output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.feed(arguments, "")
    }

    /// The desk's files, sorted.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// What a tool answered.
struct Done(Output);

impl Done {
    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// What it printed, having found nothing wrong.
    fn good(&self) -> String {
        assert_eq!(self.0.status.code(), Some(0), "{}\n{}", self.out(), self.err());
        self.out()
    }

    /// What it printed, having found something wrong.
    fn bad(&self) -> String {
        assert_eq!(self.0.status.code(), Some(1), "{}\n{}", self.out(), self.err());
        self.out()
    }

    /// The one sentence of a tool that could not do its work.
    fn sentence(&self) -> String {
        assert_eq!(self.0.status.code(), Some(1), "{}", self.out());
        assert_eq!(self.out(), "");
        let error = self.err();
        let sentence = error.strip_prefix("cl-revenue-ops: ").expect("its name, then the sentence");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        sentence.trim_end().to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.good()).unwrap()
    }
}
