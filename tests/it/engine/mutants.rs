//! Spoilt copies of an honest guest: whatever they are, the engine lives on.

use super::place::{Place, guest, input, name};
use std::time::{Duration, Instant};

/// The longest that one mutant may take, on a busy machine: compiled twice within limits, then called.
const BOUND: Duration = Duration::from_secs(60);

/// SplitMix64: the same mutants in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }
}

fn mutate(wasm: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(wasm.len());
        match random.below(8) {
            0 => wasm.truncate(at.max(1)),
            1 => drop(wasm.drain(at..(at + 4).min(wasm.len()))),
            2 => wasm.insert(at, random.next() as u8),
            3 => wasm[at] = 0xff,
            _ => wasm[at] ^= 1 << random.below(8),
        }
    }
}

/// Loads and calls so many mutants; says how many loaded and how many of those decided.
fn survive(mutants: std::ops::Range<u64>) -> (u64, u64) {
    let place = Place::new();
    let engine = place.quick_engine();
    let honest = guest("honest");
    let (mut loaded, mut decided) = (0, 0);
    for seed in mutants {
        let mut wasm = honest.clone();
        mutate(&mut wasm, &mut Random(seed));
        place.install("mutant", &wasm);
        let start = Instant::now();
        match engine.load(&name("mutant")) {
            Ok(module) => {
                loaded += 1;
                decided += u64::from(engine.decide_fees(&module, &input(3)).is_ok());
            }
            Err(fault) => assert!(!fault.to_string().is_empty()),
        }
        assert!(start.elapsed() < BOUND, "mutant {seed} took {:?}", start.elapsed());
    }
    place.install("honest", &honest);
    assert!(engine.decide_fees(&engine.load(&name("honest")).unwrap(), &input(3)).is_ok());
    assert_eq!(engine.place().workers.unwrap().deaths, 0, "no mutant broke a worker");
    (loaded, decided)
}

#[test]
fn spoilt_components_neither_crash_nor_hang_the_engine() {
    let (loaded, decided) = survive(0..200);
    assert!(loaded < 200 && decided <= loaded, "{loaded} of 200 loaded, {decided} decided");
    assert!(loaded > 0, "some mutants get past the first look");
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_spoilt_components_neither_crash_nor_hang_the_engine() {
    let (loaded, decided) = survive(0..10_000);
    println!("{loaded} of 10000 loaded, {decided} decided");
    assert!((1..10_000).contains(&loaded) && decided <= loaded);
}
