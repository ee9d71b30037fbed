//! Modules that are kept by their digest: how long what is known of them stays.

use super::bombs::shapes::with_memories;
use super::place::{Place, guest, input, name};
use cl_revenue_ops::engine::{Fees, Module};
use std::fs;
use std::sync::Arc;

#[test]
fn what_time_decided_is_tried_again_when_an_operator_says_so() {
    let place = Place::new();
    let (program, busy, runs) =
        (env!("CARGO_BIN_EXE_cl-revenue-ops"), place.path("busy"), place.path("runs"));
    let script = format!(
        "echo >> {}; test ! -e {} || kill -XCPU $$; exec {program} \"$@\"",
        runs.display(),
        busy.display()
    );
    fs::write(&busy, "").unwrap();
    let engine = place.with_compiler(&script);
    let digest = engine.receive(&guest("honest")).unwrap();
    let load = || engine.load_kept::<Fees>(&name("guest"), digest);
    assert!(load().unwrap_err().to_string().contains("used up its processor time"));
    fs::remove_file(&busy).unwrap();
    let so_far = fs::read_to_string(&runs).unwrap();
    assert!(load().is_err(), "it is not tried again at once");
    assert_eq!(fs::read_to_string(&runs).unwrap(), so_far);
    engine.forget(&name("guest"));
    assert!(load().is_ok(), "it is looked at as if new");
}

#[test]
fn modules_that_decide_nothing_take_no_memory() {
    let place = Place::new();
    let engine = place.quick_engine();
    let name = name("guest");
    let digest = engine.receive(&guest("honest")).unwrap();
    let only_here = |module: Arc<Module>| Arc::strong_count(&module) == 1;
    assert!(only_here(engine.try_kept(&name, digest).unwrap()), "what is looked at is not remembered");
    let load = || engine.load_kept::<Fees>(&name, digest).unwrap();
    assert!(!only_here(load()), "what is to decide is");
    engine.unload_but([(&name, digest)].into_iter());
    assert!(!only_here(load()));
    let module = load();
    engine.unload_but(std::iter::empty());
    assert!(only_here(module), "it went with whoever used it last");
}

#[test]
fn a_component_may_have_as_many_memories_as_it_is_allowed() {
    for (memories, fits) in [(3, true), (4, false)] {
        let place = Place::new();
        // The guest has one of its own.
        place.install("guest", &with_memories(&guest("honest"), memories));
        for engine in [place.quick_engine(), place.engine_here()] {
            let loaded = engine.load(&name("guest"));
            assert_eq!(loaded.is_ok(), fits, "{memories} more: {:?}", loaded.err());
            let Ok(module) = loaded else { continue };
            assert!(engine.decide_fees(&module, &input(3)).is_ok());
        }
    }
}
