#![allow(clippy::unwrap_used)]
use super::*;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

const ROLES: [(&str, Role); 3] =
    [("worker", Role::Worker), ("compiler", Role::Compiler), ("replayer", Role::Replayer)];
/// Names role, number and arguments of the call to try.
const ATTEMPT: &str = "CL_REVENUE_OPS_TEST_ATTEMPT";
/// The exit status of a process in which the call returned.
const RETURNED: i32 = 77;
const PAGE: i64 = 4096;

/// What no role may do.
const FOR_NOBODY: [(&str, i64, [i64; 4]); 19] = [
    ("openat", libc::SYS_openat, [0; 4]),
    ("openat2", libc::SYS_openat2, [0; 4]),
    ("socket", libc::SYS_socket, [libc::AF_UNIX as i64, libc::SOCK_STREAM as i64, 0, 0]),
    ("connect", libc::SYS_connect, [0; 4]),
    ("sendmsg", libc::SYS_sendmsg, [0; 4]),
    ("recvmsg", libc::SYS_recvmsg, [0; 4]),
    ("clone", libc::SYS_clone, [0; 4]),
    ("clone3", libc::SYS_clone3, [0; 4]),
    ("execve", libc::SYS_execve, [0; 4]),
    ("ptrace", libc::SYS_ptrace, [0; 4]),
    ("process_vm_readv", libc::SYS_process_vm_readv, [0; 4]),
    ("kill", libc::SYS_kill, [1, 0, 0, 0]),
    ("tgkill another", libc::SYS_tgkill, [1, 1, libc::SIGABRT as i64, 0]),
    ("prlimit64", libc::SYS_prlimit64, [0; 4]),
    ("memfd_create", libc::SYS_memfd_create, [0; 4]),
    ("ioctl", libc::SYS_ioctl, [0; 4]),
    ("mmap of a file", libc::SYS_mmap, [0, PAGE, 1, 2]),
    ("mmap of code", libc::SYS_mmap, [0, PAGE, 5, 0x22]),
    ("mprotect to what is written and run", libc::SYS_mprotect, [0, PAGE, 7, 0]),
];
const TO_CODE: [i64; 4] = [0, PAGE, 5, 0];

/// What became of a process of its own that shut itself off and made the call.
fn attempt(role: &str, call: i64, arguments: [i64; 4]) -> ExitStatus {
    let [one, two, three, four] = arguments;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--ignored", "engine::seal::linux::tests::in_a_process_of_its_own"]);
    child.env(ATTEMPT, format!("{role} {call} {one} {two} {three} {four}"));
    child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
}

#[test]
#[ignore = "the other tests run it, in processes of their own"]
fn in_a_process_of_its_own() {
    let Ok(what) = std::env::var(ATTEMPT) else { return };
    let (name, numbers) = what.split_once(' ').unwrap();
    let role = ROLES.into_iter().find(|(other, _)| *other == name).unwrap().1;
    let numbers: Vec<i64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
    let [call, one, two, three, four] = numbers.try_into().unwrap();
    close_from(3).unwrap();
    shut(role).unwrap();
    // SAFETY: a call that may do harm does not return, and nothing follows one that does.
    unsafe {
        libc::syscall(call, one, two, three, four);
        libc::syscall(libc::SYS_exit_group, RETURNED);
    }
}

#[test]
fn a_call_that_no_role_needs_ends_the_process() {
    for (role, _) in ROLES {
        for (way, call, arguments) in FOR_NOBODY {
            assert_eq!(attempt(role, call, arguments).signal(), Some(libc::SIGSYS), "{role}: {way}");
        }
    }
}

#[test]
fn what_a_role_needs_returns_and_what_only_another_needs_does_not() {
    // By role: may it, worker, compiler and replayer.
    let cases = [
        ("getpid", libc::SYS_getpid, [0; 4], [true, true, true]),
        ("mprotect", libc::SYS_mprotect, [0, PAGE, 1, 0], [true, true, true]),
        ("mprotect to code", libc::SYS_mprotect, TO_CODE, [true, false, true]),
        ("membarrier", libc::SYS_membarrier, [0; 4], [true, false, true]),
        ("seccomp", libc::SYS_seccomp, [0; 4], [true, false, true]),
        ("getppid", libc::SYS_getppid, [0; 4], [false, true, true]),
    ];
    for (way, call, arguments, allowed) in cases {
        for ((role, _), may) in ROLES.into_iter().zip(allowed) {
            let status = attempt(role, call, arguments);
            let expect = if may { (Some(RETURNED), None) } else { (None, Some(libc::SIGSYS)) };
            assert_eq!((status.code(), status.signal()), expect, "{role}: {way}");
        }
    }
}
