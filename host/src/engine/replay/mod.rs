//! Recorded calls, made again: on another engine, on another machine, in another year.
//!
//! A call is made again in a process of its own, from a [`Recording`] alone. So what a replay says
//! is what anybody finds who has the file.

mod child;
mod exports;
mod recording;
mod replayer;

pub use child::{REPLAY_SUBCOMMAND, replay_child_main};
pub(super) use exports::Exports;
pub use recording::Recording;
pub use replayer::Replayer;

use super::Engine;
use super::compile::Compiler;
use super::errand::{Errand, Failed};
use super::limits::{LimitClass, Limits};
use crate::model::Answer;
use std::path::PathBuf;
use std::time::Duration;

/// What the module's code is made into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// This machine's own code, as in the cycles.
    #[default]
    Native,
    /// Bytecode for an interpreter: a second opinion, the same on every machine.
    Pulley,
}

impl Target {
    /// Every one.
    pub const ALL: [Target; 2] = [Target::Native, Target::Pulley];

    /// The word used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Target::Native => "native",
            Target::Pulley => "pulley",
        }
    }

    /// Reads the word used in answers.
    pub fn from_name(name: &str) -> Option<Target> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }
}

/// Processor time that a call made again may take, seconds.
const CALL_CPU_S: u64 = 60;
/// Longest answer, bytes: what 30,000 channels may make at most.
const MOST_ANSWER: usize = 48 << 20;

impl Compiler {
    /// Makes a recorded call again, in a child where modules are compiled in one.
    ///
    /// # Errors
    /// One sentence: why nothing came of it.
    pub fn replay(&self, recording: &Recording, target: Target) -> Result<Answer, String> {
        let call = &recording.transcript;
        let class = LimitClass::from_name(&call.class)
            .ok_or_else(|| format!("there is no class '{}'", call.class))?;
        let (program, or_unsealed) = match self {
            Compiler::Child { program, or_unsealed } => (program, *or_unsealed),
            Compiler::InProcess => {
                let replayer = Replayer::new(&recording.wasm, call.kind, class, target);
                return replayer.map_err(|fault| fault.to_string())?.call(&call.input);
            }
        };
        let Limits { compile_wall, .. } = class.limits();
        let errand = Errand {
            subcommand: REPLAY_SUBCOMMAND,
            job: (child::JOB_VARIABLE, format!("{} {}", class.name(), target.name())),
            or_unsealed,
            bytes: &recording.to_bytes(),
            most: MOST_ANSWER,
            patience: *compile_wall + Duration::from_secs(CALL_CPU_S),
        };
        let answer = errand.run(program).map_err(|failed| match failed {
            Failed::Refused(why) => why,
            Failed::Limit(_, why) => format!("the process that made the call again {why}"),
            Failed::Broken(why) => format!("the process that was to make the call again {why}"),
        })?;
        postcard::from_bytes(&answer)
            .map_err(|error| format!("what the call came to cannot be read: {error}"))
    }
}

impl Engine {
    /// Makes a recorded call again, as [`Compiler::replay`] does.
    ///
    /// # Errors
    /// One sentence: why nothing came of it.
    pub fn replay(&self, recording: &Recording, target: Target) -> Result<Answer, String> {
        self.0.loader.compiler.replay(recording, target)
    }

    /// Writes a recorded call into the directory of exports, under a name that says what it is and
    /// that no other call has.
    ///
    /// # Errors
    /// One sentence: why it was not written.
    pub fn export(&self, recording: &Recording) -> Result<PathBuf, String> {
        self.0.exports.write(recording)
    }
}
