//! The system calls of each role.

use super::super::Role;
use super::told;
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
use std::collections::BTreeMap;

/// By system call: what its arguments must be, one rule of several; no rule: anything.
pub(super) type Rules = Result<BTreeMap<i64, Vec<SeccompRule>>, String>;

/// What every role does.
const ALL: [i64; 20] = [
    // The descriptors that are there, and the end.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Threads wait for each other, and clocks sleep.
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
    // A process that gives up says so with a signal to itself.
    libc::SYS_getpid,
    libc::SYS_gettid,
];

/// What running a module takes besides.
const TO_RUN: [i64; 3] = [
    // Seeds of hash tables.
    libc::SYS_getrandom,
    // New code is made visible to all processors.
    libc::SYS_membarrier,
    // The filter may become stricter.
    libc::SYS_seccomp,
];

/// What a child takes that watches whether its parent is still there.
const TO_WATCH: [i64; 2] = [libc::SYS_getppid, libc::SYS_getrandom];

/// The calls that a process in `role` may make.
pub(super) fn allowed(role: Role) -> Rules {
    let more: &[&[i64]] = match role {
        Role::Worker => &[&TO_RUN],
        Role::Replayer => &[&TO_RUN, &TO_WATCH],
        Role::Compiler => &[&TO_WATCH],
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALL.iter().chain(more.iter().copied().flatten()).map(|call| (*call, Vec::new())).collect();
    let mut allow = |call: i64, conditions: Vec<SeccompCondition>| {
        rules.entry(call).or_default().push(SeccompRule::new(conditions).map_err(told)?);
        Ok::<_, String>(())
    };
    let no_code = || masked(2, libc::PROT_EXEC, 0);
    // New memory is neither a file nor code.
    allow(libc::SYS_mmap, vec![no_code()?, masked(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS)?])?;
    allow(libc::SYS_mprotect, vec![no_code()?])?;
    if role.makes_code() {
        // Code is written first and made executable then.
        allow(libc::SYS_mprotect, vec![masked(2, libc::PROT_WRITE, 0)?])?;
        allow(libc::SYS_prctl, vec![equal(0, libc::PR_SET_NO_NEW_PRIVS as u64)?])?;
    }
    let own = std::process::id();
    allow(libc::SYS_tgkill, vec![equal(0, own.into())?, equal(2, libc::SIGABRT as u64)?])?;
    Ok(rules)
}

/// The calls by which memory becomes executable, of those that are allowed.
pub(super) fn that_make_code() -> Rules {
    let becomes_code = vec![masked(2, libc::PROT_EXEC, libc::PROT_EXEC)?];
    Ok(BTreeMap::from([(libc::SYS_mprotect, vec![SeccompRule::new(becomes_code).map_err(told)?])]))
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).map_err(told)
}

/// The bits of `mask` in an argument are `value`.
fn masked(argument: u8, mask: libc::c_int, value: libc::c_int) -> Result<SeccompCondition, String> {
    let mask = SeccompCmpOp::MaskedEq(mask as u64);
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, mask, value as u64).map_err(told)
}
