//! Filters of system calls, and what else makes a process poor.

mod calls;

use super::Role;
use rlimit::Resource;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

/// Most private memory of a worker, bytes: a module of the largest class with its artefact, its
/// memory, an input and an answer, several times over.
const MOST_DATA: u64 = 1 << 30;

/// Closes everything but standard input, which is the socket to the plugin. As a file it is read and
/// written with `read` and `write`, which can hand over no descriptor.
pub(in crate::engine) fn take_stream() -> io::Result<File> {
    close_from(1)?;
    // SAFETY: the program is started with a socket as descriptor 0, which nothing else here uses.
    Ok(unsafe { File::from_raw_fd(0) })
}

/// Closes the descriptors from `first` on.
pub(in crate::engine) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: nothing here uses a descriptor from `first` on, standard output and error aside,
    // writing to which fails from here on.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if closed == 0 {
        return Ok(());
    }
    // Kernels before 5.9 do not have the call.
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| u32::try_from(*descriptor).is_ok_and(|descriptor| descriptor >= first))
        .collect();
    for descriptor in open {
        // SAFETY: as above; the one of the directory itself is closed already, which is an error that
        // means nothing.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

/// No file, no process, no core dump, no debugger, no life after the plugin's. For a process whose
/// threads run already.
pub(in crate::engine) fn limit() -> io::Result<()> {
    let bounds = [
        (Resource::NOFILE, 0),
        (Resource::NPROC, 0),
        (Resource::FSIZE, 0),
        (Resource::CORE, 0),
        (Resource::DATA, MOST_DATA),
    ];
    for (resource, most) in bounds {
        let (soft, hard) = resource.get()?;
        resource.set(most.min(soft), most.min(hard))?;
    }
    // SAFETY: these set flags and the name of this process, and keep no pointer.
    let set = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0)
            | libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0)
            | libc::prctl(libc::PR_SET_NAME, c"strategy-worker".as_ptr(), 0, 0, 0)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From here on all threads of this process may make only the calls that its role needs; any other
/// one ends the process.
pub(in crate::engine) fn shut(role: Role) -> Result<(), String> {
    install(calls::allowed(role), SeccompAction::KillProcess, SeccompAction::Allow)
}

/// From here on no memory becomes executable.
pub(in crate::engine) fn no_more_code() -> Result<(), String> {
    install(calls::that_make_code(), SeccompAction::Allow, SeccompAction::KillProcess)
}

fn install(rules: calls::Rules, otherwise: SeccompAction, matching: SeccompAction) -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(told)?;
    let filter = SeccompFilter::new(rules?, otherwise, matching, arch).map_err(told)?;
    let program = BpfProgram::try_from(filter).map_err(told)?;
    apply_filter_all_threads(&program).map_err(told)
}

fn told(error: impl std::fmt::Display) -> String {
    format!("the filter of system calls: {error}")
}

#[cfg(test)]
mod tests;
