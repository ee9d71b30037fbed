//! How a worker shuts itself off: no descriptor but its socket, no resources to
//! get others with, and a filter under which every system call that running
//! WebAssembly does not need ends the process.

use rlimit::Resource;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

/// Most private memory of a worker, bytes: a module of the largest class with its artefact, its
/// memory, an input and an answer, several times over.
const MOST_DATA: u64 = 1 << 30;

/// Closes everything but standard input, which is the socket to the plugin. As a file it is read and
/// written with `read` and `write`, which can hand over no descriptor.
pub(super) fn take_stream() -> io::Result<File> {
    close_from(1)?;
    // SAFETY: the program is started with a socket as descriptor 0, which nothing else here uses.
    Ok(unsafe { File::from_raw_fd(0) })
}

/// Closes the descriptors from `first` on.
fn close_from(first: u32) -> io::Result<()> {
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
pub(super) fn limit() -> io::Result<()> {
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

/// From here on all threads of this process may make only the calls of [`allowed`]; any other one
/// ends the process.
pub(super) fn shut() -> Result<(), String> {
    install(allowed(), SeccompAction::KillProcess, SeccompAction::Allow)
}

/// From here on no memory becomes executable.
pub(super) fn no_more_code() -> Result<(), String> {
    let becomes_code = when(vec![masked(2, libc::PROT_EXEC, libc::PROT_EXEC)?])?;
    let refused = BTreeMap::from([(libc::SYS_mprotect, vec![becomes_code])]);
    install(Ok(refused), SeccompAction::Allow, SeccompAction::KillProcess)
}

type Rules = Result<BTreeMap<i64, Vec<SeccompRule>>, String>;

fn install(rules: Rules, otherwise: SeccompAction, matching: SeccompAction) -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(told)?;
    let filter = SeccompFilter::new(rules?, otherwise, matching, arch).map_err(told)?;
    let program = BpfProgram::try_from(filter).map_err(told)?;
    apply_filter_all_threads(&program).map_err(told)
}

/// The calls that a sealed worker may make.
fn allowed() -> Rules {
    // The socket, which is the only descriptor, and the end.
    let plain = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Memory.
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        // Threads wait for each other, and the engine's clock sleeps.
        libc::SYS_futex,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_clock_gettime,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        // Traps are signals.
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        // Seeds of hash tables.
        libc::SYS_getrandom,
        // New code is made visible to all processors.
        libc::SYS_membarrier,
        // A process that gives up says so with a signal to itself.
        libc::SYS_getpid,
        libc::SYS_gettid,
        // The filter may become stricter.
        libc::SYS_seccomp,
    ];
    let own = std::process::id();
    let narrow = [
        // New memory is neither a file nor code. Code is written first and made executable then.
        (
            libc::SYS_mmap,
            vec![masked(2, libc::PROT_EXEC, 0)?, masked(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS)?],
        ),
        (libc::SYS_mprotect, vec![masked(2, libc::PROT_EXEC, 0)?]),
        (libc::SYS_mprotect, vec![masked(2, libc::PROT_WRITE, 0)?]),
        (libc::SYS_tgkill, vec![equal(0, own.into())?, equal(2, libc::SIGABRT as u64)?]),
        (libc::SYS_prctl, vec![equal(0, libc::PR_SET_NO_NEW_PRIVS as u64)?]),
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        plain.into_iter().map(|call| (call, Vec::new())).collect();
    for (call, conditions) in narrow {
        rules.entry(call).or_default().push(when(conditions)?);
    }
    Ok(rules)
}

/// All of the conditions.
fn when(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, String> {
    SeccompRule::new(conditions).map_err(told)
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).map_err(told)
}

/// The bits of `mask` in an argument are `value`.
fn masked(argument: u8, mask: libc::c_int, value: libc::c_int) -> Result<SeccompCondition, String> {
    let mask = SeccompCmpOp::MaskedEq(mask as u64);
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, mask, value as u64).map_err(told)
}

fn told(error: impl std::fmt::Display) -> String {
    format!("the filter of system calls: {error}")
}
