//! What the program does as `replay-module`: makes one recorded call again.

use super::replayer::Bench;
use super::{CALL_CPU_S, Recording, Target};
use crate::engine::child::{self, Ended, broken};
use crate::engine::limits::LimitClass;
use crate::engine::seal::{self, Role};
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
    let bench = Bench::new(target).map_err(|fault| Ended::Broken(fault.to_string()))?;
    let is_sealed = child::shut_off(Role::Replayer, class.limits(), CALL_CPU_S)?;
    let mut bytes = Vec::new();
    let most = Recording::MOST_BYTES as u64;
    io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(broken("cannot read the call"))?;
    let recording = Recording::from_bytes(&bytes).map_err(Ended::Refused)?;
    let replayer = bench
        .replayer(&recording.wasm, recording.transcript.kind, class)
        .map_err(|fault| Ended::Refused(fault.to_string()))?;
    if is_sealed {
        seal::no_more_code().map_err(Ended::Broken)?;
    }
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
