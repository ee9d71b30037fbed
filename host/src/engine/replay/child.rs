//! What the program does as `replay-module`: makes one recorded call again.

use super::{CALL_CPU_S, Recording, Replayer, Target};
use crate::engine::child::{self, Ended, broken};
use crate::engine::limits::LimitClass;
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// The subcommand under which the program makes a recorded call again.
pub const REPLAY_SUBCOMMAND: &str = "replay-module";
/// Carries class and target to the child.
pub(super) const JOB_VARIABLE: &str = "CL_REVENUE_OPS_REPLAY";

/// Makes the call on stdin again, and writes what came of it to stdout. Limits itself before it
/// reads the first byte, and ends when its parent does.
pub fn replay_child_main() -> ExitCode {
    child::exit(run())
}

fn run() -> Result<(), Ended> {
    let job = std::env::var(JOB_VARIABLE).unwrap_or_default();
    let Some((class, target)) = parse(&job) else {
        return Err(Ended::Broken(format!("{JOB_VARIABLE} is not 'CLASS ENGINE': the plugin sets it")));
    };
    child::watch_parent().map_err(broken("cannot watch the parent"))?;
    child::limit(class.limits(), CALL_CPU_S).map_err(broken("cannot limit itself"))?;
    let mut bytes = Vec::new();
    let most = Recording::MOST_BYTES as u64;
    io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(broken("cannot read the call"))?;
    let recording = Recording::from_bytes(&bytes).map_err(Ended::Refused)?;
    let replayer = Replayer::new(&recording.wasm, recording.transcript.kind, class, target)
        .map_err(|fault| Ended::Refused(fault.to_string()))?;
    // The thread that counts time was the last one.
    child::forbid_processes().map_err(broken("cannot limit itself"))?;
    let answer = replayer.call(&recording.transcript.input).map_err(Ended::Refused)?;
    let answer = postcard::to_allocvec(&answer).expect("plain data has a canonical form");
    let mut out = io::stdout().lock();
    out.write_all(&answer).and_then(|()| out.flush()).map_err(broken("cannot write the answer"))
}

fn parse(job: &str) -> Option<(LimitClass, Target)> {
    let (class, target) = job.split_once(' ')?;
    Some((LimitClass::from_name(class)?, Target::from_name(target)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_two_known_words() {
        for class in LimitClass::ALL {
            for target in Target::ALL {
                assert_eq!(parse(&format!("{} {}", class.name(), target.name())), Some((class, target)));
            }
        }
        for bad in ["", "native", "native quick", "pulley native", "native native native"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
