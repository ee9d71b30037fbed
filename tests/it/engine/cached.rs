//! The cache saves time and is never believed without proof.

use super::place::{Place, guest, input, name};
use cl_revenue_ops::engine::{Engine, Module, Origin};
use cl_revenue_ops::model::strategy::StrategyDecision;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

fn artefacts(place: &Place) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(place.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// As after a restart of the plugin.
fn restart(place: &Place) -> (Arc<Module>, StrategyDecision) {
    let engine: Engine = place.quick_engine();
    let module = engine.load(&name("guest")).unwrap();
    let decision = engine.decide_fees(&module, &input(20)).unwrap();
    (module, decision)
}

#[test]
fn a_restart_finds_what_was_compiled() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let (first, expected) = restart(&place);
    assert!(matches!(first.origin, Origin::Compiled { .. }));
    let (second, decision) = restart(&place);
    assert_eq!((&second.origin, decision), (&Origin::Cached, expected));
    assert_eq!(artefacts(&place).len(), 1);
}

#[test]
fn a_file_with_a_changed_byte_is_compiled_again_and_replaced() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let (_, expected) = restart(&place);
    let file = artefacts(&place).remove(0);
    let good = fs::read(&file).unwrap();
    let step = good.len() / 40;
    for at in (0..good.len()).step_by(step).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, &bad).unwrap();
        let (module, decision) = restart(&place);
        assert!(matches!(module.origin, Origin::Compiled { .. }), "byte {at}");
        assert_eq!(decision, expected, "byte {at}");
        assert_eq!(restart(&place).0.origin, Origin::Cached, "byte {at}: replaced by a good one");
    }
}

#[test]
fn an_artefact_under_another_name_is_not_taken() {
    let place = Place::new();
    place.install("guest", &guest("row-twice"));
    let engine = place.quick_engine();
    engine.load(&name("guest")).unwrap();
    let foreign = artefacts(&place).remove(0);

    place.install("guest", &guest("honest"));
    engine.load(&name("guest")).unwrap();
    let ours = artefacts(&place).into_iter().find(|file| *file != foreign).unwrap();
    fs::copy(&foreign, &ours).unwrap();
    let (module, decision) = restart(&place);
    assert!(matches!(module.origin, Origin::Compiled { .. }));
    assert_eq!(decision.proposals.len(), 20);
}

#[test]
fn a_new_key_takes_nothing_written_under_the_old_one() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let (_, expected) = restart(&place);
    fs::write(place.path("cache.key"), [1; 32]).unwrap();
    let (module, decision) = restart(&place);
    assert!(matches!(module.origin, Origin::Compiled { .. }));
    assert_eq!(decision, expected);
}

#[test]
fn a_cache_that_cannot_be_written_is_reported_and_not_needed() {
    let place = Place::new();
    place.install("guest", &guest("honest"));
    let engine = place.quick_engine();
    fs::remove_dir_all(place.path("cache")).unwrap();
    let module = engine.load(&name("guest")).unwrap();
    assert!(matches!(&module.origin, Origin::Compiled { not_cached: Some(_), .. }), "{:?}", module.origin);
    assert!(engine.decide_fees(&module, &input(5)).is_ok());
}
