//! A second engine agrees with the first, about faults too; and calls that an earlier build wrote
//! down come to the same in this one.

use super::nodes::Node;
use crate::engine::place::{self, Place, guest, name};
use cl_revenue_ops::engine::{LimitClass, Replayer, Target};
use cl_revenue_ops::model::{Answer, CycleKind};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a build wrote down: modules, and calls of them in their order.
#[derive(Serialize, Deserialize)]
struct Fixture {
    modules: Vec<(CycleKind, Vec<u8>)>,
    /// The module's place, the input, what came of it.
    calls: Vec<(u8, Vec<u8>, Answer)>,
}

const CALLS: usize = 1_000;
/// Every so many, a call for a rebalance.
const REBALANCE_EVERY: usize = 10;
const CHANNELS: usize = 3;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/journal/calls.zst")
}

fn stored() -> Fixture {
    let packed = std::fs::File::open(file()).unwrap();
    let mut bytes = Vec::new();
    zstd::Decoder::new(packed).unwrap().read_to_end(&mut bytes).unwrap();
    postcard::from_bytes(&bytes).unwrap()
}

#[test]
fn a_thousand_calls_of_an_earlier_build_come_to_the_same_on_both_engines() {
    let fixture = stored();
    assert_eq!(fixture.calls.len(), CALLS);
    let decided = |answer: &&Answer| matches!(answer, Answer::Decided { .. });
    assert_eq!(fixture.calls.iter().map(|call| &call.2).filter(decided).count(), CALLS);
    for target in Target::ALL {
        let replayers: Vec<Replayer> = fixture
            .modules
            .iter()
            .map(|(kind, wasm)| Replayer::new(wasm, *kind, LimitClass::Native, target).unwrap())
            .collect();
        for (number, (module, input, then)) in fixture.calls.iter().enumerate() {
            let now = replayers[usize::from(*module)].call(input).unwrap();
            assert_eq!(now, *then, "call {number} on {}", target.name());
        }
    }
}

/// Writes the fixture anew: after a change of the contract's types, with a new FORMAT.
#[test]
#[ignore = "writes tests/fixtures/journal/calls.zst"]
fn write_a_thousand_calls_down() {
    let place = Place::new();
    let engine = place.quick_engine();
    let (fees, rebalances) = (name("dynamic"), name("rebalance-ev"));
    let module = engine.load(&fees).unwrap();
    let evaluator = engine.load_evaluator(&rebalances).unwrap();
    let modules = vec![
        (CycleKind::Fee, engine.kept(&module.digest).unwrap()),
        (CycleKind::Rebalance, engine.kept(&evaluator.digest).unwrap()),
    ];
    let (mut node, mut calls) = (Node::new(CHANNELS, 7), Vec::new());
    while calls.len() < CALLS {
        if calls.len() % REBALANCE_EVERY == 0 {
            let (_, _, call) = engine.transcribe(&rebalances, &evaluator, &node.rebalances());
            calls.push((1, call.input.into_bytes(), call.answer));
        } else {
            let (decision, _, call) = engine.transcribe(&fees, &module, &node.input);
            calls.push((0, call.input.into_bytes(), call.answer));
            node.step(decision.unwrap());
        }
    }
    let bytes = postcard::to_allocvec(&Fixture { modules, calls }).unwrap();
    std::fs::create_dir_all(file().parent().unwrap()).unwrap();
    std::fs::write(file(), zstd::encode_all(bytes.as_slice(), 19).unwrap()).unwrap();
    println!("{} bytes", std::fs::metadata(file()).unwrap().len());
}

#[test]
fn both_engines_fail_alike() {
    for (mode, code) in [
        ("honest", None),
        ("panic", Some("trap")),
        ("wild-read", Some("trap")),
        ("loop", Some("out_of_fuel")),
        ("recurse", Some("stack")),
        ("memory", Some("out_of_fuel")),
        ("error-text", Some("guest_error")),
        ("row-unknown", Some("bad_output")),
        ("factor-nan", Some("bad_output")),
        ("states-bomb", None),
    ] {
        let (_place, engine, module) = place::load(mode).unwrap();
        let (result, _, call) = engine.transcribe(&name("guest"), &module, &place::input(20));
        assert!(code.is_none() || result.err().map(|fault| fault.kind.code()) == code, "{mode}");
        for target in Target::ALL {
            let replayer = Replayer::new(&guest(mode), CycleKind::Fee, LimitClass::Native, target).unwrap();
            let now = replayer.call(&call.input).unwrap();
            if code == Some("stack") {
                // How far it goes depends on the machine's code: the second engine has other frames.
                let failed = matches!(now, Answer::Failed { .. });
                assert!(failed, "{mode} on {}: {now:?}", target.name());
            } else {
                assert_eq!(call.answer, now, "{mode} on {}", target.name());
            }
        }
    }
}
