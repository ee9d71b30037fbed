//! One worker, seen from the plugin: a process and a socket. Each exchange has
//! a deadline, after which the process is no more.

use super::wire::{self, Hello, Outgoing};
use super::{SET_UP_VARIABLE, WORKER_SUBCOMMAND};
use crate::engine::fault::printable;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a worker may take to begin: a thousand times what it takes as a rule.
const BEGIN: Duration = Duration::from_secs(10);
/// The longest first word, bytes.
const MOST_HELLO_BYTES: usize = 4096;

/// How an exchange with a worker failed. The worker is gone then.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It gave no answer in time.
    Late,
    /// It died, or answered what no worker answers; says which, as the predicate of a sentence.
    Dead(String),
}

impl Lost {
    pub(super) fn why(&self) -> &str {
        match self {
            Lost::Late => "did not answer in time and was ended",
            Lost::Dead(why) => why,
        }
    }
}

/// A worker that has begun. It ends with this value.
pub(super) struct Process {
    child: Child,
    stream: UnixStream,
    out: Outgoing,
    frame: Vec<u8>,
}

impl Process {
    /// Starts a worker and waits until it is sealed. It must be able to run artefacts with these
    /// fingerprints. Else says why there is none, as the predicate of a sentence.
    pub(super) fn start(
        program: &Path,
        set_up: &str,
        fingerprints: &[[u8; 32]; 2],
    ) -> Result<Process, String> {
        let mut worker = spawn(program, set_up).map_err(|error| format!("cannot be started: {error}"))?;
        let hello = worker.receive(MOST_HELLO_BYTES, Instant::now() + BEGIN).and_then(wire::value::<Hello>);
        match hello {
            Ok(Hello::Ready(theirs)) if theirs == *fingerprints => Ok(worker),
            Ok(Hello::Ready(_)) => {
                Err("is another version of this program, whose file was replaced: restart the plugin"
                    .to_owned())
            }
            Ok(Hello::Refused(why)) => Err(format!("cannot shut itself off: {}", printable(&why, 400))),
            Err(error) => Err(worker.lost(&error).why().to_owned()),
        }
    }

    /// One exchange: sends what `write` puts into the frame, and gives the answer of at most `most`
    /// bytes.
    pub(super) fn exchange(
        &mut self,
        write: impl FnOnce(&mut Outgoing) -> io::Result<()>,
        most: usize,
        time: Duration,
    ) -> Result<&[u8], Lost> {
        let deadline = Instant::now() + time;
        let done = self.send(write, deadline).and_then(|()| self.receive(most, deadline).map(drop));
        match done {
            Ok(()) => Ok(&self.frame),
            Err(error) => Err(self.lost(&error)),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it died since it was last needed, if it did.
    pub(super) fn died(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(ended)
    }

    /// Ends a worker whose answer was nonsense.
    pub(super) fn distrust(&mut self, error: &io::Error) -> Lost {
        self.lost(error)
    }

    fn send(
        &mut self,
        write: impl FnOnce(&mut Outgoing) -> io::Result<()>,
        deadline: Instant,
    ) -> io::Result<()> {
        write(self.out.begin())?;
        let mut left = self.out.end();
        while !left.is_empty() {
            self.stream.set_write_timeout(Some(until(deadline)?))?;
            match self.stream.write(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, most: usize, deadline: Instant) -> io::Result<&[u8]> {
        let mut stream = Timed { stream: &self.stream, deadline };
        match wire::read_frame(&mut stream, &mut self.frame, most)? {
            true => Ok(&self.frame),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Ends the process, and says what became of it.
    fn lost(&mut self, error: &io::Error) -> Lost {
        // One that has died is not changed by it.
        let status = self.child.kill().and_then(|()| self.child.wait());
        match (error.kind(), status) {
            (ErrorKind::WouldBlock | ErrorKind::TimedOut, _) => Lost::Late,
            (ErrorKind::InvalidData, _) => Lost::Dead(format!("sent {error}, and was ended")),
            (_, Ok(status)) => Lost::Dead(ended(status)),
            (_, Err(error)) => Lost::Dead(format!("is lost: {error}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be ended again, which is all that can go wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path, set_up: &str) -> io::Result<Process> {
    let (stream, theirs) = UnixStream::pair()?;
    let child = Command::new(program)
        .arg(WORKER_SUBCOMMAND)
        .env_clear()
        .env(SET_UP_VARIABLE, set_up)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Process { child, stream, out: Outgoing::default(), frame: Vec::new() })
}

/// Reads that end at a deadline, however the bytes trickle.
struct Timed<'a> {
    stream: &'a UnixStream,
    deadline: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(until(self.deadline)?))?;
        (&mut self.stream).read(buffer)
    }
}

fn until(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// How a process ended, as the predicate of a sentence.
fn ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(libc::SIGSYS), _) => {
            "made a system call that it may not make, and was ended by the kernel".to_owned()
        }
        (Some(libc::SIGKILL), _) => "was killed".to_owned(),
        (Some(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL), _) => "crashed".to_owned(),
        (Some(libc::SIGABRT), _) => "gave up: out of memory, or a defect".to_owned(),
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
#[path = "process/tests.rs"]
mod tests;
