//! Work that is given to a process of its own: this program once more, which reads bytes, limits
//! itself, and answers by bytes. Whatever becomes of it, it is gone when this is over.

use super::fault::printable;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Exit status of a child that refuses what it was given, as said on stderr.
pub(super) const EXIT_REFUSED: u8 = 3;
/// Set where a child may work although it cannot shut itself off.
pub(super) const UNSEALED_VARIABLE: &str = "CL_REVENUE_OPS_UNSEALED";
/// The signal of a process that made a system call that its filter does not know (signal(7)).
const SIGSYS: i32 = 31;
/// Longest message taken from a child, bytes.
const MAX_MESSAGE: u64 = 2_000;

/// What a child is to do.
pub(super) struct Errand<'a> {
    /// The program's subcommand.
    pub(super) subcommand: &'static str,
    /// A variable of its environment, which is empty otherwise.
    pub(super) job: (&'static str, String),
    /// It may do it under its limits alone where the system knows no filter for it.
    pub(super) or_unsealed: bool,
    /// What it reads from stdin.
    pub(super) bytes: &'a [u8],
    /// Longest answer, bytes.
    pub(super) most: usize,
    pub(super) patience: Duration,
}

/// Why there is no answer; the sentences are printable.
pub(super) enum Failed {
    /// It found what it was given to be wrong.
    Refused(String),
    /// It came upon a limit: the predicate of a sentence.
    Limit(Bound, String),
    /// It could not do its work.
    Broken(String),
}

/// What a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Time, which the machine's load decides too; or somebody ended it.
    Time,
    Memory,
    /// The length of the answer.
    Answer,
}

impl Errand<'_> {
    /// Has `program` do it.
    pub(super) fn run(self, program: &Path) -> Result<Vec<u8>, Failed> {
        let deadline = Instant::now() + self.patience;
        let not_run = |error: io::Error| Failed::Broken(format!("could not be run: {error}"));
        let mut child = self.start(program).map_err(not_run)?;
        let answer = self.converse(&mut child, deadline);
        // It has ended, or has to now: either way it is not left behind.
        let killed = child.kill();
        let status = child.wait().map_err(not_run)?;
        killed.map_err(not_run)?;
        let Some(answer) = answer else {
            let why = format!("was not done after {} s", self.patience.as_secs());
            return Err(Failed::Limit(Bound::Time, why));
        };
        self.verdict(answer, status)
    }

    fn start(&self, program: &Path) -> io::Result<Child> {
        Command::new(program)
            .arg(self.subcommand)
            .env_clear()
            .env(self.job.0, &self.job.1)
            .envs(self.or_unsealed.then_some((UNSEALED_VARIABLE, "allowed")))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// Hands the bytes over and takes the answer, each on a thread of its own so that neither side
    /// can block the other; nothing after the deadline.
    fn converse(&self, child: &mut Child, deadline: Instant) -> Option<Answer> {
        let (mut stdin, mut stdout, stderr) =
            (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
        let bytes = self.bytes.to_vec();
        // A child that does not read says why by its status.
        thread::spawn(move || io::Write::write_all(&mut stdin, &bytes));
        let (sender, receiver) = mpsc::channel();
        let most = self.most as u64 + 1;
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.by_ref().take(most).read_to_end(&mut bytes);
            let mut message = Vec::new();
            // Who says too much waits until it can say the rest: it has no end to wait for.
            let is_over = bytes.len() as u64 == most;
            let told = if is_over { Ok(0) } else { stderr.take(MAX_MESSAGE).read_to_end(&mut message) };
            let bytes = read.and(told).map(|_| bytes);
            // Nobody waits any more after the deadline.
            let _ = sender.send(Answer { bytes, message });
        });
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    fn verdict(&self, answer: Answer, status: ExitStatus) -> Result<Vec<u8>, Failed> {
        let bytes =
            answer.bytes.map_err(|error| Failed::Broken(format!("could not be listened to: {error}")))?;
        if bytes.len() > self.most {
            let why = format!("answered with more than {} bytes", self.most);
            return Err(Failed::Limit(Bound::Answer, why));
        }
        let message = printable(String::from_utf8_lossy(&answer.message).trim(), 400);
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(bytes),
            (Some(code), _) if code == i32::from(EXIT_REFUSED) => Err(Failed::Refused(message)),
            (Some(code), _) => Err(Failed::Broken(format!("ended with status {code}: {message}"))),
            (None, Some(SIGSYS)) => {
                Err(Failed::Refused("it made its process do what none may, which ended it".to_owned()))
            }
            (None, signal) => {
                let (bound, why) = died_of(signal);
                Err(Failed::Limit(bound, why))
            }
        }
    }
}

/// What a child wrote.
struct Answer {
    bytes: io::Result<Vec<u8>>,
    message: Vec<u8>,
}

/// The signal's meaning for a process under resource limits (signal(7)).
fn died_of(signal: Option<i32>) -> (Bound, String) {
    let (bound, why) = match signal {
        Some(24) => (Bound::Time, "used up its processor time"),
        Some(6) => (Bound::Memory, "used up its memory"),
        Some(9) => (Bound::Time, "was killed: out of processor time or memory"),
        Some(11) => (Bound::Memory, "crashed the compiler"),
        Some(other) => return (Bound::Time, format!("ended by signal {other}")),
        None => (Bound::Time, "ended without a status"),
    };
    (bound, why.to_owned())
}
