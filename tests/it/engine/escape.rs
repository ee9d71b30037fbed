//! A guest that has broken out of the sandbox: machine code of its own within
//! its call. It meets a process that can do nothing.
//!
//! The code is put into what the compiler made, behind the engine's back, which
//! takes it as it takes everything that its compiler says.

use super::place::{Place, guest, input, name};
use cl_revenue_ops::engine::{Engine, FaultKind};
use std::fs;

/// A system call: its number and its first arguments.
#[derive(Clone, Copy)]
pub struct Call(pub i64, pub [u32; 4]);

impl Call {
    /// A call whose arguments do not matter.
    pub const fn any(number: i64) -> Call {
        Call(number, [0; 4])
    }

    /// Machine code that makes the call, and ends the process if it returns.
    fn code(self) -> Vec<u8> {
        [self.instructions(), Call(libc::SYS_exit_group, [RETURNED, 0, 0, 0]).instructions()].concat()
    }

    fn instructions(self) -> Vec<u8> {
        const INTO_EDI_ESI_EDX_R10D: [&[u8]; 4] = [&[0xbf], &[0xbe], &[0xba], &[0x41, 0xba]];
        const INTO_EAX: u8 = 0xb8;
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let Call(number, arguments) = self;
        let mut code = Vec::new();
        for (into, argument) in INTO_EDI_ESI_EDX_R10D.into_iter().zip(arguments) {
            if argument != 0 {
                code.extend_from_slice(into);
                code.extend_from_slice(&argument.to_le_bytes());
            }
        }
        code.push(INTO_EAX);
        code.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
        code.extend_from_slice(&SYSCALL);
        code
    }
}

/// The exit status of a process in which the call returned.
const RETURNED: u32 = 77;

/// The artefact of a guest that marks where code may be put.
pub fn artefact(wasm: &[u8]) -> Vec<u8> {
    const MAC_BYTES: usize = 32;
    let place = Place::new();
    place.install("guest", wasm);
    place.engine().load(&name("guest")).unwrap();
    let mut files = fs::read_dir(place.path("cache")).unwrap();
    let mut artefact = fs::read(files.next().unwrap().unwrap().path()).unwrap();
    assert!(files.next().is_none(), "one module, one artefact");
    artefact.truncate(artefact.len() - MAC_BYTES);
    artefact
}

/// The artefact with the code that makes `call` at the marks.
pub fn with_code(mut artefact: Vec<u8>, call: Call) -> Vec<u8> {
    // What loads the guest's number into a register, without its two bytes of operation.
    const MARK: [u8; 8] = 0x6573_6361_7065_6421_u64.to_le_bytes();
    let code = call.code();
    let marks: Vec<usize> =
        (2..artefact.len() - 64).filter(|at| artefact[*at..].starts_with(&MARK)).collect();
    assert!(!marks.is_empty(), "the compiler keeps the number in the code");
    for at in marks {
        artefact[at - 2..at - 2 + code.len()].copy_from_slice(&code);
    }
    artefact
}

/// An engine that takes `artefact` for what its compiler made.
pub fn engine(place: &Place, artefact: &[u8]) -> Engine {
    fs::write(place.path("artefact"), artefact).unwrap();
    place.with_compiler(&format!("cat {}", place.path("artefact").display()))
}

/// Ways out of a process, by name.
const WAYS_OUT: [(&str, Call); 25] = [
    ("open", Call::any(libc::SYS_open)),
    ("openat", Call::any(libc::SYS_openat)),
    ("openat2", Call::any(libc::SYS_openat2)),
    ("creat", Call::any(libc::SYS_creat)),
    ("socket", Call(libc::SYS_socket, [libc::AF_UNIX as u32, libc::SOCK_STREAM as u32, 0, 0])),
    ("connect", Call::any(libc::SYS_connect)),
    ("sendmsg", Call::any(libc::SYS_sendmsg)),
    ("recvmsg", Call::any(libc::SYS_recvmsg)),
    ("fork", Call::any(libc::SYS_fork)),
    ("vfork", Call::any(libc::SYS_vfork)),
    ("clone", Call::any(libc::SYS_clone)),
    ("clone3", Call::any(libc::SYS_clone3)),
    ("execve", Call::any(libc::SYS_execve)),
    ("execveat", Call::any(libc::SYS_execveat)),
    ("ptrace", Call::any(libc::SYS_ptrace)),
    ("process_vm_writev", Call::any(libc::SYS_process_vm_writev)),
    ("kill", Call(libc::SYS_kill, [1, 0, 0, 0])),
    ("tgkill another", Call(libc::SYS_tgkill, [1, 1, libc::SIGABRT as u32, 0])),
    ("prctl", Call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u32, 1, 0, 0])),
    ("prlimit64", Call::any(libc::SYS_prlimit64)),
    ("memfd_create", Call::any(libc::SYS_memfd_create)),
    ("io_uring_setup", Call::any(libc::SYS_io_uring_setup)),
    ("ioctl", Call::any(libc::SYS_ioctl)),
    ("mmap of code", Call(libc::SYS_mmap, [0, 4096, 5, 0x22])),
    ("mprotect to code", Call(libc::SYS_mprotect, [0, 4096, 5, 0])),
];

#[test]
fn who_breaks_out_meets_a_process_that_can_open_nothing() {
    let wasm = guest("escape");
    let artefact = artefact(&wasm);
    for (way, call) in WAYS_OUT {
        let place = Place::new();
        place.install("guest", &wasm);
        let engine = engine(&place, &with_code(artefact.clone(), call));
        let module = engine.load(&name("guest")).unwrap();
        let fault = engine.decide_fees(&module, &input(3)).expect_err(way);
        assert_eq!((fault.kind, fault.fuel), (FaultKind::WorkerDied, None), "{way}: {fault}");
        assert!(fault.detail.contains("a system call that it may not make"), "{way}: {fault}");
        let honest = engine.built_in("passive").unwrap();
        assert!(engine.decide_fees(&honest, &input(3)).is_ok(), "{way}: the engine goes on");
        let crew = engine.place().workers.unwrap();
        assert_eq!((crew.deaths, crew.last_death.unwrap().module.as_deref()), (1, Some("guest")), "{way}");
    }
}

#[test]
fn the_code_runs_and_what_is_allowed_is_not_what_ends_it() {
    let wasm = guest("escape");
    let place = Place::new();
    place.install("guest", &wasm);
    let allowed = [Call::any(libc::SYS_getpid), Call(libc::SYS_mprotect, [0, 4096, 1, 0])];
    for call in allowed {
        let engine = engine(&place, &with_code(artefact(&wasm), call));
        let module = engine.load(&name("guest")).unwrap();
        let fault = engine.decide_fees(&module, &input(3)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::WorkerDied, "{fault}");
        assert!(fault.detail.contains("ended with status 77"), "the call returns: {fault}");
        fs::remove_dir_all(place.path("cache")).unwrap();
    }
}
