//! How the processes around strategies shut themselves off: no descriptor but
//! those that they answer by, no resources to get others with, and a filter
//! under which every system call that the work does not need ends the process.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{close_from, limit, no_more_code, shut, take_stream};
#[cfg(target_os = "linux")]
pub(super) use linux::{close_from, limit, no_more_code, shut, take_stream};

/// What a process does once it is shut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Runs the calls of one compiled module.
    Worker,
    /// Compiles one module.
    Compiler,
    /// Compiles one module and makes one recorded call of it.
    Replayer,
}

impl Role {
    /// Whether code comes to be in the process, and may until it is told otherwise.
    #[cfg(target_os = "linux")]
    const fn makes_code(self) -> bool {
        matches!(self, Role::Worker | Role::Replayer)
    }
}
