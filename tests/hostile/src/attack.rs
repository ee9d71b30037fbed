//! Attacks on the machine: time, memory, stack.

use std::hint::black_box;

/// Does what `mode` says, if it names an attack of this kind.
pub fn run(mode: &str) {
    match mode {
        "panic" => panic!("a guest's last words"),
        "divide" => drop(black_box(1_u32 / black_box(0))),
        "wild-read" => wild_read(),
        "loop" => spin(),
        "grow" => grow_by_nothing(),
        "memory" => eat_memory(),
        "recurse" => drop(black_box(recurse(black_box(1)))),
        other if other.starts_with("escape") => escape(),
        _ => {}
    }
}

fn wild_read() {
    let address = black_box(0xffff_fff0_usize) as *const u64;
    // SAFETY: none. The sandbox has to stop it.
    black_box(unsafe { address.read_volatile() });
}

pub fn spin() -> ! {
    loop {
        black_box(0);
    }
}

/// Asks the host for no more memory, again and again: little fuel, much time, on any machine.
fn grow_by_nothing() -> ! {
    loop {
        black_box(core::arch::wasm32::memory_grow::<0>(0));
    }
}

fn eat_memory() {
    loop {
        std::mem::forget(black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if depth == 0 { 0 } else { recurse(black_box(depth + 1)) + frame[3] }
}

/// Where tests put machine code that no compiler would make: over the number, once this is compiled.
#[inline(never)]
fn escape() {
    black_box(0x6573_6361_7065_6421_u64);
}
