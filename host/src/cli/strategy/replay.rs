//! `strategy replay`: a call that a plugin wrote down, made again on this machine.

use super::Verdict;
use crate::cli::print;
use crate::cycles::journal::{Difference, Judgement, compare, pseudonyms};
use crate::engine::{Compiler, Recording, Target};
use crate::model::Answer;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Most differences that are printed for people.
const MOST_SHOWN: usize = 20;

/// Which call, and where.
#[derive(clap::Args)]
pub struct Options {
    /// A file that `revenue-strategy replay export=true` wrote.
    file: PathBuf,
    /// What the module's code is made into.
    #[arg(long, value_enum, default_value_t = EngineName::Native)]
    engine: EngineName,
    /// Print JSON, with every difference.
    #[arg(long)]
    json: bool,
}

/// An engine, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EngineName {
    /// This machine's own code.
    Native,
    /// Bytecode for an interpreter, the same on every machine.
    Pulley,
}

/// Makes the call again; a difference makes the verdict bad.
pub(super) fn run(options: &Options) -> Result<Verdict> {
    let file = options.file.display();
    let about = fs::metadata(&options.file).with_context(|| file.to_string())?;
    if !about.is_file() || about.len() > Recording::MOST_BYTES as u64 {
        bail!("{file}: a recording is a file of at most {} bytes", Recording::MOST_BYTES);
    }
    let bytes = fs::read(&options.file).with_context(|| file.to_string())?;
    let recording = Recording::from_bytes(&bytes).map_err(|why| anyhow!("{file}: {why}"))?;
    let target = match options.engine {
        EngineName::Native => Target::Native,
        EngineName::Pulley => Target::Pulley,
    };
    let program = std::env::current_exe().context("the path of this program")?;
    let compiler = Compiler::Child { program, or_unsealed: true };
    let now = compiler.replay(&recording, target).map_err(|why| anyhow!("{file}: {why}"))?;
    let judgement = compare(recording.transcript.kind, &recording.transcript.answer, &now);
    let told = Told { recording: &recording, target, now: &now, judgement: &judgement };
    if options.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&told.json())?))?;
    } else {
        print(&told.text())?;
    }
    Ok(Verdict::from(judgement == Judgement::Identical))
}

/// What is to be told.
struct Told<'a> {
    recording: &'a Recording,
    target: Target,
    now: &'a Answer,
    judgement: &'a Judgement,
}

impl Told<'_> {
    fn json(&self) -> Value {
        let (then, now) = (&self.recording.transcript, self.now);
        let digest = |answer: &Answer| answer.digest().map(|digest| digest.to_string());
        let (identical, why) = match self.judgement {
            Judgement::Identical => (Some(true), None),
            Judgement::Differs(_) => (Some(false), None),
            Judgement::Unknown(why) => (None, Some(why)),
        };
        json!({
            "kind": then.kind.name(),
            "cycle": self.recording.cycle,
            "at": self.recording.at.0,
            "recorded_by": self.recording.program,
            "strategy": then.strategy.as_str(),
            "digest": then.module.to_string(),
            "class": then.class,
            "engine": self.target.name(),
            "identical": identical,
            "why": why,
            "fuel": { "then": then.answer.fuel(), "now": now.fuel() },
            "fault": { "then": fault(&then.answer), "now": fault(now) },
            "decision_sha256": { "then": digest(&then.answer), "now": digest(now) },
            "differences": self.differences().iter().map(difference).collect::<Vec<_>>(),
        })
    }

    fn differences(&self) -> &[Difference] {
        match self.judgement {
            Judgement::Differs(differences) => differences,
            Judgement::Identical | Judgement::Unknown(_) => &[],
        }
    }

    fn text(&self) -> String {
        let then = &self.recording.transcript;
        let rows = pseudonyms(then);
        let mut out = String::new();
        let mut line = |text: &str| writeln!(out, "{text}").expect("writing to a String does not fail");
        line(&format!(
            "{} cycle {}, strategy '{}', {} channels; recorded by {}, replayed on {}",
            then.kind.name(),
            self.recording.cycle,
            then.strategy,
            rows.len(),
            self.recording.program,
            self.target.name()
        ));
        line(&format!("module   {}", then.module));
        line(&format!("then     {}", summary(&then.answer)));
        line(&format!("now      {}", summary(self.now)));
        match self.judgement {
            Judgement::Identical => line("identical"),
            Judgement::Unknown(why) => line(&format!("not known: {why}")),
            Judgement::Differs(differences) => line(&format!("differs in {} places:", differences.len())),
        }
        for one in self.differences().iter().take(MOST_SHOWN) {
            let row = one.row.map_or_else(|| "all".to_owned(), |row| format!("row {row}"));
            line(&format!("{row:8} {}: {} then, {} now", one.field, one.then, one.now));
        }
        out
    }
}

fn summary(answer: &Answer) -> String {
    match answer {
        Answer::Decided { fuel, decision } => {
            let digest = answer.digest().map(|digest| digest.to_string()).unwrap_or_default();
            format!("{} bytes, sha256 {digest}, {fuel} fuel", decision.len())
        }
        Answer::Failed { fuel, code } => {
            format!(
                "fault '{code}', {} fuel",
                fuel.map_or_else(|| "unknown".to_owned(), |fuel| fuel.to_string())
            )
        }
    }
}

fn fault(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::Failed { code, .. } => Some(code),
        Answer::Decided { .. } => None,
    }
}

fn difference(one: &Difference) -> Value {
    json!({ "row": one.row, "field": one.field, "then": one.then, "now": one.now })
}
