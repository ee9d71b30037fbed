//! Compiles strangers' components where it cannot hurt: in a child process
//! that limits its own processor time and memory before it reads anything.
//!
//! Compiling is the dangerous part of running WebAssembly: a file of a few KB
//! can keep the optimiser busy for minutes and fill gigabytes. A child that
//! dies of its limits is tried once more with the quick tier, whose time is
//! linear in the size of the file.

use super::config::{self, Space, Tier};
use super::fault::printable;
use super::limits::LimitClass;
use super::load_fault::LoadFault;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// The subcommand under which the program compiles one module.
pub const COMPILE_SUBCOMMAND: &str = "compile-module";
/// Carries class, tier and address space to the child.
pub(super) const JOB_VARIABLE: &str = "CL_REVENUE_OPS_COMPILE";
/// Exit status of a child that found the module invalid, as said on stderr.
pub(super) const EXIT_INVALID: u8 = 3;
/// Longest message taken from a child, bytes.
const MAX_MESSAGE: u64 = 2_000;

/// Where modules that are not the binary's own are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In a child: this program with the subcommand `compile-module`.
    Child(PathBuf),
    /// In this process, without limits: for tests and benchmarks.
    InProcess,
}

/// One module to compile.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) class: LimitClass,
    pub(super) tier: Tier,
    pub(super) space: Space,
}

/// Why one try gave nothing.
enum Failure {
    /// A limit ended it; another tier may do.
    Limit(String),
    Fault(LoadFault),
}

impl Compiler {
    /// The artefact, and the tier that made it: the one asked for, or the
    /// quick one where that hit its limits.
    pub(super) fn compile(&self, job: Job<'_>) -> Result<(Vec<u8>, Tier), LoadFault> {
        let first = self.once(job);
        let tried = match first {
            Err(Failure::Limit(_)) if job.tier != Tier::Quick => {
                let job = Job { tier: Tier::Quick, ..job };
                self.once(job).map(|artefact| (artefact, job.tier))
            }
            other => other.map(|artefact| (artefact, job.tier)),
        };
        tried.map_err(|failure| match failure {
            Failure::Limit(why) => LoadFault::CompileLimit { why, class: job.class },
            Failure::Fault(fault) => fault,
        })
    }

    fn once(&self, job: Job<'_>) -> Result<Vec<u8>, Failure> {
        match self {
            Compiler::Child(program) => in_child(program, job),
            Compiler::InProcess => in_process(job).map_err(|why| Failure::Fault(LoadFault::Invalid { why })),
        }
    }
}

/// Compiles here and now; the message of a failure is printable.
pub(super) fn in_process(job: Job<'_>) -> Result<Vec<u8>, String> {
    config::compiling(job.tier, job.space)
        .and_then(|engine| engine.precompile_component(job.wasm))
        .map_err(|error| printable(&format!("{error:#}"), 400))
}

fn host_fault(error: &io::Error) -> Failure {
    Failure::Fault(LoadFault::Host { why: format!("the compiler's process could not be run: {error}") })
}

fn in_child(program: &Path, job: Job<'_>) -> Result<Vec<u8>, Failure> {
    let deadline = Instant::now() + job.class.limits().compile_wall;
    let mut child = start(program, job).map_err(|error| host_fault(&error))?;
    let answer = converse(&mut child, job, deadline);
    // It has ended, or has to now: either way it is not left behind.
    let killed = child.kill();
    let status = child.wait().map_err(|error| host_fault(&error))?;
    killed.map_err(|error| host_fault(&error))?;
    let Some(answer) = answer else {
        let wall = job.class.limits().compile_wall.as_secs();
        return Err(Failure::Limit(format!("was not done after {wall} s")));
    };
    verdict(answer, status, job)
}

fn start(program: &Path, job: Job<'_>) -> io::Result<Child> {
    Command::new(program)
        .arg(COMPILE_SUBCOMMAND)
        .env_clear()
        .env(JOB_VARIABLE, format!("{} {} {}", job.class.name(), job.tier.name(), job.space.name()))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// What a child wrote, and how it ended.
struct Answer {
    artefact: io::Result<Vec<u8>>,
    message: Vec<u8>,
}

/// Hands the module over and takes the answer, each on a thread of its own so
/// that neither side can block the other; nothing after the deadline.
fn converse(child: &mut Child, job: Job<'_>, deadline: Instant) -> Option<Answer> {
    let (mut stdin, mut stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
    let wasm = job.wasm.to_vec();
    // A child that does not read says why by its status.
    thread::spawn(move || io::Write::write_all(&mut stdin, &wasm));
    let (sender, receiver) = mpsc::channel();
    let most = job.class.limits().artefact_bytes as u64 + 1;
    thread::spawn(move || {
        let mut artefact = Vec::new();
        let read = stdout.by_ref().take(most).read_to_end(&mut artefact).map(|_| artefact);
        let mut message = Vec::new();
        let told = stderr.take(MAX_MESSAGE).read_to_end(&mut message);
        let artefact = read.and_then(|artefact| told.map(|_| artefact));
        // Nobody waits any more after the deadline.
        let _ = sender.send(Answer { artefact, message });
    });
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}

fn verdict(answer: Answer, status: ExitStatus, job: Job<'_>) -> Result<Vec<u8>, Failure> {
    let artefact = answer.artefact.map_err(|error| host_fault(&error))?;
    let most = job.class.limits().artefact_bytes;
    if artefact.len() > most {
        return Err(Failure::Limit(format!("made more than {most} bytes of code")));
    }
    let message = printable(String::from_utf8_lossy(&answer.message).trim(), 400);
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(artefact),
        (Some(code), _) if code == i32::from(EXIT_INVALID) => {
            Err(Failure::Fault(LoadFault::Invalid { why: message }))
        }
        (Some(code), _) => {
            let why = format!("the compiler's process ended with status {code}: {message}");
            Err(Failure::Fault(LoadFault::Host { why }))
        }
        (None, signal) => Err(Failure::Limit(died_of(signal))),
    }
}

/// The signal's meaning for a process under resource limits (signal(7)).
fn died_of(signal: Option<i32>) -> String {
    match signal {
        Some(24) => "used up its processor time".to_owned(),
        Some(6) => "used up its memory".to_owned(),
        Some(9) => "was killed: out of processor time or memory".to_owned(),
        Some(11) => "crashed the compiler".to_owned(),
        Some(other) => format!("ended by signal {other}"),
        None => "ended without a status".to_owned(),
    }
}
