//! The other side of `compile`: what the program does as `compile-module`; and how a child of any
//! kind limits itself.

use super::compile::{JOB_VARIABLE, Job, in_process};
use super::config::{Space, Tier};
use super::errand::{EXIT_REFUSED, UNSEALED_VARIABLE};
use super::limits::{LimitClass, Limits};
use super::seal::{self, Role};
use rlimit::Resource;
use std::env;
use std::io::{self, Read, Write};
use std::os::unix::process::parent_id;
use std::process::{self, ExitCode};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// Time between two looks whether the parent is still there.
const WATCH: Duration = Duration::from_millis(250);
/// The first descriptor after the standard streams.
const FIRST_OTHER: u32 = 3;

/// Compiles the component on stdin to an artefact on stdout. Limits itself
/// before it reads the first byte, and ends when its parent does.
pub fn compile_child_main() -> ExitCode {
    exit(run())
}

/// Why a child has no answer.
pub(super) enum Ended {
    /// What it was given is wrong.
    Refused(String),
    Broken(String),
}

/// Says how it ended to whoever started it.
pub(super) fn exit(ended: Result<(), Ended>) -> ExitCode {
    let (why, status) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Ended::Refused(why)) => (why, ExitCode::from(EXIT_REFUSED)),
        Err(Ended::Broken(why)) => (why, ExitCode::FAILURE),
    };
    // The status says enough if even this cannot be written.
    let _ = writeln!(io::stderr(), "{why}");
    status
}

/// What a child could not do.
pub(super) fn broken(what: &'static str) -> impl Fn(io::Error) -> Ended {
    move |error| Ended::Broken(format!("{what}: {error}"))
}

fn run() -> Result<(), Ended> {
    let job = env::var(JOB_VARIABLE).unwrap_or_default();
    let Some((class, tier, space)) = parse(&job) else {
        return Err(Ended::Broken(format!("{JOB_VARIABLE} is not 'CLASS TIER SPACE': the plugin sets it")));
    };
    watch_parent().map_err(broken("cannot watch the parent"))?;
    shut_off(Role::Compiler, class.limits(), 0)?;
    let mut wasm = Vec::new();
    let most = class.limits().wasm_bytes as u64;
    io::stdin().lock().take(most).read_to_end(&mut wasm).map_err(broken("cannot read the module"))?;
    let artefact = in_process(Job { wasm: &wasm, class, tier, space }).map_err(Ended::Refused)?;
    let mut out = io::stdout().lock();
    out.write_all(&artefact).and_then(|()| out.flush()).map_err(broken("cannot write the artefact"))
}

fn parse(job: &str) -> Option<(LimitClass, Tier, Space)> {
    let mut words = job.split(' ');
    let class = LimitClass::from_name(words.next()?)?;
    let tier = Tier::from_name(words.next()?)?;
    let space = Space::from_name(words.next()?)?;
    Some((class, tier, space))
}

/// From here on this process has its standard streams alone, the limits of a class, and makes the
/// system calls of `role` or is ended. Says whether the last is so: where the system knows no filter,
/// limits may have to do.
pub(super) fn shut_off(role: Role, limits: &Limits, more_cpu_s: u64) -> Result<bool, Ended> {
    seal::close_from(FIRST_OTHER).map_err(broken("cannot close what it was left"))?;
    limit(limits, more_cpu_s).map_err(broken("cannot limit itself"))?;
    match seal::shut(role) {
        Ok(()) => Ok(true),
        Err(_) if env::var_os(UNSEALED_VARIABLE).is_some() => Ok(false),
        Err(why) => Err(Ended::Broken(format!("cannot shut itself off: {why}"))),
    }
}

/// No more processor time and memory than compiling may take in the class, and `more_cpu_s`; no
/// process, no file opened or written, no core dump. A limit that is lower already stays. For a
/// process whose threads run already.
fn limit(limits: &Limits, more_cpu_s: u64) -> io::Result<()> {
    bound(Resource::CPU, limits.compile_cpu_s + more_cpu_s)?;
    bound(Resource::AS, limits.compile_bytes)?;
    let forbidden = [Resource::NPROC, Resource::NOFILE, Resource::FSIZE, Resource::CORE];
    forbidden.into_iter().try_for_each(|resource| bound(resource, 0))
}

fn bound(resource: Resource, most: u64) -> io::Result<()> {
    let (soft, hard) = resource.get()?;
    resource.set(most.min(soft), most.saturating_add(1).min(hard))
}

/// Ends this process when the one that started it is gone. The thread that sees to it has begun when
/// this returns: what a thread does to begin, a process that is shut off may not.
pub(super) fn watch_parent() -> io::Result<()> {
    let parent = parent_id();
    let begun = Arc::new(Barrier::new(2));
    let here = Arc::clone(&begun);
    let watch = move || {
        here.wait();
        while parent_id() == parent {
            thread::sleep(WATCH);
        }
        process::exit(1);
    };
    thread::Builder::new().name("watch-parent".to_owned()).spawn(watch)?;
    begun.wait();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_three_known_words() {
        assert_eq!(parse("native speed wide"), Some((LimitClass::Native, Tier::Speed, Space::Wide)));
        assert_eq!(
            parse("interpreted quick compact"),
            Some((LimitClass::Interpreted, Tier::Quick, Space::Compact))
        );
        for bad in ["", "native", "native speed", "speed native wide", "native speed wide2"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
